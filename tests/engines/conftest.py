"""Workspaces whose profile is on other engines than SQLite and ZeroMQ, each brought up for these tests alone."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

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
        process.kill()


@pytest.fixture(scope="session")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """SQLite and ZeroMQ."""
    space = Workspace(tmp_path_factory.mktemp("laptop"))
    space.run("setup")
    yield space
    ended(space)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, short: Path) -> Iterator[Workspace]:
    """PostgreSQL and RabbitMQ."""
    space = Workspace(tmp_path_factory.mktemp("servers"))
    with ExitStack() as stack:
        database = stack.enter_context(postgres(short / "pg"))
        broker = stack.enter_context(rabbitmq(short / "mq"))
        space.run(
            *("setup", "--storage", "postgres", "--database", database.url),
            *("--broker", "rabbitmq", "--rabbitmq", broker.url),
        )
        yield space
        ended(space)


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
    space = Workspace(tmp_path_factory.mktemp("cluster"))
    space.environment["HOME"] = str(short / "home")
    space.run(
        *("setup", "--scheduler", "slurm", "--host", HOST, "--work-dir", f"{short}/work/{{username}}"),
        *("--python", sys.executable, "--poll", "1", "--queue", "debug"),
        *("--mpirun", "mpirun --allow-run-as-root --oversubscribe -np {tot_num_mpiprocs}"),
    )
    yield space
    ended(space)

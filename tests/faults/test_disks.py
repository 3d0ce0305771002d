"""Full disks: real ones, of some megabytes, filled to the last byte while the campaign runs, and freed again."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engines.conftest import ended, ready
from tests.screen.conftest import Workspace

from .harness import Census, assert_survived, disturbed, full, tmpfs, under_way

pytestmark = [pytest.mark.qe, pytest.mark.slow]

Command = subprocess.Popen[str]
FULL_SECONDS = 25.0


def filled(disk: Path, moment: str) -> Callable[[Workspace, Command], None]:
    """What fills a disk at a moment, for a while."""

    def inject(space: Workspace, command: Command) -> None:
        under_way(space, moment)
        with full(disk):
            time.sleep(FULL_SECONDS)

    return inject


@pytest.fixture
def work(space: Workspace) -> Iterator[Path]:
    """The folder in which jobs run, on a disk of its own."""
    with tmpfs(space.folder / ".aiida" / "scratch", 300) as disk:
        yield disk


@pytest.mark.parametrize("moment", ["md", "pw"])
def test_work_folder(space: Workspace, reference: Census, work: Path, moment: str) -> None:
    """What a job cannot write it does again, and what cannot be uploaded waits; nobody has to do anything."""
    disturbed(space, f"full-{moment}", filled(work, moment), again=1)
    assert_survived(space, f"full-{moment}", reference)


@pytest.fixture
def cramped(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, Path]]:
    """A workspace whose repository (database and files) is on a disk of its own."""
    with ready(tmp_path, home=tmp_path_factory.mktemp("home")) as made:
        real, moved = tmp_path / ".aiida" / "repository", tmp_path / "moved"
        real.rename(moved)
        real.mkdir()
        with tmpfs(real, 300) as disk:
            shutil.copytree(moved, disk, dirs_exist_ok=True)
            yield made, disk
            ended(made)  # before its disk is taken away


@pytest.mark.parametrize("moment", ["md", "pw"])
def test_repository(cramped: tuple[Workspace, Path], reference: Census, moment: str) -> None:
    """Database and repository cannot be written for a while. What AiiDA gives up is submitted again."""
    space, disk = cramped
    disturbed(space, f"full-{moment}", filled(disk, moment), again=2)
    assert_survived(space, f"full-{moment}", reference)

"""Files that are cut short, memory that is used up, wall time that is used up, and a clock that jumps."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from aiida_falsemetal.runner import files
from tests.screen.conftest import Workspace

from .clock import own_clock
from .harness import (
    MD,
    PW,
    Census,
    assert_survived,
    census,
    disturbed,
    kill,
    stopped,
    under_way,
    undisturbed,
    wait_for,
)

pytestmark = [pytest.mark.qe, pytest.mark.slow]

Command = subprocess.Popen[str]
LADDER = {"ecutwfc": 20.0, "vacuum": 8.0, "smearing": [0.01, 0.005], "moved_limit": 1.0e-30}
"""Every frame goes down to the second rung, which starts from the density of the first."""
SCF = 2e-3
"""eV; a density that was converged from atoms and one that was converged from another differ by the threshold."""


@pytest.mark.parametrize("name", [files.CHECKPOINT, files.FRAMES, files.SERIES])
def test_truncated_file_of_the_md(space: Workspace, reference: Census, name: str) -> None:
    """As a machine that loses its power leaves it: the job is gone, and of its file the first half is there."""

    def inject(space: Workspace, command: Command) -> None:
        driver = space.wait_for_md(100)
        file = Path(driver.cwd()) / name
        with stopped(driver):
            os.truncate(file, file.stat().st_size // 2)
            kill([driver])

    campaign = "truncated-" + name.replace(".", "-")
    disturbed(space, campaign, inject)
    assert_survived(space, campaign, reference, MD)


def test_truncated_charge_density(space: Workspace) -> None:
    """The density from which the next rung of the ladder starts."""
    gap = {"protocol": "fast", "overrides": LADDER}
    reference = undisturbed(space, name="ladder", gap=gap)

    def inject(space: Workspace, command: Command) -> None:
        def done() -> Path | None:
            for output in (space.folder / ".aiida" / "scratch").rglob("aiida.out"):
                density = output.parent / "out" / "aiida.save" / "charge-density.dat"
                if output not in before and "JOB DONE" in output.read_text() and density.exists():
                    return density
            return None

        density: Path = wait_for(done, "a density")
        os.truncate(density, density.stat().st_size // 2)

    before = set((space.folder / ".aiida" / "scratch").rglob("aiida.out"))
    disturbed(space, "truncated-density", inject, gap=gap)
    assert PW in {label for label, _ in census(space, "truncated-density").lost}
    rows = space.rows("truncated-density")
    assert [row["step"] for row in rows] == [row["step"] for row in reference.rows]
    for key in ("gap", "vbm", "cbm", "drop"):
        assert [row[key] for row in rows] == pytest.approx([row[key] for row in reference.rows], abs=SCF)
    assert all(row["exit_code"] == 0 for row in rows)


@pytest.mark.parametrize("program_of", ["md", "pw"])
def test_out_of_memory(space: Workspace, reference: Census, program_of: str) -> None:
    """No page more for a program: what the kernel's limit does to it, not a kill from outside. The MD meets it while it
    starts, for once it runs it asks for no memory more."""

    def inject(space: Workspace, command: Command) -> None:
        process = wait_for(starting, "a driver") if program_of == "md" else under_way(space, "pw")
        process.rlimit(resource.RLIMIT_AS, (2**20, 2**20))

    def starting() -> psutil.Process | None:
        return next((one for one in space.processes("runner.pyz") if "python" in one.name()), None)

    disturbed(space, f"memory-{program_of}", inject)
    assert_survived(space, f"memory-{program_of}", reference, MD if program_of == "md" else PW)


def test_walltime(space: Workspace, reference: Census) -> None:
    """A machine that is so busy that the MD's wall time ends before it has its steps."""

    def inject(space: Workspace, command: Command) -> None:
        driver = space.wait_for_md(60)
        with stopped(driver):
            time.sleep(21.0)

    md = {"steps": 2000, "equilibration": 0.2, "frame_stride": 50, "walltime": 20}
    disturbed(space, "walltime", inject, md=md)
    assert_survived(space, "walltime", reference, MD)


@pytest.mark.parametrize("hours", [2, -2])
def test_clock_jump(space: Workspace, reference: Census, tmp_path: Path, hours: int) -> None:
    """The clock of the command, the daemon and the jobs jumps while the MD runs."""
    name = "clock-" + ("forward" if hours > 0 else "back")
    with own_clock(space, tmp_path) as clock:

        def inject(space: Workspace, command: Command) -> None:
            driver = space.wait_for_md(60)
            assert str(clock.library) in Path(f"/proc/{driver.pid}/maps").read_text()
            clock.set_ahead(hours * 3600)

        disturbed(space, name, inject)
    assert_survived(space, name, reference)

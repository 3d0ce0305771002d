"""Whatever became of the driver, the parser says it with one exit code and keeps every frame that counts."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aiida_falsemetal.runner import files
from aiida_falsemetal.runner.storage import Checkpoint
from tests.data import nodes
from tests.runner.conftest import Driver

from .conftest import FRAME_BYTES, STDERR, Parsed, Run

Parse = Callable[[Run], Parsed]


def at_step(run: Run, step: int) -> None:
    """Put the checkpoint back to ``step``."""
    path = run.path(files.CHECKPOINT)
    checkpoint = Checkpoint.load(path)
    checkpoint.step = step
    checkpoint.save(path)


def test_finished_run(run: Run, parse: Parse) -> None:
    parsed = parse(run)
    assert parsed.exit_status == 0
    assert set(parsed.outputs) == {"trajectory", "series", "results", "checkpoint"}
    assert parsed.steps() == list(range(0, 61, 5))
    assert parsed.frames() == list(range(0, 61, 10))
    results = parsed.outputs["results"].get_dict()
    assert (results["status"], results["last_step"], results["samples"]) == ("finished", 60, 13)


def test_values_are_those_of_the_files(run: Run, parse: Parse) -> None:
    parsed = parse(run)
    raw = np.fromfile(run.path(files.FRAMES), dtype="<f4").reshape(7, 24, 3)
    trajectory, series = parsed.outputs["trajectory"], parsed.outputs["series"]
    assert np.array_equal(trajectory.get_positions(), raw)
    atoms, _ = nodes.film()
    assert trajectory.symbols == atoms.get_chemical_symbols()
    assert trajectory.get_cells()[3] == pytest.approx(atoms.cell.array)
    assert trajectory.get_times() == pytest.approx(np.arange(7) * 0.01)
    assert series.get_array("time_ps") == pytest.approx(np.arange(13) * 0.005)
    for key in ("potential_energy", "temperature", "dipole_z", "evaporated"):
        assert series.get_array(key).tolist() == [record[key] for record in run.records()]


def test_stored_checkpoint_is_the_drivers_own(run: Run, parse: Parse) -> None:
    node = parse(run).outputs["checkpoint"]
    assert node.get_content("rb") == run.path(files.CHECKPOINT).read_bytes()
    with node.open(mode="rb") as handle:
        assert Checkpoint.load(handle).step == 60


@pytest.mark.parametrize(("status", "code"), [("walltime", 302), ("signal", 301)])
def test_stopped_run_keeps_what_the_checkpoint_covers(run: Run, parse: Parse, status: str, code: int) -> None:
    at_step(run, 30)
    run.account(status=status, last_step=60)
    parsed = parse(run)
    assert parsed.exit_status == code
    assert "30" in str(parsed.exit_message)
    assert parsed.steps() == list(range(0, 31, 5))
    assert parsed.frames() == [0, 10, 20, 30]
    assert "checkpoint" in parsed.outputs


def test_killed_run_has_no_account_but_frames(run: Run, parse: Parse) -> None:
    at_step(run, 45)
    run.remove(files.RESULT)
    parsed = parse(run)
    assert parsed.exit_status == 301
    assert parsed.steps()[-1] == 45
    assert parsed.frames()[-1] == 40
    assert parsed.outputs["results"].get_dict() == {"status": "killed", "samples": 10}


def test_really_killed_run(tmp_path: Path, parse: Parse) -> None:
    driver = Driver(tmp_path / "killed", "spcfw-truncated", steps=10**6)
    process = driver.start()
    deadline = time.monotonic() + 120
    while len(driver.series()) < 120 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)
    run = Run(driver.folder)
    checkpoint = Checkpoint.load(run.path(files.CHECKPOINT))
    parsed = parse(run)
    assert parsed.exit_status == 301
    assert parsed.steps() == list(range(0, checkpoint.step + 1, 5))
    assert parsed.frames() == list(range(0, checkpoint.step + 1, 10))


def test_half_a_last_line_and_half_a_frame_are_left_out(run: Run, parse: Parse) -> None:
    at_step(run, 55)
    run.remove(files.RESULT)
    run.cut(files.SERIES, -30)
    run.cut(files.FRAMES, -FRAME_BYTES // 2)
    parsed = parse(run)
    assert parsed.exit_status == 301
    assert parsed.steps() == list(range(0, 56, 5))
    assert parsed.frames() == list(range(0, 51, 10))


@pytest.mark.parametrize("status", ["finished", "walltime"])
@pytest.mark.parametrize("name", [files.FRAMES, files.SERIES])
def test_files_that_end_before_the_checkpoint_are_no_output(run: Run, parse: Parse, name: str, status: str) -> None:
    """To go on from the checkpoint would leave a hole in the trajectory."""
    run.account(status=status)
    run.cut(name, run.path(name).stat().st_size // 2)
    parsed = parse(run)
    assert parsed.exit_status == 300 and "cut short" in str(parsed.exit_message)
    assert not parsed.outputs


def test_frame_whose_line_was_not_written_is_left_out(run: Run, parse: Parse) -> None:
    at_step(run, 55)
    run.remove(files.RESULT)
    lines = run.path(files.SERIES).read_text().splitlines(keepends=True)
    run.path(files.SERIES).write_text("".join(lines[:-1]))
    parsed = parse(run)
    assert parsed.steps()[-1] == 55
    assert parsed.frames() == list(range(0, 51, 10))


def test_half_an_account_counts_as_none(run: Run, parse: Parse) -> None:
    run.cut(files.RESULT, 40)
    parsed = parse(run)
    assert parsed.exit_status == 301
    assert parsed.outputs["results"]["status"] == "killed"


@pytest.mark.parametrize(
    ("status", "code"), [("nan", 410), ("exploded", 411), ("dissociated", 412), ("evaporated", 413)]
)
def test_failed_physics_keeps_every_frame(run: Run, parse: Parse, status: str, code: int) -> None:
    at_step(run, 30)
    run.account(status=status, message="what happened at step 61")
    parsed = parse(run)
    assert parsed.exit_status == code
    assert "what happened at step 61" in str(parsed.exit_message)
    assert parsed.steps() == list(range(0, 61, 5))
    assert parsed.frames() == list(range(0, 61, 10))
    assert parsed.outputs["results"]["status"] == status


def test_really_evaporated_run(tmp_path: Path, parse: Parse) -> None:
    # 3000 K is far beyond any liquid, and its molecules cross the 5 Å that count as gone in a fraction of a picosecond.
    driver = Driver(tmp_path / "hot", "spcfw-truncated", steps=20000, temperature=3000.0, max_evaporated=0.1)
    account = driver.run()
    assert account["status"] == "evaporated"
    parsed = parse(Run(driver.folder))
    assert parsed.exit_status == 413
    assert account["message"] in str(parsed.exit_message)
    assert parsed.steps() == list(range(0, account["last_step"], 5))


def test_truncated_checkpoint_is_no_output(run: Run, parse: Parse) -> None:
    run.account(status="walltime")
    run.cut(files.CHECKPOINT, -200)
    parsed = parse(run)
    assert parsed.exit_status == 300
    assert "checkpoint" in str(parsed.exit_message)
    assert not parsed.outputs


def test_finished_run_does_not_need_its_checkpoint(run: Run, parse: Parse) -> None:
    run.cut(files.CHECKPOINT, -200)
    parsed = parse(run)
    assert parsed.exit_status == 0
    assert "checkpoint" not in parsed.outputs
    assert parsed.steps()[-1] == 60


@pytest.mark.parametrize(
    "missing",
    [
        (files.RESULT, files.SERIES, files.FRAMES, files.CHECKPOINT),
        (files.RESULT, files.SERIES),
        (files.FRAMES,),
        (files.RESULT, files.CHECKPOINT),
    ],
    ids=["everything", "series", "frames", "checkpoint"],
)
def test_nothing_to_go_on_is_no_output(run: Run, parse: Parse, missing: tuple[str, ...]) -> None:
    run.remove(*missing)
    parsed = parse(run)
    assert parsed.exit_status == 300
    assert "verdi calcjob outputcat" in str(parsed.exit_message)


def test_empty_series_is_no_output(run: Run, parse: Parse) -> None:
    run.remove(files.RESULT)
    run.path(files.SERIES).write_text("")
    assert parse(run).exit_status == 300


def test_continued_run_starts_after_its_checkpoint(recorded: Path, tmp_path: Path, parse: Parse) -> None:
    second = Driver(tmp_path / "second", "spcfw-truncated", steps=100)
    shutil.copy(recorded / files.CHECKPOINT, second.folder / files.RESTART)
    assert second.run()["first_step"] == 60
    parsed = parse(Run(second.folder))
    assert parsed.exit_status == 0
    assert parsed.steps() == list(range(65, 101, 5))
    assert parsed.frames() == [70, 80, 90, 100]


def test_exit_message_of_the_physics_names_the_next_step(run: Run, parse: Parse) -> None:
    run.account(status="evaporated", message="3 of 8 molecules have left the film at step 60")
    assert "max_evaporated" in str(parse(run).exit_message)
    assert json.loads(run.path(files.RESULT).read_text())["status"] == "evaporated"


def test_failed_physics_without_a_frame(run: Run, parse: Parse) -> None:
    run.path(files.SERIES).write_text("")
    run.path(files.FRAMES).write_bytes(b"")
    run.remove(files.CHECKPOINT)
    run.account(status="nan", message="an energy is not a number at step 0", last_step=0)
    parsed = parse(run)
    assert parsed.exit_status == 410


def test_driver_that_never_came_to_its_first_frame_says_why(run: Run, parse: Parse) -> None:
    run.remove(files.RESULT, files.SERIES, files.FRAMES)
    run.path(STDERR).write_text("Traceback\n  File ...\nImportError: No module named 'sevenn'\n")
    parsed = parse(run)
    assert parsed.exit_status == 300
    assert "there is no frame (ImportError: No module named 'sevenn')." in str(parsed.exit_message)

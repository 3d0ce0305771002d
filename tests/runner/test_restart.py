"""A restarted run equals an uninterrupted one to the last bit, whatever stopped it."""

from __future__ import annotations

import shutil
import signal
import time
from typing import Any

import numpy as np
import pytest

from aiida_falsemetal.runner import files
from aiida_falsemetal.runner.storage import Checkpoint

EXACT = [
    pytest.param("spcfw-ewald", {"platform": "Reference"}, id="openmm-reference-ewald"),
    pytest.param("spcfw-truncated", {"platform": "Reference"}, id="openmm-reference-truncated"),
    pytest.param("twin-sr", {}, id="mace"),
    pytest.param("twin-lr", {}, id="mace-ewald"),
]
"""Deterministic calculators. OpenMM's CPU platform is none: its neighbour list remembers where it was built."""


def frames(driver: Any) -> bytes:
    return bytes((driver.folder / files.FRAMES).read_bytes())


@pytest.mark.parametrize(("preset", "kwargs"), EXACT)
def test_continued_run_equals_uninterrupted_run(driver: Any, preset: str, kwargs: dict[str, Any]) -> None:
    whole = driver("whole", preset, kwargs)
    assert whole.run()["status"] == "finished"
    first = driver("first", preset, kwargs, steps=30)
    assert first.run()["last_step"] == 30
    second = driver("second", preset, kwargs)
    shutil.copy(first.folder / files.CHECKPOINT, second.folder / files.RESTART)
    account = second.run()
    assert (account["first_step"], account["last_step"]) == (30, 60)
    assert first.series() + second.series() == whole.series()
    assert frames(first) + frames(second) == frames(whole)
    ends = [Checkpoint.load(driver.folder / files.CHECKPOINT) for driver in (whole, second)]
    assert np.array_equal(ends[0].positions, ends[1].positions)
    assert np.array_equal(ends[0].momenta, ends[1].momenta)
    assert ends[0].generator == ends[1].generator


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_killed_run_goes_on_from_its_checkpoint(driver: Any, how: signal.Signals) -> None:
    kwargs = {"platform": "Reference"}
    whole = driver("whole", "spcfw-truncated", kwargs, steps=300)
    whole.run()
    killed = driver("killed", "spcfw-truncated", kwargs, steps=300)
    process = killed.start()
    deadline = time.monotonic() + 120
    while len(killed.series()) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(how)
    process.communicate(timeout=60)
    checkpoint = Checkpoint.load(killed.folder / files.CHECKPOINT)
    assert 0 <= checkpoint.step < 300
    if how == signal.SIGTERM:
        assert checkpoint.step >= 25  # a request to stop saves the state it stopped in
    second = driver("second", "spcfw-truncated", kwargs, steps=300)
    shutil.copy(killed.folder / files.CHECKPOINT, second.folder / files.RESTART)
    second.run()
    kept = [record for record in killed.series() if record["step"] <= checkpoint.step]
    assert kept + second.series() == whole.series()


def test_walltime_stops_with_a_checkpoint(driver: Any) -> None:
    run = driver("run", "spcfw-truncated", None, steps=10**6, max_seconds=2.0)
    account = run.run()
    assert account["status"] == "walltime"
    assert Checkpoint.load(run.folder / files.CHECKPOINT).step == account["last_step"] > 0


def test_truncated_checkpoint_is_refused(driver: Any) -> None:
    run = driver("run", "spcfw-truncated", None, steps=10)
    run.run()
    path = run.folder / files.CHECKPOINT
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="cannot be read"):
        Checkpoint.load(path)

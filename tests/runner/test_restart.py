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
    pytest.param("spcfw-ewald", 200, id="openmm-ewald"),
    pytest.param("spcfw-truncated", 200, id="openmm-truncated"),
    pytest.param("twin-sr", 60, id="mace"),
    pytest.param("twin-lr", 60, id="mace-ewald"),
]
"""Every kind of model that is shipped, and steps. OpenMM's neighbour list remembers where it was built, so the driver
renews it; a MACE remembers nothing, and its steps cost more."""


def frames(driver: Any) -> bytes:
    return bytes((driver.folder / files.FRAMES).read_bytes())


@pytest.mark.parametrize(("preset", "steps"), EXACT)
def test_continued_run_equals_uninterrupted_run(driver: Any, preset: str, steps: int) -> None:
    whole = driver("whole", preset, steps=steps)
    assert whole.run()["status"] == "finished"
    first = driver("first", preset, steps=steps // 2)
    assert first.run()["last_step"] == steps // 2
    second = driver("second", preset, steps=steps)
    shutil.copy(first.folder / files.CHECKPOINT, second.folder / files.RESTART)
    account = second.run()
    assert (account["first_step"], account["last_step"]) == (steps // 2, steps)
    assert first.series() + second.series() == whole.series()
    assert frames(first) + frames(second) == frames(whole)
    ends = [Checkpoint.load(driver.folder / files.CHECKPOINT) for driver in (whole, second)]
    assert np.array_equal(ends[0].positions, ends[1].positions)
    assert np.array_equal(ends[0].momenta, ends[1].momenta)
    assert ends[0].generator == ends[1].generator


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_killed_run_goes_on_from_its_checkpoint(driver: Any, how: signal.Signals) -> None:
    whole = driver("whole", "spcfw-truncated", steps=2000)
    whole.run()
    killed = driver("killed", "spcfw-truncated", steps=2000)
    process = killed.start()
    deadline = time.monotonic() + 120
    while len(killed.series()) < 100 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(how)
    process.communicate(timeout=60)
    checkpoint = Checkpoint.load(killed.folder / files.CHECKPOINT)
    assert 0 <= checkpoint.step < 2000
    second = driver("second", "spcfw-truncated", steps=2000)
    shutil.copy(killed.folder / files.CHECKPOINT, second.folder / files.RESTART)
    second.run()
    kept = [record for record in killed.series() if record["step"] <= checkpoint.step]
    assert kept + second.series() == whole.series()


def test_walltime_stops_with_a_checkpoint(driver: Any) -> None:
    run = driver("run", "spcfw-truncated", None, steps=10**6, max_seconds=5.0)
    account = run.run()
    assert account["status"] == "walltime"
    checkpoint = Checkpoint.load(run.folder / files.CHECKPOINT)
    # OpenMM is renewed every ten frames; what came after the last renewal is made again.
    assert 0 < checkpoint.step <= account["last_step"] < checkpoint.step + 100


def test_truncated_checkpoint_is_refused(driver: Any) -> None:
    run = driver("run", "spcfw-truncated", None, steps=10)
    run.run()
    path = run.folder / files.CHECKPOINT
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="cannot be read"):
        Checkpoint.load(path)

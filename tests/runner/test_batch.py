"""Several seeds in one process: each leaves what it would have left alone."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_falsemetal.runner import files
from aiida_falsemetal.runner.storage import Checkpoint

SEEDS = [7, 8, 9]


def batch(driver: Any, name: str, **changes: Any) -> Any:
    """A driver with ``SEEDS``."""
    made = driver(name, "twin-sr", **changes)
    given = json.loads((made.folder / files.INPUT).read_text())
    (made.folder / files.INPUT).write_text(json.dumps({**given, "seeds": SEEDS}))
    return made


def of_seed(folder: Path, seed: int) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Account and series of one seed."""
    own = folder / files.seed_folder(seed)
    lines = (own / files.SERIES).read_text().splitlines() if (own / files.SERIES).exists() else []
    result = own / files.RESULT
    return json.loads(result.read_text()) if result.exists() else None, [json.loads(line) for line in lines]


def test_each_seed_leaves_what_it_leaves_alone(driver: Any) -> None:
    """The same trajectory, until the rounding of a batch has grown: forces in single precision differ by 1e-6 eV/Å, and
    water's errors grow tenfold in some 50 fs."""
    whole = batch(driver, "batch", steps=20)
    process = whole.start()
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    for seed in SEEDS:
        alone = driver(f"alone-{seed}", "twin-sr", steps=20, seed=seed)
        account = alone.run()
        result, series = of_seed(whole.folder, seed)
        assert result is not None
        assert set(result) == {*account, "batch"}
        assert (result["status"], result["last_step"], result["batch"]) == ("finished", 20, 3)
        assert [row["step"] for row in series] == [row["step"] for row in alone.series()]
        for mine, theirs in zip(series, alone.series(), strict=True):
            assert mine["dipole_z"] == pytest.approx(theirs["dipole_z"], abs=1e-3)
            assert mine["temperature"] == pytest.approx(theirs["temperature"], rel=1e-2)
        size = (alone.folder / files.FRAMES).stat().st_size
        assert (whole.folder / files.seed_folder(seed) / files.FRAMES).stat().st_size == size
    dipoles = [of_seed(whole.folder, seed)[1][-1]["dipole_z"] for seed in SEEDS]
    assert len(set(dipoles)) == 3


def test_a_seed_that_fails_leaves_the_others_going_on(driver: Any) -> None:
    """Seed 8 finds a folder that it cannot write to."""
    whole = batch(driver, "batch", steps=20)
    (whole.folder / files.seed_folder(8)).mkdir()
    (whole.folder / files.seed_folder(8) / files.SERIES).mkdir()
    process = whole.start()
    process.communicate(timeout=300)
    assert process.returncode == 0
    accounts = {seed: of_seed(whole.folder, seed)[0] for seed in (7, 9)}
    assert {seed: account["status"] for seed, account in accounts.items() if account} == {7: "finished", 9: "finished"}
    assert not (whole.folder / files.seed_folder(8) / files.RESULT).exists()
    assert "IsADirectoryError" in (whole.folder / files.seed_folder(8) / files.LOG).read_text()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_batch_that_is_stopped_goes_on_seed_by_seed(driver: Any, how: signal.Signals) -> None:
    stopped = batch(driver, "stopped", steps=100_000)
    process = stopped.start()
    deadline = time.monotonic() + 120
    while min(len(of_seed(stopped.folder, seed)[1]) for seed in SEEDS) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(how)
    process.communicate(timeout=60)
    for seed in SEEDS:
        result, series = of_seed(stopped.folder, seed)
        checkpoint = Checkpoint.load(stopped.folder / files.seed_folder(seed) / files.CHECKPOINT)
        if how is signal.SIGTERM:
            assert result is not None and result["status"] == "signal"
            assert checkpoint.step == series[-1]["step"] == result["last_step"]
        else:
            assert result is None and checkpoint.step <= series[-1]["step"]
    alone = driver("alone", "twin-sr", steps=checkpoint.step + 10, seed=SEEDS[-1])
    shutil.copy(stopped.folder / files.seed_folder(SEEDS[-1]) / files.CHECKPOINT, alone.folder / files.RESTART)
    account = alone.run()
    assert (account["first_step"], account["status"]) == (checkpoint.step, "finished")
    assert np.isfinite([row["potential_energy"] for row in alone.series()]).all()

"""The part of a training that is ours: what mace-torch is given, and what is kept when it is ended."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read

from aiida_falsemetal.mlips.families.mace_ewald import EwaldBaseline
from aiida_falsemetal.runner import training
from tests.data.nodes import film

BASELINE = {"charges": {"O": -0.742, "H": 0.371}, "smearing": 1.4}
PROGRAM = """
import pathlib, time, sys
for epoch in range({epochs}):
    pathlib.Path('checkpoints', f'mace_run-1_epoch-{{epoch}}.pt').write_text('state')
    print(f'2026 INFO: Epoch {{epoch}}: head: Default, loss=0.5, '
          'RMSE_E_per_atom=    1.50 meV, RMSE_F=   33.20 meV / A', flush=True)
    time.sleep({pause})
sys.exit({code})
"""


def labels() -> list[Atoms]:
    """Three frames of the film, one for each part."""
    frames = []
    for number, split in enumerate(training.SPLITS):
        atoms, _ = film()
        frame = Atoms(atoms.get_chemical_symbols(), atoms.positions + 0.01 * number, cell=atoms.cell, pbc=True)
        frame.info.update(label_energy=-100.0 - number, split=split)
        frame.arrays["label_forces"] = np.full((len(frame), 3), 0.5)
        frames.append(frame)
    return frames


def test_long_ranged_twin_learns_what_the_charges_leave(tmp_path: Path) -> None:
    pytest.importorskip("torchpme")
    training.write_parts(tmp_path, labels(), BASELINE)
    for split, number in (("train", 0), ("valid", 1)):
        (frame,) = read(tmp_path / f"{split}.xyz", ":")
        baseline = EwaldBaseline(frame, BASELINE["charges"], BASELINE["smearing"])  # type: ignore[arg-type]
        whole = frame.copy()
        whole.calc = baseline
        # ase reads REF_energy and REF_forces as they are written: with the baseline they are the label again.
        assert frame.info["REF_energy"] + whole.get_potential_energy() == pytest.approx(-100.0 - number, abs=1e-6)
        assert frame.arrays["REF_forces"] + whole.get_forces() == pytest.approx(0.5, abs=1e-6)
        assert abs(whole.get_potential_energy()) > 1.0
    assert not (tmp_path / "test.xyz").exists()


def test_short_ranged_twin_learns_the_labels_themselves(tmp_path: Path) -> None:
    training.write_parts(tmp_path, labels(), None)
    (frame,) = read(tmp_path / "train.xyz", ":")
    assert frame.info["REF_energy"] == -100.0 and frame.arrays["REF_forces"] == pytest.approx(0.5)


def test_command_restarts_and_keeps_every_epoch() -> None:
    line = training.command({"r_max": 4.5, "ema": True})
    assert line[:4] == [sys.executable, "-u", "-m", "mace.cli.run_train"]
    assert {"--r_max=4.5", "--ema", "--restart_latest", "--save_all_checkpoints"} <= set(line)


def child(folder: Path, epochs: int, pause: float = 0.0, code: int = 0, seconds: float = 60.0) -> training.Child:
    (folder / training.CHECKPOINTS).mkdir()
    line = [sys.executable, "-c", PROGRAM.format(epochs=epochs, pause=pause, code=code)]
    return training.Child(folder, line, 5, 1, seconds)


def test_progress_is_said_and_two_checkpoints_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = child(tmp_path, 5)
    assert run.run() == "finished"
    assert [row[0] for row in run.history] == [0, 1, 2, 3, 4] and run.history[0][1:] == [0.5, 1.5, 33.2]
    assert "epoch 5 of 5, 0 s left, validation 33.2 meV/Å" in capsys.readouterr().out
    assert training.newest_epoch(tmp_path) == 4
    assert len(list((tmp_path / training.CHECKPOINTS).iterdir())) == 2
    assert (tmp_path / training.LOG).read_text().count("Epoch") == 5


def test_failure_wall_time_and_signal_are_told_apart(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / name).mkdir()
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert child(tmp_path / "a", 1, code=3).run() == "failed"
        begun = time.monotonic()
        assert child(tmp_path / "b", 1, pause=60.0, seconds=1.0).run() == "walltime"
        # Short of memory, the kernel ends the program itself, the largest process: killed, and no fault of its own.
        killed = child(tmp_path / "d", 1)
        killed.line[-1] += "\nimport os; os.kill(os.getpid(), 9)"
        killed.line[-1] = killed.line[-1].replace("sys.exit(0)", "")
        assert killed.run() == "signal"
        threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
        assert child(tmp_path / "c", 1, pause=60.0).run() == "signal"
        assert time.monotonic() - begun < 40.0
    finally:
        signal.signal(signal.SIGTERM, before)

"""Trains one twin on labels, through mace-torch's own program, and says what it makes of every label.

``python runner.pyz --train`` reads ``train.json`` and ``labels.xyz`` in the working directory. For a long-ranged twin
the energies and forces of an Ewald sum of fixed charges are taken from the labels first. The program is run as a child;
when the time is up or a signal comes it is ended, and the newest of its checkpoints is what the next job goes on from.
It writes one after every epoch.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read, write

from ..mlips.registry import load_family
from .device import thread_variables

FLAG = "--train"
INPUT, LABELS, RESULT, LOG = "train.json", "labels.xyz", "result.json", "mace.log"
CHECKPOINTS = "checkpoints"
MODEL = "twin.model"
PREDICTIONS = "predictions.npz"
NAME = "mace"
SPLITS = ("train", "valid", "test")
EPOCH = re.compile(r"Epoch (\d+):.*?loss=\s*(\S+?),.*?RMSE_E_per_atom=\s*(\S+) meV.*?RMSE_F=\s*(\S+) meV")
KILLS = (signal.SIGKILL, signal.SIGTERM)
CHECKPOINT = re.compile(r"_epoch-(\d+)\.pt$")


def train() -> None:
    """Do what ``train.json`` says. Exits 0 whatever the training's end: the parser tells."""
    folder = Path.cwd()
    given = json.loads((folder / INPUT).read_text())
    os.environ.update(thread_variables(given["threads"]))  # this process imports torch late, or not at all
    started = time.monotonic()
    frames = read(folder / LABELS, ":", format="extxyz")
    _restore(folder)
    child = Child(folder, command(given["options"]), given["epochs"], given["threads"], given["max_seconds"] - 5.0)
    result: dict[str, Any] = {"threads": given["threads"], "labels": len(frames)}
    try:
        write_parts(folder, frames, given["baseline"])
        result["status"] = child.run()
        if result["status"] == "finished":
            result["facts"] = _finish(folder, frames, given)
    except Exception as error:  # it would fail again: not to be taken for a job that was interrupted
        result.update(status="failed", message=f"{type(error).__name__}: {error}")
    result.update(epoch=newest_epoch(folder), history=child.history)
    from .result import versions

    result.update(versions=versions(), wall_seconds=time.monotonic() - started)
    part = folder / f"{RESULT}.part"
    part.write_text(json.dumps(result, indent=1))
    part.rename(folder / RESULT)


def command(options: dict[str, Any]) -> list[str]:
    """The line that trains.

    :param options: of ``mace_run_train``; a value true is a flag.
    """
    line = [sys.executable, "-u", "-m", "mace.cli.run_train"]
    for key, value in options.items():
        line += [f"--{key}"] if value is True else [f"--{key}={value}"]
    paths = {"name": NAME, "train_file": "train.xyz", "valid_file": "valid.xyz", "work_dir": "."}
    line += [f"--{key}={value}" for key, value in paths.items()]
    return [*line, f"--checkpoints_dir={CHECKPOINTS}", "--restart_latest", "--save_all_checkpoints"]


def write_parts(folder: Path, frames: list[Atoms], baseline: dict[str, Any] | None) -> None:
    """``train.xyz`` and ``valid.xyz``, whose labels lack the baseline's part.

    :param baseline: ``charges`` (e by element) and ``smearing`` (Å) of the Ewald sum, or None.
    """
    for split in SPLITS[:2]:
        part = []
        for frame in frames:
            if frame.info["split"] == split:
                energy, forces = baseline_of(frame, baseline)
                atoms = Atoms(frame.get_chemical_symbols(), frame.positions, cell=frame.cell, pbc=True)
                atoms.info["REF_energy"] = frame.info["label_energy"] - energy
                atoms.arrays["REF_forces"] = frame.arrays["label_forces"] - forces
                part.append(atoms)
        write(folder / f"{split}.xyz", part, format="extxyz")


def baseline_of(frame: Atoms, baseline: dict[str, Any] | None) -> tuple[float, np.ndarray]:
    """Energy (eV) and forces (eV/Å) of the fixed charges; zero without."""
    if baseline is None:
        return 0.0, np.zeros((len(frame), 3))
    from ..mlips.families.mace_ewald import EwaldBaseline

    atoms = Atoms(frame.get_chemical_symbols(), frame.positions, cell=frame.cell, pbc=True)
    atoms.calc = EwaldBaseline(atoms, baseline["charges"], baseline["smearing"])
    return float(atoms.get_potential_energy()), np.asarray(atoms.get_forces(), dtype=float)


def newest_epoch(folder: Path) -> int | None:
    """Of the checkpoints, None without."""
    found = [int(match[1]) for path in (folder / CHECKPOINTS).glob("*.pt") if (match := CHECKPOINT.search(path.name))]
    return max(found, default=None)


def _restore(folder: Path) -> None:
    """Put a checkpoint that came with the job where mace-torch looks for it."""
    (folder / CHECKPOINTS).mkdir(exist_ok=True)
    for path in folder.glob("*_epoch-*.pt"):
        shutil.move(str(path), str(folder / CHECKPOINTS / path.name))


class Child:
    """mace-torch's program under way.

    :param epochs: how many it is to do, for the time that is left.
    :param seconds: after which it is ended.
    """

    def __init__(self, folder: Path, line: list[str], epochs: int, threads: int, seconds: float) -> None:
        self.folder, self.line, self.epochs, self.seconds = folder, line, epochs, seconds
        self.history: list[list[float]] = []
        self.ended_by: str | None = None
        self.environment = {**os.environ, **thread_variables(threads)}

    def run(self) -> str:
        """Run it to its end.

        :return: ``finished``, ``walltime``, ``signal`` or ``failed``.
        """
        begun = time.monotonic()
        process = subprocess.Popen(
            self.line,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        signal.signal(signal.SIGTERM, lambda *_: self._end(process, "signal"))
        timer = threading.Timer(max(1.0, self.seconds), self._end, (process, "walltime"))
        timer.daemon = True
        timer.start()
        assert process.stdout is not None
        with open(self.folder / LOG, "a", encoding="utf-8") as log:
            for text in process.stdout:
                log.write(text)
                log.flush()
                self._note(text, begun)
        code = process.wait()
        timer.cancel()
        if self.ended_by is None and -code in KILLS:
            return "signal"  # the kernel, short of memory, takes the largest process, which is not this one
        return self.ended_by or ("finished" if code == 0 else "failed")

    def _end(self, process: subprocess.Popen[str], reason: str) -> None:
        self.ended_by = self.ended_by or reason
        process.kill()  # it keeps nothing that a checkpoint has not

    def _note(self, text: str, begun: float) -> None:
        """Keep an epoch's errors, say how far the training is, and remove old checkpoints."""
        match = EPOCH.search(text)
        if match is None:
            return
        epoch, loss, energy, force = int(match[1]), *(float(match[k]) for k in (2, 3, 4))
        self.history.append([epoch, loss, energy, force])
        done = len(self.history)
        left = (time.monotonic() - begun) / done * (self.epochs - epoch - 1)
        print(
            f"epoch {epoch + 1} of {self.epochs}, {left:.0f} s left, validation {force:.1f} meV/Å, "
            f"{energy:.2f} meV/atom",
            flush=True,
        )
        _prune(self.folder)


def _die_with_parent() -> None:
    """Have the kernel end this process with its parent: nobody reads what an orphan would go on to compute."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _prune(folder: Path) -> None:
    """Keep the two newest checkpoints: the newest may be cut short by a kill."""
    paths = {int(m[1]): p for p in (folder / CHECKPOINTS).glob("*.pt") if (m := CHECKPOINT.search(p.name))}
    for epoch in sorted(paths)[:-2]:
        paths[epoch].unlink()


def _finish(folder: Path, frames: list[Atoms], given: dict[str, Any]) -> dict[str, Any]:
    """Keep the model, predict every label with it; returns the model's facts."""
    made = folder / f"{NAME}.model"
    shutil.copyfile(made, folder / MODEL)
    family, kwargs = load_family(given["family"]), given["kwargs"]
    energies, forces = [], []
    for frame in frames:
        atoms = Atoms(frame.get_chemical_symbols(), frame.positions, cell=frame.cell, pbc=True)
        # One calculator a frame: a baseline is made for one cell and one set of molecules.
        atoms.calc = family.calculator(folder / MODEL, kwargs, atoms)
        energies.append(float(atoms.get_potential_energy()))
        forces.append(np.asarray(atoms.get_forces(), dtype=float))
    np.savez(folder / PREDICTIONS, energy=np.array(energies), forces=np.concatenate(forces))
    facts: dict[str, Any] = family.inspect(folder / MODEL, kwargs).as_dict()
    return facts

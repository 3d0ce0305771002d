"""Entry point of the zipapp: reads ``input.json`` in the working directory, runs, writes ``result.json``.

With ``--ask`` it answers what a model is instead, see :mod:`.question`; with ``--train`` it trains one, see
:mod:`.training`.

Prints one line of progress a few seconds apart, for ``tail -f`` and ``verdi calcjob outputcat``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ..mlips.registry import load_family
from . import device, files, question, training
from .allocation import keep_freed
from .driver import Settings, Trajectory
from .storage import Checkpoint, Output

PACKAGES = (
    *("ase", "numpy", "torch", "e3nn", "mace-torch", "graph-longrange", "torch-pme", "openmm", "sevenn", "chgnet"),
    *("torchani", "so3krates-torch", "orb-models", "mattersim", "metatomic-torch", "upet", "aimnet", "nequip"),
    *("tensorpotential", "tensorflow"),
)


def main() -> None:
    """Run the trajectory that ``input.json`` describes. Exits 0 also where the physics failed: the parser tells."""
    if sys.argv[1:2] == [question.FLAG]:
        question.answer_file(*sys.argv[2:4])
        return
    keep_freed()
    if sys.argv[1:2] == [training.FLAG]:
        training.train()
        return
    folder = Path.cwd()
    given = json.loads((folder / files.INPUT).read_text())
    settings = Settings(**given["settings"])
    device.choose(given.get("device", "auto"))
    threads = _limit_threads(int(given["threads"]))
    started = time.monotonic()
    asked = _Signals()
    atoms = Atoms(**given["atoms"], pbc=True)
    family = load_family(given["family"])
    atoms.calc = family.calculator(folder / given["model"], given["kwargs"], atoms)
    trajectory = Trajectory(atoms, given["info"], settings, folder, asked)
    restart = folder / files.RESTART
    if restart.exists():
        trajectory.resume(Checkpoint.load(restart))
    first = trajectory.step
    output = Progress(folder, settings.steps, first)
    setup_seconds = time.monotonic() - started
    begun, begun_cpu = time.monotonic(), time.process_time()
    status, message = trajectory.run(output)
    output.close()
    result = {
        "status": status,
        "message": message,
        "first_step": first,
        "last_step": trajectory.step,
        "setup_seconds": setup_seconds,
        "wall_seconds": time.monotonic() - begun,
        "cpu_seconds": time.process_time() - begun_cpu,
        "threads": threads,
        **device.used(),
        "versions": versions(),
        "machine": platform.processor() or platform.machine(),
    }
    (folder / files.RESULT).write_text(json.dumps(result, indent=1))


class Progress(Output):
    """An output that also reports progress on stdout."""

    def __init__(self, folder: Path, total: int, first: int) -> None:
        super().__init__(folder)
        self.total, self.first, self.begun, self.last = total, first, time.monotonic(), 0.0

    def append(self, positions: np.ndarray | None, record: dict[str, Any]) -> None:
        """Write the sample; every five seconds, say how far the run is and how long it will take."""
        super().append(positions, record)
        now = time.monotonic()
        if now - self.last < 5.0:
            return
        self.last = now
        done = record["step"] - self.first
        left = (now - self.begun) / done * (self.total - record["step"]) if done else float("nan")
        print(f"step {record['step']} of {self.total}, {left:.0f} s left, {record['temperature']:.0f} K", flush=True)


class _Signals:
    """Turns SIGTERM (the scheduler's walltime) into a request to stop with a checkpoint."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True

    def __call__(self) -> bool:
        return self.asked


def _limit_threads(threads: int) -> int:
    """One core, one task: without this, torch takes every core of the machine."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return threads
    torch.set_num_threads(threads)
    return int(torch.get_num_threads())


def versions() -> dict[str, str]:
    """Versions of Python and of the packages a trajectory depends on, where installed."""
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

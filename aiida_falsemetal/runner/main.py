"""Entry point of the zipapp: reads ``input.json`` in the working directory, runs, writes ``result.json``.

With ``--ask`` it answers what a model is instead, see :mod:`.question`; with ``--train`` it trains one, see
:mod:`.training`; with ``--committee`` it says how far several disagree, see :mod:`.committee`.

Prints one line of progress a few seconds apart, for ``tail -f`` and ``verdi calcjob outputcat``.
"""

from __future__ import annotations

import json
import signal
import sys
from functools import partial
from pathlib import Path

from ase import Atoms

from ..mlips.registry import load_family
from . import committee, device, files, question, training
from .allocation import keep_freed
from .batch import run_batch
from .driver import Settings, Trajectory
from .result import Clock, carry_out
from .storage import Checkpoint


def main() -> None:
    """Run the trajectory that ``input.json`` describes. Exits 0 also where the physics failed: the parser tells."""
    if sys.argv[1:2] == [question.FLAG]:
        question.answer_file(*sys.argv[2:4])
        return
    keep_freed()
    if sys.argv[1:2] == [training.FLAG]:
        training.train()
        return
    if sys.argv[1:2] == [committee.FLAG]:
        committee.ask()
        return
    folder = Path.cwd()
    given = json.loads((folder / files.INPUT).read_text())
    device.choose(given.get("device", "auto"))
    threads = device.limit_threads(int(given["threads"]))
    asked = _Signals()
    if "seeds" in given:
        run_batch(folder, given, asked, threads)
        return
    settings, clock = Settings(**given["settings"]), Clock(threads)
    atoms = Atoms(**given["atoms"], pbc=True)
    family = load_family(given["family"])
    atoms.calc = family.calculator(folder / given["model"], given["kwargs"], atoms)
    trajectory = Trajectory(atoms, given["info"], settings, folder, asked)
    restart = folder / files.RESTART
    if restart.exists():
        trajectory.resume(Checkpoint.load(restart))
    clock.begin()
    carry_out(trajectory, clock, partial(print, flush=True))


class _Signals:
    """Turns SIGTERM (the scheduler's walltime) into a request to stop with a checkpoint."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True

    def __call__(self) -> bool:
        return self.asked

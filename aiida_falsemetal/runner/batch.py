"""Several seeds of one interface and model in one process: a GPU that one film leaves idle computes several at once.

Each seed is a :class:`.driver.Trajectory` like any other, in a thread of its own, and in a folder of its own
(:func:`.files.seed_folder`) with the files that a job of its own would leave; all meet at every force call
(:mod:`..mlips.families._lockstep`). One that ends early leaves the others going on. From its checkpoint each seed goes
on as if it had been alone.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ase import Atoms

from ..mlips.registry import load_family
from . import files
from .driver import Settings, Trajectory
from .result import Clock, carry_out


def run_batch(folder: Path, given: dict[str, Any], asked: Callable[[], bool], threads: int) -> None:
    """Run every seed to its end.

    :param folder: the job's.
    :param given: content of ``input.json``, with ``seeds``.
    :param asked: whether to stop.
    :raises RuntimeError: if the evaluation of a batch failed, for all seeds alike; they keep what they have.
    """
    seeds, settings = given["seeds"], Settings(**given["settings"])
    systems = [Atoms(**given["atoms"], pbc=True) for _ in seeds]
    family = load_family(given["family"])
    clock = Clock(threads, batch=len(seeds))
    lockstep, calculators = family.batch(folder / given["model"], given["kwargs"], systems)

    def run_one(place: int) -> None:
        own = folder / files.seed_folder(seeds[place])
        own.mkdir(exist_ok=True)
        try:
            with open(own / files.LOG, "a", encoding="utf-8") as log:
                try:
                    systems[place].calc = calculators[place]
                    mine = replace(settings, seed=seeds[place])
                    trajectory = Trajectory(systems[place], given["info"], mine, own, asked)

                    def say(line: str) -> None:
                        print(line, file=log, flush=True)
                        print(f"seed {mine.seed}: {line}", flush=True)

                    carry_out(trajectory, clock, say)
                except Exception:
                    traceback.print_exc(file=log)
        finally:
            lockstep.leave(place)

    clock.begin()
    members = [threading.Thread(target=run_one, args=(place,), daemon=True) for place in range(len(seeds))]
    for thread in members:
        thread.start()
    # In this thread: torch's number of threads was set for it, and signals come to it.
    lockstep.serve()
    for thread in members:
        thread.join()

"""A run with the driver's own account of it, ``result.json``."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import device, files
from .driver import Trajectory
from .progress import Progress

PACKAGES = (
    *("ase", "numpy", "torch", "e3nn", "mace-torch", "graph-longrange", "torch-pme", "openmm", "sevenn", "chgnet"),
    *("torchani", "so3krates-torch", "orb-models", "mattersim", "metatomic-torch", "upet", "aimnet", "nequip"),
    *("tensorpotential", "tensorflow"),
)


class Clock:
    """Times of a process.

    :param threads: that it uses.
    :param batch: seeds that it runs side by side.
    """

    def __init__(self, threads: int, batch: int = 1) -> None:
        self.threads, self.batch = threads, batch
        self.started = self.begun = time.monotonic()
        self.begun_cpu = time.process_time()

    def begin(self) -> None:
        """The model is there, and the run begins."""
        self.begun, self.begun_cpu = time.monotonic(), time.process_time()

    def as_dict(self) -> dict[str, Any]:
        """Seconds so far; those of a batch are of all its seeds together."""
        return {
            "setup_seconds": self.begun - self.started,
            "wall_seconds": time.monotonic() - self.begun,
            "cpu_seconds": time.process_time() - self.begun_cpu,
            "threads": self.threads,
            **({"batch": self.batch} if self.batch > 1 else {}),
        }


def carry_out(trajectory: Trajectory, clock: Clock, say: Callable[[str], None]) -> None:
    """Run a trajectory to its end, and leave its files and the account in its folder.

    :param clock: has begun.
    :param say: takes lines on how far it is.
    """
    first = trajectory.step
    output = Progress(trajectory.folder, trajectory.settings.steps, first, say)
    status, message = trajectory.run(output)
    output.close()
    write_result(trajectory.folder, clock, status, message, first, trajectory.step)


def write_result(folder: Path, clock: Clock, status: str, message: str, first: int, last: int) -> None:
    """Write the account.

    :param status: and ``message``, see :meth:`.driver.Trajectory.run`.
    :param first: step that the run began with.
    :param last: step that it has reached.
    """
    result = {
        "status": status,
        "message": message,
        "first_step": first,
        "last_step": last,
        **clock.as_dict(),
        **device.used(),
        "versions": versions(),
        "machine": platform.processor() or platform.machine(),
    }
    (folder / files.RESULT).write_text(json.dumps(result, indent=1))


def versions() -> dict[str, str]:
    """Versions of Python and of the packages a trajectory depends on, where installed."""
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

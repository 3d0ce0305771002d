"""An output of a run that also says how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .storage import Output


class Progress(Output):
    """Writes what :class:`Output` does; every five seconds a line on how far the run is and how long it will take.

    :param total: steps of the whole run.
    :param first: the step that it begins with.
    :param say: takes the lines.
    """

    def __init__(self, folder: Path, total: int, first: int, say: Callable[[str], None]) -> None:
        super().__init__(folder)
        self.total, self.first, self.say = total, first, say
        self.begun, self.last = time.monotonic(), 0.0

    def append(self, positions: np.ndarray | None, record: dict[str, Any]) -> None:
        """Write the sample, and now and then a line."""
        super().append(positions, record)
        now = time.monotonic()
        if now - self.last < 5.0:
            return
        self.last = now
        done = record["step"] - self.first
        left = (now - self.begun) / done * (self.total - record["step"]) if done else float("nan")
        self.say(f"step {record['step']} of {self.total}, {left:.0f} s left, {record['temperature']:.0f} K")

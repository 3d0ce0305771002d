"""Trajectories that a campaign takes as they are; found in a profile by whoever has one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ResolvedTrajectory:
    """An imported trajectory with all that a campaign must know of it.

    :param node: its UUID.
    :param content: SHA-256 of all that is known of it, positions included.
    :param made_by: name of the model, or who else made it.
    :param elements: chemical symbols.
    :param metal: whether its substrate is one.
    :param temperature: K.
    :param timestep: fs between two frames of its file.
    :param steps: frames of its file from the first to the last one that was imported.
    :param times: of the frames, ps.
    """

    node: str
    content: str
    made_by: str
    elements: frozenset[str]
    metal: bool
    temperature: float
    timestep: float
    steps: int
    times: tuple[float, ...]

    @property
    def duration(self) -> float:
        """ps from the first to the last frame."""
        return self.times[-1] - self.times[0]

    def frames_from(self, start: float) -> int:
        """How many frames there are at ``start`` (ps) or later."""
        return sum(time >= start for time in self.times)


TrajectoryFinder = Callable[[str], ResolvedTrajectory]
"""Gives an imported trajectory by PK or UUID; raises ``LookupError`` with ``what is wrong; remedy``."""

"""How long the rest of a campaign takes, from what was measured in it so far."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from .jobs import MdState

GAP_SECONDS = 35.0
GAP_MOLECULES = 24
"""Until a gap of the campaign is there to measure: protocol ``fast``, 24 waters, one core of a laptop-class machine
(and the square of the number of molecules)."""
GUESSED = 0.5
"""Relative uncertainty of the time of a gap that was measured once, or at another interface, or not at all."""
MD_SPREAD = 0.1
"""That of the MD's time: its speed is steady, the machine's load is not."""
BUSY_FROM = 60.0
"""Seconds before the share of the cores that was busy tells something."""
LEAST_BUSY = 0.25
BUSY_SPREAD = 0.15
"""Relative uncertainty of that share."""
SIGMAS = 2.0


@dataclass(frozen=True)
class Work:
    """What is left of a pair, in core-seconds.

    :param seconds: the expectation; None where nothing was measured yet.
    :param chain: seconds that it takes with any number of cores: its MD, then a gap.
    :param variance: of ``seconds``.
    :param more: what frames would take that may still be asked for, see ``selection.most``.
    :param open_end: whether the MD may go on for its precision, which nobody knows beforehand.
    """

    seconds: float | None = 0.0
    chain: float = 0.0
    variance: float = 0.0
    more: float = 0.0
    open_end: bool = False


@dataclass(frozen=True)
class TimeLeft:
    """Seconds of wall time until all is done.

    :param seconds: the expectation, of what is known.
    :param low: and
    :param high: what it will lie between, about 95 times in 100, if the machine's load stays as it is.
    :param whole: False where something is left out that may take any time: a pair whose speed was not measured, or an
        MD that may go on. ``seconds`` is then a lower bound.
    """

    seconds: float
    low: float
    high: float
    whole: bool


def time_left(work: Iterable[Work], slots: int, busy: float = 1.0) -> TimeLeft:
    """The time left, from what every pair has left.

    Cores share the work, but a pair's MD and the gaps after it follow each other.

    :param slots: cores in use.
    :param busy: share of their time in which they compute, see :func:`busy_share`.
    """
    pairs = list(work)
    known = [pair for pair in pairs if pair.seconds is not None]
    total = sum(pair.seconds or 0.0 for pair in known)
    cores = max(1, slots) * busy
    chain = max((pair.chain for pair in known), default=0.0)
    seconds = max(total / cores, chain)
    spread = SIGMAS * math.hypot(math.sqrt(sum(pair.variance for pair in known)) / cores, BUSY_SPREAD * seconds)
    more = sum(pair.more for pair in known) / cores
    whole = len(known) == len(pairs) and not any(pair.open_end for pair in known)
    return TimeLeft(seconds, max(0.5 * seconds, seconds - spread), seconds + spread + more, whole)


def busy_share(spent: float, slots: int, elapsed: float) -> float:
    """Share of the cores' time in which a campaign has computed; 1 while it is too young to tell.

    The rest is AiiDA's: to upload, retrieve and parse a job takes seconds, in which its core waits.

    :param spent: core-seconds of its jobs.
    :param elapsed: seconds since it began.
    """
    if elapsed < BUSY_FROM or spent <= 0.0:
        return 1.0
    return min(1.0, max(LEAST_BUSY, spent / (max(1, slots) * elapsed)))


@dataclass
class Speeds:
    """Measured speeds.

    :param step: seconds a step by (interface, MLIP).
    :param gap: core-seconds of every gap by (interface, MLIP), failed ones too.
    :param molecules: by interface, as far as known.
    """

    step: dict[tuple[Any, Any], list[float]] = field(default_factory=dict)
    gap: dict[tuple[Any, Any], list[float]] = field(default_factory=dict)
    molecules: dict[Any, int] = field(default_factory=dict)

    def per_step(self, interface: Any, mlip: Any) -> float | None:
        """Seconds a step: of the very cell, else of the MLIP at another interface, by the number of molecules."""
        own = self.step.get((interface, mlip))
        if own:
            return fmean(own)
        others = [
            value * self._ratio(interface, other)
            for (other, name), values in self.step.items()
            if name == mlip
            for value in values
        ]
        return fmean(others) if others else None

    def gap_time(self, interface: Any, mlip: Any) -> tuple[float, float, float]:
        """Core-seconds of a gap, their standard deviation, and that of the mean.

        A metallic frame takes several times as long as another, and whether frames are metallic is the MLIP's doing: so
        two gaps of the very cell count before those of the interface, and those before others'.
        """
        own = self.gap.get((interface, mlip), [])
        here = [value for (name, _), values in self.gap.items() if name == interface for value in values]
        for found in (own, here):
            if len(found) > 1:
                spread = stdev(found)
                return fmean(found), spread, spread / math.sqrt(len(found))
        mean = here[0] if here else self._guess(interface)
        return mean, GUESSED * mean, GUESSED * mean

    def _guess(self, interface: Any) -> float:
        others = [
            value * self._ratio(interface, other) ** 2 for (other, _), values in self.gap.items() for value in values
        ]
        if others:
            return fmean(others)
        return GAP_SECONDS * (self.molecules.get(interface, GAP_MOLECULES) / GAP_MOLECULES) ** 2

    def _ratio(self, interface: Any, other: Any) -> float:
        here, there = self.molecules.get(interface), self.molecules.get(other)
        return here / there if here and there else 1.0


def measure(
    pairs: Iterable[Mapping[str, Any]],
    frames: Mapping[int, list[dict[str, Any]]],
    jobs: Mapping[int, MdState],
    cores: Mapping[int, int],
) -> Speeds:
    """Speeds of a campaign.

    :param pairs: rows of the pairs that count.
    :param frames: rows of their frames, by the pair's pk.
    :param jobs: their MD, by the pair's pk.
    :param cores: ranks of one pw.x run, by the pair's pk.
    """
    speeds = Speeds()
    for pair in pairs:
        key, pk = (pair["interface"], pair["mlip"]), pair["pair_pk"]
        if pair["molecules"]:
            speeds.molecules[pair["interface"]] = pair["molecules"]
        job = jobs.get(pk)
        if job is not None and job.per_step:
            speeds.step.setdefault(key, []).append(job.per_step)
        walls = [row["wall_seconds"] * cores.get(pk, 1) for row in frames.get(pk, []) if row["wall_seconds"]]
        speeds.gap.setdefault(key, []).extend(walls)
    return speeds


def gap_work(speeds: Speeds, interface: Any, mlip: Any, count: int, done: float, more: int, slots: int) -> Work:
    """What ``count`` gaps take.

    :param done: core-seconds that those under way have had already.
    :param more: frames that may be asked for beyond them.
    """
    mean, spread, of_mean = speeds.gap_time(interface, mlip)
    seconds = max(0.1 * count * mean, count * mean - done)
    rounds = math.ceil(count / max(1, slots))
    return Work(
        seconds, seconds * rounds / count if count else 0.0, count * spread**2 + (count * of_mean) ** 2, more * mean
    )


def md_work(steps: int, per_step: float, left: float | None, threads: int, after: Work, open_end: bool) -> Work:
    """What an MD takes, and the gaps after it.

    :param left: seconds that the driver itself says, where it does.
    """
    seconds = steps * per_step if left is None else left
    return Work(
        seconds * threads + (after.seconds or 0.0),
        seconds + after.chain,
        (MD_SPREAD * seconds * threads) ** 2 + after.variance,
        after.more,
        open_end,
    )

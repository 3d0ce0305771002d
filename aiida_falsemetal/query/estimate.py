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
LOAD_SPREAD = 0.15
"""Relative uncertainty of everything: what else the machine does."""
LATENCY = 20.0
"""Seconds from asking for a gap to its result, its computing not counted, until one was measured. AiiDA uploads, looks
whether the job has ended, retrieves and parses: with many jobs other jobs compute meanwhile, with few nobody does."""
AT_ONCE = 8
"""Gaps of a pair that are asked for at once, see :data:`..workflows.pair.GAPS_AT_ONCE`."""
SIGMAS = 2.0


@dataclass(frozen=True)
class Work:
    """What is left of a pair, in core-seconds.

    :param seconds: the expectation; None where nothing was measured yet.
    :param chain: seconds that it takes by itself: its MD, then its gaps, and AiiDA's part between them.
    :param variance: of ``seconds``.
    :param more: what frames would take that may still be asked for, see ``selection.most``.
    :param open_end: whether it may take any time: the MD may go on for its precision, or no gap was measured yet.
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
    :param high: two standard deviations of what is known to scatter. A machine whose load changes leaves it more often
        than that: 7 of 26 estimates did, see docs/status.md.
    :param whole: False where something may take any time: a pair whose speed or whose gap was not measured, or an MD
        that may go on. ``seconds`` is then a lower bound.
    """

    seconds: float
    low: float
    high: float
    whole: bool


def time_left(work: Iterable[Work], slots: int) -> TimeLeft:
    """The time left, from what every pair has left.

    Cores share the work, but a pair's MD and the gaps after it follow each other: the longer of both counts.

    :param slots: cores in use.
    """
    pairs = list(work)
    known = [pair for pair in pairs if pair.seconds is not None]
    cores = max(1, slots)
    chain = max((pair.chain for pair in known), default=0.0)
    seconds = max(sum(pair.seconds or 0.0 for pair in known) / cores, chain)
    spread = SIGMAS * math.hypot(math.sqrt(sum(pair.variance for pair in known)) / cores, LOAD_SPREAD * seconds)
    more = sum(pair.more for pair in known) / cores
    whole = len(known) == len(pairs) and not any(pair.open_end for pair in known)
    return TimeLeft(seconds, max(0.5 * seconds, seconds - spread), seconds + spread + more, whole)


@dataclass
class Speeds:
    """Measured speeds.

    :param step: seconds a step by (interface, MLIP).
    :param gap: core-seconds of every gap by (interface, MLIP), failed ones too.
    :param molecules: by interface, as far as known.
    :param latency: seconds from asking for a gap to its result, its computing not counted.
    """

    step: dict[tuple[Any, Any], list[float]] = field(default_factory=dict)
    gap: dict[tuple[Any, Any], list[float]] = field(default_factory=dict)
    molecules: dict[Any, int] = field(default_factory=dict)
    latency: float = LATENCY

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

    @property
    def gap_known(self) -> bool:
        """Whether a gap was measured, wherever."""
        return any(self.gap.values())

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


def gap_work(
    speeds: Speeds,
    cell: tuple[Any, Any],
    count: int,
    slots: int,
    done: float = 0.0,
    waited: float = 0.0,
    more: int = 0,
) -> Work:
    """What ``count`` gaps of a cell (interface, MLIP) take.

    :param done: core-seconds that those under way have had already.
    :param waited: seconds since the oldest of those under way was asked for.
    :param more: frames that may be asked for beyond them.
    """
    if not count:
        return Work(more=more * speeds.gap_time(*cell)[0])
    mean, spread, of_mean = speeds.gap_time(*cell)
    seconds = max(0.1 * count * mean, count * mean - done)
    turns = sum(math.ceil(min(AT_ONCE, count - start) / max(1, slots)) for start in range(0, count, AT_ONCE))
    chain = turns * mean + math.ceil(count / AT_ONCE) * speeds.latency
    variance = count * spread**2 + (count * of_mean) ** 2
    return Work(seconds, max(0.1 * chain, chain - waited), variance, more * mean, not speeds.gap_known)


def md_work(
    steps: int, per_step: float, left: float | None, threads: int, latency: float, after: Work, open_end: bool
) -> Work:
    """What an MD takes, and the gaps after it.

    :param left: seconds that the driver itself says, where it does.
    """
    seconds = steps * per_step if left is None else left
    return Work(
        seconds * threads + (after.seconds or 0.0),
        seconds + latency + after.chain,
        (MD_SPREAD * seconds * threads) ** 2 + after.variance,
        after.more,
        open_end or after.open_end,
    )

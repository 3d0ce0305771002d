"""What the page and the terminal say of each pair and of the failures, from plain rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..names import ENDED
from .data import PAIR_COLUMNS, FrameState, complete, frame_state
from .text import count

VERDICTS = (
    *("false metallization", "safe", "undecided"),
    *("metallized", "not metallized"),
    *("failed", "unfinished"),
)
"""Every status a pair can have: the verdicts of :mod:`..physics.verdict`, those of older graphs (which had
``undecided`` too), and what there is without a verdict."""


class HasStatus(Protocol):
    """A pair or a cell."""

    @property
    def status(self) -> str:
        """One of ``VERDICTS``, or a word of another version."""


@dataclass(frozen=True)
class Pair:
    """One (interface, MLIP, seed).

    :param row: its plain row.
    :param frames: its frames' plain rows.
    :param states: state of each frame, in the same order.
    :param status: one of ``VERDICTS``.
    :param reason: the sentence behind the status.
    :param mean_gap: over the trajectory in eV, with its interval; of a graph of an older version that of
        :func:`mean_gap`, which has none.
    :param ratio: spread of M_z/A over the one expected of full electrostatics, with its interval.
    """

    row: dict[str, Any]
    frames: tuple[dict[str, Any], ...]
    states: tuple[FrameState, ...]
    status: str
    reason: str
    selected: int
    converged: int
    metallic: int
    failed: int
    min_gap: float | None
    mean_gap: float | None
    mean_gap_low: float | None
    mean_gap_high: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None

    @property
    def waiting(self) -> int:
        """Frames that have neither a gap nor an exit code yet."""
        return self.states.count("unfinished")

    @property
    def counts(self) -> str:
        """``metallic / converged / selected`` and what is missing, for a cell of a table."""
        return counts_text(self.metallic, self.converged, self.selected, self.failed, self.waiting)

    @property
    def exit_note(self) -> str:
        """Exit code, and its message where the reason does not say it already; empty of a pair that went well."""
        code, message = self.row["exit_code"], self.row["exit_message"]
        if not code:
            return ""
        return f"Exit code {code}: {message}" if message and self.reason not in message else f"Exit code {code}."


def counts_text(metallic: int, converged: int, selected: int, failed: int, waiting: int) -> str:
    """``1 / 8 / 10 (2 failed)``."""
    text = f"{metallic} / {converged} / {selected}"
    notes = [f"{failed} failed"] if failed else []
    notes += [f"{waiting} waiting"] if waiting else []
    return f"{text} ({', '.join(notes)})" if notes else text


def is_over(row: dict[str, Any]) -> bool:
    """Whether a pair has ended, well or not."""
    return row.get("exit_code") is not None or row.get("state") in ENDED or row.get("verdict") is not None


def summarize(rows: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]]) -> list[Pair]:
    """One :class:`Pair` a row of ``pairs``, in their order. ``rows`` and ``pairs`` are plain."""
    frames: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        frames.setdefault(row.get("pair_pk"), []).append(row)
    return [_summarize(complete(pair, PAIR_COLUMNS), frames.get(pair.get("pair_pk"), [])) for pair in pairs]


def _summarize(row: dict[str, Any], frames: list[dict[str, Any]]) -> Pair:
    states = tuple(frame_state(frame, is_over(row)) for frame in frames)
    status, reason = _status(row, states)
    computed = [frame for frame in frames if frame.get("gap") is not None]
    # The verdict counts what the workchain knew, lost frames included; before there is one, the rows are all there is.
    failed = sum(row["failed"].values()) if "failed" in row else sum(state in ("failed", "lost") for state in states)
    expected = row.get("expected_sd_Mz_per_area")
    return Pair(
        row=row,
        frames=tuple(frames),
        states=states,
        status=status,
        reason=reason,
        selected=row.get("selected", len(frames)),
        converged=row.get("converged", len(computed)),
        metallic=row.get("metallic", sum(bool(frame.get("metallic")) for frame in computed)),
        failed=failed,
        min_gap=min((frame["gap"] for frame in computed), default=row.get("min_gap")),
        mean_gap=mean_gap(frames) if row["mean_gap"] is None else row["mean_gap"],
        mean_gap_low=row["mean_gap_low"],
        mean_gap_high=row["mean_gap_high"],
        ratio=_ratio(row.get("sd_Mz_per_area"), expected),
        ratio_low=_ratio(row.get("sd_low"), expected),
        ratio_high=_ratio(row.get("sd_high"), expected),
    )


def _status(row: dict[str, Any], states: tuple[FrameState, ...]) -> tuple[str, str]:
    message = row.get("exit_message") or ""
    if row.get("verdict") is not None:
        return str(row["verdict"]), row.get("reason") or message
    if row.get("exit_code"):
        return "failed", message or "The workchain left no message."
    if row.get("state") in ("excepted", "killed"):
        return "failed", message or f"The workchain was {row['state']}."
    done = len(states) - states.count("unfinished")
    progress = f"{done} of {count(len(states), 'frame')} done" if states else "no frames selected yet"
    return "unfinished", f"State: {row.get('state') or 'not known'}; {progress}."


def _ratio(value: float | None, expected: float | None) -> float | None:
    return value / expected if value is not None and expected else None


def mean_gap(frames: Sequence[dict[str, Any]]) -> float | None:
    """Estimate of the mean gap over the trajectory (eV), from frames chosen with known probabilities.

    Horvitz and Thompson's estimator for the design of :mod:`..physics.selection`: a frame of the control set counts
    once, a stratified one 1/probability times. Frames without a gap are left out, so that the estimate is too high
    where closed gaps are the ones that fail.

    :return: None if no frame has a gap, or one has no probability.
    """
    computed = [frame for frame in frames if frame.get("gap") is not None]
    if not computed or not all(frame.get("probability") for frame in computed):
        return None
    weights = [1.0 if frame.get("stratum") == "uniform" else 1.0 / frame["probability"] for frame in computed]
    total = sum(weight * frame["gap"] for weight, frame in zip(weights, computed, strict=True))
    return float(total / sum(weights))


def status_counts(items: Iterable[HasStatus]) -> list[tuple[str, int]]:
    """How many pairs or cells have each status, in the order of ``VERDICTS``, zeros left out."""
    counts = Counter(item.status for item in items)
    order = [*VERDICTS, *sorted(set(counts) - set(VERDICTS))]
    return [(status, counts[status]) for status in order if counts[status]]


def failure_counts(pairs: Iterable[Pair]) -> list[tuple[str, str, int]]:
    """(exit code, message, number of frames), the most frequent first."""
    counts: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        seen = 0
        for frame, state in zip(pair.frames, pair.states, strict=True):
            if state in ("failed", "lost"):
                seen += 1
                counts[_failure(frame, state)] += 1
        if pair.failed > seen:
            counts[("none", "counted in the verdict, but its workchain left no row")] += pair.failed - seen
    return [
        (code, text, number) for (code, text), number in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _failure(frame: dict[str, Any], state: FrameState) -> tuple[str, str]:
    if state == "lost":
        return "none", "The frame's workchain ended without a result."
    return str(frame["exit_code"]), frame.get("exit_message") or "The workchain left no message."


def distinct(rows: Iterable[dict[str, Any]], key: str) -> list[Any]:
    """Values of ``key`` in the order in which they first appear."""
    return list(dict.fromkeys(row.get(key) for row in rows))

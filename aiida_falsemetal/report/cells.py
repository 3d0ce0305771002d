"""Pairs put together to cells: one interface and MLIP, all seeds, with one verdict where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .data import CELL_COLUMNS, complete
from .summary import Pair, counts_text

SEVERAL = "no common verdict"
"""Status of a cell that was not judged and whose pairs' states differ."""


@dataclass(frozen=True)
class Cell:
    """One (interface, MLIP).

    :param row: plain row of its verdict; None where it was not judged, as while seeds are under way, where all have
        failed, and in graphs of older versions.
    :param pairs: its pairs, one a seed.
    """

    interface: Any
    mlip: Any
    row: dict[str, Any] | None
    pairs: tuple[Pair, ...]

    @property
    def status(self) -> str:
        """The verdict; without one the state that its pairs have in common."""
        if self.row is not None:
            return str(self.row["verdict"])
        states = {pair.status for pair in self.pairs}
        if len(states) == 1:
            return states.pop()
        return "unfinished" if "unfinished" in states else SEVERAL

    @property
    def reason(self) -> str:
        """The verdict's reason; without one the reasons of the pairs."""
        if self.row is not None:
            return self.row["reason"] or ""
        if len(self.pairs) == 1:
            return self.pairs[0].reason
        return " ".join(f"Seed {pair.row['seed']}, {pair.status}: {pair.reason}" for pair in self.pairs)

    @property
    def would_decide(self) -> str:
        """What would decide, where the verdict is open."""
        return (self.row or {}).get("would_decide") or ""

    @property
    def numbers(self) -> dict[str, Any]:
        """The verdict's numbers. Without one those of its pair if it has but one; else all are None."""
        if self.row is not None:
            return self.row
        return complete(self.pairs[0].row if len(self.pairs) == 1 else {}, CELL_COLUMNS)

    @property
    def ratio(self) -> tuple[float | None, float | None, float | None]:
        """Spread of M_z/A over the one expected, with its interval; rows of older versions have it not divided yet."""
        if self.row is None and len(self.pairs) == 1:
            pair = self.pairs[0]
            return pair.ratio, pair.ratio_low, pair.ratio_high
        found = self.numbers
        return found["sd_ratio"], found["sd_ratio_low"], found["sd_ratio_high"]

    @property
    def judged(self) -> int:
        """Number of seeds that the verdict, or else the cell, is of."""
        return len(self.pairs) if self.row is None or self.row["seeds"] is None else int(self.row["seeds"])

    @property
    def seeds(self) -> str:
        """``2``, or ``1 of 2`` where the verdict does not have them all."""
        there = max(len(self.pairs), self.judged)
        return str(there) if self.judged == there else f"{self.judged} of {there}"

    @property
    def long_ranged(self) -> bool | None:
        """What is known of the model."""
        return next((pair.row["long_ranged"] for pair in self.pairs), None)

    @property
    def counts(self) -> str:
        """``metallic / converged / selected`` of all its pairs."""
        totals = [
            sum(getattr(pair, name) for pair in self.pairs)
            for name in ("metallic", "converged", "selected", "failed", "waiting")
        ]
        if self.row is not None and self.row["selected"] is not None:
            failed = sum((self.row["failed"] or {}).values())
            totals = [*(self.row[name] for name in ("metallic", "converged", "selected")), failed, totals[-1]]
        return counts_text(*totals)

    @property
    def min_gap(self) -> float | None:
        """Smallest gap in eV of all its pairs."""
        found = [pair.min_gap for pair in self.pairs if pair.min_gap is not None]
        found += [self.row["min_gap"]] if self.row is not None and self.row["min_gap"] is not None else []
        return min(found, default=None)

    @property
    def aside(self) -> list[Pair]:
        """Pairs to be named beside a verdict: they are not in it, or did not end well."""
        if self.row is None:
            return []
        return [pair for pair in self.pairs if pair.exit_note or pair.status in ("failed", "unfinished")]


def gather(pairs: Sequence[Pair], rows: Sequence[dict[str, Any]]) -> list[Cell]:
    """Cells in the order in which their pairs first appear; those of which no pair is listed follow.

    :param rows: plain rows of the verdicts, see :func:`..query.cells.cell_rows`.
    """
    groups: dict[tuple[Any, Any], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair.row["interface"], pair.row["mlip"]), []).append(pair)
    judged = {(row["interface"], row["mlip"]): complete(row, CELL_COLUMNS) for row in rows if row.get("verdict")}
    keys = dict.fromkeys([*groups, *judged])
    return [Cell(*key, judged.get(key), tuple(groups.get(key, ()))) for key in keys]

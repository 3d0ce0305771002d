"""What a page can bear: of a large campaign, the frames and the pairs that it shows. ``results.csv`` has all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .summary import VERDICTS, Pair

FRAMES = 10_000
"""Frames of a page, which docs/report.md has measurements of."""
PAIRS = 200
"""Pairs of which a page has figures: three drawings each, some 25 kB."""
ORDER = tuple(name for name in ("false metallization", "metallized", "undecided", "failed") if name in VERDICTS)
"""Statuses that a reader wants to see the figures of first."""


def interest(row: dict[str, Any]) -> tuple[Any, ...]:
    """Sorts frames: metallic ones first, then the smallest gaps, then those without a gap, the largest drop first."""
    gap, drop = row.get("gap"), row.get("expected_drop")
    return (not row.get("metallic"), *((0, gap) if gap is not None else (1, -abs(drop or 0.0))))


def frames_of_page(rows: Sequence[dict[str, Any]], most: int | None = None) -> list[int]:
    """Places of the frames that a page shows, ascending; all of at most ``most``.

    Half of them are the most telling ones, see :func:`interest`. The other half are every n-th of the others, for a
    figure of closed gaps alone would show a law that there is not.

    :param most: ``FRAMES`` unless given.
    """
    most = FRAMES if most is None else most
    if len(rows) <= most:
        return list(range(len(rows)))
    order = sorted(range(len(rows)), key=lambda place: (*interest(rows[place]), place))
    telling, others = order[: most // 2], sorted(order[most // 2 :])
    wanted = most - len(telling)
    return sorted([*telling, *(others[number * len(others) // wanted] for number in range(wanted))])


def drawn_pairs(pairs: Sequence[Pair], most: int | None = None) -> set[int]:
    """Places of the pairs that a page draws figures of: by their verdict, then by the smallest gap.

    :param most: ``PAIRS`` unless given.
    """
    most = PAIRS if most is None else most

    def rank(place: int) -> tuple[Any, ...]:
        pair = pairs[place]
        verdict = ORDER.index(pair.status) if pair.status in ORDER else len(ORDER)
        return (verdict, pair.min_gap if pair.min_gap is not None else float("inf"), place)

    return set(sorted(range(len(pairs)), key=rank)[:most])

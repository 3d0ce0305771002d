"""What the page's script works on: frames by columns, structures, and the viewer's code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import resources
from typing import Any

from .columns import STATE_NOTES, as_plain
from .summary import distinct
from .text import shown

FEW = 40
"""Different texts of a column up to which each is written once."""
LINKED = 1000
"""Frames of a page up to which every mark of a figure is an element with a link and a tip of its own. With more, the
marks of one look are one path, and what works on them needs the script; docs/report.md has the measurements."""
ROWS = 200
"""Rows of the frames table that are there at once."""
VIEWER_VERSION = "3Dmol.js 2.5.5"


def by_columns(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows with the keys written once: an eighth to a third of their JSON.

    :param rows: plain rows.
    :return: ``number``, ``keys`` and ``columns``: of each key ``{"same": value}``, ``{"words": [...], "at": [...]}``,
        or the list of values. Rows whose keys differ, as of different versions, are returned as ``{"rows": [...]}``.
    """
    keys = list(rows[0]) if rows else []
    if any(list(row) != keys for row in rows):
        return {"rows": list(rows)}
    return {"number": len(rows), "keys": keys, "columns": [_column([row[key] for row in rows]) for key in keys]}


def _column(values: list[Any]) -> Any:
    if all(value is None or isinstance(value, str) for value in values):
        words = list(dict.fromkeys(values))
        if len(words) == 1:
            return {"same": words[0]}
        if len(words) <= FEW:
            place = {word: index for index, word in enumerate(words)}
            return {"words": words, "at": [place[value] for value in values]}
    return values


def frame_names(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What the page calls each frame, for ids and links: the pk of its GapWorkChain, which a shared link can rely on.

    Rows without one, or that share one, go by their place.
    """
    seen = Counter(row.get("gap_pk") for row in rows)
    return [
        str(row["gap_pk"]) if row.get("gap_pk") is not None and seen[row["gap_pk"]] == 1 else f"row-{index}"
        for index, row in enumerate(rows)
    ]


def page_facts(
    rows: Sequence[dict[str, Any]], names: Sequence[str], states: Sequence[str], every: int | None = None
) -> dict[str, Any]:
    """What the script has to know before it unpacks the data.

    :param rows: plain rows of the frames.
    :param names: see :func:`frame_names`.
    :param states: state of each frame, empty where its pair is not listed.
    :param every: number of the campaign's frames, where the page does not have all.
    """
    return {
        "interfaces": [shown(label) for label in distinct(rows, "interface")],
        "mlips": [shown(label) for label in distinct(rows, "mlip")],
        "names": list(names),
        "states": _column(list(states)),
        "columns": as_plain(),
        "notes": STATE_NOTES,
        "rows": ROWS,
        **({} if every in (None, len(rows)) else {"every": every}),
    }


def viewer_code() -> dict[str, str]:
    """The viewer and its licence, which must go with it."""
    folder = resources.files(__package__) / "vendor"
    return {
        "version": VIEWER_VERSION,
        "licence": (folder / "LICENSE.3Dmol.txt").read_text(encoding="utf-8"),
        "code": (folder / "3Dmol-min.js").read_text(encoding="utf-8"),
    }

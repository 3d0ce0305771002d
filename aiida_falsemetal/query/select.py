"""Rows that were asked for, in the columns and the order that were asked for. Knows nothing of AiiDA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .columns import NUMBER, OTHER, TEXT, TRUTH, Kinds, kind_of, listed
from .tokens import QueryError
from .where import parse

Names = str | Sequence[str] | None
"""Columns: a text with commas between them, or a sequence of names."""
RANK = {NUMBER: 0, TRUTH: 1, TEXT: 2, OTHER: 3}
"""Order of the kinds in a column that mixes them."""


@dataclass(frozen=True)
class Request:
    """What of a table is wanted.

    :param where: a condition, see :mod:`.where`; None for all rows.
    :param columns: those to show, in this order; None for all.
    :param sort: columns to sort by, the first one first; ``-`` before a name turns its order round.
    :param limit: rows at most.
    """

    where: str | None = None
    columns: Names = None
    sort: Names = None
    limit: int | None = None


def select(rows: list[dict[str, Any]], kinds: Kinds, request: Request) -> tuple[list[str], list[dict[str, Any]]]:
    """Names of the columns, and the rows: first the condition, then the order, then the limit.

    :param kinds: all columns of the table, see :func:`.columns.column_kinds`.
    :raises QueryError: on a condition, a column or a limit that makes no sense.
    """
    names = listed(request.columns, kinds, "columns") or list(kinds)
    order = listed(request.sort, kinds, "sort")
    if request.limit is not None and request.limit < 0:
        raise QueryError(f"limit: {request.limit} is below zero; give the number of rows, or leave it out.")
    found = rows
    if request.where is not None:
        condition = parse(request.where, kinds)
        found = [row for row in rows if condition.of(row) is True]
    for name in reversed(order):  # stable: the last column first
        found = _sorted(found, name.removeprefix("-"), name.startswith("-"))
    return names, found[: request.limit]


def _sorted(rows: list[dict[str, Any]], name: str, falling: bool) -> list[dict[str, Any]]:
    """Rows by a column; those without a value last, in either order."""
    known = [row for row in rows if kind_of(row.get(name)) is not None]
    empty = [row for row in rows if kind_of(row.get(name)) is None]
    return [*sorted(known, key=lambda row: _rank(row[name]), reverse=falling), *empty]


def _rank(value: Any) -> tuple[int, Any]:
    kind = kind_of(value) or OTHER
    return RANK[kind], str(value) if kind == OTHER else value

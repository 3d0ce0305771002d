"""Columns: what they hold, and what to say of one that does not exist. Knows nothing of AiiDA."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .tokens import QueryError, shown

NUMBER, TEXT, TRUTH, OTHER = "number", "text", "truth", "other"
KINDS = frozenset({NUMBER, TEXT, TRUTH, OTHER})
PLURAL = {NUMBER: "numbers", TEXT: "texts", TRUTH: "true or false", OTHER: "lists or mappings"}
EXAMPLE = {NUMBER: "0.5", TEXT: "'text'", TRUTH: "true"}

Kinds = Mapping[str, frozenset[str]]
"""What each column of a table holds. Several kinds where it is mixed, all of them where nothing is known."""


def kind_of(value: Any) -> str | None:
    """Kind of a value; None of one that is missing. What is not a number (NaN) is missing too."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return TRUTH
    if isinstance(value, (int, float)):
        return NUMBER
    return TEXT if isinstance(value, str) else OTHER


def column_kinds(rows: Iterable[Mapping[str, Any]], declared: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Kinds of the declared columns, in their order, then of those that only the rows have.

    :param declared: ``number``, ``text``, ``truth``, ``other`` by column; several with a space between them; empty
        where the rows decide.
    """
    seen: dict[str, set[str]] = {name: set() for name, kinds in declared.items() if not kinds}
    for row in rows:
        for name, value in row.items():
            if not declared.get(name):
                found = seen.setdefault(name, set())
                kind = kind_of(value)
                if kind is not None:
                    found.add(kind)
    fixed = {name: frozenset(kinds.split()) for name, kinds in declared.items()}
    names = dict.fromkeys((*declared, *seen))
    return {name: fixed.get(name) or frozenset(seen[name]) or KINDS for name in names}


def described(kinds: frozenset[str]) -> str:
    """Kinds in words."""
    return " or ".join(PLURAL[kind] for kind in (NUMBER, TEXT, TRUTH, OTHER) if kind in kinds)


def unknown_column(name: str, known: Iterable[str]) -> str:
    """What to say of a column that does not exist: the nearest spelling, and all that there are."""
    columns = list(known)
    lower = {column.lower(): column for column in columns}
    close = difflib.get_close_matches(name.lower()[:100], lower, n=1, cutoff=0.5)
    guess = f"did you mean {_named(lower[close[0]])}? " if close else ""
    return f"is no column; {guess}Columns: {', '.join(map(_named, columns))}"


def _named(column: str) -> str:
    """A column in a message: a verdict's keys are columns too, and someone else's archive may have any."""
    return column if column.isprintable() and len(column) <= 60 else shown(column)


def listed(given: str | Sequence[str] | None, known: Iterable[str], what: str) -> list[str]:
    """Names from a text with commas between them, or from a sequence; each must be known.

    :param what: the option, for the message.
    :raises QueryError: naming the entry.
    """
    if given is None:
        return []
    entries = given.split(",") if isinstance(given, str) else list(given)
    names = [entry.strip() for entry in entries]
    columns = list(known)
    for place, name in enumerate(names, start=1):
        if not name:
            raise QueryError(f"{what}: entry {place} is empty; write column,column with nothing else between them.")
        if name.removeprefix("-" if what == "sort" else "") not in columns:
            bare = name.removeprefix("-") if what == "sort" else name
            raise QueryError(f"{what}: entry {place}, {shown(bare)}: {unknown_column(bare, columns)}.")
    return names

"""What the database can leave out: a condition as filters of QueryBuilder. Knows nothing of AiiDA.

The filters are true of every row that the condition is true of, and of some others: every row that is found is asked
the condition itself (:mod:`.tree`) again. So whatever a database thinks of capitals, of the order of texts, of the last
digit of a number or of true beside 1 changes how many rows are fetched, and never which are shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from itertools import product
from typing import Any

from .columns import NUMBER, kind_of
from .tree import All, Column, Compare, Condition, Either, In, IsNull, Like, Literal, Not, Row, Truth

Filters = dict[str, Any]
Place = Callable[[str], str | None]
"""Where the database has a column, as ``attributes.gap``; None of one that it does not have there."""
WIDER = 1e-9
"""Relative: bounds are pushed so much further out, for databases that read a decimal fraction a digit apart."""
MOST = 100
"""Tests in one condition: more are not pushed, for SQLite has a limit on how deep an expression goes."""
ANSWERS = (True, False, None)


def filters_of(condition: Condition, place: Place) -> Filters | None:
    """Filters that are true wherever the condition is; None where nothing can be said.

    :param place: of the columns.
    """
    if sum(1 for _ in _tests(condition)) > MOST:
        return None
    return _implied(condition, True, place)


def columns_of(condition: Condition) -> set[str]:
    """Names of the columns that a condition asks for."""
    return {name for test in _tests(condition) for name in _names(test)}


def may_hold(condition: Condition, row: Row, unknown: Collection[str]) -> bool:
    """Whether the condition can be true of a row of which some columns are not known yet.

    :param unknown: those columns; of the others, ``row`` has the value, or none.
    """
    return True in _answers(condition, row, unknown)


def _answers(condition: Condition, row: Row, unknown: Collection[str]) -> set[bool | None]:
    """All that the condition may answer: more, perhaps, than it does, never less."""
    if isinstance(condition, Not):
        return {None if found is None else not found for found in _answers(condition.part, row, unknown)}
    if isinstance(condition, (All, Either)):
        found: set[bool | None] = {isinstance(condition, All)}
        for part in condition.parts:
            pairs = product(found, _answers(part, row, unknown))
            found = {_joined(isinstance(condition, All), *pair) for pair in pairs}
        return found
    if any(name in unknown for name in _names(condition)):
        return set(ANSWERS)
    return {condition.of(row)}


def _joined(conjunction: bool, left: bool | None, right: bool | None) -> bool | None:
    decides = not conjunction
    if decides in (left, right):
        return decides
    return None if None in (left, right) else conjunction


def _tests(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, Not):
        yield from _tests(condition.part)
    elif isinstance(condition, (All, Either)):
        for part in condition.parts:
            yield from _tests(part)
    elif isinstance(condition, In):
        yield from (condition for _ in condition.values)
    else:
        yield condition


def _names(test: Condition) -> Iterator[str]:
    for side in (getattr(test, "column", None), getattr(test, "left", None), getattr(test, "right", None)):
        if isinstance(side, Column):
            yield side.name


def _implied(condition: Condition, answer: bool, place: Place) -> Filters | None:
    """Filters that are true wherever the condition's answer is ``answer``."""
    if isinstance(condition, Not):
        return _implied(condition.part, not answer, place)
    if isinstance(condition, (All, Either)):
        parts = [_implied(part, answer, place) for part in condition.parts]
        if isinstance(condition, All) == answer:
            known = [part for part in parts if part is not None]
            return {"and": known} if known else None
        return {"or": parts} if all(part is not None for part in parts) else None
    where = [place(name) for name in _names(condition)]
    paths = [path for path in where if path is not None]
    if isinstance(condition, IsNull) and answer:
        return {paths[0]: {"of_type": "null"}} if paths else None
    # Every other test is unknown where a value is missing.
    exact = _value(condition, answer, paths[0]) if paths and len(where) == 1 else None
    return exact or ({"and": [{path: {"!of_type": "null"}} for path in paths]} if paths else None)


def _value(test: Condition, answer: bool, path: str) -> Filters | None:
    """Filter of a test of one column beside values, None where only that there is a value can be said."""
    if isinstance(test, Truth):
        return {path: {"==": answer}}
    if isinstance(test, Compare) and isinstance(test.right, Literal):
        value = test.right.value
        if test.operator in ("=", "!="):
            return _equal(path, value) if (test.operator == "=") == answer else None
        return _order(path, test.operator, value, answer)
    if isinstance(test, In) and answer:
        parts = [_equal(path, value) for value in test.values]
        return {"or": parts} if all(parts) else None
    if isinstance(test, Like) and answer:
        return _prefix(path, test.pattern)
    return None


def _equal(path: str, value: Any) -> Filters | None:
    if isinstance(value, str):
        return {path: {"==": value}} if _sendable(value) else None
    if isinstance(value, bool):
        return {path: {"==": value}}
    bounds = _around(value)
    return None if bounds is None else {"and": [{path: {">=": bounds[0]}}, {path: {"<=": bounds[1]}}]}


def _order(path: str, operator: str, value: Any, answer: bool) -> Filters | None:
    """Of texts, whose order is the database's own, nothing; of numbers, the bound and a little more."""
    bounds = _around(value)
    if bounds is None:
        return None
    below = (operator in ("<", "<=")) == answer
    return {path: {"<=": bounds[1]}} if below else {path: {">=": bounds[0]}}


def _around(value: Any) -> tuple[float, float] | None:
    """Bounds just below and above a number; None of what is no number, or too large for both databases."""
    if kind_of(value) != NUMBER or not abs(value) < 1e300:
        return None
    number = float(value)
    margin = abs(number) * WIDER + 1e-300
    return (number - margin, number + margin) if math.isfinite(number) else None


def _prefix(path: str, pattern: str) -> Filters | None:
    """The text before the first ``%`` or ``_``: what is behind, SQLite may read otherwise."""
    ends = [pattern.index(sign) for sign in "%_" if sign in pattern]
    start = pattern[: min(ends, default=len(pattern))]
    if not start or not _sendable(start):
        return None
    return {path: {"like": start.replace("\\", "\\\\") + "%"}}


def _sendable(text: str) -> bool:
    """Whether both databases take the text: PostgreSQL has no NUL, and neither has half a pair of surrogates."""
    return "\0" not in text and text.isprintable()

"""The tree of a condition. Every node says of a row: true, false, or None where a value is missing (see `where`)."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .columns import OTHER, TRUTH, kind_of

Row = Mapping[str, Any]
ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Condition(ABC):
    """What is true, false or unknown of a row."""

    @abstractmethod
    def of(self, row: Row) -> bool | None:
        """Whether it holds; None where that is unknown."""


@dataclass(frozen=True)
class Literal:
    """A value."""

    value: Any

    def of(self, row: Row) -> Any:
        """The value."""
        return self.value


@dataclass(frozen=True)
class Column:
    """A row's value; None where it is missing."""

    name: str

    def of(self, row: Row) -> Any:
        """The value in the row."""
        value = row.get(self.name)
        return None if kind_of(value) is None else value


@dataclass(frozen=True)
class Truth(Condition):
    """A column that is true or false by itself."""

    column: Column

    def of(self, row: Row) -> bool | None:
        """See :class:`Condition`."""
        value = self.column.of(row)
        return value if isinstance(value, bool) else None


@dataclass(frozen=True)
class Compare(Condition):
    """A column beside a value or another column."""

    left: Column
    operator: str
    right: Literal | Column

    def of(self, row: Row) -> bool | None:
        """See :class:`Condition`. Values of different kinds, in a mixed column, are unequal and have no order."""
        left, right = self.left.of(row), self.right.of(row)
        if left is None or right is None:
            return None
        if self.operator in ("=", "!="):
            return _equal(left, right) == (self.operator == "=")
        if kind_of(left) != kind_of(right) or kind_of(left) in (TRUTH, OTHER):
            return None
        return ORDERS[self.operator](left, right)


@dataclass(frozen=True)
class In(Condition):
    """A column that equals one of several values."""

    column: Column
    values: tuple[Any, ...]

    def of(self, row: Row) -> bool | None:
        """See :class:`Condition`."""
        value = self.column.of(row)
        return None if value is None else any(_equal(value, other) for other in self.values)


@dataclass(frozen=True)
class Like(Condition):
    """A text that fits a pattern: ``%`` is any text, ``_`` any one character, capitals count."""

    column: Column
    pattern: str

    def of(self, row: Row) -> bool | None:
        """See :class:`Condition`."""
        value = self.column.of(row)
        return fits(value, self.pattern) if isinstance(value, str) else None


@dataclass(frozen=True)
class IsNull(Condition):
    """Whether a value is missing; never unknown."""

    column: Column

    def of(self, row: Row) -> bool:
        """See :class:`Condition`."""
        return self.column.of(row) is None


@dataclass(frozen=True)
class Not(Condition):
    """The opposite; of what is unknown, unknown."""

    part: Condition

    def of(self, row: Row) -> bool | None:
        """See :class:`Condition`."""
        found = self.part.of(row)
        return None if found is None else not found


@dataclass(frozen=True)
class All(Condition):
    """True where every part is, false where one is false."""

    parts: tuple[Condition, ...]

    def of(self, row: Row) -> bool | None:
        """See :class:`Condition`."""
        found = {part.of(row) for part in self.parts}
        return False if False in found else None if None in found else True


@dataclass(frozen=True)
class Either(Condition):
    """True where one part is, false where all are false."""

    parts: tuple[Condition, ...]

    def of(self, row: Row) -> bool | None:
        """See :class:`Condition`."""
        found = {part.of(row) for part in self.parts}
        return True if True in found else None if None in found else False


def _equal(left: Any, right: Any) -> bool:
    """Equality that keeps true apart from 1."""
    return kind_of(left) == kind_of(right) and bool(left == right)


def fits(text: str, pattern: str) -> bool:
    """Whether a text fits a pattern of ``like``.

    Goes back to the last ``%`` alone, which is enough, so that no pattern takes longer than text times pattern; a
    regular expression could take for ever.
    """
    place = mark = 0
    star = -1
    here = 0
    while place < len(text):
        if here < len(pattern) and pattern[here] == "%":
            star, mark = here, place
            here += 1
        elif here < len(pattern) and pattern[here] in ("_", text[place]):
            place, here = place + 1, here + 1
        elif star >= 0:
            mark += 1
            place, here = mark, star + 1
        else:
            return False
    return pattern[here:].strip("%") == ""

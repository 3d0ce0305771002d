"""Numbers as a reader wants them: the same in the page and in the terminal."""

from __future__ import annotations

MISSING = "–"
SYMBOLS = {
    "false metallization": "■",
    "safe": "□",
    "undecided": "?",
    "metallized": "■",
    "not metallized": "□",
    "failed": "×",
    "unfinished": "…",
}
"""A sign for each status: page and terminal must be readable without colour."""
OTHER = "~"
"""Of a status of another version."""


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed decimals and a real minus sign; a dash where there is none."""
    if value is None:
        return MISSING
    text = f"{value:.{digits}f}"
    if float(text) == 0.0:
        text = text.removeprefix("-")
    return text.replace("-", "\N{MINUS SIGN}")


def interval(value: float | None, low: float | None, high: float | None, digits: int = 2, scale: float = 1.0) -> str:
    """``value [low, high]``, each times ``scale``, without the brackets where the interval is not known."""
    value, low, high = (None if x is None else scale * x for x in (value, low, high))
    if value is None or low is None or high is None:
        return number(value, digits)
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"


def share(value: float | None, low: float | None, high: float | None, digits: int = 1) -> str:
    """A fraction with its interval, in percent: ``12.0 % [3.1, 30.2]``."""
    if value is None:
        return MISSING
    ends = interval(100 * value, None if low is None else 100 * low, None if high is None else 100 * high, digits)
    first, _, rest = ends.partition(" ")
    return f"{first} % {rest}".rstrip()


def significant(value: float | None, digits: int = 2) -> str:
    """A number of unknown size with that many significant digits."""
    if value is None:
        return MISSING
    return f"{value:.{digits}g}".replace("-", "\N{MINUS SIGN}")


def yes_no(value: bool | None) -> str:
    """``yes``, ``no``, or a dash where it is not known."""
    return MISSING if value is None else ("yes" if value else "no")


def count(amount: int, noun: str) -> str:
    """``1 frame``, ``3 frames``."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def milli(value: float | None, digits: int = 2) -> str:
    """A number in thousandths of its unit."""
    return number(None if value is None else 1e3 * value, digits)


def shown(value: object) -> str:
    """Anything as it is; a dash for None."""
    return MISSING if value is None else str(value)


def printable(value: object) -> str:
    """A text without what moves a terminal's cursor or turns its lines round: labels may be someone else's."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(value))

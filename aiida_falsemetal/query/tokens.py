"""The words of a condition such as ``gap < 0.5 and mlip like 'mace%'``: text to tokens. Knows nothing of AiiDA."""

from __future__ import annotations

from dataclasses import dataclass

KEYWORDS = ("and", "or", "not", "like", "in", "is", "null", "true", "false")
OPERATORS = ("<=", ">=", "!=", "=", "<", ">")
FOREIGN = {"==": "=", "<>": "!=", "&&": "and", "||": "or", "!": "not", "&": "and", "|": "or"}
"""What other languages write, and what is written here."""
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_DIGITS = frozenset("0123456789")
MOST_DIGITS = 300
"""A whole number with more is read as a float: Python refuses to turn thousands of digits into an int."""


class QueryError(ValueError):
    """What is wrong with a condition, a column or an order: one sentence that names the place and the remedy."""


@dataclass(frozen=True)
class Token:
    """A word of a condition.

    :param kind: ``name``, ``number``, ``text``, ``end``, or the keyword, operator or bracket itself.
    :param text: as it was written.
    :param place: of its first character, counted from 1.
    :param value: of a number or a text.
    """

    kind: str
    text: str
    place: int
    value: float | int | str | None = None


def fault(token: Token, problem: str) -> QueryError:
    """The error at a token."""
    what = "the end" if token.kind == "end" else shown(token.text)
    return QueryError(f"character {token.place}, {what}: {problem}")


def shown(text: str) -> str:
    """A token in a message: short, on one line, in quotes unless it has some of its own."""
    short = text if len(text) <= 40 else f"{text[:40]}..."
    quoted = len(short) > 1 and short[0] in "'\"" and short[0] == short[-1]
    return short if quoted and short.isprintable() else repr(short)


def tokenize(text: str) -> list[Token]:
    """The tokens of ``text``; the last one is the end.

    :raises QueryError: at a character that begins no token, at a quote without its other end, at a malformed number.
    """
    tokens, place = [], 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        token = _token(text, place)
        tokens.append(token)
        place += len(token.text)
    return [*tokens, Token("end", "", len(text) + 1)]


def _token(text: str, start: int) -> Token:
    first = text[start]
    if first in "'\"":
        return _quoted(text, start)
    if first in _LETTERS:
        return _word(text, start)
    if first in _DIGITS or (first in "+-." and text[start + 1 : start + 2] in {*_DIGITS, "."}):
        return _number(text, start)
    two = text[start : start + 2]
    foreign = next((sign for sign in (two, first) if sign in FOREIGN and two != "!="), None)
    if foreign is not None:
        raise fault(Token("", foreign, start + 1), f"is not known here; write {FOREIGN[foreign]}")
    for sign in (*OPERATORS, "(", ")", ","):
        if text.startswith(sign, start):
            return Token(sign, sign, start + 1)
    raise fault(
        Token("", first, start + 1),
        "begins nothing that is known here; use columns, numbers, texts in quotes, and = != < <= > >= ( ) ,",
    )


def _quoted(text: str, start: int) -> Token:
    """A text in quotes; the quote itself stands in it twice."""
    quote, value, place = text[start], [], start + 1
    while place < len(text):
        if text[place] != quote:
            value.append(text[place])
            place += 1
        elif text.startswith(quote * 2, place):
            value.append(quote)
            place += 2
        else:
            return Token("text", text[start : place + 1], start + 1, "".join(value))
    raise fault(Token("", text[start:], start + 1), f"the quote is not closed; end the text with {quote}")


def _word(text: str, start: int) -> Token:
    end = start
    while end < len(text) and text[end] in _LETTERS | _DIGITS:
        end += 1
    word = text[start:end]
    kind = word.lower() if word.lower() in KEYWORDS else "name"
    return Token(kind, word, start + 1)


def _number(text: str, start: int) -> Token:
    """A number, with everything that touches it: ``1.2.3`` or ``5abc`` is one malformed number, not several tokens."""
    end = start + 1
    while end < len(text) and (text[end] in _LETTERS | _DIGITS | {"."} or _is_exponent_sign(text, end)):
        end += 1
    word = text[start:end]
    try:
        if set(word.lstrip("+-")) <= _DIGITS and len(word) <= MOST_DIGITS:
            return Token("number", word, start + 1, int(word))
        if not set(word) <= _DIGITS | set("+-.eE"):  # float() takes `1_0` too
            raise ValueError
        return Token("number", word, start + 1, float(word))
    except ValueError:
        message = "is no number; write it as 0.5 or 1e-3, and a text in quotes"
        raise fault(Token("", word, start + 1), message) from None


def _is_exponent_sign(text: str, place: int) -> bool:
    return text[place] in "+-" and text[place - 1] in "eE"

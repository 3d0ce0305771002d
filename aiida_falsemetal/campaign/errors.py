"""What is said when a campaign file is wrong: one sentence with the file, the field, the fault and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

LONGEST = 1000
"""Characters of a problem or a remedy; a value that someone has written may have millions."""
Location = Sequence[int | str]
"""Keys and list indices that lead to a field, outermost first."""


class CampaignError(ValueError):
    """A campaign file cannot be used. ``str`` gives ``FILE: FIELD: what is wrong; remedy.`` on one line.

    :param file: the campaign file, as the user named it.
    :param field: dotted path of the field as in the file, for example ``interfaces.film24.molecules``.
    :param problem: what is wrong.
    :param remedy: what to do.
    """

    def __init__(self, file: str, field: str, problem: str, remedy: str) -> None:
        # All four go to the base class, so that the error survives pickling.
        super().__init__(file, field, problem, remedy)
        self.file = file
        self.field = field
        self.problem = _short(_one_line(problem).rstrip(".;"))
        self.remedy = _short(_one_line(remedy).rstrip(".;"))

    def __str__(self) -> str:
        return printable(f"{self.file}: {self.field}: {self.problem}; {self.remedy}.")


def printable(text: str) -> str:
    """``text`` with its control characters, which would command the terminal that a message is read at, and its lone
    surrogates, which cannot be printed at all, written as in a Python string."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def fault(location: Location, problem: str, remedy: str, value: Any = None) -> ValidationError:
    """An error that a pydantic validator may raise: pydantic puts the enclosing fields before ``location``."""
    # Passed as context and not as a template, for the texts may hold braces.
    kind = PydanticCustomError("campaign", "{problem}; {remedy}", {"problem": problem, "remedy": remedy})
    return ValidationError.from_exception_data(
        "campaign", [InitErrorDetails(type=kind, loc=tuple(location), input=value)]
    )


def refuse_unknown(keys: Iterable[str], known: Iterable[str], location: Location = ()) -> None:
    """Refuse the first of ``keys`` that is not in ``known``.

    :raises ValidationError: that names the key and the closest known one.
    """
    names = list(known)
    for key in keys:
        if key not in names:
            raise fault((*location, key), "unknown key", suggestion(key, names), key)


def suggestion(name: object, known: Iterable[str]) -> str:
    """``did you mean `x`?`` where something is close, and all that is known."""
    names = sorted(known)
    close = difflib.get_close_matches(str(name)[:100], names, n=1)
    everything = "use one of " + ", ".join(names) if names else "remove it"
    return f"did you mean `{close[0]}`? ({everything})" if close else everything


def dotted(location: Location) -> str:
    """``interfaces.film24.molecules`` or ``seeds.1``; ``top level`` for the file as a whole."""
    return ".".join(_key(part) for part in location) or "top level"


def shown(value: object) -> str:
    """``value`` as a short one-line text, the way YAML writes it where that differs from Python."""
    yaml = {"None": "null", "True": "true", "False": "false"}
    text = _one_line(repr(value))
    text = yaml.get(text, text)
    return text if len(text) <= 60 else text[:57] + "..."


def translate(error: ValidationError, file: str, meaning: Callable[[Location], str]) -> CampaignError:
    """The first of pydantic's errors in our words.

    :param meaning: gives the description (with the unit) of the field at a location, or an empty text.
    """
    first = error.errors(include_url=False)[0]
    # pydantic marks a fault of a mapping's key, as opposed to its value, by one more step.
    location = tuple(part for part in first["loc"] if part != "[key]")
    problem, remedy = _words(first["type"], first.get("ctx", {}), first["input"], first["msg"])
    described = meaning(location) if first["type"] not in ("campaign", "value_error") else ""
    return CampaignError(file, dotted(location), problem, f"{remedy} ({described})" if described else remedy)


_EXPECTED = {
    "bool": "true or false",
    "dict": "a mapping (`key: value`)",
    "float": "a number",
    "int": "a whole number",
    "list": "a list (`[a, b]`)",
    "model": "a mapping (`key: value`)",
    "string": "a text in quotes",
}
_BOUNDS = {
    "greater_than": ("too small", "give more than", "gt"),
    "greater_than_equal": ("too small", "give at least", "ge"),
    "less_than": ("too large", "give less than", "lt"),
    "less_than_equal": ("too large", "give at most", "le"),
    "string_too_long": ("too long", "characters allowed: at most", "max_length"),
    "string_too_short": ("too short", "characters needed: at least", "min_length"),
    "too_long": ("too long", "entries allowed: at most", "max_length"),
    "too_short": ("too short", "entries needed: at least", "min_length"),
}


def _words(kind: str, context: dict[str, Any], value: Any, message: str) -> tuple[str, str]:
    """Problem and remedy for one kind of pydantic error."""
    if kind == "campaign":
        return context["problem"], context["remedy"]
    if kind == "missing":
        return "is missing", "add it"
    if kind in _BOUNDS:
        problem, remedy, key = _BOUNDS[kind]
        return f"{shown(value)} is {problem}", f"{remedy} {context[key]}"
    if kind == "literal_error":
        return f"{shown(value)} is not known", f"use {context['expected']}"
    if kind == "value_error":
        # A recipe's own sentence: problem; remedy.
        problem, _, remedy = str(context["error"]).rstrip(".").partition("; ")
        return problem, remedy or f"{shown(value)} does not fit"
    expected = _EXPECTED.get(kind.split("_")[0])
    if expected is not None and kind != "string_pattern_mismatch":
        return f"{shown(value)} is not {expected}", f"write {expected}"
    return f"{shown(value)} is not accepted", message[:1].lower() + message[1:]


def _key(part: int | str) -> str:
    text = str(part)
    return text if text.isprintable() and 0 < len(text) <= 80 else shown(text)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _one_line(text: str) -> str:
    return " ".join(text.split())

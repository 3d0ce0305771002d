"""Markdown from plain values, for the pages that are made from the code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or a sentence that there is nothing."""
    lines = [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    if not lines:
        return "None.\n"
    return "\n".join([f"| {' | '.join(heading)} |", "|---" * len(heading) + "|", *lines]) + "\n"


def cell(text: str) -> str:
    """Text in one line, with what would end a cell escaped."""
    return " ".join(text.split()).replace("|", "\\|")


def code(value: object) -> str:
    """A value as code."""
    return f"`{value}`"


def prose(text: str) -> str:
    """Help text as Markdown: what stands outside of backticks is no markup."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<>\[\]])", r"\\\1", part) for part in parts)


def plain(docstring: str) -> str:
    """The first paragraph of a docstring as Markdown: roles become code."""
    first = " ".join(docstring.split("\n\n")[0].split())
    return prose(re.sub(r":[a-z]+:`[.~]*([^`]*)`", r"`\1`", first).replace("``", "`"))

"""Sentences with citations, and their three forms: plain text, Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

_MARK = re.compile(r" ?\[\[([a-z0-9,]+)\]\]")
_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "Å": r"\AA{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "Γ": r"$\Gamma$",
    "≤": r"$\leq$",
    "²": r"$^2$",
    "−": r"$-$",
    "–": "--",
    "’": "'",
    **{character: f"${character}$" for character in "|<>"},
}
_FORMULAS = {"|M_z|/A": r"$|M_z|/A$", "M_z/A": r"$M_z/A$", "M_z": r"$M_z$", "n_eff": r"$n_\mathrm{eff}$"}
_LATEX_TOKEN = re.compile("|".join(map(re.escape, [*_FORMULAS, *_LATEX])))


def cite(*keys: str) -> str:
    """A mark that the forms replace; with a blank before it, empty without keys."""
    return f" [[{','.join(dict.fromkeys(keys))}]]" if keys else ""


def label(value: Any) -> str:
    """A label of the user's, which must not pass for a mark."""
    return str(value).replace("[[", "[ [")


def cited(paragraphs: Iterable[str]) -> list[str]:
    """Keys in the order in which they are first cited."""
    return list(dict.fromkeys(key for text in paragraphs for found in _MARK.findall(text) for key in found.split(",")))


def plain(text: str) -> str:
    """With keys in brackets: ``ASE [larsen2017]``."""
    return _MARK.sub(lambda match: f" [{match[1].replace(',', ', ')}]", text)


def markdown(text: str) -> str:
    """With pandoc's citations: ``ASE [@larsen2017]``."""
    escaped = re.sub(r"([\\`*_<>#])", r"\\\1", text)
    return _MARK.sub(lambda match: " [" + "; ".join(f"@{key}" for key in match[1].split(",")) + "]", escaped)


def latex(text: str) -> str:
    r"""With ``\cite``; whatever LaTeX would take for a command is escaped."""
    parts = _MARK.split(text)
    return "".join(
        rf"~\cite{{{part}}}" if index % 2 else _LATEX_TOKEN.sub(_latex_token, part) for index, part in enumerate(parts)
    )


def _latex_token(match: re.Match[str]) -> str:
    return _FORMULAS.get(match[0]) or _LATEX[match[0]]


def listing(items: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def figure(value: float) -> str:
    """A number as short as it can be: ``2``, ``0.01``, ``1e-6``."""
    return re.sub(r"e([+-])0*", r"e\1", f"{value:.6g}").replace("e+", "e")


def values(rows: Iterable[dict[str, Any]], key: str) -> list[Any]:
    """Different values of ``key``, those that are not recorded left out; numbers sorted."""
    found = [value for value in dict.fromkeys(_frozen(row.get(key)) for row in rows) if value is not None]
    numbers = all(isinstance(value, (int, float)) for value in found)
    return sorted(found) if numbers else found


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def amounts(rows: Iterable[dict[str, Any]], key: str, unit: str) -> str:
    """``2 fs`` or ``1 and 2 fs``; empty where nothing is recorded."""
    found = [figure(value) for value in values(rows, key) if not isinstance(value, (str, tuple))]
    return f"{listing(found)} {unit}".strip() if found else ""


def span(found: Sequence[float]) -> str:
    """``4``, or ``4 to 24``."""
    low, high = figure(min(found)), figure(max(found))
    return low if low == high else f"{low} to {high}"


def sentence(*clauses: str) -> str:
    """Clauses that are not empty, with commas and a full stop; empty where all are."""
    there = [clause for clause in clauses if clause]
    return f"{', '.join(there)}." if there else ""


def paragraph(*sentences: str) -> str:
    """Sentences that are not empty."""
    return " ".join(text for text in sentences if text)

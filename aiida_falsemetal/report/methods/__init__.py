"""The methods paragraph of a paper: what was computed how, from what is recorded and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import analysis, prose, simulation
from .citations import bibtex

PARTS = (
    simulation.interfaces,
    simulation.dynamics,
    simulation.potentials,
    simulation.frames,
    analysis.electrons,
    analysis.statistics,
    analysis.software,
)
"""One paragraph each. What is not recorded is left out."""


@dataclass(frozen=True)
class Methods:
    r"""The text in three forms, and the works that it cites.

    :param paragraphs: of the plain text, with the citations' keys in brackets.
    :param markdown: with pandoc's citations.
    :param latex: with ``\cite``.
    :param bibtex: of exactly the cited works; empty without any.
    """

    paragraphs: tuple[str, ...]
    markdown: str
    latex: str
    bibtex: str
    keys: tuple[str, ...]

    @property
    def text(self) -> str:
        """The plain text."""
        return "\n\n".join(self.paragraphs) + "\n"


def methods(document: dict[str, Any]) -> Methods | None:
    """The paragraphs on a campaign; None without pairs.

    :param document: plain, see :func:`..page.render_page`. ``settings`` may hold ``versions``, ``date`` and
        ``recorded``, which is what :func:`...query.methods.recorded_methods` returns.
    """
    if not document["pairs"]:
        return None
    marked = [text for text in (part(document) for part in PARTS) if text]
    keys = prose.cited(marked)
    return Methods(
        paragraphs=tuple(prose.plain(text) for text in marked),
        markdown="\n\n".join(prose.markdown(text) for text in marked) + "\n",
        latex="\n\n".join(prose.latex(text) for text in marked) + "\n",
        bibtex=bibtex(keys) if keys else "",
        keys=tuple(keys),
    )

"""Puts what is made from the code into the pages of ``reference/``, in the place of ``<!-- made from: NAME -->``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from reference_cli import command_line
from reference_processes import entry_points, processes
from reference_tables import catalogue, columns, families, gap_protocols, interface_recipes
from sphinx.application import Sphinx

MARK = re.compile(r"^<!-- made from: ([a-z ]+) -->$", re.MULTILINE)
MAKERS: Mapping[str, Callable[[], str]] = {
    "click": command_line,
    "specs": processes,
    "entry points": entry_points,
    "columns": columns,
    "gap protocols": gap_protocols,
    "recipes": interface_recipes,
    "families": families,
    "catalogue": catalogue,
}


def fill(text: str) -> str:
    """The text of a page with what is made in the place of its marks.

    :raises KeyError: of a mark that nothing makes.
    """
    return MARK.sub(lambda found: MAKERS[found[1]](), text)


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Sphinx's event for the source of a page."""
    source[0] = fill(source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

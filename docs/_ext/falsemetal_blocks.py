"""Gives code blocks without a language the one that they are in: commands, YAML or plain text.

The pages' indented blocks have no language of their own, for they are read in the repository too.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from falsemetal_pages import is_command
from sphinx.application import Sphinx

PYTHON = re.compile(r"(from|import|with) \w")


def language_of(text: str) -> str:
    """``bash``, ``python`` or ``text``."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    if is_command(first):
        return "bash"
    return "python" if PYTHON.match(first) and ":" not in first.partition("#")[0][:5] else "text"


def name_languages(app: Sphinx, doctree: nodes.document) -> None:
    """Set ``language`` of every block that has none."""
    for block in doctree.findall(nodes.literal_block):
        if "language" not in block and block.rawsource == block.astext():
            block["language"] = language_of(block.astext())


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-read", name_languages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

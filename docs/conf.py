"""Sphinx configuration. ``make docs`` builds the site into ``docs/_build/html`` and takes every warning for an error.

The pages are Markdown that reads well in the repository too. What is generated from the code stands in ``reference/``,
made by the extensions in ``_ext/``. Nothing is loaded from a network, neither by the build nor by the pages.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from aiida_falsemetal import __version__  # noqa: E402

project = "aiida-falsemetal"
author = "The aiida-falsemetal authors"
copyright = author  # noqa: A001  (Sphinx's name)
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "falsemetal_blocks",
    "falsemetal_links",
    "falsemetal_reference",
]
exclude_patterns = ["_build", "_ext", "images", "data"]
nitpicky = True

myst_heading_anchors = 4
# Formulas are plain text, as in the repository: no extension for mathematics, and so no script from elsewhere.
myst_enable_extensions: list[str] = []

# Docstrings write code in single backticks; they name units and sources in their text.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
# A reference to what is documented elsewhere, or is no part of the public interface, is text: this site links to no
# other one.
# The default of a dataclass field that a function makes, `<factory>`, cannot be parsed; it leaves half a type.
nitpick_ignore = [("py:class", "dict[str")]
nitpick_ignore_regex = [
    ("py:.*", r"(aiida|ase|click|numpy|np|pandas|pathlib|plumpy|pydantic|collections|orm)\..*"),
    (
        "py:class",
        r"(Path|Atoms|Calculator|ProcessBuilder|ProcessSpec|WorkChainSpec|CalcJobProcessSpec|DataFrame|Array)",
    ),
]

html_theme = "furo"
html_title = f"aiida-falsemetal {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_search_summary = False  # it fetches pages, which a browser refuses from file://
html_theme_options = {"footer_icons": []}
highlight_language = "text"
pygments_style = "friendly"
pygments_dark_style = "monokai"

"""Links that lead out of the site: to the repository, and from a docstring to what is no part of the public interface.

In the repository a link to a file or folder leads there. The site names no host where the repository could be read, so
such a link becomes text with the path. A link to a data file travels with the site: myst-parser makes it a download.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import aiida_falsemetal

REPOSITORY = Path(__file__).parents[2]
PACKAGE = aiida_falsemetal.__name__


def name_places(app: Sphinx, doctree: nodes.document) -> None:
    """Text with the path in the repository, for every link to a page or folder that is not of the site."""
    for link in list(doctree.findall(addnodes.pending_xref)):
        place = _place(Path(app.srcdir), app.env, link)
        if place is not None:
            link.replace_self(_named(link, place))
        elif link.get("refdomain") == "doc" and link.astext().endswith(".md"):
            # In the repository a page goes by its file, here by its title.
            link["refexplicit"] = False
            link.children = [nodes.inline("", "")]


def _place(source: Path, env: BuildEnvironment, link: addnodes.pending_xref) -> Path | None:
    """What a link means in the repository, None for one within the site or with nothing behind it."""
    if link.get("reftype") != "myst":
        return None
    target = str(link["reftarget"])
    if link.get("refdomain") == "doc":
        if target in env.found_docs:
            return None
        place = (source / f"{target}.md").resolve()
    else:
        place = ((source / str(link.get("refdoc", ""))).parent / target).resolve()
        if not target or not place.is_dir():
            return None
    return place if place.exists() and place.is_relative_to(REPOSITORY) else None


def _named(link: addnodes.pending_xref, place: Path) -> nodes.inline:
    name = str(place.relative_to(REPOSITORY)) + ("/" if place.is_dir() else "")
    shown = nodes.inline("", "", *link.children)
    if shown.astext() not in (name, name.rstrip("/")):
        shown += [nodes.Text(" ("), nodes.literal(name, name), nodes.Text(" in the repository)")]
    return shown


def know_internals(
    app: Sphinx, env: BuildEnvironment, link: addnodes.pending_xref, contents: nodes.TextElement
) -> nodes.Node | None:
    """Text in the place of a docstring's reference to something of the package that has no page.

    What is not there at all stays a broken reference.
    """
    if link.get("refdomain") != "py":
        return None
    return contents if _exists(str(link["reftarget"]).lstrip("."), link.get("py:module")) else None


@cache
def _modules() -> tuple[str, ...]:
    return tuple(info.name for info in pkgutil.walk_packages(aiida_falsemetal.__path__, f"{PACKAGE}."))


def _exists(target: str, module: str | None) -> bool:
    """Whether a module, or something in one, goes by the name, which may lack its beginning."""
    parts = target.split(".")
    for count in range(len(parts), -1, -1):
        for name in _candidates(".".join(parts[:count]), module):
            found: Any = importlib.import_module(name)
            for part in parts[count:]:
                found = getattr(found, part, None) or vars(found).get("__dataclass_fields__", {}).get(part)
                if found is None:
                    break
            else:
                return True
    return False


def _candidates(name: str, module: str | None) -> Iterator[str]:
    """Modules that a name may mean; without one, that of the docstring and all that are imported."""
    if name:
        yield from (known for known in _modules() if known == name or known.endswith(f".{name}"))
        return
    if module:
        yield module
    yield from [known for known in sys.modules if known.startswith(f"{PACKAGE}.")]


def escape_bars(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """In reStructuredText |x| is a substitution; in our docstrings it is the amount of x."""
    literal = False
    for number, line in enumerate(lines):
        if line and not line.startswith(" "):
            literal = line.rstrip().endswith("::")
        elif literal and line:
            continue
        pieces = line.split("``")
        lines[number] = "``".join(
            piece if place % 2 else piece.replace("|", "\\|") for place, piece in enumerate(pieces)
        )


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-read", name_places, priority=100)
    app.connect("missing-reference", know_internals)
    app.connect("autodoc-process-docstring", escape_bars)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

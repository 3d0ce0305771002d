"""What the page offers to take away: each figure's files and numbers, and the methods paragraph.

The page stays one file. What fits is in it: drawings as ``data:`` addresses, numbers as compressed JSON, from which a
script makes JSON and CSV. What does not fit is a link into the folder of figures, and says so.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from .methods import Methods, methods
from .publication import FOLDER, Published

DRAWINGS = 2_000_000
"""Characters of the page for SVG and PDF: some thirty figures. The first figures of the page have them."""
NUMBERS = 3_000_000
"""Characters of the page for numbers: some sixty time series of 4000 samples."""
TYPES = {"svg": "image/svg+xml", "pdf": "application/pdf", "bib": "application/x-bibtex", "txt": "text/plain"}


class Downloads:
    """The download line of each figure.

    :param figures: in the order in which they get a share of the page; those that it does not draw get none.
    :param folder: whether their files are written beside the page.
    """

    def __init__(self, figures: Sequence[Published], folder: bool) -> None:
        self._folder = folder
        self._lines: dict[tuple[str, Any], Markup] = {}
        figures = [figure for figure in figures if figure.on_page]
        self._layers = [figure.numbers for figure in figures if figure.numbers.kind == "layers"]
        self._numbers: list[Markup] = []
        self._drawings_left, self._numbers_left = DRAWINGS, NUMBERS
        for figure in figures:
            self._lines[figure.numbers.kind, figure.numbers.key] = self._line(figure)
        self._widths = next((figure for figure in figures if figure.numbers.kind == "widths"), None)

    def line(self, kind: str, key: Any = None) -> Markup:
        """The line of one figure, nothing where there is no such figure.

        :param kind: and
        :param key: see :class:`.publication.numbers.Numbers`.
        """
        return self._lines.get((kind, key), Markup())

    @property
    def layers(self) -> Markup:
        """A section with the figures of frames by layer, which the page does not draw; nothing without any."""
        if not self._layers:
            return Markup()
        items = [
            Markup("<li>{}{}</li>").format(numbers.caption, self.line(numbers.kind, numbers.key))
            for numbers in self._layers
        ]
        return Markup(
            '<section id="layer-figures" aria-labelledby="layers-h">\n<h2 id="layers-h">Band edges by layer</h2>\n'
            "<p>Local band edges along the normal, of the frames for which they were computed.</p>\n<ul>{}</ul>\n"
            "</section>"
        ).format(Markup("\n").join(items))

    @property
    def widths(self) -> Markup:
        """A section with the figure of widths as it is printed, for the page draws none; nothing without one."""
        figure = self._widths
        if figure is None:
            return Markup()
        address = "" if figure.svg is None else data_address("svg", figure.svg)
        drawn = Markup('<img class="drawn" src="{}" alt="">').format(address) if address else Markup()
        return Markup(
            '<section id="widths" aria-labelledby="widths-h">\n<h2 id="widths-h">Dipole by thickness</h2>\n'
            "<figure>{}<figcaption>{}</figcaption></figure>{}\n</section>"
        ).format(drawn, figure.numbers.caption, self.line("widths"))

    @property
    def script(self) -> Markup:
        """Embedded numbers and the script that hands them out; nothing without figures and methods."""
        code = (resources.files(__package__) / "templates" / "downloads.js").read_text(encoding="utf-8")
        return Markup("\n").join([*self._numbers, Markup("<script>\n{}</script>").format(Markup(code))])

    def _line(self, figure: Published) -> Markup:
        links, missing = self._number_links(figure)
        for end, data in (("svg", figure.svg), ("pdf", figure.pdf)):
            if data is None:
                continue
            address = data_address(end, data)
            if len(address) <= self._drawings_left:
                self._drawings_left -= len(address)
                links.append(_link(f"{figure.stem}.{end}", address, end.upper()))
            else:
                links.append(self._beside(f"{figure.stem}.{end}", end))
                missing = True
        needs = Markup(' <span class="beside">(→ needs the folder {} beside this page)</span>').format(FOLDER)
        return Markup('<p class="download">Download: {}{}</p>').format(
            Markup(" ").join(links), needs if missing and self._folder else Markup()
        )

    def _number_links(self, figure: Published) -> tuple[list[Markup], bool]:
        """Links to CSV and JSON, and whether they lead out of the page."""
        packed = base64.b64encode(figure.packed).decode()
        if len(packed) > self._numbers_left:
            if not self._folder:
                return [Markup("numbers too large for this page, written with --figures auto")], False
            return [self._beside(f"{figure.stem}.{end}", end) for end in ("csv", "json")], True
        self._numbers_left -= len(packed)
        name = f"numbers-{len(self._numbers)}"
        self._numbers.append(Markup('<script type="text/plain" id="{}">{}</script>').format(name, packed))
        button = Markup(
            '<button type="button" class="numbers" data-from="{}" data-name="{}.{}" hidden>{}'
            '<span class="hidden"> of {}</span></button>'
        )
        return [button.format(name, figure.stem, end, end.upper(), figure.stem) for end in ("csv", "json")], False

    def _beside(self, name: str, end: str) -> Markup:
        return _link(name, f"{FOLDER}/{name}", f"{end.upper()} →")


def data_address(end: str, data: bytes) -> str:
    """A ``data:`` address of a file with this ending."""
    return f"data:{TYPES[end]};base64,{base64.b64encode(data).decode()}"


def _link(name: str, address: str, text: str) -> Markup:
    hidden = Markup('<span class="hidden"> of {}</span>').format(name.rpartition(".")[0])
    return Markup('<a download="{}" href="{}">{}{}</a>').format(name, address, text, hidden)


def methods_section(document: dict[str, Any]) -> Markup:
    """The methods paragraphs, ready to paste, with their citations; nothing without pairs."""
    found = methods(document)
    if found is None:
        return Markup()
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = (resources.files(__package__) / "templates" / "methods.html.j2").read_text(encoding="utf-8")
    template = environment.from_string(source)
    return Markup(template.render(methods=found, bib=_bib(found), forms=_forms(found)))


def _bib(found: Methods) -> str:
    return data_address("bib", found.bibtex.encode()) if found.bibtex else ""


def _forms(found: Methods) -> list[tuple[str, str, str]]:
    """(id, name, text) of what can be copied; the text itself is on the page as paragraphs."""
    return [
        ("text", "text", found.text),
        ("markdown", "Markdown", found.markdown),
        ("latex", "LaTeX", found.latex),
        ("bibtex", "BibTeX", found.bibtex),
    ]

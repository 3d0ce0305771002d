"""All figures of a campaign: which there are, which are drawn, their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from ...names import FRAME_COLUMNS
from ..cells import gather
from ..data import PAIR_COLUMNS, complete
from ..summary import Pair, distinct, summarize
from .dipoles import dipole_numbers, draw_dipoles
from .energies import draw_energies, energy_numbers
from .gaps import draw_gaps, gap_numbers
from .layers import draw_layers, layer_numbers
from .numbers import Numbers, stems, texts
from .style import STYLE, Look, files, looks
from .verdicts import draw_verdicts, verdict_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Choice = Literal["all", "none", "auto"]
CHOICES: tuple[str, ...] = get_args(Choice)
MOST = 12
"""Pairs, and frames with layers, up to which ``auto`` draws figures of each: a figure takes half a second."""
FOLDER = "figures"
"""Beside the page."""


@dataclass(frozen=True)
class Published:
    """One figure.

    :param stem: name of its files without ending.
    :param svg: None where it is not drawn.
    :param pdf: None where it is not drawn.
    """

    stem: str
    numbers: Numbers
    svg: bytes | None = None
    pdf: bytes | None = None

    @cached_property
    def _texts(self) -> tuple[bytes, bytes]:
        table, document = texts(self.numbers)
        return table.encode(), document.encode()

    @property
    def json(self) -> bytes:
        """The numbers, see :func:`.numbers.json_text`."""
        return self._texts[1]

    @property
    def files(self) -> dict[str, bytes]:
        """Its files by name."""
        found = {"csv": self._texts[0], "json": self._texts[1]}
        found |= {end: data for end, data in (("svg", self.svg), ("pdf", self.pdf)) if data is not None}
        return {f"{self.stem}.{end}": data for end, data in found.items()}


def publish(
    plain_document: dict[str, Any],
    series: Mapping[int, dict[str, Any]],
    layers: Mapping[int, Mapping[str, Any]],
    choice: Choice,
) -> list[Published]:
    """The figures of a campaign, in the order of the page.

    The numbers of every figure are there whatever ``choice`` says; it says what is drawn: ``all``, ``none``, or with
    ``auto`` the verdicts, a figure an interface, and those of each pair and frame if there are at most ``MOST``.

    :param plain_document: see :func:`..page.render_page`.
    :param series: see :func:`..build.build_report`.
    :param layers: by the pk of a GapWorkChain, see :func:`.layers.layer_numbers`.
    """
    rows = [complete(row, FRAME_COLUMNS) for row in plain_document["frames"]]
    pairs = summarize(rows, [complete(row, PAIR_COLUMNS) for row in plain_document["pairs"]])
    cells = gather(pairs, plain_document["cells"])
    labels = [*(pair.row for pair in pairs), *({"mlip": cell.mlip} for cell in cells), *rows]
    look = looks(distinct(labels, "mlip"))
    found = [verdict_numbers(cells)]
    found += _interfaces(rows, plain_document["laws"])
    found += _pairs(pairs, series)
    found += [layer_numbers(row, layers[row["gap_pk"]]) for row in rows if row["gap_pk"] in layers]
    figures = [numbers for numbers in found if numbers is not None]
    names = stems(figures)
    if choice == "none":
        return [Published(stem, numbers) for stem, numbers in zip(names, figures, strict=True)]
    few = {"dipoles": len(pairs) <= MOST, "energies": len(pairs) <= MOST, "layers": len(layers) <= MOST}
    return [
        Published(stem, numbers, *(_draw(numbers, look) if choice == "all" or few.get(numbers.kind, True) else ()))
        for stem, numbers in zip(names, figures, strict=True)
    ]


def _interfaces(rows: Sequence[dict[str, Any]], laws: Sequence[dict[str, Any]]) -> Iterator[Numbers | None]:
    by_interface = {law["interface"]: law for law in laws}
    for interface in distinct(rows, "interface"):
        mine = [row for row in rows if row["interface"] == interface]
        yield gap_numbers(interface, mine, by_interface.get(interface))


def _pairs(pairs: Sequence[Pair], series: Mapping[int, dict[str, Any]]) -> Iterator[Numbers | None]:
    for pair in pairs:
        yield dipole_numbers(pair, series.get(pair.row["pair_pk"]))
    for pair in pairs:
        yield energy_numbers(pair)


def _draw(numbers: Numbers, look: dict[Any, Look]) -> tuple[bytes, bytes]:
    """SVG and PDF of a figure."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        return files(_figure(numbers, look))


def _figure(numbers: Numbers, look: dict[Any, Look]) -> Figure:
    if numbers.kind == "verdicts":
        return draw_verdicts(numbers)
    if numbers.kind == "gaps":
        return draw_gaps(numbers, look)
    if numbers.kind == "layers":
        return draw_layers(numbers)
    mine = look[numbers.labels[1]]
    return draw_dipoles(numbers, mine) if numbers.kind == "dipoles" else draw_energies(numbers, mine)

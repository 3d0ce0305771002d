"""All figures of a campaign: which there are, which are drawn, their files."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from ...names import FRAME_COLUMNS
from ..budget import drawn_pairs
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
class Texts:
    """The numbers of a figure as they are written.

    :param packed: the JSON, compressed for the page; None of a figure that the page does not have.
    """

    csv: bytes
    json: bytes
    packed: bytes | None


@dataclass(frozen=True)
class Published:
    """One figure.

    :param stem: name of its files without ending.
    :param numbers: without their parts where ``written`` has them.
    :param on_page: whether the page draws it, and so offers its numbers.
    :param svg: None where it is not drawn.
    :param pdf: None where it is not drawn.
    :param written: its numbers' texts, where they are there already; else they are made when they are asked for.
    """

    stem: str
    numbers: Numbers
    on_page: bool = True
    svg: bytes | None = None
    pdf: bytes | None = None
    written: Texts | None = None

    @cached_property
    def _texts(self) -> Texts:
        if self.written is not None:
            return self.written
        table, document = (text.encode() for text in texts(self.numbers))
        return Texts(table, document, gzip.compress(document, mtime=0) if self.on_page else None)

    @property
    def json(self) -> bytes:
        """The numbers, see :func:`.numbers.json_text`."""
        return self._texts.json

    @property
    def packed(self) -> bytes | None:
        """The numbers as the page holds them; None where it does not."""
        return self._texts.packed

    @property
    def files(self) -> dict[str, bytes]:
        """Its files by name."""
        found = {"csv": self._texts.csv, "json": self._texts.json}
        found |= {end: data for end, data in (("svg", self.svg), ("pdf", self.pdf)) if data is not None}
        return {f"{self.stem}.{end}": data for end, data in found.items()}

    def ready(self, folder: bool) -> Published:
        """Itself with all texts made and without the numbers that they are made of: small, to be sent to another
        process.

        :param folder: whether its files are written. If not, a figure that is not on the page needs no texts.
        """
        wanted = folder or self.on_page
        return replace(
            self, numbers=replace(self.numbers, parts=()), written=self._texts if wanted else Texts(b"", b"", None)
        )


@dataclass(frozen=True)
class Plan:
    """A figure that there may be.

    :param make: its numbers; None where there is nothing to show.
    :param look: of the MLIPs, by name.
    """

    make: Callable[[], Numbers | None]
    look: dict[Any, Look]
    drawn: bool
    on_page: bool

    def carried_out(self) -> Published | None:
        """The figure, without a name yet: for that all others have to be known."""
        numbers = self.make()
        if numbers is None:
            return None
        return Published("", numbers, self.on_page, *(_draw(numbers, self.look) if self.drawn else ()))


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
    return named(plan.carried_out() for plan in plans(plain_document, series, layers, choice))


def named(found: Iterable[Published | None]) -> list[Published]:
    """The figures that there are, each with the name of its files."""
    figures = [figure for figure in found if figure is not None]
    names = stems([figure.numbers for figure in figures])
    return [replace(figure, stem=stem) for figure, stem in zip(figures, names, strict=True)]


def plans(
    plain_document: dict[str, Any],
    series: Mapping[int, dict[str, Any]],
    layers: Mapping[int, Mapping[str, Any]],
    choice: Choice,
) -> list[Plan]:
    """What there is to do for :func:`publish`, whose parameters these are: those that take long first."""
    rows = [complete(row, FRAME_COLUMNS) for row in plain_document["frames"]]
    pairs = summarize(rows, [complete(row, PAIR_COLUMNS) for row in plain_document["pairs"]])
    cells = gather(pairs, plain_document["cells"])
    labels = [*(pair.row for pair in pairs), *({"mlip": cell.mlip} for cell in cells), *rows]
    few = {"pair": len(pairs) <= MOST, "layers": len(layers) <= MOST}
    plan = partial(Plan, look=looks(distinct(labels, "mlip")))
    whole = partial(plan, drawn=choice != "none", on_page=True)
    found = [whole(partial(verdict_numbers, cells))]
    found += [whole(make) for make in _interfaces(rows, plain_document["laws"])]
    drawn = {kind: choice == "all" or (choice == "auto" and small) for kind, small in few.items()}
    on_page = drawn_pairs(pairs)
    for make in (partial(_dipoles, series), energy_numbers):
        found += [
            plan(partial(make, pair), drawn=drawn["pair"], on_page=place in on_page) for place, pair in enumerate(pairs)
        ]
    some = (row for row in rows if row["gap_pk"] in layers)
    found += [
        plan(partial(layer_numbers, row, layers[row["gap_pk"]]), drawn=drawn["layers"], on_page=True) for row in some
    ]
    return found


def _interfaces(
    rows: Sequence[dict[str, Any]], laws: Sequence[dict[str, Any]]
) -> Iterator[Callable[[], Numbers | None]]:
    by_interface = {law["interface"]: law for law in laws}
    of_each: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        of_each.setdefault(row.get("interface"), []).append(row)
    for interface, mine in of_each.items():
        yield partial(gap_numbers, interface, mine, by_interface.get(interface))


def _dipoles(series: Mapping[int, dict[str, Any]], pair: Pair) -> Numbers | None:
    return dipole_numbers(pair, series.get(pair.row["pair_pk"]))


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

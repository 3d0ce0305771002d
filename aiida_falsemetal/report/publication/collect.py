"""All figures of a campaign: which there are, which are drawn, their files."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
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
from .widths import draw_widths, width_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Choice = Literal["all", "none", "auto"]
CHOICES: tuple[str, ...] = get_args(Choice)
MOST = 12
"""Pairs, and frames with layers, up to which ``auto`` draws figures of each: a figure takes half a second."""
FOLDER = "figures"
"""Beside the page."""
ENDINGS = ("csv", "json", "svg", "pdf")
"""Of a figure's files."""


@dataclass(frozen=True)
class Published:
    """One figure.

    :param stem: name of its files without ending.
    :param numbers: without their parts where there are ``drafts``.
    :param on_page: whether the page draws it, and so offers its numbers.
    :param svg: None where it is not drawn.
    :param pdf: None where it is not drawn.
    :param sent: the numbers as the page holds them, from the process that made them.
    :param drafts: its files where they are written already, under other names: by their ending.
    """

    stem: str
    numbers: Numbers
    on_page: bool = True
    svg: bytes | None = None
    pdf: bytes | None = None
    sent: bytes | None = None
    drafts: Mapping[str, Path] | None = None

    @cached_property
    def _texts(self) -> tuple[bytes, bytes]:
        table, document = texts(self.numbers)
        return table.encode(), document.encode()

    @property
    def packed(self) -> bytes:
        """The numbers as the page holds them: compressed JSON, see :func:`.numbers.json_text`."""
        return gzip.compress(self._texts[1], mtime=0) if self.sent is None else self.sent

    @property
    def files(self) -> dict[str, bytes | Path]:
        """Its files by name: what is in them, or where they are already."""
        found: Mapping[str, bytes | Path] = self._bytes() if self.drafts is None else self.drafts
        return {f"{self.stem}.{end}": data for end, data in found.items()}

    def _bytes(self) -> dict[str, bytes]:
        found = {"csv": self._texts[0], "json": self._texts[1]}
        return found | {end: data for end, data in (("svg", self.svg), ("pdf", self.pdf)) if data is not None}

    def drafted(self, stem: Path | None) -> Published:
        """Itself with its files written, and without the numbers they were made from: small enough to be sent.

        :param stem: of the files; None where none are wanted.
        :raises OSError: if they cannot be written.
        """
        drafts = {}
        for end, data in (self._bytes() if stem is not None else {}).items():
            drafts[end] = Path(f"{stem}.{end}")
            drafts[end].write_bytes(data)
        sent = self.packed if self.on_page else b""
        return replace(self, numbers=replace(self.numbers, parts=()), sent=sent, drafts=drafts)


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

    ``choice`` says what is drawn: ``all``, ``none``, or with ``auto`` the verdicts, the widths, a figure an interface,
    and those of each pair and frame if there are at most ``MOST``. Numbers are there for all that is drawn, here or by
    the page.

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
    """What there is to do for :func:`publish`, whose parameters these are."""
    rows = [complete(row, FRAME_COLUMNS) for row in plain_document["frames"]]
    pairs = summarize(rows, [complete(row, PAIR_COLUMNS) for row in plain_document["pairs"]])
    cells = gather(pairs, plain_document["cells"])
    labels = [*(pair.row for pair in pairs), *({"mlip": cell.mlip} for cell in cells), *rows]
    few = {"pair": len(pairs) <= MOST, "layers": len(layers) <= MOST}
    plan = partial(Plan, look=looks(distinct(labels, "mlip")))
    whole = partial(plan, drawn=choice != "none", on_page=True)
    found = [whole(partial(verdict_numbers, cells))]
    found.append(whole(partial(width_numbers, cells)))
    found += [whole(make) for make in _interfaces(rows, plain_document["laws"])]
    drawn = {kind: choice == "all" or (choice == "auto" and small) for kind, small in few.items()}
    on_page = drawn_pairs(pairs)
    for make in (partial(_dipoles, series), energy_numbers):
        found += [
            plan(partial(make, pair), drawn=drawn["pair"], on_page=place in on_page)
            for place, pair in enumerate(pairs)
            if drawn["pair"] or place in on_page
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
    if numbers.kind == "widths":
        return draw_widths(numbers, look)
    if numbers.kind == "gaps":
        return draw_gaps(numbers, look)
    if numbers.kind == "layers":
        return draw_layers(numbers)
    mine = look[numbers.labels[1]]
    return draw_dipoles(numbers, mine) if numbers.kind == "dipoles" else draw_energies(numbers, mine)

"""The results of a campaign in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .cells import Cell, gather
from .data import plain
from .summary import summarize
from .text import OTHER, SYMBOLS, interval, number, printable, share, yes_no

COLOURS = {
    "false metallization": "red",
    "safe": "green",
    "metallized": "red",
    "not metallized": "green",
    "undecided": "yellow",
    "failed": "magenta",
}
COLUMNS = ("interface", "MLIP", "seeds", "long-ranged", "verdict", "M/C/S")
TITLE = (
    "Results by interface and MLIP, all seeds together. M/C/S: metallic, converged, selected frames. "
    "Metallized: share of the trajectory."
)
NUMBERS = ("min gap (eV)", "metallized", "sd ratio")


def results_view(
    rows: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]], cells: Sequence[dict[str, Any]], console: Console
) -> Group:
    """The results as ``console`` has room for them: the table if no cell of it has to be folded, else a paragraph an
    interface and MLIP. Reasons are sentences, which no column holds, and follow below.

    The other parameters are those of :func:`results_table`.
    """
    table = results_table(rows, pairs, cells, reasons=False)
    # The title may be folded.
    bare = results_table(rows, pairs, cells, reasons=False)
    bare.title = None
    room = Measurement.get(console, console.options.update(max_width=10_000), bare).maximum <= console.width
    parts: list[RenderableType] = [table] if room else [Text(TITLE, style="italic")]
    for cell in gather(summarize(plain(list(rows)), plain(list(pairs))), plain(list(cells))):
        sign = SYMBOLS.get(cell.status, OTHER)
        parts.append(Text(printable(f"{sign} {cell.interface} x {cell.mlip}: {cell.status}"), style="bold"))
        if not room:
            parts.append(Padding(Text(printable(_in_words(cell))), (0, 0, 0, 2), expand=False))
        if cell.reason:
            parts.append(Padding(Text(printable(cell.reason)), (0, 0, 0, 2), expand=False))
    return Group(*parts)


def _in_words(cell: Cell) -> str:
    """A row of the table as a line."""
    found = cell.numbers
    values = (
        ("seeds", cell.seeds),
        ("long-ranged", yes_no(cell.long_ranged)),
        ("M/C/S", cell.counts),
        ("min gap", f"{number(cell.min_gap)} eV"),
        ("metallized", share(found["metallized"], found["metallized_low"], found["metallized_high"])),
        ("sd ratio", interval(*cell.ratio)),
    )
    return ", ".join(f"{name} {value}" for name, value in values)


def results_table(
    rows: Sequence[dict[str, Any]],
    pairs: Sequence[dict[str, Any]],
    cells: Sequence[dict[str, Any]] = (),
    reasons: bool = True,
) -> Table:
    """One row an interface and MLIP. Every colour repeats what the text says.

    :param rows: frame rows, see :func:`..query.rows.frame_rows`.
    :param pairs: pair rows, see :func:`..query.rows.pair_rows`.
    :param cells: verdicts, see :func:`..query.cells.cell_rows`.
    :param reasons: with a column of reasons, which takes a wide terminal.
    """
    table = Table(title=TITLE, header_style="bold")
    for name in COLUMNS:
        table.add_column(name, overflow="fold")
    for name in NUMBERS:
        table.add_column(name, overflow="fold", justify="right")
    if reasons:
        table.add_column("reason", overflow="fold", ratio=1)
    for cell in gather(summarize(plain(list(rows)), plain(list(pairs))), plain(list(cells))):
        table.add_row(*(_cells(cell) if reasons else _cells(cell)[:-1]))
    return table


def _cells(cell: Cell) -> list[str]:
    colour = COLOURS.get(cell.status)
    verdict = f"[{colour}]{escape(cell.status)}[/]" if colour else escape(cell.status)
    found = cell.numbers
    return [
        escape(str(cell.interface)),
        escape(str(cell.mlip)),
        cell.seeds,
        yes_no(cell.long_ranged),
        verdict,
        cell.counts,
        number(cell.min_gap),
        escape(share(found["metallized"], found["metallized_low"], found["metallized_high"])),
        escape(interval(*cell.ratio)),
        escape(cell.reason),
    ]


def failed_pairs(rows: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]]) -> list[str]:
    """A line on every pair that failed, or whose MD ended early. Parameters as those of :func:`results_table`."""
    return [
        f"{pair.row['interface']} x {pair.row['mlip']}, seed {pair.row['seed']}: "
        + " ".join(part for part in (pair.reason if pair.status == "failed" else "", pair.exit_note) if part)
        for pair in summarize(plain(list(rows)), plain(list(pairs)))
        if pair.status == "failed" or pair.exit_note
    ]

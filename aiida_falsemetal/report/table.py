"""The results of a campaign in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from .cells import Cell, gather
from .data import plain
from .summary import summarize
from .text import interval, number, share, yes_no

COLOURS = {
    "false metallization": "red",
    "safe": "green",
    "metallized": "red",
    "not metallized": "green",
    "undecided": "yellow",
    "failed": "magenta",
}
COLUMNS = ("interface", "MLIP", "seeds", "long-ranged", "verdict", "M/C/S")
NUMBERS = ("min gap (eV)", "metallized", "sd ratio")


def results_table(
    rows: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]], cells: Sequence[dict[str, Any]] = ()
) -> Table:
    """One row an interface and MLIP. Every colour repeats what the text says.

    :param rows: frame rows, see :func:`..query.rows.frame_rows`.
    :param pairs: pair rows, see :func:`..query.rows.pair_rows`.
    :param cells: verdicts, see :func:`..query.cells.cell_rows`.
    """
    table = Table(
        title="Results by interface and MLIP, all seeds together. M/C/S: metallic, converged, selected frames. "
        "Metallized: share of the trajectory.",
        header_style="bold",
    )
    for name in COLUMNS:
        table.add_column(name, overflow="fold")
    for name in NUMBERS:
        table.add_column(name, overflow="fold", justify="right")
    table.add_column("reason", overflow="fold", ratio=1)
    for cell in gather(summarize(plain(list(rows)), plain(list(pairs))), plain(list(cells))):
        table.add_row(*_cells(cell))
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

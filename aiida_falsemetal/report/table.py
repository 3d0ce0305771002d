"""The results of a campaign in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from .data import plain
from .summary import Pair, summarize
from .text import interval, number, yes_no

COLOURS = {"metallized": "red", "not metallized": "green", "undecided": "yellow", "failed": "magenta"}


def results_table(rows: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]]) -> Table:
    """One row a pair. Every colour repeats what the text says.

    :param rows: frame rows, see :func:`..query.rows.frame_rows`.
    :param pairs: pair rows, see :func:`..query.rows.pair_rows`.
    """
    table = Table(
        title="Results by pair",
        caption="M/C/S: metallic, converged, selected frames. sd: of M_z/A in 1e-3 e/Å, with its 95 % interval; "
        "ratio to the sd that full electrostatics allows. Mean gap: over the trajectory, weighted by 1/probability.",
        header_style="bold",
    )
    for name in ("interface", "MLIP", "seed", "long-ranged", "verdict", "M/C/S"):
        table.add_column(name, overflow="fold")
    for name in ("min gap (eV)", "mean gap (eV)", "sd", "ratio"):
        table.add_column(name, overflow="fold", justify="right")
    table.add_column("exit code", overflow="fold")
    for pair in summarize(plain(list(rows)), plain(list(pairs))):
        table.add_row(*_cells(pair))
    return table


def _cells(pair: Pair) -> list[str]:
    row = pair.row
    colour = COLOURS.get(pair.status)
    verdict = f"[{colour}]{escape(pair.status)}[/]" if colour else escape(pair.status)
    sd, low, high = (None if row[key] is None else 1e3 * row[key] for key in ("sd_Mz_per_area", "sd_low", "sd_high"))
    return [
        escape(str(row.get("interface"))),
        escape(str(row.get("mlip"))),
        escape(str(row.get("seed"))),
        yes_no(row.get("long_ranged")),
        verdict,
        pair.counts,
        number(pair.min_gap),
        number(pair.mean_gap),
        escape(interval(sd, low, high)),
        escape(interval(pair.ratio, pair.ratio_low, pair.ratio_high)),
        str(row["exit_code"]) if row.get("exit_code") else "",
    ]

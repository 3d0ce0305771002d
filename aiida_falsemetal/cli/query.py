"""`falsemetal query` and `report`: read the graph, change nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import click

from .common import load_profile, print_rows, results_folder, wide_console
from .tables import chosen_form, write_table

TABLE_COLUMNS = [
    "interface",
    "mlip",
    "seed",
    "step",
    "stratum",
    "Mz_per_area",
    "drop",
    "gap",
    "metallic",
    "scf_iterations",
    "exit_code",
    "pw_pk",
    "pair_pk",
]
"""Of a frame's row, what the table has room for; JSON and CSV have all of it."""
COLUMNS = {
    "frames": TABLE_COLUMNS,
    "pairs": [
        *("campaign", "interface", "mlip", "seed", "state", "exit_code", "verdict", "metallic", "converged"),
        *("selected", "min_gap", "metallized", "pair_pk"),
    ],
    "interfaces": [
        *("campaign", "interface", "recipe", "area", "thickness", "vacuum", "solvent", "molecules"),
        *("E_g0", "slope", "law_frames", "pairs", "interface_pk"),
    ],
    "mlips": [
        *("labels", "family", "long_ranged", "cutoff", "layers", "receptive_field", "boundary", "elements"),
        *("scan", "sha256", "mlip_pk"),
    ],
}
"""What can be asked for, and the columns that a table of it has unless others are asked for."""
DFT_KEYS = (
    "protocol",
    "functional",
    "pseudo_family",
    "ecutwfc",
    "ecutrho",
    "conv_thr",
    "smearing",
    "vacuum",
    "metallic_gap_eV",
    "metallic_witness",
)
"""Settings of the gap protocol that the report's methods paragraph names."""


Choice = Literal["all", "none", "auto"]
FIGURES: tuple[str, ...] = get_args(Choice)
"""Which figures for a paper are drawn, see :func:`aiida_falsemetal.report.publication.publish`."""
figures_option = click.option(
    "--figures",
    type=click.Choice(FIGURES),
    default="auto",
    show_default=True,
    help="Figures for a paper: all, none, or one an interface and, of at most 12 pairs, those of each pair.",
)


@click.command()
@click.argument("subject", type=click.Choice(list(COLUMNS)), default="frames")
@click.option("--campaign", help="Only this campaign.")
@click.option("--all-runs", is_flag=True, help="Also pairs that were submitted again later.")
@click.option("--where", metavar="CONDITION", help='Only rows of which this is true, as "gap < 0.5"; docs/query.md.')
@click.option("--columns", metavar="A,B,...", help="These columns, in this order.")
@click.option("--sort", metavar="A,-B,...", help="By these columns; - turns an order round.")
@click.option("--limit", type=click.IntRange(min=0), help="So many rows at most.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "parquet"]),
    help="`table` unless given; with --output what the file's name says.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
def query(
    subject: str,
    campaign: str | None,
    all_runs: bool,
    where: str | None,
    columns: str | None,
    sort: str | None,
    limit: int | None,
    form: str | None,
    output: Path | None,
) -> None:
    """One row a frame, or what else SUBJECT says: pairs, interfaces, mlips."""
    wanted = chosen_form(form, output)
    if all_runs and subject not in ("frames", "pairs"):
        raise click.UsageError(f"--all-runs is for frames and pairs; leave it out for {subject}.")
    load_profile()
    from ..query.subjects import table
    from ..query.tokens import QueryError

    try:
        names, rows = table(subject, where, columns, sort, limit, campaign, all_runs)
    except QueryError as error:
        raise click.ClickException(str(error)) from None
    if output is not None:
        write_table(names, rows, wanted, output)
    elif columns is None and wanted == "table":
        print_rows(rows, wanted, COLUMNS[subject])
    else:
        # Of nothing that was found, the heading is what was asked for; without a question there is none.
        asked = columns is not None or where is not None or subject != "frames"
        print_rows(rows, wanted, names if rows or asked else None)


def current_rows(campaign: str | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """See :func:`aiida_falsemetal.query.rows.current_rows`, which this loads when it is needed."""
    from ..query import rows

    return rows.current_rows(campaign)


def refuse_unknown(campaign: str, pairs: list[dict[str, Any]]) -> None:
    """Refuse a campaign that has no pairs.

    :raises click.ClickException: naming it.
    """
    if not pairs:
        raise click.ClickException(f"no campaign {campaign!r} in this profile; `falsemetal status` lists them.")


@click.command()
@click.argument("campaign")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder; results/CAMPAIGN by default.")
@figures_option
def report(campaign: str, output: Path | None, figures: Choice) -> None:
    """Write report.html, results.json, results.csv, cells.csv and the figures of CAMPAIGN."""
    load_profile()
    folder = output or results_folder(campaign)
    with without_collector():
        page = write_report(campaign, folder, *current_rows(campaign), *concluded(campaign), figures)
    click.echo(page)


@contextmanager
def without_collector() -> Iterator[None]:
    """Python looks for cycles again and again while millions of values are made, of which none is in a cycle."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def concluded(campaign: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The newest verdicts and gap laws of a campaign, see :mod:`aiida_falsemetal.query.cells`."""
    from ..query.cells import cell_rows, law_rows

    return cell_rows(campaign), law_rows(campaign)


def write_report(
    campaign: str,
    folder: Path,
    rows: list[dict[str, Any]],
    pairs: list[dict[str, Any]],
    cells: list[dict[str, Any]],
    laws: list[dict[str, Any]],
    figures: Choice = "auto",
) -> Path:
    """Write the report of a campaign from the graph; returns the path of the page.

    :param rows: its frames and
    :param pairs: its pairs, see :func:`current_rows`.
    :param cells: its verdicts and
    :param laws: its gap laws, see :func:`concluded`.
    :param figures: which figures are drawn, see ``FIGURES``.
    :raises click.ClickException: if the profile has no such campaign.
    """
    from ..query.rows import pair_series
    from ..query.structures import frame_layers
    from ..report.budget import frames_of_page
    from ..report.build import build_report
    from ..report.structures import by_interest

    refuse_unknown(campaign, pairs)
    series = pair_series([pair["pair_pk"] for pair in pairs])
    shown = [rows[place] for place in frames_of_page(rows)]
    layers = dict(frame_layers(by_interest([row for row in shown if row.get("vbm_z") is not None])))
    settings, structures = partial(_settings, pairs), partial(_structures, shown)
    return build_report(
        folder, campaign, rows, pairs, series, settings, cells, laws, structures, layers, figures=figures
    )


def _structures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Structures of the page's frames, as many as there is room for."""
    from ..query.structures import frame_structures
    from ..report.structures import by_interest, pack_structures

    wanted = by_interest(rows)
    return pack_structures(frame_structures(wanted), len(wanted))


def show_results(campaign: str, folder: Path) -> None:
    """Write the report of a campaign; print its results, the pairs that failed, and where the report is.

    :raises click.ClickException: if the profile has no such campaign.
    """
    from rich.text import Text

    from ..report.table import failed_pairs, results_view
    from ..report.text import printable

    rows, pairs = current_rows(campaign)
    cells, laws = concluded(campaign)
    page = write_report(campaign, folder, rows, pairs, cells, laws)
    console = wide_console()
    console.print(results_view(rows, pairs, cells, console))
    for sentence in failed_pairs(rows, pairs):
        # A log keeps a sentence on its line; a terminal would break it inside of a word.
        console.print(Text(printable(sentence)), soft_wrap=not console.is_terminal)
    click.echo(f"report: {page}")


def _settings(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """Versions and dates for the page's header: the graph's, so that it gives the same page wherever it is read."""
    from aiida import orm

    from ..query.methods import recorded_methods
    from ..query.versions import recorded_versions

    pks = [pair["pair_pk"] for pair in pairs]
    versions, recorded = recorded_versions(pks), recorded_methods(pks)
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"id": {"in": pks}}, project=["mtime"])
    latest = max(query.all(flat=True))
    gap = orm.load_node(pks[0]).inputs.gap.get_dict()
    dft = {key: gap[key] for key in DFT_KEYS if gap.get(key) is not None}
    return {"date": latest.strftime("%Y-%m-%d %H:%M"), "versions": versions, **dft, "recorded": recorded}

"""`falsemetal verdict`: judge a campaign that is in the graph, with other thresholds or another reference if asked."""

from __future__ import annotations

from typing import Any

import click

from .common import format_option, load_profile, print_rows

COLUMNS = (
    *("interface", "mlip", "verdict", "seeds", "converged", "selected", "metallized", "metallized_high"),
    *("metallized_bound", "sd_ratio", "rhat", "reason", "would_decide"),
)
"""Of a verdict, what the table has room for; JSON and CSV have all of it."""


@click.command()
@click.argument("campaign")
@click.option(
    "--acceptable", type=click.FloatRange(0.0, 1.0, max_open=True), help="Fraction tolerated; 0.01 unless given."
)
@click.option("--rhat", type=click.FloatRange(1.0, 10.0, min_open=True), help="Limit of R-hat; 1.1 unless given.")
@click.option("--reference", help="MLIP, or maker of a trajectory, that `false` is relative to.")
@format_option
def verdict(campaign: str, acceptable: float | None, rhat: float | None, reference: str | None, form: str) -> None:
    """Judge CAMPAIGN: one row an interface and MLIP, all seeds together.

    Without options its file's own settings count, as they were when it was submitted. Nothing is computed but the
    verdict itself, which is stored beside the earlier ones; the newest is what the report shows.
    """
    load_profile()
    from ..query.cells import cell_rows
    from ..query.rows import pair_rows
    from ..workflows.conclude import conclude_campaign
    from .query import refuse_unknown

    pairs = pair_rows(campaign)
    refuse_unknown(campaign, pairs)
    if reference is not None and reference not in {pair["mlip"] for pair in pairs}:
        known = ", ".join(sorted({pair["mlip"] for pair in pairs}))
        raise click.ClickException(f"--reference: {reference!r} is no MLIP of {campaign}; there are {known}.")
    given = {"acceptable": acceptable, "rhat": rhat, "reference": reference}
    settings = {**_settings(campaign), **{key: value for key, value in given.items() if value is not None}}
    for sentence in conclude_campaign(campaign, settings):
        click.echo(sentence, err=True)
    rows = cell_rows(campaign)
    if form == "table":
        rows = [{key: row[key] for key in COLUMNS} for row in rows]
    print_rows(rows, form)


def _settings(campaign: str) -> dict[str, Any]:
    """The ``verdict`` section of the campaign's file, as it was last submitted."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    query = orm.QueryBuilder()
    filters = {"extras.falsemetal_campaign": campaign}
    query.append(WorkflowFactory("falsemetal.screen"), filters=filters, tag="screen")
    query.append(orm.Dict, with_outgoing="screen", edge_filters={"label": "campaign"}, project=["attributes.verdict"])
    query.order_by([{"screen": [{"id": {"order": "desc"}}]}])
    found = query.first(flat=True)
    return dict(found or {})

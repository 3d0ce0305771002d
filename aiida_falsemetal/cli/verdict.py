"""`falsemetal verdict`: judge a campaign that is in the graph, with other thresholds or another reference if asked."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import click

from ..names import NEWEST_FIRST
from .common import SENTENCE, format_option, load_profile, print_rows


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
    settings = {**stored_thresholds(campaign), **{key: value for key, value in given.items() if value is not None}}
    for sentence in conclude_campaign(campaign, settings):
        click.echo(sentence, err=True)
    rows = cell_rows(campaign)
    if form != "table":
        print_rows(rows, form)
        return
    click.echo("\n\n".join(_paragraph(row) for row in rows))
    if not rows:
        click.echo("nothing to judge yet: no interface and MLIP has all its pairs at their end")


def _paragraph(row: dict[str, Any]) -> str:
    """A verdict in words: its reasons are sentences, which no column holds."""
    seeds = f"{row['seeds']} seed{'s' * (row['seeds'] != 1)}"
    beside = f", against {row['reference']}" if row["reference"] else ""
    lines = [
        f"{row['interface']} x {row['mlip']}: {row['verdict']} ({seeds}{beside}; "
        f"{row['metallic']} metallic, {row['converged']} computed, {row['selected']} selected frames)",
        *(f"  {line}" for line in wrap(row["reason"], SENTENCE)),
    ]
    if row["would_decide"]:
        lines += [f"  {line}" for line in wrap(f"What would decide: {row['would_decide']}", SENTENCE)]
    return "\n".join(lines)


def stored_thresholds(campaign: str) -> dict[str, Any]:
    """The ``verdict`` section of the campaign's file, as it was last submitted."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    query = orm.QueryBuilder()
    filters = {"extras.falsemetal_campaign": campaign}
    query.append(WorkflowFactory("falsemetal.screen"), filters=filters, tag="screen")
    query.append(orm.Dict, with_outgoing="screen", edge_filters={"label": "campaign"}, project=["attributes.verdict"])
    query.order_by([{"screen": NEWEST_FIRST}])
    found = query.first(flat=True)
    return dict(found or {})

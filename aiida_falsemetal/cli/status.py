"""`falsemetal status`: how far campaigns are, and what failed in them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from ..names import PRECISION
from .common import format_option, load_profile, print_rows

WATCH_SECONDS = 4.0
FAILURES = 3
"""Kinds of failures that are explained unless another number is asked for."""


class FailureCount(click.ParamType):
    """A number, or ``all``, which is None."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See :class:`click.ParamType`."""
        if value == "all" or isinstance(value, int):
            return value
        if not str(value).isdecimal():
            self.fail(f"{value!r} is neither a number nor 'all'.", param, ctx)
        return int(value)


@click.command()
@click.argument("campaign", required=False)
@click.option(
    "--watch", is_flag=False, flag_value="", metavar="[SECONDS]", help="Keep it fresh until all has ended, or Ctrl-C."
)
@click.option("--pairs", "by_pair", is_flag=True, help="One row a pair, in place of the matrix.")
@click.option(
    "--failures", type=FailureCount(), default=FAILURES, show_default=True, help="Kinds of failures to explain; or all."
)
@format_option
def status(campaign: str | None, watch: str | None, by_pair: bool, failures: int | str, form: str) -> None:
    """How far CAMPAIGN is: the matrix interface x MLIP, the time left, and what failed, why, and what to do next.

    Without CAMPAIGN, all of them. JSON and CSV have one row a pair.
    """
    campaign, seconds = _watched(campaign, watch)
    if seconds is not None and (by_pair or form != "table"):
        raise click.UsageError("--watch shows the matrix; leave --pairs and --format out.")
    load_profile()
    names = _names(campaign)
    if by_pair or form != "table":
        print_rows([row for name in names for row in pair_status(name)], form)
        return
    if not names:
        click.echo("no campaign in this profile yet; `falsemetal screen FILE` starts one.")
    most = None if failures == "all" else int(failures)
    for name in names:
        if seconds is None:
            _print(name, most, len(names) > 1)
        else:
            _keep_fresh(name, seconds, len(names) > 1)


def _watched(campaign: str | None, watch: str | None) -> tuple[str | None, float | None]:
    """Campaign and seconds; of ``--watch NAME``, the name is the campaign's.

    :raises click.UsageError: if the seconds are no number above zero.
    """
    if watch is None:
        return campaign, None
    try:
        seconds = float(watch or WATCH_SECONDS)
    except ValueError:
        if campaign is not None:
            raise click.UsageError(f"--watch: {watch!r} is no number of seconds.") from None
        return watch, WATCH_SECONDS
    if not 0.5 <= seconds <= 86400.0:
        raise click.UsageError(f"--watch: {watch} does not fit; give 0.5 to 86400 seconds.")
    return campaign, seconds


def _names(campaign: str | None) -> list[str]:
    """Campaigns of the profile, or the one that is asked for.

    :raises click.ClickException: if it is not there.
    """
    from ..query.progress import campaign_names

    names = campaign_names()
    if campaign is None:
        return names
    if campaign not in names:
        raise click.ClickException(f"no campaign {campaign!r} in this profile; `falsemetal status` lists them.")
    return [campaign]


def _print(campaign: str, most: int | None, named: bool) -> None:
    """The matrix, the line below it and the failures of a campaign, once."""
    from rich.text import Text

    from ..report.text import printable
    from .common import wide_console
    from .view import failures_text, look, picture, summary

    console, found = wide_console(), look(campaign)
    if named:
        console.print(Text(printable(campaign), style="bold underline"))
    console.print(picture(found, console, summary(found.overview)))
    for text in failures_text(found.failing, most, console.width, campaign):
        console.print(Text("\n") + text)
    if named:
        console.print()


def _keep_fresh(campaign: str, seconds: float, named: bool) -> None:
    """Show a campaign until it has ended. Nothing runs on account of it, so Ctrl-C harms nothing."""
    from .display import display
    from .follow import watch

    if named:
        click.echo(campaign)
    try:
        with display() as shown:
            watch(campaign, shown, seconds)
    except KeyboardInterrupt:
        click.echo("\nstopped watching; the campaign goes on.", err=True)
        raise SystemExit(130) from None


def pair_status(campaign: str) -> list[dict[str, Any]]:
    """One row a pair of a campaign: how far it is, and what failed."""
    from ..query.failures import explain, find_failures
    from ..query.progress import overview

    found = overview(campaign)
    stages = {item.pair_pk: item for item in found.progress}
    failing = find_failures(campaign, found.pairs)
    explained = {one.failing.pk: one for one in explain([one for one in failing if one.kind == "pair"])}
    frames = Counter(one.pair_pk for one in failing if one.kind == "frame")
    rows = []
    for pair in found.pairs:
        pk = pair["pair_pk"]
        item, failure = stages[pk], explained.get(pk)
        rows.append(
            {
                **{key: pair[key] for key in ("campaign", "interface", "mlip", "seed", "pair_pk")},
                "stage": item.stage,
                "detail": item.detail,
                "core_seconds_left": item.seconds,
                "more_ps": pair.get("more_ps"),
                "for_precision": pair.get("md_precision") or (PRECISION if "more_ps" in pair else None),
                "exit_code": pair["exit_code"],
                "reason": pair["exit_message"] or pair.get("reason") or "",
                "failed_frames": frames[pk],
                "failed_pk": None if failure is None else failure.failed_pk,
                "cause": None if failure is None else failure.cause,
            }
        )
    return rows

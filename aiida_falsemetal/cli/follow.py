"""Follows a campaign: a live table, one row an interface, one column an MLIP, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..names import ENDED
from ..query.progress import PairProgress, campaign_progress, time_left

POLL_SECONDS = 4.0
DAEMON_SECONDS = 15.0
"""How often the daemon is looked after."""
PATIENCE = 60
"""Looks at a database that is locked before it counts as an error: some minutes."""
PLAIN_SECONDS = 20.0
"""Without a terminal (a log, CI) the table cannot redraw itself: a line is printed this often instead."""
STYLES = {"done": "green", "failed": "red", "gaps": "cyan", "MD": "yellow"}


def follow_campaign(campaign: Any, total: int, submit: Callable[[], None]) -> None:
    """Show progress until no process of the campaign is left. Starts the daemon if none runs, and stops it then.

    :param submit: called once the daemon runs, which AiiDA wants before anything is submitted.

    ``Ctrl-C`` stops following and the daemon that was started here; jobs under way end by themselves, and the same
    command goes on from there.
    """
    from .daemon import ensure_daemon, stop_daemon

    started = ensure_daemon()
    try:
        submit()
        _watch(campaign, total, started)
    except KeyboardInterrupt:
        click.echo("\nstopped following; nothing is lost. The same command goes on from here.", err=True)
        raise SystemExit(130) from None
    finally:
        if started:
            stop_daemon()


def _watch(campaign: Any, total: int, ours: bool) -> None:
    """Redraw until nothing is left. A daemon of ours that dies is started again; that of someone else is theirs."""
    from .daemon import daemon_runs, ensure_daemon

    console = Console()
    begun = time.monotonic()
    with Live(console=console, refresh_per_second=4, transient=False, auto_refresh=console.is_terminal) as live:
        printed = -PLAIN_SECONDS
        looked = begun
        while True:
            progress, done = _look(campaign.name)
            view = Group(progress_table(progress), summary(progress, total, campaign.slots, time.monotonic() - begun))
            if console.is_terminal:
                live.update(view)
            elif time.monotonic() - printed > PLAIN_SECONDS or done:
                console.print(plain(progress, total, campaign.slots, time.monotonic() - begun))
                printed = time.monotonic()
            if done:
                return
            if time.monotonic() - looked > DAEMON_SECONDS:
                looked = time.monotonic()
                if not ours and not daemon_runs():
                    raise click.ClickException("the daemon was stopped. The same command goes on from here.")
                ensure_daemon()
            time.sleep(POLL_SECONDS)


def _look(campaign: str) -> tuple[list[PairProgress], bool]:
    """How far every pair is, and whether all has ended.

    On an overloaded machine SQLite may keep its lock for longer than a query waits. Looking again is all it takes; an
    error would stop the daemon, and the campaign with it.

    :raises OperationalError: of any other kind, or if the lock is still held after ``PATIENCE`` looks.
    """
    from aiida.manage import get_manager
    from sqlalchemy.exc import OperationalError

    for looks in range(1, PATIENCE + 1):
        try:
            return campaign_progress(campaign), not _active(campaign)
        except OperationalError as error:
            if "locked" not in str(error) or looks == PATIENCE:
                raise
            get_manager().get_profile_storage().get_session().rollback()
            time.sleep(POLL_SECONDS)
    raise AssertionError("unreachable")


def _active(campaign: str) -> bool:
    """Whether a ScreenWorkChain or a pair of the campaign has not ended."""
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode,
        filters={"extras.falsemetal_campaign": campaign, "attributes.process_state": {"!in": list(ENDED)}},
    )
    return bool(query.count())


def progress_table(progress: list[PairProgress]) -> Table:
    """The matrix of stages."""
    table = Table(title_justify="left", header_style="bold")
    table.add_column("interface")
    columns = list(dict.fromkeys(item.mlip for item in progress))
    for name in columns:
        table.add_column(name)
    for interface in dict.fromkeys(item.interface for item in progress):
        cells = []
        for name in columns:
            here = [item for item in progress if (item.interface, item.mlip) == (interface, name)]
            lines = [_cell(item, len(here) > 1) for item in here]
            cells.append(Text("\n").join(lines))
        table.add_row(Text(interface), *cells)
    return table


def _cell(item: PairProgress, several: bool) -> Text:
    prefix = f"seed {item.seed}: " if several else ""
    return Text(prefix + item.detail, style=STYLES.get(item.stage, ""))


def summary(progress: list[PairProgress], total: int, slots: int, elapsed: float) -> Text:
    """One line: pairs done, time so far, time left."""
    done = sum(item.stage in ("done", "failed") for item in progress)
    left, whole = time_left(progress, slots)
    estimate = f"{'about' if whole and len(progress) == total else 'at least'} {_duration(left)} left"
    if not left:
        estimate = "estimating the time left"
    if done == total:
        estimate = "complete"
    return Text(f"{done} of {total} pairs done, {_duration(elapsed)} so far, {estimate}")


def plain(progress: list[PairProgress], total: int, slots: int, elapsed: float) -> Text:
    """Progress as a line, for logs."""
    cells = "; ".join(f"{item.interface} x {item.mlip} x {item.seed}: {item.detail}" for item in progress)
    return Text.assemble(summary(progress, total, slots, elapsed), " | ", cells)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"

"""Submits twins, follows them, and says what has come out."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from ..names import NEWEST_FIRST
from .twins_look import duration, is_complete, progress_line
from .twins_submit import submit_twins

POLL_SECONDS = 5.0
PLAIN_SECONDS = 20.0
"""Without a terminal a line is printed this often."""


def run_twins(
    content: Any,
    samplers: dict[str, Any],
    settings: dict[str, Any],
    *,
    stop_after: str,
    retry: bool,
    dry_run: bool,
    follow: bool,
) -> None:
    """Submit what is missing, follow, show. Exits with 1 where what was asked for did not happen."""
    from ..archive.labels import gather
    from ..campaign.twin_runs import expand_runs
    from ..query.twins import is_active
    from .daemon import require_daemon
    from .follow import with_daemon
    from .locks import campaign_lock
    from .twins_show import show, show_twins

    gather(content.name)
    runs = expand_runs(content, samplers)
    click.echo(progress_line(content, runs, settings))
    if dry_run:
        return
    if not is_active(content.name) and is_complete(content, runs, settings, stop_after, retry):
        click.echo("nothing to compute: everything is in the graph")
        show(content)
        if stop_after == "training":
            show_twins(content)
        return

    def submit() -> None:
        with campaign_lock("twins", content.name):
            if is_active(content.name):
                click.echo("a TwinWorkChain of this name is under way already; going on with it")
                return
            node = submit_twins(content, samplers, settings, runs, stop_after, retry)
        click.echo(f"submitted TwinWorkChain<{node.pk}>")

    if not follow:
        require_daemon()
        submit()
        return
    with_daemon(submit, partial(_watch, content, runs, settings))
    show(content)
    _exit_unless_well(content.name)
    if stop_after == "training":
        show_twins(content)


def _watch(content: Any, runs: list[Any], settings: dict[str, Any], keep: Callable[[], None]) -> None:
    """Print progress until the end.

    :param keep: see :func:`.follow.with_daemon`.
    """
    from rich.live import Live
    from rich.text import Text

    from ..query.twins import is_active
    from .common import wide_console

    console = wide_console()
    begun = time.monotonic()
    printed = -PLAIN_SECONDS
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            active, line = _patient(lambda: (is_active(content.name), progress_line(content, runs, settings)))
            now = time.monotonic()
            said = f"{line}; {duration(now - begun)} so far"
            if console.is_terminal:
                live.update(Text(said), refresh=True)
            elif now - printed > PLAIN_SECONDS or not active:
                console.print(Text(said), soft_wrap=True)
                printed = now
            if not active:
                return
            keep()
            time.sleep(POLL_SECONDS)


def _patient(look: Callable[[], Any]) -> Any:
    """Look again where SQLite is locked for longer than a query waits, see :mod:`.follow`."""
    from aiida.manage import get_manager
    from sqlalchemy.exc import OperationalError

    from .follow import PATIENCE

    for looks in range(1, PATIENCE + 1):
        try:
            return look()
        except OperationalError as error:
            if "locked" not in str(error) or looks == PATIENCE:
                raise
            get_manager().get_profile_storage().get_session().rollback()
            time.sleep(POLL_SECONDS)
    raise AssertionError("unreachable")


def _exit_unless_well(name: str) -> None:
    """Exit with 1 where the newest TwinWorkChain did not end well."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    query = orm.QueryBuilder()
    query.append(
        WorkflowFactory("falsemetal.twin"), filters={"extras.falsemetal_twins": name}, project=["*"], tag="twin"
    )
    query.order_by([{"twin": NEWEST_FIRST}])
    found = query.first()
    if found is not None and not found[0].is_finished_ok:
        click.echo(f"TwinWorkChain<{found[0].pk}>: {found[0].exit_message or found[0].process_state}", err=True)
        raise SystemExit(1)

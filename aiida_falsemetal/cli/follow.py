"""Follows a campaign: a live matrix, one row an interface, one column an MLIP, the time that is left, and failures as
they happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import click
from rich.text import Text

from ..query.failures import Failing, explain
from .display import Display, display
from .view import Look, failure_text, look, summary

POLL_SECONDS = 4.0
DAEMON_SECONDS = 15.0
"""How often the daemon is looked after."""
PATIENCE = 60
"""Looks at a graph that cannot be read before it counts as an error: some minutes."""
SHARE = 0.2
"""Of a core that looking may take, however large the campaign is."""
IN_FULL = 20
"""Failures that are explained while a campaign is followed; the others get a line."""


def follow_campaign(campaign: Any, total: int, submit: Callable[[], None]) -> None:
    """Show progress until no process of the campaign is left. Starts the daemon if none runs, and stops it then.

    :param submit: called once the daemon runs, which AiiDA wants before anything is submitted.

    ``Ctrl-C`` stops following and the daemon that was started here; jobs under way end by themselves, and the same
    command goes on from there.
    """

    def show(keep: Callable[[], None]) -> None:
        with display() as shown:
            watch(campaign.name, shown, POLL_SECONDS, total, keep)

    with_daemon(submit, show)


def with_daemon(submit: Callable[[], None], show: Callable[[Callable[[], None]], None]) -> None:
    """Submit, and show what was submitted until its end. Starts the daemon if none runs, and stops it then, unless
    another command still follows something.

    :param show: is given what looks after the daemon, to be called now and then. ``Ctrl-C`` ends it.
    """
    from .followers import following

    try:
        with following() as keep:
            submit()
            show(_now_and_then(keep))
    except KeyboardInterrupt:
        click.echo("\nstopped following; nothing is lost. The same command goes on from here.", err=True)
        raise SystemExit(130) from None


def _now_and_then(keep: Callable[[], None]) -> Callable[[], None]:
    looked = time.monotonic()

    def kept() -> None:
        nonlocal looked
        if time.monotonic() - looked >= DAEMON_SECONDS:
            looked = time.monotonic()
            keep()

    return kept


@dataclass
class Told:
    """What was said already, and need not be again.

    :param failures: pks.
    :param alike: kinds of failures that were explained.
    :param faults: sentences on what could not be read.
    """

    failures: set[int] | None = None
    alike: set[tuple[Any, ...]] = field(default_factory=set)
    faults: set[str] = field(default_factory=set)


def watch(
    campaign: str,
    shown: Display,
    pause: float,
    total: int = 0,
    keep: Callable[[], None] = lambda: None,
) -> None:
    """Show a campaign until no process of it is left.

    :param pause: seconds between looks; more where a look takes more than ``SHARE`` of them.
    :param total: pairs that there are to be, where more than the graph has.
    :param keep: called after every look.
    :raises click.ClickException: if the graph cannot be read for minutes, or from ``keep``.
    """
    begun = time.monotonic()
    told = Told()
    while True:
        before = time.process_time()
        found = patiently(lambda: look(campaign), shown, told)
        last = not found.overview.active
        # What goes wrong with showing it must not end the campaign.
        _tried(partial(_tell, found, shown, told), shown, told)
        _tried(partial(_show, found, shown, time.monotonic() - begun if total else None, total, last), shown, told)
        if last:
            return
        keep()
        time.sleep(max(pause, (time.process_time() - before) / SHARE))


def _show(found: Look, shown: Display, elapsed: float | None, total: int, last: bool) -> None:
    shown.show(found, summary(found.overview, elapsed, total), last)


def patiently(read: Callable[[], Look], shown: Display, told: Told) -> Look:
    """What ``read`` returns, which is tried again where the graph cannot be read.

    On an overloaded machine SQLite may keep its lock for longer than a query waits, and a disk or a network may be
    away for a moment. Looking again is all it takes; an error would stop the daemon, and the campaign with it.

    :raises click.ClickException: if it still fails after ``PATIENCE`` looks.
    """
    for looks in range(1, PATIENCE + 1):
        try:
            return read()
        except Exception as error:
            _forget()
            if looks == PATIENCE:
                raise click.ClickException(
                    f"the graph cannot be read ({_first_line(error)}). Nothing is lost; the same command goes on from "
                    "here."
                ) from error
            if "locked" not in str(error):
                _say_once(f"the graph cannot be read ({_first_line(error)}); looking again", shown, told)
            time.sleep(POLL_SECONDS)
    raise AssertionError("unreachable")


def _forget() -> None:
    """End the database's transaction, in which a failed query may have left it."""
    from aiida.manage import get_manager

    try:
        get_manager().get_profile_storage().get_session().rollback()
    except Exception:
        # The next look says what is wrong.
        return


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


def _tried(show: Callable[[], None], shown: Display, told: Told) -> None:
    try:
        show()
    except Exception as error:
        _forget()
        _say_once(f"not all can be shown ({_first_line(error)}); the campaign goes on", shown, told)


def _say_once(sentence: str, shown: Display, told: Told) -> None:
    if sentence not in told.faults:
        told.faults.add(sentence)
        shown.say(Text(sentence))


def _tell(found: Look, shown: Display, told: Told) -> None:
    """Say of every new failure once what it is; of others of its kind, only that they are."""
    first = told.failures is None
    new = [failing for failing in found.failing if told.failures is None or failing.pk not in told.failures]
    told.failures = {*(told.failures or ()), *(failing.pk for failing in new)}
    if first and new and found.overview.active:
        name = found.overview.campaign
        shown.say(Text(f"failed before: {len(new)}, see `falsemetal status {name}`"))
        return
    for failing in new:
        shown.say(_words(failing, shown, told))


def _words(failing: Failing, shown: Display, told: Told) -> Text:
    if failing.alike in told.alike or len(told.alike) >= IN_FULL:
        code = f"exit code {failing.exit_code}" if failing.exit_code is not None else failing.state
        return Text(f"× {failing.title} failed, as one before it: {code}, pk {failing.pk}")
    told.alike.add(failing.alike)
    (failure,) = explain([failing])
    return failure_text(failure, shown.console.width)

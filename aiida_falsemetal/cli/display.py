"""Where a campaign that runs is shown: a picture that redraws itself at a terminal, lines in a log."""

from __future__ import annotations

import os
import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from .common import WIDE
from .view import UNBOUNDED, Look, changed, picture

PLAIN_SECONDS = 20.0
"""A log cannot redraw itself: a line is printed this often instead,"""
LATER_SECONDS = 60.0
"""and this often when it has run for"""
LATER = 600.0


class Display(AbstractContextManager["Display"], Protocol):
    """What both have in common."""

    console: Console

    def show(self, found: Look, line: str, last: bool = False) -> None:
        """Show how far the campaign is; ``line`` says it in words."""

    def say(self, text: Text) -> None:
        """Print something that stays."""


def display() -> Display:
    """A picture at a terminal that can redraw; else lines without a control character: a pipe, a dumb terminal, CI."""
    for stream in (sys.stdout, sys.stderr):
        # A sign that the terminal's encoding lacks must not end the campaign.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    console = Console()
    dumb = console.is_dumb_terminal or not console.is_interactive or os.environ.get("CI")
    return Lines() if dumb or not sys.stdout.isatty() else Picture(console)


class Picture:
    """At a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Picture:
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def show(self, found: Look, line: str, last: bool = False) -> None:
        """See :class:`Display`. The last picture stays, in full."""
        height = UNBOUNDED if last else self.console.height - 1
        if last:
            self.live.vertical_overflow = "visible"
        self.live.update(picture(found, self.console, line, height), refresh=True)

    def say(self, text: Text) -> None:
        """Above the picture."""
        self.console.print(text)


class Lines:
    """In a log."""

    def __init__(self) -> None:
        self.console = Console(width=WIDE, color_system=None, force_terminal=False)
        self.begun = time.monotonic()
        self.printed = -LATER_SECONDS
        self.before: Look | None = None

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""

    def show(self, found: Look, line: str, last: bool = False) -> None:
        """See :class:`Display`. A line now and then, with what has changed since."""
        now = time.monotonic()
        pause = LATER_SECONDS if now - self.begun > LATER else PLAIN_SECONDS
        if now - self.printed < pause and not last:
            return
        before = [] if self.before is None else self.before.overview.progress
        news = changed(before, found.overview.progress)
        click.echo(f"{line} | {news}" if news else line)
        self.printed, self.before = now, found

    def say(self, text: Text) -> None:
        """As it is, without style."""
        click.echo(text.plain)

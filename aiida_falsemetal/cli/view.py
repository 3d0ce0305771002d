"""A campaign in a terminal: its matrix, the line below it, its failures. For `screen --follow` and `status`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from ..query.cells import cell_rows
from ..query.failures import Failing, Failure, explain, find_failures
from ..query.progress import Overview, PairProgress, overview
from ..report.matrix import Square, fitted, matrix, squares
from ..report.text import printable

UNBOUNDED = 10**6
"""Lines, where nothing redraws itself."""
NAMED = 10
"""pks of failures of one kind that are named."""
CHANGES = 12
"""Pairs that one line of a log names."""


@dataclass
class Look:
    """A campaign as it was when it was looked at.

    :param failing: what failed, oldest first.
    """

    overview: Overview
    squares: list[Square]
    failing: list[Failing]


def look(campaign: str) -> Look:
    """Read all that is shown of a campaign."""
    found = overview(campaign)
    cells = squares(found.frames, found.pairs, cell_rows(campaign), found.progress)
    return Look(found, cells, find_failures(campaign, found.pairs))


def summary(found: Overview, elapsed: float | None = None, total: int = 0) -> str:
    """One line: pairs done, time so far, time left with its uncertainty.

    :param elapsed: seconds; the campaign's own unless given.
    :param total: pairs that there are to be, where more than the graph has.
    """
    total = max(total, len(found.progress))
    parts = [f"{found.done} of {total} pairs done"]
    elapsed = found.elapsed if elapsed is None else elapsed
    if elapsed:
        parts.append(f"{duration(elapsed)} so far" if found.active else f"took {duration(elapsed)}")
    return ", ".join([*parts, _left(found, total)])


def _left(found: Overview, total: int) -> str:
    if not found.active:
        return "complete" if found.done == total else "nothing of it is under way"
    left = found.left
    if not left.seconds:
        return "estimating the time left"
    if not left.whole or len(found.progress) < total:
        return f"at least {duration(left.low)} left"
    return f"about {duration(left.seconds)} left ({duration(left.low)} to {duration(left.high)})"


def duration(seconds: float) -> str:
    """``45 s``, ``4 min 10 s``, ``12 min``, ``3 h 05 min``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    if minutes >= 10:
        return f"{minutes + (rest >= 30)} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def picture(found: Look, console: Console, line: str, height: int = UNBOUNDED) -> RenderableType:
    """The matrix with the summary below it, in ``height`` lines."""
    below = Text(line, style="bold", overflow="fold")
    room = height - len(console.render_lines(below, pad=False))
    cells = matrix(found.squares, console.width) if height >= UNBOUNDED else fitted(found.squares, console, room)
    return Group(cells, below)


def pair_line(item: PairProgress) -> str:
    """How far a pair is, for a log."""
    seed = f" x {item.seed}" if item.seed is not None else ""
    return printable(f"{item.interface} x {item.mlip}{seed}: {item.detail}")


def changed(before: Sequence[PairProgress], now: Sequence[PairProgress]) -> str:
    """The pairs that have got further, as one bounded line."""
    known = {pair_line(item) for item in before}
    new = [line for line in map(pair_line, now) if line not in known and not line.endswith(": queued")]
    lines = list(dict.fromkeys(new))  # seeds of a batch have one line
    more = [f"{len(lines) - CHANGES} others"] if len(lines) > CHANGES else []
    return "; ".join([*lines[:CHANGES], *more])


def failure_text(failure: Failure, width: int) -> Text:
    """A failure: title, cause, the log's end, pks, next commands. No markup, and nothing that moves a cursor."""
    failing = failure.failing
    lines: list[tuple[str, str]] = [(f"× {failing.title} failed", "bold magenta")]
    lines += [(f"  {part}", "") for part in wrap(failure.cause[:1].upper() + failure.cause[1:], max(20, width - 2))]
    for log in failure.logs:
        lines.append((f"  {log.name}:", "dim"))
        lines += [(f"  | {line}", "") for line in log.lines]
    lines.append((f"  pks: {pks(failure)}", ""))
    lines.append(("  next:", ""))
    for command in failure.commands:
        lines.append((f"    {command.line}", "bold"))
        lines += [(f"        {part}", "") for part in wrap(command.purpose, max(20, width - 8))]
    return Text("\n").join(Text(line, style=style, overflow="fold") for line, style in lines)


def pks(failure: Failure) -> str:
    """The nodes of a failure."""
    failing = failure.failing
    names = {"screen": "ScreenWorkChain", "pair": "PairWorkChain", "frame": "GapWorkChain"}
    found = [f"{names[failing.kind]} {failing.pk}"]
    if failing.pair_pk not in (None, failing.pk):
        found.append(f"of PairWorkChain {failing.pair_pk}")
    if failure.failed_pk != failing.pk:
        found.append(f"failed in {failure.failed_pk}")
    return ", ".join(found)


def failures_text(found: Sequence[Failing], most: int | None, width: int, campaign: str) -> list[Text]:
    """Failures, the newest of each kind; of others alike only the number and pks.

    :param most: kinds at most; None for every failure by itself.
    """
    if most is None:
        return [failure_text(failure, width) for failure in explain(found)]
    kinds: dict[tuple[Any, ...], list[Failing]] = {}
    for failing in reversed(found):
        kinds.setdefault(failing.alike, []).append(failing)
    shown = list(kinds.values())[:most]
    texts = []
    for kind, failure in zip(shown, explain([kind[0] for kind in shown]), strict=True):
        text = failure_text(failure, width)
        others = [str(failing.pk) for failing in kind[1:]]
        if others:
            more = ", ..." * (len(others) > NAMED)
            text.append(f"\n  {len(others)} alike: pk {', '.join(others[:NAMED])}{more}")
        texts.append(text)
    hidden = sum(len(kind) for kind in list(kinds.values())[most:])
    if hidden or (not shown and found):
        texts.append(
            Text(f"{hidden} {'other ' * bool(shown)}failures; `falsemetal status {printable(campaign)} --failures all`")
        )
    return texts

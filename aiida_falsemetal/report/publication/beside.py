"""The figures of a large campaign, made by other processes while this one does the rest of the report.

A forked process has the rows without copying or sending them: its memory is this one's until one of them writes to it.
It makes numbers, texts and drawings of its share, writes drafts of their files and sends back what the page needs. Of
AiiDA and the database it uses nothing, and it ends without closing what it has not opened.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .collect import Choice, Plan, Published, named, plans

LARGE = 20_000
"""Frames above which there are other processes. Below, what they save is not worth a word."""
NICE = 5
"""How far the other processes stand back: what is left to this one takes the longest."""
PROCESSES = 4
"""At most; by then this process's own work takes the longest."""

Share = list[tuple[int, Plan]]
"""Plans with their places."""
Done = dict[int, Published | None]
"""Figures by the place of their plan."""
Figures = Callable[[], list[Published]]


@contextmanager
def begun(
    document: dict[str, Any],
    series: Mapping[int, dict[str, Any]],
    layers: Mapping[int, Mapping[str, Any]],
    choice: Choice,
    folder: Path,
) -> Iterator[Figures]:
    """A function that returns what :func:`.collect.publish` does, whose parameters these are.

    What it returns is begun at once where the campaign is large and there is a core for it. Whatever becomes of the
    other processes, the figures are complete: the share of one that fails is done here. At the end of the context, also
    after an exception or Ctrl-C, there is no other process left, and no draft that was not moved.

    :param document: may get further keys meanwhile; its rows must stay as they are.
    :param folder: of the report. Other processes write the figures' files to drafts in it, for to make a file can take
        as long as to make what is in it; it is made if it is missing.
    :raises OSError: if the folder cannot be written.
    """
    todo = list(enumerate(plans(document, series, layers, choice)))
    processes = _processes(len(document["frames"]))
    if processes == 1:
        yield lambda: named(_done(todo).values())
        return
    with ExitStack() as stack:
        drafts = stack.enter_context(_draft_folder(folder)) if choice != "none" else None
        try:
            at_work = [(stack.enter_context(_worker(share, drafts)), share) for share in _shares(todo, processes)]
        except OSError:
            # No memory or number for another process.
            at_work = []
        yield lambda: _collected(todo, at_work)


def _processes(frames: int) -> int:
    """How many processes make figures; 1 for this one."""
    if frames <= LARGE or sys.platform != "linux" or multiprocessing.current_process().daemon:
        # Elsewhere there is no fork, or it is not safe beside the system's own threads.
        return 1
    return min(PROCESSES, len(os.sched_getaffinity(0)))


def _shares(todo: Share, processes: int) -> list[Share]:
    """What each process does. Those that draw do nothing else: a first drawing takes half a second longer."""
    drawings = [(place, plan) for place, plan in todo if plan.drawn]
    others = [(place, plan) for place, plan in todo if not plan.drawn]
    if not drawings or not others:
        return [todo[start::processes] for start in range(processes)]
    half = processes // 2
    return [
        *(drawings[start::half] for start in range(half)),
        *(others[start :: processes - half] for start in range(processes - half)),
    ]


def _done(share: Share) -> Done:
    return {place: plan.carried_out() for place, plan in share}


def _collected(todo: Share, at_work: Sequence[tuple[Connection, Share]]) -> list[Published]:
    """The figures of all processes, and those that none has made, in the order of the plans."""
    found: Done = {}
    for pipe, _ in at_work:
        # One that was killed, as for want of memory, or that failed: what is wrong with a figure, this process tells.
        with suppress(EOFError, OSError):
            found |= pipe.recv()
    return named(found[place] if place in found else plan.carried_out() for place, plan in todo)


@contextmanager
def _draft_folder(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".figures-", dir=folder, ignore_cleanup_errors=True) as drafts:
        yield Path(drafts)


@contextmanager
def _worker(share: Share, drafts: Path | None) -> Iterator[Connection]:
    """A process that does a share, and this end of the pipe that it answers through; it is gone afterwards."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(share, drafts, here, there), daemon=True)
    try:
        process.start()
        there.close()
        yield here
    finally:
        here.close()
        there.close()
        if process.pid is not None:
            process.kill()
            process.join()


def _work(share: Share, drafts: Path | None, here: Connection, there: Connection) -> None:
    """What the other process does. It says nothing: where it fails, its share is done again by who can be asked."""
    # Ctrl-C reaches all processes of a terminal; the one that was started by hand ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    here.close()
    try:
        # The rest of the report takes longer, and is what everything waits for.
        os.nice(NICE)
        there.send({place: None if one is None else one.drafted(_stem(drafts, place)) for place, one in _each(share)})
    except BaseException:
        os._exit(1)
    os._exit(0)


def _each(share: Share) -> Iterator[tuple[int, Published | None]]:
    """One by one, so that no more than one figure's numbers are held."""
    return ((place, plan.carried_out()) for place, plan in share)


def _stem(drafts: Path | None, place: int) -> Path | None:
    return None if drafts is None else drafts / str(place)

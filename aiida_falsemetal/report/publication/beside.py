"""The figures of a large campaign, made by other processes while this one does the rest of the report.

A forked process has the rows without copying or sending them: its memory is this one's until one of them writes to it.
It makes numbers, texts and drawings of its share and sends bytes back. Of AiiDA and the database it uses nothing, and
it ends without closing what it has not opened.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, zip_longest
from multiprocessing.connection import Connection
from typing import Any

from .collect import Choice, Plan, Published, named, plans

LARGE = 20_000
"""Frames above which there are other processes. Below, what they save is not worth a word."""
PROCESSES = 4
"""At most; by then this process's own work takes the longest."""

Share = list[Published | None]
Figures = Callable[[], list[Published]]


@contextmanager
def begun(
    document: dict[str, Any],
    series: Mapping[int, dict[str, Any]],
    layers: Mapping[int, Mapping[str, Any]],
    choice: Choice,
) -> Iterator[Figures]:
    """A function that returns what :func:`.collect.publish` does, whose parameters these are.

    What it returns is begun at once where the campaign is large and there is a core for it. Whatever becomes of the
    other processes, the figures are complete: the share of one that fails is done here. At the end of the context none
    is left, also after an exception or Ctrl-C.

    :param document: may get further keys meanwhile; its rows must stay as they are.
    """
    todo = plans(document, series, layers, choice)
    folder = choice != "none"
    with ExitStack() as stack:
        shares = [todo[start::count] for count in [_processes(len(document["frames"]))] for start in range(count)]
        try:
            at_work = [stack.enter_context(_worker(share, folder)) for share in shares] if len(shares) > 1 else []
        except OSError:
            # No memory or number for another process.
            at_work = []
        if at_work:
            yield lambda: named(_dealt(_received(pipe, share) for pipe, share in zip(at_work, shares, strict=True)))
        else:
            yield lambda: named(_dealt(_done(share) for share in shares))


def _processes(frames: int) -> int:
    """How many processes make figures; 1 for this one."""
    if frames <= LARGE or sys.platform != "linux" or multiprocessing.current_process().daemon:
        # Elsewhere there is no fork, or it is not safe beside the system's own threads.
        return 1
    return min(PROCESSES, len(os.sched_getaffinity(0)))


def _done(share: Sequence[Plan]) -> Share:
    return [plan.carried_out() for plan in share]


def _dealt(shares: Iterator[Share]) -> Iterator[Published | None]:
    """All shares in the order of the plans, which were dealt out one by one."""
    return chain.from_iterable(zip_longest(*shares))


@contextmanager
def _worker(share: Sequence[Plan], folder: bool) -> Iterator[Connection]:
    """A process that does a share, and this end of the pipe that it answers through; it is gone afterwards."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(share, folder, here, there), daemon=True)
    try:
        process.start()
        there.close()
        yield here
    finally:
        here.close()
        if process.pid is not None:
            process.kill()
            process.join()


def _work(share: Sequence[Plan], folder: bool, here: Connection, there: Connection) -> None:
    """What the other process does. It says nothing: where it fails, its share is done again by who can be asked."""
    # Ctrl-C reaches all processes of a terminal; the one that was started by hand ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    here.close()
    try:
        found = [None if figure is None else figure.ready(folder) for figure in _done(share)]
        there.send(found)
    except BaseException:
        os._exit(1)
    os._exit(0)


def _received(pipe: Connection, share: Sequence[Plan]) -> Share:
    try:
        found: Share = pipe.recv()
    except (EOFError, OSError):
        # It was killed, as for want of memory, or could not do it; what is wrong with a share, this process tells.
        return _done(share)
    return found

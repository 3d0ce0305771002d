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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .collect import Choice, Plan, Published, named, plans

LARGE = 20_000
"""Frames above which there are other processes. Below, what they save is not worth a word."""
NICE = 5
"""How far the other processes stand back: what is left to this one takes the longest."""
TOKENS, WIDTH = 1000, 4
"""Batches of a queue, and bytes of the number of each: together less than 4096 bytes, which every pipe holds."""
PROCESSES = 4
"""At most; by then this process's own work takes the longest."""

Batch = list[tuple[int, Plan]]
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
        # A first drawing takes half a second longer: as many processes as possible do not draw at all.
        drawings = stack.enter_context(Queue([one for one in todo if one[1].drawn]))
        others = stack.enter_context(Queue([one for one in todo if not one[1].drawn]))
        pipes = []
        # Without memory or a number for another process, those that there are do it, or this one.
        with suppress(OSError):
            for number in range(processes):
                queues = (others, drawings) if number % 2 else (drawings, others)
                pipes.append(stack.enter_context(_worker(queues, drafts)))
        yield lambda: _collected(todo, (others, drawings), pipes)


class Queue:
    """Work that several processes take from, none of which can hold up the others by ending.

    The numbers of the batches are in a pipe, which whoever is free reads, as make and its jobs do it.

    :param todo: is dealt into at most ``TOKENS`` batches: so much room has every pipe.
    """

    def __init__(self, todo: Batch) -> None:
        size = max(1, -(-len(todo) // TOKENS))
        self._batches = [todo[start : start + size] for start in range(0, len(todo), size)]

    def __enter__(self) -> Queue:
        """Open the pipe."""
        self._numbers, write = os.pipe()
        os.write(write, b"".join(number.to_bytes(WIDTH, "little") for number in range(len(self._batches))))
        os.close(write)
        return self

    def __exit__(self, *_: object) -> None:
        """Close this process's end."""
        os.close(self._numbers)

    def take(self) -> Iterator[tuple[int, Plan]]:
        """Plans that no other process has, until there are none."""
        while number := os.read(self._numbers, WIDTH):
            yield from self._batches[int.from_bytes(number, "little")]


def _processes(frames: int) -> int:
    """How many processes make figures; 1 for this one."""
    if frames <= LARGE or sys.platform != "linux" or multiprocessing.current_process().daemon:
        # Elsewhere there is no fork, or it is not safe beside the system's own threads.
        return 1
    return min(PROCESSES, len(os.sched_getaffinity(0)))


def _done(plans: Iterable[tuple[int, Plan]]) -> Done:
    return {place: plan.carried_out() for place, plan in plans}


def _collected(todo: Batch, queues: Sequence[Queue], pipes: Sequence[Connection]) -> list[Published]:
    """The figures of all processes, of which this one takes a part now, in the order of the plans."""
    found = _done(chain.from_iterable(queue.take() for queue in queues))
    for pipe in pipes:
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
def _worker(queues: Sequence[Queue], drafts: Path | None) -> Iterator[Connection]:
    """A process that takes from the queues, and this end of the pipe that it answers through; it is gone afterwards."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(queues, drafts, here, there), daemon=True)
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


def _work(queues: Sequence[Queue], drafts: Path | None, here: Connection, there: Connection) -> None:
    """What the other process does. It says nothing: where it fails, its part is done again by who can be asked."""
    # Ctrl-C reaches all processes of a terminal; the one that was started by hand ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    here.close()
    found: Done = {}
    try:
        # The rest of the report takes longer, and is what everything waits for.
        os.nice(NICE)
        for place, plan in chain.from_iterable(queue.take() for queue in queues):
            figure = plan.carried_out()
            stem = None if drafts is None else drafts / str(place)
            found[place] = None if figure is None else figure.drafted(stem)
        there.send(found)
    except BaseException:
        os._exit(1)
    os._exit(0)

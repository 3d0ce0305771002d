"""Half of a large campaign's frames, read by another process while this one reads the others.

QueryBuilder makes Python objects of what the database sends, which is most of the time and goes on one core. The other
process opens the profile by its name, reads alone, and sends rows: it stores nothing, and whatever becomes of it, this
process has all rows.
"""

from __future__ import annotations

import json
import marshal
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from aiida.manage.configuration import get_config, get_profile

from .frame_query import Row, add_runs, find_frames
from .graph import GAP, called, chosen, pair_query

LARGE = 20_000
"""Frames above which there is another process. It needs a second to begin, in which 7,000 frames are read."""
SAMPLE = 20
"""Pairs whose frames are counted."""
FILES = ("core.sqlite_dos", "core.psql_dos")
"""Storages that a second process can open. The profile of an archive is its reader's alone."""


def read_frames(campaign: str | None, pair_pks: list[int] | None = None) -> list[Row]:
    """Rows of the frames of these pairs, or of all, with their runs of pw.x; see :func:`.frame_query.find_frames`."""
    rows = find_frames(campaign, of_pairs=pair_pks)
    add_runs(rows)
    return rows


@contextmanager
def reading(campaign: str | None) -> Iterator[Callable[[], list[Row]]]:
    """A function that returns :func:`read_frames` of all pairs; of a large campaign, the reading is begun at once.

    At the end of the context, also after an exception or Ctrl-C, there is no other process left.
    """
    pks = _large(campaign)
    if not pks:
        yield lambda: read_frames(campaign)
        return
    here, there = pks[: len(pks) // 2], pks[len(pks) // 2 :]
    with _other(campaign, there[0], there[-1]) as sent:
        yield lambda: [*read_frames(campaign, here), *(sent() or read_frames(campaign, there))]


def _large(campaign: str | None) -> list[int]:
    """The pairs of a campaign that another process is worth starting for, in order; none of any other."""
    profile = get_profile()
    if profile is None or profile.storage_backend not in FILES or (os.cpu_count() or 1) < 2:
        return []
    pks: list[int] = pair_query(campaign, ["id"]).order_by([{"pair": "id"}]).all(flat=True)
    if len(pks) < 2:
        return []
    # Enough to tell ten thousand frames from a hundred thousand; to count all of them takes half a second.
    some = pks[:: -(-len(pks) // SAMPLE)]
    query = chosen(some, ["id"])
    called(query, GAP, "pair", "gap")
    return pks if query.count() * len(pks) > LARGE * len(some) else []


@contextmanager
def _other(campaign: str | None, first: int, last: int) -> Iterator[Callable[[], list[Row]]]:
    """A process that reads the frames of the pairs from one pk to another; what it found, nothing if it failed."""
    profile = get_profile()
    assert profile is not None
    environment = {**os.environ, "AIIDA_PATH": str(Path(get_config().dirpath).parent)}
    # -P: a module of that name in the folder where the user happens to be is not meant.
    line = [sys.executable, "-P", "-m", __name__, json.dumps([profile.name, campaign, first, last])]
    try:
        process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        yield list
        return

    def sent() -> list[Row]:
        with suppress(EOFError, ValueError, TypeError, OSError):
            found: list[Row] = marshal.loads(process.communicate()[0])
            return found if process.returncode == 0 else []
        return []

    try:
        yield sent
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _main() -> None:
    """What the other process does."""
    import gc

    from aiida import load_profile

    # Millions of values are made, of which none is in a cycle.
    gc.disable()
    name, campaign, first, last = json.loads(sys.argv[1])
    load_profile(name)
    pks: list[Any] = pair_query(campaign, ["id"]).all(flat=True)
    rows = read_frames(campaign, [pk for pk in pks if first <= pk <= last])
    sys.stdout.buffer.write(marshal.dumps(rows))
    sys.stdout.buffer.flush()
    os._exit(0)


if __name__ == "__main__":
    _main()

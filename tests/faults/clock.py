"""A clock that can be set without setting the machine's: that of a workspace's command, daemon and jobs.

Debian's libfaketime also changes how long a program sleeps, and Python 3.11 ends with an error in its first sleep.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines.base import program
from tests.screen.conftest import Workspace

SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """Of the programs that were started with it.

    :param folder: gets the library and the file by which it is set.
    """

    def __init__(self, folder: Path) -> None:
        self.library, self._file = folder / "clock.so", folder / "clock"
        compiler = program("cc", "gcc")
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(self.library), str(SOURCE)], check=True)
        self._file.write_bytes(struct.pack("=q", 0))

    def set_ahead(self, seconds: int) -> None:
        """Ahead of the machine's; behind it where negative."""
        with self._file.open("r+b") as file:  # in place: programs have it mapped
            file.write(struct.pack("=q", seconds))

    @property
    def environment(self) -> dict[str, str]:
        """With which programs have it."""
        return {"LD_PRELOAD": str(self.library), "CLOCK_AHEAD": str(self._file)}


@contextmanager
def own_clock(space: Workspace, folder: Path) -> Iterator[Clock]:
    """What a workspace starts inside the block has a clock of its own."""
    clock = Clock(folder)
    space.environment.update(clock.environment)
    try:
        yield clock
    finally:
        for key in clock.environment:
            space.environment.pop(key)

"""The commands that follow something on one profile and one machine, and the daemon that they share.

The first of them starts it, the last of them stops it, whichever that is: another may have been killed, or have ended
before the others. A daemon that the user has started is left alone.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from .locks import file_lock

PLAY_SECONDS = 60.0
"""How often jobs that AiiDA has paused are tried again."""
STARTING = "starting"
"""Registered in place of a daemon that has no process id yet."""
CLOCKS = 2.0
"""Seconds by which the kernel's time of a process's start may be off the file system's."""


@contextmanager
def following() -> Iterator[Callable[[], None]]:
    """Be one of them: a daemon runs. It is stopped at the end if it is theirs and nobody else follows.

    Gives what looks after the daemon, to be called now and then: one of theirs that dies is started again.

    :raises click.ClickException: if the daemon does not start, or from what is given, if the user's was stopped.
    """
    from .daemon import daemon_settles, play_paused, stop_daemon
    from .family import is_deaf
    from .health import health

    gate, register = _files()
    with register.open("a+") as file:
        with file_lock(gate):
            daemon_settles()
            if _is_last(file) and _is_theirs(file):
                # Left by a command that was killed, maybe before it had told the daemon what it had stored.
                stop_daemon()
            # Held by each of them until it ends, however it ends.
            fcntl.flock(file, fcntl.LOCK_SH)
            _start(file)
        pid, played, state = _pid(), 0.0, health()
        ours = _is_theirs(file)

        def look() -> None:
            nonlocal played, pid
            with file_lock(gate):
                if not ours and not daemon_settles():
                    raise click.ClickException("the daemon was stopped. The same command goes on from here.")
                if pid != _pid():  # another one of them has started it anew
                    pid = _pid()
                    state.renewed()
                elif ours and (state.is_broken() or is_deaf(pid)):
                    stop_daemon()
                _start(file)
            if time.monotonic() - played > PLAY_SECONDS:
                played = time.monotonic()
                if count := play_paused():
                    click.echo(f"{count} jobs whose machine could not be used were paused; trying again", err=True)

        def keep() -> None:
            try:
                look()
            except click.ClickException:
                raise
            except Exception:
                # Database or disk are away for a moment: whoever reads the graph tells, and the next look tries again.
                return

        try:
            yield keep
        finally:
            with file_lock(gate):
                if ours and _is_last(file) and (_pid() is None or _is_theirs(file)):
                    stop_daemon()


def _files() -> tuple[Path, Path]:
    """The file whose lock has who starts or stops the daemon, and the one that everyone who follows has locked."""
    from aiida.manage.configuration import get_config, get_profile

    profile = get_profile()
    folder = Path(get_config().filepaths(profile)["daemon"]["pid"]).parent
    return folder / f"falsemetal-gate-{profile.name}", folder / f"falsemetal-followers-{profile.name}"


def _is_last(file: TextIO) -> bool:
    """Whether nobody else follows. This one does not any more."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
    return True


def _pid() -> Any:
    from aiida.engine.daemon.client import get_daemon_client

    return get_daemon_client().get_daemon_pid()


def _start(file: TextIO) -> None:
    """Start the daemon unless it runs. Registered before and after: whoever is killed in between leaves a daemon that
    the next one knows as theirs."""
    from .daemon import daemon_settles, ensure_daemon

    if not daemon_settles():
        _write(file, STARTING)
        ensure_daemon()
        _write(file, str(_pid() or ""))


def _is_theirs(file: TextIO) -> bool:
    """Whether one of them has started the daemon that there is."""
    import psutil

    from .daemon import START_SECONDS

    file.seek(0)
    text, pid = file.read().strip(), _pid()
    if pid is None or text != STARTING:
        return pid is not None and text == str(pid)
    try:
        waited = psutil.Process(pid).create_time() - os.fstat(file.fileno()).st_mtime
    except psutil.Error:
        return False
    return bool(-CLOCKS <= waited <= START_SECONDS)


def _write(file: TextIO, text: str) -> None:
    file.truncate(0)
    file.write(text)
    file.flush()

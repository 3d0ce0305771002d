"""What the services of these tests share: programs that must be there, free ports, daemons that are ended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ELSEWHERE = ("/usr/sbin", "/sbin", "/usr/lib/rabbitmq/bin", "/usr/lib/openssh")
"""Folders of Debian's daemons, which are not on every user's PATH."""


def program(name: str, package: str, folders: Sequence[str] = ELSEWHERE) -> str:
    """Path of a program.

    :raises FileNotFoundError: naming Debian's package; these tests are asked for, so they do not skip.
    """
    path = os.pathsep.join([*folders, os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed; run `apt-get install {package}`, or leave this test out.")
    return found


def free_port() -> int:
    """A TCP port of this machine that nobody uses at the moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until(done: Callable[[], bool], what: str, log: Path | None = None, seconds: float = 60.0) -> None:
    """Wait until ``done``.

    :raises TimeoutError: with the end of the log.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:] if log is not None and log.exists() else "no log"
            raise TimeoutError(f"{what} did not come up within {seconds:g} s: {tail}")
        time.sleep(0.2)


def port_open(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as tried:
        tried.settimeout(1.0)
        return tried.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def daemon(
    line: Sequence[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A program that stays in the foreground, in a process group of its own, which is ended with it."""
    with log.open("ab") as sink:
        process = subprocess.Popen(
            list(line), stdout=sink, stderr=sink, text=True, env=environment, cwd="/", start_new_session=True
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[str], how: int = signal.SIGTERM) -> None:
    """End a daemon and its process group."""
    for number in (how, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=15)
            break
        except subprocess.TimeoutExpired:
            continue
    process.poll()

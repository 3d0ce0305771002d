"""Locks between commands on one profile: of a campaign while it is submitted, and of the daemon.

The kernel frees a file's lock, and PostgreSQL its own, when whoever holds it ends, however it ends: nothing has to be
cleaned up after a kill.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

WAITING = "another command is at work on {name}; waiting for it"


@contextmanager
def campaign_lock(kind: str, name: str) -> Iterator[None]:
    """Held while what a campaign lacks is looked up and submitted, so that two commands do not both submit it.

    On PostgreSQL, whose commands may be on several machines, it is a lock of the database's; else that of a file beside
    the database.

    :param kind: ``campaign`` or ``twins``, which have names of their own.
    """
    from aiida.manage import get_manager

    storage = get_manager().get_profile_storage()
    config = storage.profile.storage_config
    if "database_name" in config:
        with _in_database(storage, f"falsemetal/{kind}/{name}", name):
            yield
        return
    folder = Path(config["filepath"]) / "falsemetal-locks"
    folder.mkdir(exist_ok=True)
    # A digest: a campaign's name may be longer than a file's.
    digest = hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()[:32]
    with file_lock(folder / digest, WAITING.format(name=name)):
        yield


@contextmanager
def file_lock(path: Path, waiting: str = "") -> Iterator[None]:
    """Hold a file's lock, for which others wait.

    :param waiting: said where it is another's at the moment.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                click.echo(waiting, err=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _in_database(storage: Any, key: str, name: str) -> Iterator[None]:
    """Hold an advisory lock of PostgreSQL, on a connection of its own: its end is the lock's end."""
    from sqlalchemy import text

    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)
    with storage.get_session().get_bind().connect() as connection:
        connection.detach()  # not back into the pool, which would keep it, and with it the lock
        if not connection.execute(text("SELECT pg_try_advisory_lock(:n)"), {"n": number}).scalar():
            click.echo(WAITING.format(name=name), err=True)
            connection.execute(text("SELECT pg_advisory_lock(:n)"), {"n": number})
        yield

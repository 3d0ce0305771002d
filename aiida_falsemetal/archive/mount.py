"""An archive as a profile of its own, to read from: in a configuration that exists as long as it is open."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .contents import ArchiveError, check_archive, check_tables


@contextmanager
def mounted(path: Path) -> Iterator[None]:
    """Load the archive ``path`` as the profile, read-only.

    AiiDA's configuration of the user is neither read nor written; a profile that was loaded before is again afterwards.

    :raises ArchiveError: if the file is no archive that can be read.
    """
    with tempfile.TemporaryDirectory(prefix="falsemetal-open-") as folder, _configuration(Path(folder)):
        check_archive(path)
        from aiida.manage import get_manager
        from aiida.storage.sqlite_zip.backend import SqliteZipBackend

        manager = get_manager()
        before = manager.get_profile()
        try:
            manager.load_profile(SqliteZipBackend.create_profile(path.resolve()), allow_switch=True)
            _check_database(path)
            yield
        finally:
            manager.unload_profile()
            if before is not None:
                manager.load_profile(before, allow_switch=True)


@contextmanager
def _configuration(folder: Path) -> Iterator[None]:
    """Have AiiDA keep its configuration in ``folder``.

    It makes one on being imported, where there is none, so that its path has to be known before.
    """
    home = folder / ".aiida"
    home.mkdir()  # AiiDA warns if it has to
    imported = "aiida.manage.configuration" in sys.modules
    variable = os.environ.get("AIIDA_PATH")
    os.environ["AIIDA_PATH"] = str(folder)
    try:
        from aiida.manage import configuration
        from aiida.manage.configuration.settings import AiiDAConfigDir

        held, place = configuration.CONFIG, AiiDAConfigDir.get()
        AiiDAConfigDir.set(home)
        configuration.reset_config()
        configuration.get_config(create=True)
        try:
            yield
        finally:
            if imported:
                AiiDAConfigDir.set(place)
                configuration.CONFIG = held
            else:
                configuration.reset_config()
    finally:
        if variable is None:
            del os.environ["AIIDA_PATH"]
        else:
            os.environ["AIIDA_PATH"] = variable


def _check_database(path: Path) -> None:
    """Have SQLite look through the database before anything is read from it, and write nothing to it.

    AiiDA works on a copy of its own and would let extras be set there, which would be gone with the copy.

    :raises ArchiveError: if it is damaged or not AiiDA's.
    """
    from aiida.common.exceptions import AiidaException
    from aiida.manage import get_manager
    from sqlalchemy import event, text
    from sqlalchemy.exc import SQLAlchemyError

    try:
        session = get_manager().get_profile_storage().get_session()
        event.listen(session.get_bind(), "connect", lambda raw, _: raw.execute("PRAGMA query_only = ON"))
        fault = check_tables(
            {name: kind for name, kind in session.execute(text("SELECT name, type FROM sqlite_master"))}
        )
        said = session.execute(text("PRAGMA quick_check(1)")).scalar()
    except (AiidaException, SQLAlchemyError) as error:
        first = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise ArchiveError(f"{path}: its database cannot be read ({first}); copy the file again.") from error
    if fault is None and said != "ok":
        fault = "its database is damaged"
    if fault is not None:
        raise ArchiveError(f"{path}: {fault}; copy the file again, or ask who made it for a new one.")

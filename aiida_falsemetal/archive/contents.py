"""What an archive holds, and whether a file is one: read from the zip file itself, before AiiDA sees it.

An archive comes from somewhere else. Nothing in it is unpacked under a name of its own choice; a name that no archive
has is a reason to refuse the whole file all the same.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..names import CELL

METADATA, DATABASE = "metadata.json", "db.sqlite3"
LEFT_OUT = "falsemetal_left_out"
"""Key of the metadata, and extra of a node, that names what an archive was written without."""
_NAME = re.compile(r"metadata\.json|db\.sqlite3|repo/|repo/[0-9a-f]{64}")
_LARGEST_METADATA = 64_000_000
"""Bytes. It lists the nodes that an export began with."""
_LARGEST_RATIO, _SMALL = 100, 1_000_000_000
"""Text packs to a tenth. What claims to become a hundred times as large, and more than so many bytes, is made to."""
_TABLES = {"db_dbnode", "db_dblink", "db_dbgroup", "db_dbcomputer", "db_dbuser", "db_dblog"}
_GAP = "process_type = 'aiida.workflows:falsemetal.gap'"
_COUNTED = {
    "pairs": "process_type = 'aiida.workflows:falsemetal.pair'",
    # One of a gap calls another one, of the solvent without its metal.
    "frames": f"{_GAP} AND id NOT IN (SELECT l.output_id FROM db_dblink l JOIN db_dbnode n ON l.input_id = n.id "
    f"WHERE l.type = 'call_work' AND n.{_GAP})",
    "MD runs": "process_type = 'aiida.calculations:falsemetal.md'",
    "pw.x runs": "process_type = 'aiida.calculations:quantumespresso.pw'",
    "verdicts": f"json_extract(extras, '$.falsemetal_kind') = '{CELL}'",
}


class ArchiveError(Exception):
    """A file that is no archive, or cannot be made into one. The message names the fault and the remedy."""


@dataclass(frozen=True)
class Contents:
    """What an archive holds.

    :param counts: of nodes by what they are; ``nodes`` is all of them.
    :param left_out: what it was written without.
    """

    size: int
    files: int
    counts: dict[str, int]
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        held = ", ".join(f"{count} {name}" for name, count in self.counts.items() if name != "nodes" and count)
        without = f"; without {' and '.join(self.left_out)}" if self.left_out else ""
        return f"{self.size / 1e6:.1f} MB, {self.counts['nodes']} nodes ({held}), {self.files} files{without}"


def check_archive(path: Path) -> None:
    """Refuse what is no archive that this AiiDA reads.

    :raises ArchiveError: with a sentence.
    """
    if not path.is_file():
        raise ArchiveError(f"{path}: {'is a folder' if path.is_dir() else 'there is no such file'}; name an archive.")
    try:
        with zipfile.ZipFile(path) as file:
            _check_members(path, file.infolist())
            metadata = _metadata(path, file)
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError) as error:
        raise ArchiveError(
            f"{path}: not an AiiDA archive, or cut short ({error}); copy it again, or name a file that "
            "`falsemetal export` has written."
        ) from error
    _check_version(path, metadata.get("export_version"))


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    names = Counter(member.filename for member in members)
    for member in members:
        if not _NAME.fullmatch(member.filename) or names[member.filename] > 1 or member.flag_bits & 1:
            raise ArchiveError(
                f"{path}: holds {member.filename[:80]!a}, which no AiiDA archive does, or twice, or encrypted; "
                "nothing was unpacked. Ask who made it for a file of `falsemetal export`."
            )
    for name in (METADATA, DATABASE):
        if name not in names:
            raise ArchiveError(f"{path}: has no {name}, so it is no AiiDA archive; name a file of `falsemetal export`.")
    unpacked, packed = sum(member.file_size for member in members), path.stat().st_size
    if unpacked > max(_SMALL, _LARGEST_RATIO * packed):
        raise ArchiveError(f"{path}: would become {unpacked / 1e9:.0f} GB from {packed / 1e6:.1f} MB; not opened.")
    database = next(member.file_size for member in members if member.filename == DATABASE)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if database > free:
        raise ArchiveError(
            f"{path}: its database takes {database / 1e9:.1f} GB and {tempfile.gettempdir()} has {free / 1e9:.1f} GB; "
            "set TMPDIR to a folder with more room."
        )


def _metadata(path: Path, file: zipfile.ZipFile) -> dict[str, Any]:
    if file.getinfo(METADATA).file_size > _LARGEST_METADATA:
        raise ArchiveError(f"{path}: its {METADATA} is too large to be one; name a file of `falsemetal export`.")
    found = json.loads(file.read(METADATA))
    if not isinstance(found, dict):
        raise ArchiveError(f"{path}: its {METADATA} says nothing; name a file of `falsemetal export`.")
    return found


def _check_version(path: Path, version: Any) -> None:
    from aiida.storage.sqlite_zip.migrator import get_schema_version_head, list_versions

    head = get_schema_version_head()
    if version == head:
        return
    if version in list_versions():
        new = path.with_name(f"{path.stem}-new.aiida").name
        raise ArchiveError(
            f"{path}: of archive version {version}, and this AiiDA reads {head}; make a new file with "
            f"`verdi archive migrate {path.name} {new}`."
        )
    raise ArchiveError(
        f"{path}: of archive version {str(version)[:40]!a}, which this AiiDA does not know (it reads {head}); "
        "it may be newer: install a newer aiida-core."
    )


def check_tables(kinds: dict[str, str]) -> str | None:
    """What is wrong with a database, as a part of a sentence.

    :param kinds: kind (``table``, ``trigger``, ...) of everything in its schema by name.
    """
    missing = _TABLES - {name for name, kind in kinds.items() if kind == "table"}
    if missing:
        return f"its database lacks {', '.join(sorted(missing))}"
    active = sorted(kind for kind in kinds.values() if kind not in ("table", "index"))
    return f"its database has a {active[0]}, which no AiiDA archive has" if active else None


@contextmanager
def database_of(path: Path) -> Iterator[Path]:
    """A copy of an archive's database, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="falsemetal-archive-") as folder, zipfile.ZipFile(path) as file:
        copy = Path(folder) / DATABASE
        with file.open(DATABASE) as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
        yield copy


def contents(path: Path) -> Contents:
    """Count what an archive holds."""
    with database_of(path) as database, closing(sqlite3.connect(database)) as connection:
        counts = {"nodes": _count(connection, "1")}
        counts.update({name: _count(connection, where) for name, where in _COUNTED.items()})
    with zipfile.ZipFile(path) as file:
        files = sum(name.startswith("repo/") and not name.endswith("/") for name in file.namelist())
        left_out = json.loads(file.read(METADATA)).get(LEFT_OUT, [])
    return Contents(path.stat().st_size, files, counts, tuple(left_out))


def _count(connection: sqlite3.Connection, where: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM db_dbnode WHERE {where}").fetchone()[0])

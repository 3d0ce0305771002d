"""An archive without its bulky files: the nodes and their links stay."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .contents import DATABASE, LEFT_OUT, METADATA, database_of


@dataclass(frozen=True)
class Bulk:
    """Files of an archive that can be left out.

    :param name: what the archive's metadata call them.
    :param where: condition on ``db_dbnode`` in SQL, with one parameter.
    :param parameter: its value.
    :param file: which of such a node's files; without it, all of them.
    """

    name: str
    where: str
    parameter: str
    file: str | None = None


_RETRIEVED = """node_type LIKE 'data.core.folder.FolderData%' AND id IN (
    SELECT l.output_id FROM db_dblink l JOIN db_dbnode n ON n.id = l.input_id
    WHERE l.type = 'create' AND n.process_type = ?)"""

_CHECKPOINT = """node_type LIKE 'data.core.singlefile.%' AND id IN (
    SELECT l.output_id FROM db_dblink l JOIN db_dbnode n ON n.id = l.input_id
    WHERE l.type = 'create' AND l.label = 'checkpoint' AND n.process_type = ?)"""

_MADE_FOR = """node_type LIKE '{}%' AND id IN (
    SELECT l.output_id FROM db_dblink l
    JOIN db_dblink job ON job.output_id = l.input_id AND job.type = 'call_calc'
    JOIN db_dblink base ON base.output_id = job.input_id AND base.type = 'call_work'
    JOIN db_dbnode n ON n.id = base.input_id
    WHERE l.type = 'create' AND n.process_type = ?)"""
_HAS = " AND json_type(repository_metadata, '$.o.\"{}\"') IS NOT NULL"
"""A node without the file loses nothing, and keeps the hashes that say so."""

TRAJECTORIES = Bulk(
    "trajectories",
    # pw.x leaves a trajectory of one frame, which is small and stays.
    "node_type = ? AND json_extract(attributes, '$.\"array|positions\"[0]') > 1",
    "data.core.array.trajectory.TrajectoryData.",
)
PROJECTIONS = Bulk("projections", "node_type = ?", "data.core.array.projection.ProjectionData.")
"""projwfc.x's, two files an orbital; the layers that were made of them stay."""
MD_FILES = Bulk("retrieved files of falsemetal.md", _RETRIEVED, "aiida.calculations:falsemetal.md")
"""Their numbers are in the nodes of the series."""
PW_FILES = Bulk("retrieved files of quantumespresso.pw", _RETRIEVED, "aiida.calculations:quantumespresso.pw")
LABEL_FILES = Bulk(
    "retrieved files of labels", _MADE_FOR.format("data.core.folder.FolderData"), "aiida.workflows:falsemetal.label"
)
"""Those of pw.x; energy, forces and bands stay."""
LABEL_TRAJECTORIES = Bulk(
    "pw.x's trajectories of labels",
    _MADE_FOR.format("data.core.array.trajectory.TrajectoryData"),
    "aiida.workflows:falsemetal.label",
)
"""Of one frame, whose positions and forces are nodes of their own."""
GAP_XML = Bulk(
    "pw.x's XML of gaps",
    _MADE_FOR.format("data.core.folder.FolderData") + _HAS.format("data-file-schema.xml"),
    "aiida.workflows:falsemetal.gap",
    "data-file-schema.xml",
)
"""The bands are a node; what pw.x printed stays."""
CHECKPOINTS = Bulk("checkpoints of falsemetal.train", _CHECKPOINT, "aiida.calculations:falsemetal.train")
"""Of trainings that have ended, from which nobody goes on."""
PROJWFC_FILES = Bulk("projwfc.x's retrieved files", _RETRIEVED, "aiida.calculations:quantumespresso.projwfc")
"""They print the projections once more."""
COMMITTEE_FRAMES = Bulk(
    "frames given to falsemetal.committee",
    "process_type = ?" + _HAS.format("frames.npz"),  # jobs of today keep none
    "aiida.calculations:falsemetal.committee",
    "frames.npz",
)
"""Copies of the trajectories that are its inputs."""
OF_CAMPAIGN = (
    TRAJECTORIES,
    PROJECTIONS,
    PROJWFC_FILES,
    MD_FILES,
    GAP_XML,
    LABEL_FILES,
    LABEL_TRAJECTORIES,
    CHECKPOINTS,
    COMMITTEE_FRAMES,
)
"""What no report, query or story needs."""


def leave_files_out(path: Path, thinned: Path, bulks: Sequence[Bulk]) -> None:
    """Write ``thinned``: the archive ``path`` without some files.

    The nodes that had them say so in the extra ``falsemetal_left_out``, and neither they nor what made them has a hash
    any more: in a profile that imports them, nobody's calculation must become a copy of one without its files.
    """
    with database_of(path) as database, zipfile.ZipFile(path) as source:
        kept = _edit(database, bulks)
        with zipfile.ZipFile(thinned, "x", zipfile.ZIP_DEFLATED, compresslevel=6) as target:
            left = [bulk.name for bulk in bulks]
            metadata = {**json.loads(source.read(METADATA)), LEFT_OUT: left}
            # These two first: AiiDA looks for them among the first entries only.
            target.writestr(METADATA, json.dumps(metadata))
            # Half of what deflate makes of it. The many small files would gain little and open more slowly.
            target.write(database, DATABASE, compress_type=zipfile.ZIP_LZMA)
            for member in source.infolist():
                if member.filename.removeprefix("repo/") in kept:
                    with source.open(member) as stream, target.open(member.filename, "w") as copy:
                        shutil.copyfileobj(stream, copy)


def _edit(database: Path, bulks: Sequence[Bulk]) -> set[str]:
    """Take the files from these nodes; returns the keys of the files that some node still has."""
    with closing(sqlite3.connect(database)) as connection:
        for bulk in bulks:
            _take(connection, bulk)
        connection.commit()
        connection.execute("VACUUM")
        rows = connection.execute("SELECT repository_metadata FROM db_dbnode")
        return {key for (text,) in rows for key in _keys(json.loads(text))}


def _take(connection: sqlite3.Connection, bulk: Bulk) -> None:
    """Take one kind of files from the nodes that have it."""
    query = f"SELECT id, repository_metadata, extras FROM db_dbnode WHERE {bulk.where}"
    for pk, repository, text in connection.execute(query, [bulk.parameter]).fetchall():
        extras, files = _unhashed(text), json.loads(repository).get("o", {})
        gone = {name for name in files if bulk.file in (None, name)}
        # What an archive that was imported had been written without is still missing.
        _set_extras(connection, pk, {**extras, LEFT_OUT: sorted({*extras.get(LEFT_OUT, []), *gone})})
        files = {name: entry for name, entry in files.items() if name not in gone}
        stays = {"o": files} if files else {}
        connection.execute("UPDATE db_dbnode SET repository_metadata = ? WHERE id = ?", [json.dumps(stays), pk])
        makers = "SELECT n.id, n.extras FROM db_dbnode n JOIN db_dblink l ON l.input_id = n.id WHERE l.output_id = ?"
        for maker, own in connection.execute(f"{makers} AND l.type IN ('create', 'return')", [pk]).fetchall():
            _set_extras(connection, maker, _unhashed(own))


def _unhashed(extras: str) -> dict[str, Any]:
    return {key: value for key, value in json.loads(extras).items() if key != "_aiida_hash"}


def _set_extras(connection: sqlite3.Connection, pk: int, extras: dict[str, Any]) -> None:
    connection.execute("UPDATE db_dbnode SET extras = ? WHERE id = ?", [json.dumps(extras), pk])


def _keys(repository: dict[str, Any]) -> Iterator[str]:
    """Keys of the files of a node, or of a folder in it."""
    for entry in repository.get("o", {}).values():
        if "k" in entry:
            yield entry["k"]
        yield from _keys(entry)

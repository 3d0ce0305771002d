"""An archive without its bulky files: the nodes and their links stay, the frames of trajectories do not, nor what was
retrieved of programs that are named."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from .contents import DATABASE, LEFT_OUT, METADATA, database_of

_TRAJECTORY = "data.core.array.trajectory.TrajectoryData."
_WHERE = "node_type = ? AND json_extract(attributes, '$.\"array|positions\"[0]') > 1"
"""pw.x leaves a trajectory of one frame, which is small and stays."""


_RETRIEVED = """node_type LIKE 'data.core.folder.FolderData%' AND id IN (
    SELECT l.output_id FROM db_dblink l JOIN db_dbnode n ON n.id = l.input_id
    WHERE l.type = 'create' AND n.process_type = ?)"""


_CHECKPOINT = """node_type LIKE 'data.core.singlefile.%' AND id IN (
    SELECT l.output_id FROM db_dblink l JOIN db_dbnode n ON n.id = l.input_id
    WHERE l.type = 'create' AND l.label = 'checkpoint' AND n.process_type = ?)"""


def leave_trajectories_out(path: Path, thinned: Path) -> None:
    """Write ``thinned``: the archive ``path`` without the files of trajectories of more than one frame.

    These nodes say so in the extra ``falsemetal_left_out``, and neither they nor what made them has a hash any more:
    in a profile that imports them, nobody's calculation must become a copy of one without its frames.
    """
    leave_files_out(path, thinned, ())


def leave_files_out(path: Path, thinned: Path, jobs: Sequence[str], trainings: Sequence[str] = ()) -> None:
    """As :func:`leave_trajectories_out`, and without what was retrieved of some CalcJobs.

    :param jobs: their entry points in ``aiida.calculations``.
    :param trainings: entry points of CalcJobs whose checkpoints are left out.
    """
    conditions = [(_WHERE, _TRAJECTORY), *((_RETRIEVED, f"aiida.calculations:{job}") for job in jobs)]
    conditions += [(_CHECKPOINT, f"aiida.calculations:{job}") for job in trainings]
    with database_of(path) as database, zipfile.ZipFile(path) as source:
        kept = _edit(database, conditions)
        with zipfile.ZipFile(thinned, "x", zipfile.ZIP_DEFLATED, compresslevel=6) as target:
            left = ["trajectories", *(f"retrieved files of {job}" for job in jobs)]
            left += [f"checkpoints of {job}" for job in trainings]
            metadata = {**json.loads(source.read(METADATA)), LEFT_OUT: left}
            # These two first: AiiDA looks for them among the first entries only.
            target.writestr(METADATA, json.dumps(metadata))
            target.write(database, DATABASE)
            for member in source.infolist():
                if member.filename.removeprefix("repo/") in kept:
                    with source.open(member) as stream, target.open(member.filename, "w") as copy:
                        shutil.copyfileobj(stream, copy)


def _edit(database: Path, conditions: Sequence[tuple[str, str]]) -> set[str]:
    """Take the files from the nodes of each condition (SQL, its parameter); returns the keys of the files that some
    node still has."""
    with closing(sqlite3.connect(database)) as connection:
        found = []
        for where, value in conditions:
            query = f"SELECT id, repository_metadata, extras FROM db_dbnode WHERE {where}"
            found += connection.execute(query, [value]).fetchall()
        for pk, repository, extras in found:
            names = sorted(json.loads(repository).get("o", {}))
            _set_extras(connection, pk, {**_unhashed(extras), LEFT_OUT: names})
            connection.execute("UPDATE db_dbnode SET repository_metadata = '{}' WHERE id = ?", [pk])
            makers = (
                "SELECT n.id, n.extras FROM db_dbnode n JOIN db_dblink l ON l.input_id = n.id WHERE l.output_id = ?"
            )
            for maker, own in connection.execute(f"{makers} AND l.type IN ('create', 'return')", [pk]).fetchall():
                _set_extras(connection, maker, _unhashed(own))
        connection.commit()
        connection.execute("VACUUM")
        rows = connection.execute("SELECT repository_metadata FROM db_dbnode")
        return {key for (text,) in rows for key in _keys(json.loads(text))}


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

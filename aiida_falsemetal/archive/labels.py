"""Labels of twins as an archive that is small: configurations, labels and how they were made, without pw.x's files."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from aiida import orm

from .contents import ArchiveError, Contents, check_archive, contents, database_of
from .thin import leave_files_out
from .write import as_any_file, quiet

CHAINS = ("falsemetal.sample", "falsemetal.label")
JOBS = ("quantumespresso.pw",)
"""Whose retrieved files are left out: what matters of them is in the labels, the bands and the parsed output."""


def write_labels(group: str, path: Path) -> Contents:
    """Write the finished sampling runs and labels of a group, and all that they were made from.

    Left out are the frames of trajectories and what was retrieved of pw.x. The file replaces its predecessor in one
    step, when it is whole.

    :raises ArchiveError: if there are none, or the archive cannot be made.
    """
    from aiida.tools.archive import create_archive
    from aiida.tools.archive.exceptions import ArchiveExportError

    found = _entities(group)
    if not found:
        raise ArchiveError(f"the group {group} has no label and no sampling run that has finished; compute some first.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder, quiet():
        whole, thin = Path(folder) / "whole.aiida", Path(folder) / "thin.aiida"
        try:
            # Not up to the TwinWorkChain, which may be under way and would bring what it has not finished.
            create_archive(found, whole, include_logs=False, call_work_backward=False)
        except ArchiveExportError as error:
            raise ArchiveError(f"{group} cannot be exported: {str(error).rstrip('.')}.") from error
        leave_files_out(whole, thin, JOBS)
        as_any_file(thin)
        thin.replace(path)
    return contents(path)


def read_labels(path: Path, group: str) -> int:
    """Import an archive into the loaded profile; what is there already stays as it is.

    :param group: label of the group that its sampling runs and labels become members of.

    :return: how many nodes were new.
    :raises ArchiveError: if the file is no archive that can be read.
    """
    from aiida.tools.archive import import_archive
    from aiida.tools.archive.exceptions import ArchiveImportError

    check_archive(path)
    before = orm.QueryBuilder().append(orm.Node).count()
    with quiet():
        try:
            import_archive(path, create_group=False)
        except ArchiveImportError as error:
            raise ArchiveError(f"{path}: cannot be imported ({str(error).splitlines()[0]}).") from error
    _adopt(path, group)
    return int(orm.QueryBuilder().append(orm.Node).count() - before)


def _adopt(path: Path, group: str) -> None:
    """Put the archive's chains into the group."""
    with database_of(path) as database, closing(sqlite3.connect(database)) as connection:
        marks = ", ".join("?" for _ in CHAINS)
        query = f"SELECT uuid FROM db_dbnode WHERE process_type IN ({marks})"
        uuids = [row[0] for row in connection.execute(query, [f"aiida.workflows:{name}" for name in CHAINS])]
    nodes = [orm.load_node(uuid) for uuid in uuids]
    if nodes:
        orm.Group.collection.get_or_create(label=group)[0].add_nodes(nodes)


def _entities(group: str) -> list[Any]:
    """Where the traversal starts. Not the group: it would bring what is not finished."""
    query = orm.QueryBuilder()
    query.append(orm.Group, filters={"label": group}, tag="group")
    query.append(
        orm.WorkChainNode,
        with_group="group",
        filters={
            "process_type": {"in": [f"aiida.workflows:{name}" for name in CHAINS]},
            "attributes.process_state": "finished",
        },
    )
    return [*query.all(flat=True)]

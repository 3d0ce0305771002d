"""Labels of twins as an archive that is small: configurations, labels and how they were made, without pw.x's files."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from aiida import orm

from ..names import TWINS_GROUP
from .contents import ArchiveError, Contents, check_archive, check_tables, contents, database_of
from .thin import CHECKPOINTS, MD_FILES, PW_FILES, TRAJECTORIES, leave_files_out
from .write import as_any_file, quiet

TRAINING = "aiida.workflows:falsemetal.train"
"""Of active rounds and of the twins; written only if it has ended well."""
CHAINS = ("aiida.workflows:falsemetal.sample", "aiida.workflows:falsemetal.label", TRAINING)

_FOREIGN = (
    "SELECT count(*) FROM db_dbnode WHERE json_extract(extras, '$.falsemetal_campaign') IS NOT NULL "
    "OR process_type IN ('aiida.workflows:falsemetal.pair', 'aiida.workflows:falsemetal.screen')"
)


def write_labels(name: str, path: Path) -> Contents:
    """Write the finished sampling runs, labels and trainings of the twins ``name``, and all that they were made from.

    Left out are the frames of trajectories, what was retrieved of pw.x and of the MD, and the trainings' checkpoints.
    The file replaces its predecessor in one step, when it is whole.

    :raises ArchiveError: if there are none, or the archive cannot be made.
    """
    from aiida.tools.archive import create_archive
    from aiida.tools.archive.exceptions import ArchiveExportError

    found = _entities(name)
    if not found:
        raise ArchiveError(f"the twins {name} have no label and no sampling run that has finished; compute some first.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder, quiet():
        whole, thin = Path(folder) / "whole.aiida", Path(folder) / "thin.aiida"
        try:
            # Not up to the TwinWorkChain, which may be under way and would bring what it has not finished: neither by
            # a workchain nor by a calcfunction of its own, as the one that makes a training set.
            up = {"call_work_backward": False, "call_calc_backward": False}
            create_archive(found, whole, include_logs=False, **up)
        except ArchiveExportError as error:
            raise ArchiveError(f"{name} cannot be exported: {str(error).rstrip('.')}.") from error
        leave_files_out(whole, thin, (TRAJECTORIES, PW_FILES, MD_FILES, CHECKPOINTS))
        as_any_file(thin)
        thin.replace(path)
    return contents(path)


def read_labels(path: Path, name: str) -> int:
    """Import an archive into the loaded profile; what is there already stays as it is.

    :param name: of the twins whose sampling runs and labels they become.
    :return: how many nodes were new.
    :raises ArchiveError: if the file is no archive that can be read, or not one of labels; nothing was imported then.
    """
    from aiida.tools.archive import import_archive

    check_archive(path)
    uuids = _chains(path)
    before = orm.QueryBuilder().append(orm.Node).count()
    try:
        with quiet():
            import_archive(path, create_group=False)  # in one transaction
    except Exception as error:  # AiiDA trusts what is in an archive, and raises whatever that leads to
        first = (str(error).splitlines() or [""])[0][:200]
        raise ArchiveError(
            f"{path}: cannot be imported ({type(error).__name__}: {first}), and nothing was; copy the file again, or "
            "ask who made it for a new one."
        ) from error
    _adopt(uuids, name)
    return int(orm.QueryBuilder().append(orm.Node).count() - before)


def _chains(path: Path) -> list[str]:
    """UUIDs of an archive's sampling runs and labels; what else it holds must belong to these.

    :raises ArchiveError: if its database is damaged, acts by itself, or holds no labels, or the pairs of a campaign,
        which would count as results of the campaign of that name here.
    """
    marks = ", ".join("?" for _ in CHAINS)
    with database_of(path) as database, closing(sqlite3.connect(database)) as connection:
        try:
            fault = check_tables(dict(connection.execute("SELECT name, type FROM sqlite_master").fetchall()))
            if fault is None and connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                fault = "its database is damaged"
            if fault is None and connection.execute(_FOREIGN).fetchone()[0]:
                fault = "it holds results of a campaign, which `falsemetal open` reads, and not labels alone"
            query = f"SELECT uuid, node_type FROM db_dbnode WHERE process_type IN ({marks})"
            found = connection.execute(query, CHAINS).fetchall()
            if fault is None and {kind for _, kind in found} - {orm.WorkChainNode.class_node_type}:
                fault = "a sampling run or a label in it is no workchain"
        except sqlite3.Error as error:
            raise ArchiveError(f"{path}: its database cannot be read ({error}); copy the file again.") from error
    if fault is None and not found:
        fault = "it holds no sampling runs and no labels"
    if fault is not None:
        raise ArchiveError(f"{path}: {fault}; nothing was imported. Name a file of `falsemetal twins --export`.")
    return [str(uuid) for uuid, _ in found]


def gather(name: str) -> int:
    """Put into their group the sampling runs and labels of the twins ``name`` that came without it.

    A campaign's archive brings them as the history of its models, and no group but its own.

    :return: how many they were.
    """
    query = orm.QueryBuilder().append(orm.Group, filters={"label": TWINS_GROUP + name}, tag="group")
    members = query.append(orm.WorkChainNode, with_group="group", project="uuid").all(flat=True)
    own = {"process_type": {"in": [*CHAINS]}, "extras.falsemetal_twins": name}
    found = orm.QueryBuilder().append(orm.WorkChainNode, filters=own, project="uuid").all(flat=True)
    strays = sorted({*found} - {*members})
    if strays:
        _adopt(strays, name)
    return len(strays)


def _adopt(uuids: list[str], name: str) -> None:
    """Put chains into the group of the twins ``name``."""
    nodes = [orm.load_node(uuid=uuid) for uuid in uuids]
    orm.Group.collection.get_or_create(label=TWINS_GROUP + name)[0].add_nodes(nodes)


def _entities(name: str) -> list[Any]:
    """Where the traversal starts. Not the group: it would bring what is not finished."""
    query = orm.QueryBuilder()
    query.append(orm.Group, filters={"label": TWINS_GROUP + name}, tag="group")
    query.append(
        orm.WorkChainNode,
        with_group="group",
        filters={
            "process_type": {"in": [*CHAINS]},
            "attributes.process_state": "finished",
            "or": [
                {"process_type": {"!==": TRAINING}},
                {"attributes.exit_status": 0},
            ],
        },
    )
    return [*query.all(flat=True)]

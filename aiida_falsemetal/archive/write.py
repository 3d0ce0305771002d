"""Writing a campaign's part of the graph into one file."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from aiida import orm

from ..names import CAMPAIGN_GROUP, ENDED, FINAL
from .contents import ArchiveError, Contents, check_archive, contents, database_of
from .thin import Bulk, leave_files_out


def write_archive(campaign: str, path: Path, without: Sequence[Bulk] = ()) -> Contents:
    """Write the archive of a campaign: all that has its name, what that called and what it was made from.

    The file replaces its predecessor in one step, when it is whole.

    :param without: files that are left out.
    :raises ArchiveError: if a process of the campaign is under way, if the file that is there holds results that the
        profile has not, or if the archive cannot be made.
    """
    from aiida.tools.archive import create_archive
    from aiida.tools.archive.exceptions import ArchiveExportError

    path.parent.mkdir(parents=True, exist_ok=True)
    _refuse_unfinished(campaign)
    # Beside the goal: a move from another file system would not be one step.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder, quiet():
        draft = Path(folder) / "whole.aiida"
        try:
            create_archive(_entities(campaign), draft)
        except ArchiveExportError as error:
            raise ArchiveError(_fault(campaign, error)) from error
        if without:
            whole, draft = draft, Path(folder) / "thinned.aiida"
            leave_files_out(whole, draft, without)
        if path.exists():
            _refuse_loss(path, draft)
        as_any_file(draft)
        draft.replace(path)
    return contents(path)


def _refuse_loss(path: Path, draft: Path) -> None:
    """A profile that lacks what an archive holds, because it was not imported, must not write over it.

    :raises ArchiveError: if ``path`` has pairs with a result that ``draft`` has not.
    """
    try:
        check_archive(path)
    except ArchiveError:
        return
    lost = _pairs_with_results(path) - _pairs_with_results(draft)
    if lost:
        raise ArchiveError(
            f"{path} holds {len(lost)} pairs with results that are not in this profile; import it first (`verdi "
            "archive import`), name another folder with --output, or move it away."
        )


def _pairs_with_results(path: Path) -> set[str]:
    """UUIDs of an archive's pairs that are not run again."""
    final = ", ".join(map(str, FINAL))
    query = (
        "SELECT uuid FROM db_dbnode WHERE process_type = 'aiida.workflows:falsemetal.pair' "
        f"AND json_extract(attributes, '$.exit_status') IN ({final})"
    )
    with database_of(path) as database, closing(sqlite3.connect(database)) as connection:
        return {str(uuid) for (uuid,) in connection.execute(query)}


def _refuse_unfinished(campaign: str) -> None:
    query = orm.QueryBuilder()
    filters = {"extras.falsemetal_campaign": campaign, "attributes.process_state": {"!in": list(ENDED)}}
    query.append(orm.WorkflowNode, filters=filters, project="id")
    found = query.all(flat=True)
    if found:
        raise ArchiveError(
            f"{campaign} is still under way ({', '.join(map(str, found[:5]))}); wait until `falsemetal status "
            f"{campaign}` says done or failed, or end it with `verdi process kill`."
        )


def _fault(campaign: str, error: Exception) -> str:
    """A sentence. What is not sealed is what a pair had called, or a training that a model comes from."""
    said = str(error).rstrip(".")
    if "sealed" not in said:
        return f"{campaign} cannot be exported: {said}."
    if not _of_twins([int(number) for number in re.findall(r"\d+", said)]):
        return (
            f"{campaign} cannot be exported: processes that its pairs have called have not ended ({said}); wait for "
            "them, or end them with `verdi process kill`."
        )
    return (
        f"{campaign} cannot be exported: one of its models comes from twins that are still under way ({said}); give "
        "their `falsemetal twins` command again and let it end, or end them with `verdi process kill`."
    )


def _of_twins(pks: list[int]) -> bool:
    """Whether one of these processes makes twins."""
    query = orm.QueryBuilder()
    kinds = [f"aiida.workflows:falsemetal.{kind}" for kind in ("twin", "train", "label", "sample")]
    query.append(orm.WorkflowNode, filters={"id": {"in": pks}, "process_type": {"in": kinds}})
    return bool(pks) and query.count() > 0


def _entities(campaign: str) -> list[orm.Group | orm.Node]:
    """Where the traversal starts. Not the group alone: nodes of old versions are in none."""
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={"extras.falsemetal_campaign": campaign})
    groups = orm.QueryBuilder()
    groups.append(orm.Group, filters={"label": CAMPAIGN_GROUP + campaign})
    return [*groups.all(flat=True), *query.all(flat=True)]


@contextmanager
def quiet() -> Iterator[None]:
    """Without AiiDA's pages on what it exports, for one line says it."""
    logger = logging.getLogger("aiida.export")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def as_any_file(path: Path) -> None:
    """The permissions of a file that the user has made: AiiDA's temporary one is its owner's alone."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)

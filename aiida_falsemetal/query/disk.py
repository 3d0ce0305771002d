"""What a campaign takes on the disk: the work folders that are left, and the profile's repository."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.manage import get_manager

from .graph import BATCH, chosen, pair_query

LOCAL = "core.local"


@dataclass
class Usage:
    """Bytes on the disk.

    :param folders: work folders that have not been emptied, ``size`` bytes together.
    :param elsewhere: number of such folders on other machines, by computer; their size is not known here.
    :param emptied: number of those that have been.
    :param repository: bytes of the profile's repository, all campaigns together; None where it cannot be told.
    """

    folders: int = 0
    size: int = 0
    emptied: int = 0
    elsewhere: dict[str, int] = field(default_factory=dict)
    repository: int | None = None


def disk_usage(campaign: str) -> Usage:
    """Of a campaign, by its jobs' work folders."""
    found = Usage(repository=_repository())
    for path, cleaned, computer, transport in _folders(campaign):
        if cleaned:
            found.emptied += 1
        elif transport != LOCAL:
            found.elsewhere[computer] = found.elsewhere.get(computer, 0) + 1
        elif (size := folder_size(Path(path))) > 0:
            found.folders += 1
            found.size += size
    return found


def folder_size(folder: Path) -> int:
    """Bytes of the files in a folder, each counted once however many links it has; 0 where there is no such folder."""
    seen, total = set(), 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(place, name))
            except OSError:
                continue  # removed meanwhile
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_size
    return total


def _folders(campaign: str) -> Iterator[tuple[str, bool, str, str]]:
    """Path, whether it was emptied, computer and transport of every job's work folder."""
    frontier = [pk for (pk,) in _projected(pair_query(campaign), "pair")]
    while frontier:
        yield from _of_jobs(frontier)
        query = chosen(frontier, tag="above")
        query.append(orm.WorkChainNode, with_incoming="above", tag="below")
        frontier = [pk for (pk,) in _projected(query, "below")]


def _projected(query: orm.QueryBuilder, tag: str) -> Iterator[list[Any]]:
    query.add_projection(tag, "id")
    query.distinct()
    yield from query.iterall(BATCH)


def _of_jobs(callers: list[int]) -> Iterator[tuple[str, bool, str, str]]:
    query = chosen(callers, tag="caller")
    query.append(orm.CalcJobNode, with_incoming="caller", tag="job")
    query.append(
        orm.RemoteData,
        with_incoming="job",
        tag="folder",
        project=["attributes.remote_path", f"extras.{orm.RemoteData.KEY_EXTRA_CLEANED}"],
    )
    query.append(orm.Computer, with_node="folder", project=["label", "transport_type"])
    for path, cleaned, computer, transport in query.iterall(BATCH):
        yield path, bool(cleaned), computer, transport


def _repository() -> int | None:
    info = get_manager().get_profile_storage().get_repository().get_info(detailed=True)
    sizes = info.get("Size (MB)")
    if not isinstance(sizes, dict):
        return None
    return round(1e6 * sum(float(sizes.get(key, 0.0)) for key in ("total_size_packed_on_disk", "total_size_loose")))

"""What a campaign of stand-ins has left: is it whole, how much ran at once, how much room does it take."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiida_falsemetal.names import ENDED

from .place import RECORDED, Place
from .standins import log_of

ASK = """
import json
name = {name!r}
from aiida_falsemetal.query.graph import PAIR
pairs = orm.QueryBuilder().append(orm.WorkChainNode,
    filters={{'process_type': PAIR, 'extras.falsemetal_campaign': name}},
    project=['extras.falsemetal_fingerprint', 'attributes.process_state', 'attributes.exit_status']).all()
spans = [[a.timestamp(), b.timestamp(), kind, state, status] for a, b, kind, state, status in orm.QueryBuilder().append(
    orm.ProcessNode, project=['ctime', 'mtime', 'attributes.process_label', 'attributes.process_state',
    'attributes.exit_status']).iterall(5000)]
nodes = orm.QueryBuilder().append(orm.Node).count()
from aiida.manage import get_manager
repository = get_manager().get_profile_storage().get_repository()
print(json.dumps([pairs, spans, nodes, repository.get_info(detailed=True)]))
"""
FILM = re.compile(r"/film\d{6}/")
"""In the fingerprints of these pairs, not in those that :mod:`benchmarks.query.generate` has put beside them."""


def census(place: Place, name: str, pairs: int, gaps: int = 2) -> dict[str, Any]:
    """Counts, sizes, times."""
    found, spans, nodes, repository = json.loads(place.python(ASK.format(name=name)))
    well = [mark for mark, state, status in found if (state, status) == ("finished", 0) and FILM.search(mark)]
    jobs = job_spans(log_of(place))
    return {
        "finished_pairs": len(well),
        "different_finished_pairs": len(set(well)),
        "lost_pairs": pairs - len(set(well)),
        "unfinished_processes": sum(state not in ENDED for *_, state, _ in spans),
        "failed_processes": sum(state in ENDED and status != 0 for *_, state, status in spans),
        "wrong_rows": wrong_rows(place, name, pairs, gaps),
        "processes": len(spans),
        "most_processes_at_once": most_at_once((begin, end) for begin, end, *_ in spans),
        "jobs": len(jobs),
        "most_jobs_at_once": most_at_once(jobs),
        "nodes": nodes,
        "database_MB": _size(place.folder, ".aiida/repository/*/database.sqlite*"),
        "repository_MB": _size(place.folder, ".aiida/repository/*/container/**/*"),
        "repository": repository,
        "scratch_MB": _size(place.folder, ".aiida/scratch/**/*"),
        "scratch_files": sum(1 for path in place.folder.glob(".aiida/scratch/**/*") if path.is_file()),
    }


def _size(folder: Path, pattern: str) -> float:
    """MB of the files that match."""
    return round(sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file()) / 1e6, 2)


def job_spans(log: Path) -> list[tuple[float, float]]:
    """When each job began and ended behind its locks; of one that was killed, that it ended when it began."""
    spans: dict[str, tuple[float, float]] = {}
    ended = []
    for line in log.read_text().splitlines() if log.exists() else []:
        kind, what, time, pid = line.split()
        key = f"{kind} {pid}"
        if what == "began":
            if key in spans:
                ended.append(spans[key])
            spans[key] = (float(time), float(time))
        else:
            ended.append((spans.pop(key)[0], float(time)))
    return [*ended, *spans.values()]


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """The largest number of spans that overlap."""
    edges = sorted(edge for begin, end in spans for edge in ((begin, 1), (end, -1)))
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def wrong_rows(place: Place, name: str, pairs: int | None, gaps: int = 2) -> int:
    """Rows that are missing, that are there twice, or that are not what was recorded for their frame.

    :param pairs: that there are to be; None while the campaign is under way, where nothing is missing yet.
    """
    known = {row["step"]: row for row in json.loads((RECORDED / "rows.json").read_text())}
    rows = json.loads(place.run("query", "--campaign", name, "--format", "json"))
    wrong, seen = 0, set()
    mine = [row for row in rows if FILM.search("/" + row["interface"] + "/")]
    if pairs is None:
        mine = [row for row in mine if row["exit_code"] is not None]
    for row in mine:
        mark = (row["interface"], row["seed"], row["step"])
        recorded = known.get(row["step"], {})
        wrong += mark in seen or any(row[key] != value for key, value in recorded.items()) or not recorded
        seen.add(mark)
    return wrong + (abs(gaps * pairs - len(mine)) if pairs is not None else 0)

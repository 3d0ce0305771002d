"""What the graph has already: sampling runs and labels by their fingerprints, whoever has made them.

An archive of earlier labels that was imported counts like labels that were computed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aiida import orm

from ..names import NEWEST_FIRST, OLDEST_FIRST
from .outputs import outputs_of

CHUNK = 500
"""Values in one condition of a query."""
FAILED_LABEL = 401
"""Exit status of a label whose pw.x did not converge: known, and tried again only when that is asked for."""


def known_samples(fingerprints: Iterable[str]) -> dict[str, int]:
    """PK of the newest finished sampling run of each fingerprint that has one."""
    found = _finished("falsemetal.sample", "falsemetal_fingerprint", fingerprints)
    return {fingerprint: pk for fingerprint, pk, status in found if status == 0}


def known_labels(fingerprints: Iterable[str]) -> tuple[dict[str, int], dict[str, int]]:
    """PKs of the newest finished and of the newest failed label by fingerprint; one that is finished is not failed."""
    done: dict[str, int] = {}
    failed: dict[str, int] = {}
    for fingerprint, pk, status in _finished("falsemetal.label", "falsemetal_label", fingerprints):
        if status == 0:
            done[fingerprint] = pk
        elif status == FAILED_LABEL:
            failed[fingerprint] = pk
    return done, {key: pk for key, pk in failed.items() if key not in done}


def _finished(entry_point: str, extra: str, fingerprints: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """Fingerprint, PK and exit status of finished workchains, oldest first.

    By the name of the process's type and not by its class: two workchains cannot import each other.
    """
    wanted = sorted(set(fingerprints))
    for start in range(0, len(wanted), CHUNK):
        query = orm.QueryBuilder()
        query.append(
            orm.WorkChainNode,
            filters={
                "process_type": f"aiida.workflows:{entry_point}",
                f"extras.{extra}": {"in": wanted[start : start + CHUNK]},
                "attributes.process_state": "finished",
            },
            project=[f"extras.{extra}", "id", "attributes.exit_status"],
        )
        query.order_by([{orm.WorkChainNode: OLDEST_FIRST}])
        yield from (tuple(row) for row in query.all())


def configurations_of(pk: int) -> list[tuple[int, int]]:
    """PKs of configuration and record of a sampling run, by rising step."""
    outputs = outputs_of(orm.load_node(pk))
    steps = sorted(name.partition(".")[2] for name in outputs if name.startswith("frames."))
    return [(outputs[f"frames.{step}"].pk, outputs[f"records.{step}"].pk) for step in steps]


def known_training(fingerprint: str) -> int | None:
    """PK of the newest training with that fingerprint that has ended well."""
    found = [row for row in _finished("falsemetal.train", "falsemetal_training", [fingerprint]) if row[2] == 0]
    return found[-1][1] if found else None


def known_checkpoint(fingerprint: str) -> orm.SinglefileData | None:
    """The newest checkpoint of an unfinished training with that fingerprint, to go on from."""
    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode,
        filters={"process_type": "aiida.workflows:falsemetal.train", "extras.falsemetal_training": fingerprint},
        tag="training",
    )
    query.append(orm.CalcJobNode, with_incoming="training", tag="job")
    query.append(orm.SinglefileData, with_incoming="job", edge_filters={"label": "checkpoint"}, project="*", tag="file")
    query.order_by([{"file": NEWEST_FIRST}])
    found = query.first(flat=True)
    return None if found is None else found

"""The frames that a condition may be true of: the database leaves out the others. Built on QueryBuilder alone.

The number of queries does not depend on that of the frames: one for the pairs, one for the results, two for frames
without one, and one for the runs of pw.x, each only where something asks for what it finds.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from aiida import orm

from ..names import EXTRAS, FRAME_COLUMNS, RESULT_KEYS
from .graph import BASE, BATCH, CONTENT, GAP, called, chosen, content, labels_of, latest_pairs, named
from .plans import from_few
from .pushdown import Filters, Place, columns_of, filters_of, may_hold
from .tree import Condition

RECORD_KEYS = (
    *("step", "time_ps", "Mz", "Mz_per_area", "expected_drop", "potential_range", "energy_mlip"),
    *("stratum", "probability"),
)
"""What the MD knows of a frame: all there is of one without a result, but for how its workchain ended."""
ENDINGS = ("exit_code", "exit_message")
OF_PAIRS = (*EXTRAS, "pair_pk")
RUN = "pw_pk"

Row = dict[str, Any]


def find_frames(
    campaign: str | None = None,
    condition: Condition | None = None,
    latest: bool = False,
    of_pairs: Collection[int] | None = None,
) -> list[Row]:
    """Rows of the frames that ``condition`` may be true of, of all without one; ordered by pair and step.

    Of their columns ``pw_pk`` is left for :func:`add_runs`.

    :param campaign: its name; None for all.
    :param latest: only those of the pairs that count, see :func:`.graph.latest_pairs`.
    :param of_pairs: only those of these pairs, by pk; None for all.
    """
    if of_pairs is not None and not of_pairs:
        return []
    pairs = labels_of(campaign, _pushed(condition, EXTRAS, "extras.falsemetal_"))
    later = [name for name in FRAME_COLUMNS if name not in OF_PAIRS]
    given = [
        {name: pair[name] for name in OF_PAIRS}
        for pair in (latest_pairs(pairs) if latest else pairs)
        if (of_pairs is None or pair["pair_pk"] in of_pairs)
        and (condition is None or may_hold(condition, {name: pair[name] for name in OF_PAIRS}, later))
    ]
    if not given:
        return []
    by_pk = {pair["pair_pk"]: pair for pair in given}
    without = [*RECORD_KEYS, *ENDINGS, "gap_pk", RUN]
    rows = _finished(by_pk, condition)
    if condition is None or any(may_hold(condition, pair, without) for pair in given):
        rows += _unfinished(by_pk, condition)
    if condition is not None and RUN not in columns_of(condition):
        rows = [row for row in rows if condition.of(row) is True]
    return sorted(rows, key=lambda row: (row["pair_pk"], row["step"] or 0, row["gap_pk"]))


def add_runs(rows: list[Row]) -> None:
    """Give every row ``pw_pk``, the last run of pw.x of its frame."""
    if not rows:
        return
    gap_pks = [row["gap_pk"] for row in rows]
    query = chosen(gap_pks, ["id"], "gap")
    called(query, BASE, "gap", "base")
    query.append(orm.CalcJobNode, with_incoming="base", project=["ctime", "id"])
    runs: dict[int, list[tuple[Any, int]]] = {}
    with from_few(gap_pks):
        for gap_pk, made, pw_pk in query.iterall(BATCH):
            runs.setdefault(gap_pk, []).append((made, pw_pk))
    for row in rows:
        _, row[RUN] = max(runs.get(row["gap_pk"], [(None, None)]))


def _finished(pairs: dict[int, Row], condition: Condition | None) -> list[Row]:
    """Rows of frames with a result.

    :param pairs: by pk.
    """
    query = chosen(list(pairs), ["id"])
    called(query, GAP, "pair", "gap", project=["id"])
    query.append(
        orm.Dict,
        filters=_pushed(condition, RESULT_KEYS),
        with_incoming="gap",
        edge_filters=named("result"),
        project=["id", CONTENT],
    )
    with from_few(list(pairs)):
        return [
            _row(pairs[pair_pk], content(result), gap_pk, result_pk)
            for pair_pk, gap_pk, result_pk, result in query.iterall(BATCH)
        ]


def _unfinished(pairs: dict[int, Row], condition: Condition | None) -> list[Row]:
    """Rows of frames without a result: those under way, and those whose workchain ended without one.

    A workchain that ended with 0 has one; of the others, those that have are left out by a query of its own, for an
    outer join would drop what has none: the link's label is a condition on the whole row.
    """
    query = chosen(list(pairs), ["id"])
    ended = ["id", "attributes.exit_status", "attributes.exit_message"]
    called(query, GAP, "pair", "gap", filters={"attributes.exit_status": {"!==": 0}}, project=ended)
    query.append(
        orm.Dict,
        filters=_pushed(condition, RECORD_KEYS),
        with_outgoing="gap",
        edge_filters=named("record"),
        project=[CONTENT],
    )
    with from_few(list(pairs)):
        found = query.all(batch_size=BATCH)
    having = _having_result([gap_pk for _, gap_pk, *_ in found])
    return [
        _row(pairs[pair_pk], {**content(record), "exit_code": status, "exit_message": message}, gap_pk, None)
        for pair_pk, gap_pk, status, message, record in found
        if gap_pk not in having
    ]


def _having_result(gap_pks: list[int]) -> set[int]:
    """Of these workchains, those with a result."""
    if not gap_pks:
        return set()
    query = chosen(gap_pks, ["id"], "gap")
    query.append(orm.Dict, with_incoming="gap", edge_filters=named("result"))
    with from_few(gap_pks):
        return {pk for (pk,) in query.iterall(BATCH)}


def _pushed(condition: Condition | None, keys: tuple[str, ...], prefix: str = "attributes.") -> Filters:
    """Filters on a node that has these columns under their names after ``prefix``."""
    place: Place = {key: f"{prefix}{key}" for key in keys}.get
    return {} if condition is None else filters_of(condition, place) or {}


def _row(pair: Row, values: Row, gap_pk: int, result_pk: int | None) -> Row:
    row = {name: pair[name] for name in EXTRAS}
    row.update(zip(RESULT_KEYS, map(values.get, RESULT_KEYS), strict=True))
    row.update(pw_pk=None, gap_pk=gap_pk, result_pk=result_pk, pair_pk=pair["pair_pk"])
    return row

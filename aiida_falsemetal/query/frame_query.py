"""The frames that a condition may be true of: the database leaves out the others. Built on QueryBuilder alone.

The number of queries does not depend on that of the frames: one for the pairs, one or two for the results, two
for frames without one, and one for the runs of pw.x, each only where something asks for what it finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiida import orm

from ..names import EXTRAS, FRAME_COLUMNS, RESULT_KEYS
from .graph import BASE, BATCH, CONTENT, GAP, called, chosen, content, labels_of, latest_pairs, named
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
FEW = 500
"""Pairs of which the frames are listed before their results are asked for."""

Row = dict[str, Any]


def find_frames(campaign: str | None = None, condition: Condition | None = None, latest: bool = False) -> list[Row]:
    """Rows of the frames that ``condition`` may be true of, of all without one; ordered by pair and step.

    Of their columns ``pw_pk`` is left for :func:`add_runs`.

    :param campaign: its name; None for all.
    :param latest: only those of the pairs that count, see :func:`.graph.latest_pairs`.
    """
    pairs = labels_of(campaign)
    later = [name for name in FRAME_COLUMNS if name not in OF_PAIRS]
    given = [
        {name: pair[name] for name in OF_PAIRS}
        for pair in (latest_pairs(pairs) if latest else pairs)
        if condition is None or may_hold(condition, {name: pair[name] for name in OF_PAIRS}, later)
    ]
    if not given:
        return []
    by_pk = {pair["pair_pk"]: pair for pair in given}
    gaps = _Gaps.of(by_pk)
    rows = list(_finished(gaps, condition))
    without = [*RECORD_KEYS, *ENDINGS, "gap_pk", RUN]
    if condition is None or any(may_hold(condition, pair, without) for pair in given):
        rows += _unfinished(gaps, condition)
    if condition is not None and RUN not in columns_of(condition):
        rows = [row for row in rows if condition.of(row) is True]
    return sorted(rows, key=lambda row: (row["pair_pk"], row["step"] or 0, row["gap_pk"]))


def add_runs(rows: list[Row]) -> None:
    """Give every row ``pw_pk``, the last run of pw.x of its frame."""
    if not rows:
        return
    query = orm.QueryBuilder()
    filters = {"id": {"in": [row["gap_pk"] for row in rows]}}
    query.append(orm.WorkChainNode, filters=filters, tag="gap", project=["id"])
    called(query, BASE, "gap", "base")
    query.append(orm.CalcJobNode, with_incoming="base", project=["id"])
    last: dict[int, int] = {}
    for gap_pk, pw_pk in query.iterall(BATCH):
        last[gap_pk] = max(pw_pk, last.get(gap_pk, 0))
    for row in rows:
        row[RUN] = last.get(row["gap_pk"])


@dataclass(frozen=True)
class _Gaps:
    """The GapWorkChains that some pairs called.

    Of few pairs they are listed first, and the next query starts from the list: PostgreSQL expects thousands of links
    at every node, for codes and pseudopotentials have as many, and would rather read all links of the profile.

    :param pairs: rows of the pairs by pk.
    :param called_by: pk of the pair by that of the GapWorkChain; None where there are many pairs.
    """

    pairs: dict[int, Row]
    called_by: dict[int, int] | None

    @classmethod
    def of(cls, pairs: dict[int, Row]) -> _Gaps:
        if len(pairs) > FEW:
            return cls(pairs, None)
        query = chosen(list(pairs), ["id"])
        called(query, GAP, "pair", "gap", project=["id"])
        return cls(pairs, {gap_pk: pair_pk for pair_pk, gap_pk in query.iterall(BATCH)})

    def query(self, project: list[str], filters: Filters) -> orm.QueryBuilder | None:
        """A query that starts here, tagged ``gap``, None where there are none; see :meth:`rows`."""
        if self.called_by is None:
            query = chosen(list(self.pairs), ["id"])
            called(query, GAP, "pair", "gap", filters=filters, project=["id", *project])
            return query
        if not self.called_by:
            return None
        query = orm.QueryBuilder()
        filters = {"id": {"in": list(self.called_by)}, **filters}
        query.append(orm.WorkChainNode, filters=filters, tag="gap", project=["id", *project])
        return query

    def rows(self, query: orm.QueryBuilder) -> Iterator[tuple[Row, list[Any]]]:
        """What a query of :meth:`query` finds: the row of the pair, then the GapWorkChain's pk and the rest."""
        for found in query.iterall(BATCH):
            if self.called_by is None:
                yield self.pairs[found[0]], found[1:]
            else:
                yield self.pairs[self.called_by[found[0]]], found


def _finished(gaps: _Gaps, condition: Condition | None) -> Iterator[Row]:
    """Rows of frames with a result."""
    query = gaps.query([], {})
    if query is None:
        return
    query.append(
        orm.Dict,
        filters=_pushed(condition, RESULT_KEYS),
        with_incoming="gap",
        edge_filters=named("result"),
        project=["id", CONTENT],
    )
    for pair, (gap_pk, result_pk, result) in gaps.rows(query):
        yield _row(pair, content(result), gap_pk, result_pk)


def _unfinished(gaps: _Gaps, condition: Condition | None) -> list[Row]:
    """Rows of frames without a result: those under way, and those whose workchain ended without one.

    A workchain that ended with 0 has one; of the others, those that have are left out by a query of its own, for an
    outer join would drop what has none: the link's label is a condition on the whole row.
    """
    query = gaps.query(["attributes.exit_status", "attributes.exit_message"], {"attributes.exit_status": {"!==": 0}})
    if query is None:
        return []
    query.append(
        orm.Dict,
        filters=_pushed(condition, RECORD_KEYS),
        with_outgoing="gap",
        edge_filters=named("record"),
        project=[CONTENT],
    )
    found = list(gaps.rows(query))
    having = _having_result([row[0] for _, row in found])
    return [
        _row(pair, {**content(record), "exit_code": status, "exit_message": message}, gap_pk, None)
        for pair, (gap_pk, status, message, record) in found
        if gap_pk not in having
    ]


def _having_result(gap_pks: list[int]) -> set[int]:
    """Of these workchains, those with a result."""
    if not gap_pks:
        return set()
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": gap_pks}}, tag="gap", project=["id"])
    query.append(orm.Dict, with_incoming="gap", edge_filters=named("result"))
    return {pk for (pk,) in query.iterall(BATCH)}


def _pushed(condition: Condition | None, keys: tuple[str, ...]) -> Filters:
    """Filters on a Dict that has these columns."""
    place: Place = {key: f"attributes.{key}" for key in keys}.get
    return {} if condition is None else filters_of(condition, place) or {}


def _row(pair: Row, values: Row, gap_pk: int, result_pk: int | None) -> Row:
    row = {name: pair[name] for name in EXTRAS}
    row.update((key, values.get(key)) for key in RESULT_KEYS)
    row.update(pw_pk=None, gap_pk=gap_pk, result_pk=result_pk, pair_pk=pair["pair_pk"])
    return row

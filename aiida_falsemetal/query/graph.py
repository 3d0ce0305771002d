"""What every query of the graph starts from: the pairs, the kinds of process, the names of links.

Processes are found by the text of their type, not by their class: importing a workchain's class takes longer than the
query, and the class of QueryBuilder's own filter (``LIKE`` beside ``=``) makes SQLite read every node of the profile.
"""

from __future__ import annotations

from typing import Any

import orjson
from aiida import orm
from aiida.common.escaping import escape_for_sql_like

from ..names import EXTRAS, OLDEST_FIRST, SUPERSEDED, pair_rank
from .plans import among

PAIR, GAP, SCREEN = (f"aiida.workflows:falsemetal.{name}" for name in ("pair", "gap", "screen"))
MD_BATCH = "aiida.calculations:falsemetal.md_batch"
BASE = "aiida.workflows:quantumespresso.pw.base"
CONTENT: dict[str, Any] = {"attributes": {"cast": "t"}}
"""Projection of a Dict's content as text, for :func:`content`. QueryBuilder asks every value of a dictionary if it is a
node to be made an object of: that takes longer than the query and the parsing together."""
BATCH = 5000
"""Rows that are fetched at a time: few enough for the memory, many more than QueryBuilder's own 100."""


def pair_filters(campaign: str | None) -> dict[str, Any]:
    """Filters of a query for the pairs of a campaign, None for those of all."""
    if campaign is not None:
        return {"process_type": PAIR, "extras.falsemetal_campaign": campaign}
    return {"process_type": PAIR, "extras": {"has_key": "falsemetal_campaign"}}


def pair_query(campaign: str | None, project: list[str] | None = None) -> orm.QueryBuilder:
    """A query that starts at the pairs, tagged ``pair``."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters=pair_filters(campaign), tag="pair", project=project)
    return query


def chosen(pks: list[int], project: list[str] | None = None, tag: str = "pair") -> orm.QueryBuilder:
    """A query that starts at these workchains, pairs unless ``tag`` says something else.

    :param pks: at least one.
    """
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters=among(pks), tag=tag, project=project)
    return query


def called(query: orm.QueryBuilder, process_type: str, by: str, tag: str, **more: Any) -> None:
    """Go on in ``query`` to the workchains of a type that those of the tag ``by`` called.

    The type by ``LIKE``, for the reason of :func:`named`.

    :param more: ``filters`` and ``project`` of :meth:`orm.QueryBuilder.append`.
    """
    filters = {"process_type": {"like": escape_for_sql_like(process_type)}, **more.pop("filters", {})}
    query.append(orm.WorkChainNode, filters=filters, with_incoming=by, tag=tag, **more)


def content(text: str) -> dict[str, Any]:
    """What a query that projects ``CONTENT`` has found: of a large campaign, hundreds of thousands of texts."""
    found: dict[str, Any] = orjson.loads(text)
    return found


def named(label: str) -> dict[str, Any]:
    """Filter for links of one label.

    By ``LIKE``, not ``=``: labels have an index, and without statistics SQLite would start from all links of that label
    in the profile, of which there is one a frame, whatever else the query asks for.
    """
    return {"label": {"like": escape_for_sql_like(label)}}


def labels_of(campaign: str | None, filters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Of every pair its labels, ``pair_pk``, ``exit_code`` and ``superseded``: enough for :func:`latest_pairs`.

    :param filters: on the labels alone. Pairs of which one is the newer run of the other have the same ones.
    """
    query = orm.QueryBuilder()
    wanted = {"and": [pair_filters(campaign), filters]} if filters else pair_filters(campaign)
    own = ["id", "attributes.exit_status", f"extras.{SUPERSEDED}"]
    project = [*own, *(f"extras.falsemetal_{key}" for key in EXTRAS)]
    query.append(orm.WorkChainNode, filters=wanted, tag="pair", project=project)
    query.order_by([{"pair": OLDEST_FIRST}])
    return [
        {**dict(zip(EXTRAS, labels, strict=True)), "pair_pk": pk, "exit_code": status, "superseded": bool(old)}
        for pk, status, old, *labels in query.iterall(BATCH)
    ]


def latest_pairs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of pairs with the same labels, the one that counts, see :func:`..names.pair_rank`.

    :param rows: oldest first.
    """

    def rank(row: dict[str, Any]) -> tuple[bool, bool, bool]:
        return pair_rank(bool(row.get("superseded")), row["exit_code"])

    best: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in EXTRAS)
        if key not in best or rank(row) >= rank(best[key]):
            best[key] = row
    return sorted(best.values(), key=lambda row: tuple(str(row[name]) for name in EXTRAS))

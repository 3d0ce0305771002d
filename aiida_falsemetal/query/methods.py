"""What a campaign was computed with, as its nodes say: for the methods paragraph of a paper."""

from __future__ import annotations

import json
from typing import Any

from aiida import orm

from .graph import BATCH, CONTENT, GAP, called, content, named

PER_PAIR = ("steps", "seed")
"""Settings that differ from pair to pair; the pairs' rows have them."""
SETTINGS = ("md", "selection", "gap", "thresholds")
RECIPE = "recipe"


def recorded_methods(pair_pks: list[int]) -> dict[str, Any]:
    """Settings of these pairs' nodes, each combination once.

    :return: ``md``, ``selection``, ``gap``, ``thresholds``: lists of settings; ``recipes``: dictionaries with
        ``interface``, ``recipe``, ``parameters``; ``models``: with ``mlip``, ``family``, ``sha256``, ``kwargs``,
        ``precision`` and ``reference``; ``pw_versions``: as pw.x names itself; ``dipole_correction``: whether
        every frame has one. Empty lists where the graph has nothing.
    """
    found = _inputs(pair_pks)
    versions, corrected = _of_outputs(pair_pks, ("creator_version", "has_dipole_correction"))
    return {
        **{label: _distinct(_without(item, PER_PAIR) for _, item in found[label]) for label in SETTINGS},
        "recipes": _distinct({"interface": interface, **item} for interface, item in found[RECIPE]),
        "models": _models(pair_pks),
        "pw_versions": versions,
        "dipole_correction": corrected == [True],
    }


def _distinct(items: Any) -> list[dict[str, Any]]:
    """Different items, sorted by what they hold: the same wherever the graph is read, whatever the pks there."""
    found = {json.dumps(item, sort_keys=True): item for item in items}
    return [found[key] for key in sorted(found)]


def _without(item: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in keys}


def _query(pair_pks: list[int], project: list[str]) -> orm.QueryBuilder:
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": pair_pks}}, tag="pair", project=project)
    query.order_by([{"pair": "id"}])
    return query


def _inputs(pair_pks: list[int]) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """By the name of an input its different contents, each with the interfaces of the pairs that have it.

    One query for all inputs; that of a thousand pairs has a few different texts, each of which is parsed once.
    """
    found: dict[str, dict[tuple[str, str], None]] = {label: {} for label in (*SETTINGS, RECIPE)}
    if pair_pks:
        query = _query(pair_pks, ["extras.falsemetal_interface"])
        labels = {"or": [named(label) for label in found]}
        query.append(orm.Dict, with_outgoing="pair", edge_filters=labels, edge_project=["label"], project=[CONTENT])
        for interface, text, label in query.iterall(BATCH):
            found[label][interface, text] = None
    return {label: [(interface, content(text)) for interface, text in texts] for label, texts in found.items()}


def _models(pair_pks: list[int]) -> list[dict[str, Any]]:
    if not pair_pks:
        return []
    keys = ("family", "sha256", "kwargs", "facts")
    query = _query(pair_pks, ["extras.falsemetal_mlip"])
    project = [f"attributes.{key}" for key in keys]
    query.append(orm.Node, with_outgoing="pair", edge_filters=named("mlip"), project=project)
    found = []
    for mlip, *values in query.iterall(BATCH):
        model = dict(zip(keys, values, strict=True))
        facts = model.pop("facts") or {}
        found.append({"mlip": mlip, **model, **{key: facts.get(key) for key in ("precision", "reference")}})
    return _distinct(found)


def _of_outputs(pair_pks: list[int], keys: tuple[str, ...]) -> list[list[Any]]:
    """Of each key its different values in pw.x's parsed outputs of the frames."""
    if not pair_pks:
        return [[] for _ in keys]
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": pair_pks}}, tag="pair")
    called(query, GAP, "pair", "gap")
    project = [f"attributes.{key}" for key in keys]
    query.append(orm.Dict, with_incoming="gap", edge_filters=named("pw_parameters"), project=project)
    query.distinct()
    found = query.all()
    return [sorted({row[place] for row in found if row[place] is not None}) for place in range(len(keys))]

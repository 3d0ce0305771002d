"""What a campaign was computed with, as its nodes say: for the methods paragraph of a paper."""

from __future__ import annotations

import json
from typing import Any

from aiida import orm

from .graph import GAP, called, named

PER_PAIR = ("steps", "seed")
"""Settings that differ from pair to pair; the pairs' rows have them."""
LABELS = ("interface", "mlip")


def recorded_methods(pair_pks: list[int]) -> dict[str, Any]:
    """Settings of these pairs' nodes, each combination once.

    :return: ``md``, ``selection``, ``gap``, ``thresholds``: lists of settings; ``recipes``: dictionaries with
        ``interface``, ``recipe``, ``parameters``; ``models``: with ``mlip``, ``family``, ``sha256``, ``kwargs``,
        ``precision`` and ``reference``; ``pw_versions``: as pw.x names itself; ``dipole_correction``: whether
        every frame has one. Empty lists where the graph has nothing.
    """
    settings = {label: _inputs(pair_pks, label) for label in ("md", "selection", "gap", "thresholds")}
    return {
        **{label: _distinct(_without(item, PER_PAIR) for _, item in found) for label, found in settings.items()},
        "recipes": _distinct(
            {"interface": labels["interface"], **item} for labels, item in _inputs(pair_pks, "recipe")
        ),
        "models": _models(pair_pks),
        "pw_versions": _of_outputs(pair_pks, "creator_version"),
        "dipole_correction": _of_outputs(pair_pks, "has_dipole_correction") == [True],
    }


def _distinct(items: Any) -> list[dict[str, Any]]:
    """Different items, sorted by what they hold: the same wherever the graph is read, whatever the pks there."""
    found = {json.dumps(item, sort_keys=True): item for item in items}
    return [found[key] for key in sorted(found)]


def _without(item: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in keys}


def _query(pair_pks: list[int]) -> orm.QueryBuilder:
    query = orm.QueryBuilder()
    project = [f"extras.falsemetal_{label}" for label in LABELS]
    query.append(orm.WorkChainNode, filters={"id": {"in": pair_pks}}, tag="pair", project=project)
    query.order_by([{"pair": "id"}])
    return query


def _inputs(pair_pks: list[int], label: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Labels of the pairs that have the input ``label``, and its content."""
    if not pair_pks:
        return []
    query = _query(pair_pks)
    query.append(orm.Dict, with_outgoing="pair", edge_filters=named(label), project="attributes")
    return [(dict(zip(LABELS, labels, strict=True)), content) for *labels, content in query.iterall()]


def _models(pair_pks: list[int]) -> list[dict[str, Any]]:
    if not pair_pks:
        return []
    keys = ("family", "sha256", "kwargs", "facts")
    query = _query(pair_pks)
    project = [f"attributes.{key}" for key in keys]
    query.append(orm.Node, with_outgoing="pair", edge_filters=named("mlip"), project=project)
    found = []
    for _, mlip, *values in query.iterall():
        model = dict(zip(keys, values, strict=True))
        facts = model.pop("facts") or {}
        found.append({"mlip": mlip, **model, **{key: facts.get(key) for key in ("precision", "reference")}})
    return _distinct(found)


def _of_outputs(pair_pks: list[int], key: str) -> list[Any]:
    """Different values of ``key`` in pw.x's parsed outputs of the frames."""
    if not pair_pks:
        return []
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": pair_pks}}, tag="pair")
    called(query, GAP, "pair", "gap")
    query.append(orm.Dict, with_incoming="gap", edge_filters=named("pw_parameters"), project=f"attributes.{key}")
    query.distinct()
    return sorted({value for (value,) in query.iterall() if value is not None})

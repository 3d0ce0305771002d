"""Interfaces and models as rows. Built on QueryBuilder alone."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any

from aiida import orm
from aiida.plugins import DataFactory

from .cells import law_rows
from .graph import BATCH, latest_pairs, named, pair_query
from .rows import pair_rows

GEOMETRY = ("area", "thickness", "vacuum", "solvent")
FACTS = (
    *("long_ranged", "cutoff", "layers", "receptive_field", "coulomb_cutoff", "boundary", "elements", "precision"),
    *("licence", "reference"),
)
NOT_SCANNED = "not scanned"
"""Of a model whose node was made before files were scanned."""


def interface_rows(campaign: str | None = None) -> list[dict[str, Any]]:
    """One row an interface of a campaign: recipe, geometry, gap law. What is not there yet is None.

    Its pairs have built it alike; what is said is that of the newest one that has.
    """
    pairs = latest_pairs(pair_rows(campaign))
    recipes = _linked("recipe", "with_outgoing", campaign)
    infos = _linked("interface_info", "with_incoming", campaign)
    structures = _linked("interface", "with_incoming", campaign)
    laws = {(law["campaign"], law["interface"]): law for law in law_rows(campaign)}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    counts: dict[tuple[str, str], int] = {}
    for pair in sorted(pairs, key=lambda pair: (pair["pair_pk"] in infos, pair["pair_pk"])):
        key, pk = (pair["campaign"], pair["interface"]), pair["pair_pk"]
        counts[key] = counts.get(key, 0) + 1
        (recipe_pk, recipe), (_, info) = recipes.get(pk, (None, {})), infos.get(pk, (None, {}))
        rows[key] = {
            "campaign": key[0],
            "interface": key[1],
            "recipe": recipe.get("recipe"),
            "parameters": json.dumps(recipe["parameters"], sort_keys=True) if recipe else None,
            "imported_from": pair["imported_from"],
            **{name: info.get(name) for name in GEOMETRY},
            "molecules": pair["molecules"],
            **_law(laws.get(key, {})),
            "pairs": counts[key],
            "recipe_pk": recipe_pk,
            "interface_pk": structures.get(pk, (None, {}))[0],
        }
    return [rows[key] for key in sorted(rows)]


def _law(law: dict[str, Any]) -> dict[str, Any]:
    """Columns of an interface's gap law: the gap at no drop (eV), and how fast the drop closes it (eV/V)."""
    ends = ("", "_low", "_high")
    return {
        **{f"E_g0{end}": law.get(f"intercept{end}") for end in ends},
        **{f"slope{end}": law.get(f"slope{end}") for end in ends},
        "law_frames": law.get("frames"),
        "functional": law.get("functional"),
        "law_pk": law.get("law_pk"),
    }


def _linked(label: str, direction: str, campaign: str | None) -> dict[int, tuple[int, dict[str, Any]]]:
    """pk and attributes of what is linked to every pair under ``label``."""
    query = pair_query(campaign, ["id"])
    # Of a structure no attributes: long, and not needed.
    project = ["id", "attributes"] if label != "interface" else ["id", "label"]
    kind = orm.StructureData if label == "interface" else orm.Dict
    query.append(kind, edge_filters=named(label), project=project, **{direction: "pair"})
    return {pair: (pk, found if isinstance(found, dict) else {}) for pair, pk, found in query.iterall(BATCH)}


def mlip_rows(campaign: str | None = None) -> list[dict[str, Any]]:
    """One row a model: the same file with the same arguments is the same model, whatever it is called.

    :param campaign: models of its pairs; None for all that the profile has, used or not.
    """
    used = _uses(campaign)
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for node in _models():
        uses = used.get(node["pk"], [])
        if campaign is not None and not uses:
            continue
        kwargs = json.dumps(node["kwargs"], sort_keys=True)
        key = (node["sha256"], node["family"], kwargs)
        row = rows.setdefault(key, {"labels": set(), "campaigns": set(), "pairs": 0})
        row["labels"] |= {node["label"], *(label for _, label in uses)} - {""}
        row["campaigns"] |= {name for name, _ in uses} - {""}
        row["pairs"] += len(uses)
        row.update(_model(node), kwargs=kwargs)
    for row in rows.values():
        row.update({name: ", ".join(sorted(row[name])) for name in ("labels", "campaigns")})
    return sorted(rows.values(), key=lambda row: (row["labels"], row["mlip_pk"]))


def _model(node: dict[str, Any]) -> dict[str, Any]:
    """What a model's node says of it."""
    facts = {name: node["facts"].get(name) for name in FACTS}
    return {
        **facts,
        "elements": ", ".join(facts["elements"] or []),
        "family": node["family"],
        "sha256": node["sha256"],
        "file": node["file"] and PurePath(node["file"]).name,
        "scan": (node["scan"] or {}).get("verdict", NOT_SCANNED),
        "accepted": node["accepted"],
        "mlip_pk": node["pk"],
    }


MODEL = {
    "pk": "id",
    "label": "label",
    "file": "attributes.filename",
    **{name: f"attributes.{name}" for name in ("family", "kwargs", "sha256", "facts", "scan", "accepted")},
}


def _models() -> list[dict[str, Any]]:
    """Every model's node, oldest first."""
    query = orm.QueryBuilder()
    query.append(DataFactory("falsemetal.mlip"), project=list(MODEL.values()), tag="mlip")
    query.order_by([{"mlip": "id"}])
    return [dict(zip(MODEL, found, strict=True)) for found in query.iterall(BATCH)]


def _uses(campaign: str | None) -> dict[int, list[tuple[str, str]]]:
    """Campaign and label of every pair, by the pk of its model's node."""
    query = pair_query(campaign, ["extras.falsemetal_campaign", "extras.falsemetal_mlip"])
    query.append(DataFactory("falsemetal.mlip"), with_outgoing="pair", edge_filters=named("mlip"), project=["id"])
    uses: dict[int, list[tuple[str, str]]] = {}
    for name, label, pk in query.iterall(BATCH):
        uses.setdefault(pk, []).append((name, label))
    return uses

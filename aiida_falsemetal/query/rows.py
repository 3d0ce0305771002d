"""The graph as rows: one dictionary a frame, one a pair. Built on QueryBuilder alone."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np
from aiida import orm

from ..names import EXTRAS, OLDEST_FIRST, SUPERSEDED
from .arrays import array_files, read_arrays
from .beside import read_frames, reading
from .graph import BATCH, CONTENT, chosen, content, latest_pairs, named, pair_query

__all__ = ["current_rows", "frame_rows", "latest_pairs", "pair_rows", "pair_series"]

NOT_IN_ROWS = ("computed_frames",)
"""Of a verdict, what is there for the seeds to be judged together: long, and the frames' own rows say it."""
MODEL_KEYS = ("long_ranged", "cutoff", "layers", "receptive_field", "coulomb_cutoff")


def frame_rows(campaign: str | None = None) -> list[dict[str, Any]]:
    """One row a frame whose gap was asked for: failed and unfinished frames too (their ``gap`` is None).

    Of pairs that were submitted again after a failure, each has its rows; ``latest_pairs`` tells which count.

    :param campaign: its name; None for all.
    """
    return read_frames(campaign)


def pair_rows(campaign: str | None = None) -> list[dict[str, Any]]:
    """One row a PairWorkChain, finished or not: labels, state, exit code, geometry, model facts and the verdict."""
    query = pair_query(
        campaign,
        [
            "id",
            "attributes.process_state",
            "attributes.exit_status",
            "attributes.exit_message",
            f"extras.{SUPERSEDED}",
            *(f"extras.falsemetal_{key}" for key in (*EXTRAS, "fingerprint")),
        ],
    )
    query.append(orm.Dict, with_outgoing="pair", edge_filters=named("md"), project=[CONTENT])
    query.append(orm.Dict, with_outgoing="pair", edge_filters=named("selection"), project=[CONTENT])
    query.order_by([{"pair": OLDEST_FIRST}])
    models, sources = _models(campaign), _sources(campaign)
    infos, verdicts = _pair_outputs(campaign, "interface_info"), _pair_outputs(campaign, "verdict")
    rows = []
    for pk, state, status, message, old, *rest in query.iterall(BATCH):
        labels, (md, selection) = rest[:5], map(content, rest[5:])
        info, (facts, sha256) = infos.get(pk, {}), models.get(pk, ({}, None))
        rows.append(
            {
                **dict(zip((*EXTRAS, "fingerprint"), labels, strict=True)),
                "pair_pk": pk,
                "state": state,
                "exit_code": status,
                "exit_message": message or "",
                "superseded": bool(old),
                "area": info.get("area"),
                "thickness": info.get("thickness"),
                "vacuum": info.get("vacuum"),
                "molecules": len(info["molecules"]) if info else None,
                "frames_wanted": selection["stratified"] + selection["uniform"],
                "md_steps": md["steps"],
                "md_ps": md["steps"] * md["timestep"] * 1e-3,
                # Where the run may go on beyond its steps until the dipole's spread is known this well.
                "md_precision": md.get("precision"),
                "temperature": md["temperature"],
                "imported_from": sources.get(pk),
                "sha256": sha256,
                # A trajectory that no model has made has no facts; nodes of older versions have no Coulomb cutoff.
                **{key: facts.get(key) for key in MODEL_KEYS},
                **{key: value for key, value in verdicts.get(pk, {}).items() if key not in NOT_IN_ROWS},
            }
        )
    return rows


def _models(campaign: str | None) -> dict[int, tuple[dict[str, Any], str]]:
    """Facts and SHA-256 of the model of every pair that has one.

    A query of its own, as :func:`_sources`: joined to others, it would drop what has none.
    """
    query = pair_query(campaign, ["id"])
    query.append(
        orm.Node,
        with_outgoing="pair",
        edge_filters=named("mlip"),
        project=["attributes.facts", "attributes.sha256"],
    )
    return {pk: (facts, sha256) for pk, facts, sha256 in query.iterall(BATCH)}


def _sources(campaign: str | None) -> dict[int, str]:
    """Name of the file of every pair whose trajectory was imported."""
    query = pair_query(campaign, ["id"])
    query.append(
        orm.TrajectoryData,
        with_outgoing="pair",
        edge_filters=named("trajectory"),
        project=["id", "extras.falsemetal_origin"],
    )
    return {pk: PurePath((origin or {}).get("path", f"node {node}")).name for pk, node, origin in query.iterall(BATCH)}


def _pair_outputs(campaign: str | None, label: str) -> dict[int, dict[str, Any]]:
    """Content of the output ``label`` of every pair that has it."""
    query = pair_query(campaign, ["id"])
    query.append(orm.Dict, with_incoming="pair", edge_filters=named(label), project=[CONTENT])
    return {pk: content(text) for pk, text in query.iterall(BATCH)}


def current_rows(campaign: str | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the frames and of the pairs that count, see :func:`latest_pairs`."""
    with reading(campaign) as frames:
        pairs = latest_pairs(pair_rows(campaign))
        counted = {pair["pair_pk"] for pair in pairs}
        return [row for row in frames() if row["pair_pk"] in counted], pairs


def pair_series(pair_pks: list[int]) -> dict[int, dict[str, np.ndarray]]:
    """Time series of the pairs that have one: arrays by name, see :class:`MlipMdCalculation`'s ``series``."""
    if not pair_pks:
        return {}
    query = chosen(pair_pks, ["id"])
    query.append(orm.ArrayData, with_incoming="pair", edge_filters=named("series"), project=["repository_metadata"])
    return read_arrays({pk: array_files(tree) for pk, tree in query.iterall(BATCH)})

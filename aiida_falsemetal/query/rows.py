"""The graph as rows: one dictionary a frame, one a pair. Built on QueryBuilder alone."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np
from aiida import orm
from aiida.plugins import WorkflowFactory

from ..names import EXTRAS, RESULT_KEYS

NOT_IN_ROWS = ("computed_frames",)
"""Of a verdict, what is there for the seeds to be judged together: long, and the frames' own rows say it."""
MODEL_KEYS = ("long_ranged", "cutoff", "layers", "receptive_field", "coulomb_cutoff")


def pair_filters(campaign: str | None) -> dict[str, Any]:
    """Filters of a query for the pairs of a campaign, None for those of all."""
    filters: dict[str, Any] = {"extras": {"has_key": "falsemetal_campaign"}}
    if campaign is not None:
        filters["extras.falsemetal_campaign"] = campaign
    return filters


def frame_rows(campaign: str | None = None) -> list[dict[str, Any]]:
    """One row a frame whose gap was asked for: failed and unfinished frames too (their ``gap`` is None).

    Of pairs that were submitted again after a failure, each has its rows; ``latest_pairs`` tells which count.

    :param campaign: its name; None for all.
    """
    query = _pairs(campaign)
    query.add_projection("pair", ["id", *(f"extras.falsemetal_{key}" for key in EXTRAS)])
    query.append(
        WorkflowFactory("falsemetal.gap"),
        with_incoming="pair",
        tag="gap",
        project=["id", "attributes.exit_status", "attributes.exit_message"],
    )
    query.append(orm.Dict, with_outgoing="gap", edge_filters={"label": "record"}, project=["attributes"])
    results, runs = _results(campaign), _last_runs(campaign)
    rows = []
    for pair_pk, *labels, gap_pk, status, message, record in query.iterall():
        row = dict(zip(EXTRAS, labels, strict=True))
        result_pk, result = results.get(gap_pk, (None, None))
        # A workchain that ended without a result still has what the MD knew of its frame.
        values = result or {**record, "exit_code": status, "exit_message": message}
        row.update({key: values.get(key) for key in RESULT_KEYS})
        row.update(pw_pk=runs.get(gap_pk), gap_pk=gap_pk, result_pk=result_pk, pair_pk=pair_pk)
        rows.append(row)
    return sorted(rows, key=lambda row: (row["pair_pk"], row["step"] or 0))


def _pairs(campaign: str | None) -> orm.QueryBuilder:
    """A query that starts at the pairs, tagged ``pair``, nothing projected."""
    query = orm.QueryBuilder()
    query.append(WorkflowFactory("falsemetal.pair"), filters=pair_filters(campaign), tag="pair")
    return query


def _results(campaign: str | None) -> dict[int, tuple[int, dict[str, Any]]]:
    """pk and content of the result of every GapWorkChain that has one.

    A query of its own: an outer join would drop what has none, for the link's label is a condition on the whole row.
    """
    query = _pairs(campaign)
    query.append(WorkflowFactory("falsemetal.gap"), with_incoming="pair", tag="gap", project=["id"])
    query.append(orm.Dict, with_incoming="gap", edge_filters={"label": "result"}, project=["id", "attributes"])
    return {gap_pk: (pk, attributes) for gap_pk, pk, attributes in query.iterall()}


def _last_runs(campaign: str | None) -> dict[int, int]:
    """pk of the last pw.x run of every GapWorkChain."""
    query = _pairs(campaign)
    query.append(WorkflowFactory("falsemetal.gap"), with_incoming="pair", tag="gap", project=["id"])
    query.append(WorkflowFactory("quantumespresso.pw.base"), with_incoming="gap", tag="base")
    query.append(orm.CalcJobNode, with_incoming="base", tag="pw", project=["id"])
    last: dict[int, int] = {}
    for gap_pk, pw_pk in query.iterall():
        last[gap_pk] = max(pw_pk, last.get(gap_pk, 0))
    return last


def pair_rows(campaign: str | None = None) -> list[dict[str, Any]]:
    """One row a PairWorkChain, finished or not: labels, state, exit code, geometry, model facts and the verdict."""
    query = orm.QueryBuilder()
    query.append(
        WorkflowFactory("falsemetal.pair"),
        filters=pair_filters(campaign),
        tag="pair",
        project=[
            "id",
            "attributes.process_state",
            "attributes.exit_status",
            "attributes.exit_message",
            *(f"extras.falsemetal_{key}" for key in (*EXTRAS, "fingerprint")),
        ],
    )
    query.append(orm.Dict, with_outgoing="pair", edge_filters={"label": "md"}, project=["attributes"])
    query.append(orm.Dict, with_outgoing="pair", edge_filters={"label": "selection"}, project=["attributes"])
    query.order_by([{"pair": "id"}])
    models, sources = _models(campaign), _sources(campaign)
    infos, verdicts = _pair_outputs(campaign, "interface_info"), _pair_outputs(campaign, "verdict")
    rows = []
    for pk, state, status, message, *rest in query.iterall():
        labels, (md, selection) = rest[:5], rest[5:]
        info, (facts, sha256) = infos.get(pk, {}), models.get(pk, ({}, None))
        rows.append(
            {
                **dict(zip((*EXTRAS, "fingerprint"), labels, strict=True)),
                "pair_pk": pk,
                "state": state,
                "exit_code": status,
                "exit_message": message or "",
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

    A query of its own, as :func:`_results` and :func:`_sources`: joined to others, it would drop what has none.
    """
    query = _pairs(campaign)
    query.add_projection("pair", "id")
    query.append(
        orm.Node,
        with_outgoing="pair",
        edge_filters={"label": "mlip"},
        project=["attributes.facts", "attributes.sha256"],
    )
    return {pk: (facts, sha256) for pk, facts, sha256 in query.iterall()}


def _sources(campaign: str | None) -> dict[int, str]:
    """Name of the file of every pair whose trajectory was imported."""
    query = _pairs(campaign)
    query.add_projection("pair", "id")
    query.append(
        orm.TrajectoryData,
        with_outgoing="pair",
        edge_filters={"label": "trajectory"},
        project=["id", "extras.falsemetal_origin"],
    )
    return {pk: PurePath((origin or {}).get("path", f"node {node}")).name for pk, node, origin in query.iterall()}


def _pair_outputs(campaign: str | None, label: str) -> dict[int, dict[str, Any]]:
    """Content of the output ``label`` of every pair that has it."""
    query = _pairs(campaign)
    query.add_projection("pair", "id")
    query.append(orm.Dict, with_incoming="pair", edge_filters={"label": label}, project=["attributes"])
    return dict(query.iterall())


def latest_pairs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of pairs with the same labels, the one that counts: a finished one before others, then the newest."""
    best: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in EXTRAS)
        rank = (row["exit_code"] == 0, row["pair_pk"])
        if key not in best or rank > (best[key]["exit_code"] == 0, best[key]["pair_pk"]):
            best[key] = row
    return sorted(best.values(), key=lambda row: tuple(str(row[name]) for name in EXTRAS))


def current_rows(campaign: str | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the frames and of the pairs that count, see :func:`latest_pairs`."""
    pairs = latest_pairs(pair_rows(campaign))
    counted = {pair["pair_pk"] for pair in pairs}
    return [row for row in frame_rows(campaign) if row["pair_pk"] in counted], pairs


def pair_series(pair_pks: list[int]) -> dict[int, dict[str, np.ndarray]]:
    """Time series of the pairs that have one: arrays by name, see :class:`MlipMdCalculation`'s ``series``."""
    if not pair_pks:
        return {}
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": pair_pks}}, tag="pair", project=["id"])
    query.append(orm.ArrayData, with_incoming="pair", edge_filters={"label": "series"}, project=["*"])
    return {pk: {name: node.get_array(name) for name in node.get_arraynames()} for pk, node in query.iterall()}

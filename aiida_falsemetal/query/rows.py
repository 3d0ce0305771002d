"""The graph as rows: one dictionary a frame, one a pair. Built on QueryBuilder alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.plugins import WorkflowFactory

EXTRAS = ("campaign", "interface", "mlip", "seed")
RESULT_KEYS = (
    "step",
    "time_ps",
    "Mz",
    "Mz_per_area",
    "expected_drop",
    "stratum",
    "probability",
    "gap",
    "vbm",
    "cbm",
    "fermi",
    "witness",
    "metallic",
    "dipole",
    "drop",
    "energy",
    "scf_iterations",
    "wall_seconds",
    "attempt",
    "exit_code",
    "exit_message",
)


def _pair_filters(campaign: str | None) -> dict[str, Any]:
    filters: dict[str, Any] = {"extras": {"has_key": "falsemetal_campaign"}}
    if campaign is not None:
        filters["extras.falsemetal_campaign"] = campaign
    return filters


def frame_rows(campaign: str | None = None) -> list[dict[str, Any]]:
    """One row a frame whose gap was asked for: failed and unfinished frames too (their ``gap`` is None).

    Of pairs that were submitted again after a failure, each has its rows; ``latest_pairs`` tells which count.

    :param campaign: its name; None for all.
    """
    pair, gap = WorkflowFactory("falsemetal.pair"), WorkflowFactory("falsemetal.gap")
    query = orm.QueryBuilder()
    query.append(
        pair, filters=_pair_filters(campaign), tag="pair", project=["id", *(f"extras.falsemetal_{k}" for k in EXTRAS)]
    )
    query.append(gap, with_incoming="pair", tag="gap", project=["id", "attributes.exit_status"], edge_project=["label"])
    query.append(
        orm.Dict,
        with_incoming="gap",
        outerjoin=True,
        edge_filters={"label": "result"},
        project=["id", "attributes"],
    )
    query.order_by([{pair: "id"}, {gap: "id"}])
    runs = _last_runs(campaign)
    rows = []
    for pair_pk, *labels, gap_pk, status, result_pk, result, link in query.iterall():
        row = dict(zip(EXTRAS, labels, strict=True))
        values = result or {"step": _step(link), "exit_code": status}
        row.update({key: values.get(key) for key in RESULT_KEYS})
        row.update(pw_pk=runs.get(gap_pk), gap_pk=gap_pk, result_pk=result_pk, pair_pk=pair_pk)
        rows.append(row)
    return sorted(rows, key=lambda row: (row["pair_pk"], row["step"] or 0))


def _step(link: str | None) -> int | None:
    """The MD step in the label of the link that called a frame's workchain."""
    digits = (link or "").removeprefix("gap_")
    return int(digits) if digits.isdigit() else None


def _last_runs(campaign: str | None) -> dict[int, int]:
    """pk of the last pw.x run of every GapWorkChain."""
    query = orm.QueryBuilder()
    query.append(WorkflowFactory("falsemetal.pair"), filters=_pair_filters(campaign), tag="pair")
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
        filters=_pair_filters(campaign),
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
    query.append(
        orm.Node, with_outgoing="pair", edge_filters={"label": "mlip"}, project=["attributes.facts", "attributes.sha256"]
    )
    query.append(
        orm.Dict, with_incoming="pair", outerjoin=True, edge_filters={"label": "interface_info"}, project=["attributes"]
    )
    query.append(
        orm.Dict, with_incoming="pair", outerjoin=True, edge_filters={"label": "verdict"}, project=["attributes"]
    )
    query.order_by([{"pair": "id"}])
    rows = []
    for pk, state, status, message, *rest in query.iterall():
        labels, (md, facts, sha256, info, verdict) = rest[:5], rest[5:]
        info = info or {}
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
                "md_steps": md["steps"],
                "md_ps": md["steps"] * md["timestep"] * 1e-3,
                "temperature": md["temperature"],
                "sha256": sha256,
                **{key: facts[key] for key in ("long_ranged", "cutoff", "layers", "receptive_field")},
                **(verdict or {}),
            }
        )
    return rows


def latest_pairs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of pairs with the same labels, the one that counts: a finished one before others, then the newest."""
    best: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in EXTRAS)
        rank = (row["exit_code"] == 0, row["pair_pk"])
        if key not in best or rank > (best[key]["exit_code"] == 0, best[key]["pair_pk"]):
            best[key] = row
    return sorted(best.values(), key=lambda row: tuple(str(row[name]) for name in EXTRAS))


def pair_series(pair_pks: list[int]) -> dict[int, dict[str, np.ndarray]]:
    """Time series of the pairs that have one: arrays by name, see :class:`MlipMdCalculation`'s ``series``."""
    if not pair_pks:
        return {}
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": pair_pks}}, tag="pair", project=["id"])
    query.append(orm.ArrayData, with_incoming="pair", edge_filters={"label": "series"}, project=["*"])
    return {pk: {name: node.get_array(name) for name in node.get_arraynames()} for pk, node in query.iterall()}

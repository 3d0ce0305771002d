"""The verdicts of a campaign as rows: one an interface and MLIP, all seeds together; and one gap law an interface."""

from __future__ import annotations

from typing import Any

from aiida import orm

from ..names import ASKED, CELL, JUDGED_BY, LAW
from .graph import CONTENT, content

CELL_LABELS = ("campaign", "interface", "mlip")
LAW_LABELS = ("campaign", "interface")


def cell_rows(campaign: str | None = None) -> list[dict[str, Any]]:
    """The verdict on every interface and MLIP that was asked for last.

    :param campaign: its name; None for all.
    :return: the labels, ``verdict_pk``, and all of :func:`aiida_falsemetal.calculations.verdict.cell_verdict`.
    """
    return _newest(CELL, CELL_LABELS, campaign)


def law_rows(campaign: str | None = None) -> list[dict[str, Any]]:
    """The gap law of every interface that was asked for last.

    :return: the labels, ``law_pk``, and all of :func:`aiida_falsemetal.calculations.verdict.interface_law`.
    """
    return _newest(LAW, LAW_LABELS, campaign)


def _newest(kind: str, labels: tuple[str, ...], campaign: str | None) -> list[dict[str, Any]]:
    filters: dict[str, Any] = {"process_type": JUDGED_BY[kind], "extras.falsemetal_kind": kind}
    if campaign is not None:
        filters["extras.falsemetal_campaign"] = campaign
    query = orm.QueryBuilder()
    query.append(
        orm.CalcFunctionNode,
        filters=filters,
        project=[*(f"extras.falsemetal_{name}" for name in labels), f"extras.{ASKED}", "id"],
        tag="function",
    )
    query.append(orm.Dict, with_incoming="function", project=["id", CONTENT])
    name = "verdict_pk" if kind == CELL else "law_pk"
    rows = {
        tuple(found[: len(labels)]): {**dict(zip(labels, found, strict=False)), name: found[-2], **content(found[-1])}
        for found in sorted(query.iterall(), key=lambda found: (found[-4] or "", found[-3]))
    }
    return [rows[key] for key in sorted(rows)]

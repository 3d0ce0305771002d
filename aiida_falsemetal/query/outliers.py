"""Frames of a campaign whose energy an MLIP misses most, to be labelled for its successors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiida import orm

from ..physics.missing_energy import residuals
from .frame_query import find_frames
from .graph import labels_of


@dataclass(frozen=True)
class Outlier:
    """One frame.

    :param residual: E_DFT - E_MLIP in eV, about its mean over the frames of its interface.
    :param interface: label.
    :param gap_pk: of its GapWorkChain.
    :param result_pk: of its result.
    :param pair_pk: of its PairWorkChain.
    """

    residual: float
    interface: str
    gap_pk: int
    result_pk: int
    pair_pk: int


def find_outliers(campaign: str, mlip: str, count: int, max_drop: float) -> list[Outlier]:
    """The frames with the largest residuals, the largest first; fewer where there are not as many.

    Metallic frames are none: energy and forces are those of another electronic state. Nor are frames with a substrate,
    which labels do not have.

    :param max_drop: V; frames with a larger expected |drop|, or a larger range of the potential inside, are left out.
    :raises ValueError: if there is no such campaign or MLIP.
    """
    pairs = labels_of(campaign, {})
    if not pairs:
        raise ValueError(f"there is no campaign {campaign} in the graph.")
    known = sorted({str(pair["mlip"]) for pair in pairs})
    if mlip not in known:
        raise ValueError(f"the campaign {campaign} has no MLIP {mlip}; it has {', '.join(known)}.")
    rows = [row for row in find_frames(campaign, latest=True) if row["mlip"] == mlip]
    bare = {pk for pk in {row["pair_pk"] for row in rows} if not _has_substrate(pk)}
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        if row["pair_pk"] in bare:
            groups.setdefault((row["interface"], row["functional"]), []).append(row)
    found = []
    for own in groups.values():
        for index, value in residuals(own).items():
            row = own[index]
            drop, inside = row["expected_drop"], row["potential_range"] or 0.0
            if drop is not None and max(abs(drop), inside) <= max_drop:
                found.append(Outlier(value, row["interface"], row["gap_pk"], row["result_pk"], row["pair_pk"]))
    return sorted(found, key=lambda one: (-abs(one.residual), one.gap_pk))[:count]


def _has_substrate(pair_pk: int) -> bool:
    """Also where nobody knows."""
    outputs = orm.load_node(pair_pk).outputs
    return "interface_info" not in outputs or bool(outputs.interface_info.get_dict().get("substrate_indices"))


def configuration_nodes(outlier: Outlier) -> dict[str, orm.Data]:
    """``structure``, ``result`` and ``info`` of a frame."""
    pair = orm.load_node(outlier.pair_pk)
    return {
        "structure": orm.load_node(outlier.gap_pk).inputs.structure,
        "result": orm.load_node(outlier.result_pk),
        "info": pair.outputs.interface_info,
    }

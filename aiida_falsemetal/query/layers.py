"""States by layer of the frames that have them, see the output ``layers`` of GapWorkChain."""

from __future__ import annotations

import numpy as np
from aiida import orm
from aiida.plugins import WorkflowFactory

ARRAYS = ("z", "vbm", "cbm", "centre", "content")
"""What a figure of the edges needs; the density of states, many times as long, stays in the graph."""


def frame_layers(pair_pks: list[int]) -> dict[int, dict[str, np.ndarray]]:
    """By the pk of the GapWorkChain: arrays of shape (layers,), see
    :func:`aiida_falsemetal.calculations.layers.layers_of_film`.

    :param pair_pks: of the pairs whose frames are asked for.
    """
    if not pair_pks:
        return {}
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": pair_pks}}, tag="pair")
    query.append(WorkflowFactory("falsemetal.gap"), with_incoming="pair", tag="gap", project=["id"])
    query.append(orm.ArrayData, with_incoming="gap", edge_filters={"label": "layers"}, project=["*"])
    return {
        pk: {name: node.get_array(name) for name in ARRAYS if name in node.get_arraynames()}
        for pk, node in query.iterall()
    }

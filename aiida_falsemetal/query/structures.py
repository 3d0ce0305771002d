"""What the report draws of single frames: their structures, and their band edges by layer.

Both are generators that ask the graph for some hundred frames at a time, in the order in which they are wanted, so
that a reader who has enough can stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from aiida import orm
from numpy.typing import NDArray

from .arrays import array_files, read_arrays
from .graph import CONTENT, content, named

BATCH = 400
"""Frames a query; SQLite takes at most 999 values in a condition."""

ARRAYS = ("z", "vbm", "cbm", "centre", "content")
"""What a figure of the edges needs; the density of states, many times as long, stays in the graph."""

FrameStructure = tuple[int, tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]
"""pk of the GapWorkChain, elements (n,), cell (3, 3) and positions (n, 3) in Å."""
FrameLayers = tuple[int, dict[str, NDArray[np.float64]]]
"""pk of the GapWorkChain, and ``ARRAYS`` of shape (layers,): ``z`` in Å, ``vbm``, ``cbm`` and ``centre`` in eV, NaN
where a layer has none, ``content`` in 1/Å."""


def frame_structures(gap_pks: Sequence[int]) -> Iterator[FrameStructure]:
    """The structure that each GapWorkChain was given, in the order of ``gap_pks``; one that has none is left out."""
    for batch in _batches(gap_pks):
        query = orm.QueryBuilder()
        query.append(orm.WorkChainNode, filters={"id": {"in": batch}}, tag="gap", project=["id"])
        query.append(
            orm.StructureData,
            with_outgoing="gap",
            edge_filters=named("structure"),
            project=[CONTENT],
        )
        found = {pk: content(text) for pk, text in query.iterall(BATCH)}
        yield from ((pk, *_structure(**found[pk])) for pk in batch if pk in found)


def _structure(
    cell: Any, kinds: list[dict[str, Any]], sites: list[dict[str, Any]], **_more: Any
) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Elements, cell and positions of a StructureData's attributes. A site of several elements counts as the first."""
    symbols = {kind["name"]: kind["symbols"][0] for kind in kinds}
    positions = np.array([site["position"] for site in sites], dtype=float).reshape(-1, 3)
    return tuple(symbols[site["kind_name"]] for site in sites), np.array(cell, dtype=float), positions


def frame_layers(gap_pks: Sequence[int]) -> Iterator[FrameLayers]:
    """States by layer of each GapWorkChain that has them, in the order of ``gap_pks``.

    Energies are on pw.x's scale, heights count from the middle of the film; see
    :func:`..calculations.layers.layers_of_film`.
    """
    for batch in _batches(gap_pks):
        query = orm.QueryBuilder()
        query.append(orm.WorkChainNode, filters={"id": {"in": batch}}, tag="gap", project=["id"])
        query.append(orm.ArrayData, with_incoming="gap", edge_filters=named("layers"), project=["repository_metadata"])
        files = {pk: array_files(tree, ARRAYS) for pk, tree in query.iterall()}
        found = read_arrays(files)
        yield from ((pk, found[pk]) for pk in batch if pk in found)


def _batches(pks: Sequence[int]) -> Iterator[list[int]]:
    return (list(pks[start : start + BATCH]) for start in range(0, len(pks), BATCH))

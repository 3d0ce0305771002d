"""Structures and layers of frames in the small form that the page holds: what fits a budget, the most telling first."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .budget import interest

RESOLUTION = 0.01
"""Å a step of a stored position."""
BUDGET = 25_000_000
"""Characters of the page that structures may take, and as many that layers may."""
MILLI = 1000
"""Layers are stored in meV and in 0.001 Å."""
NOTHING = -(2**15)
"""Stands for an energy that a layer has not; at -33 eV from the Fermi energy, where no local edge lies."""

Structure = tuple[int, Sequence[str], ArrayLike, ArrayLike]
"""pk of the GapWorkChain, elements (n,), cell (3, 3) and positions (n, 3) in Å."""
Layers = Mapping[int, Mapping[str, ArrayLike]]
"""By the pk of the GapWorkChain arrays of shape (m,): ``z`` in Å, local ``vbm`` and ``cbm`` in eV on pw.x's scale."""


def by_interest(rows: Sequence[dict[str, Any]]) -> list[int]:
    """``gap_pk`` of every row, in the order in which the page should have their structures.

    Metallic frames come first, then the smallest gaps, then frames without a gap, the largest drop first.
    """
    found = sorted((row for row in rows if row.get("gap_pk")), key=lambda row: (*interest(row), row["gap_pk"]))
    return list(dict.fromkeys(row["gap_pk"] for row in found))


def pack_structures(frames: Iterable[Structure], wanted: int, budget: int = BUDGET) -> dict[str, Any]:
    """Structures as the page holds them; ``frames`` is read no further than the budget reaches.

    :param frames: the most telling first.
    :param wanted: number of frames that there are.
    :return: ``resolution`` (Å), ``wanted``, ``held``, and ``groups``: frames with the same ``species`` (n,) and
        ``cell`` (3, 3), with their ``pks`` and ``positions``. These are integers in units of the resolution, as base64
        of n rows of three little-endian int16, or int32 where the text is that long.
    """
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    used = held = 0
    for pk, species, cell, positions in frames:
        edges = np.round(np.asarray(cell, dtype=float), 4) + 0.0  # no negative zeros
        key = (tuple(species), edges.tobytes())
        text = _packed(np.round(np.asarray(positions, dtype=float) / RESOLUTION))
        cost = len(text) + 12 + (0 if key in groups else 8 * len(key[0]) + 200)
        if used + cost > budget:
            break
        if key not in groups:
            groups[key] = {"species": list(species), "cell": edges.tolist(), "pks": [], "positions": []}
        groups[key]["pks"].append(pk)
        groups[key]["positions"].append(text)
        used, held = used + cost, held + 1
    return {"resolution": RESOLUTION, "wanted": wanted, "held": held, "groups": list(groups.values())}


def _packed(steps: NDArray[np.float64]) -> str:
    small = not steps.size or float(np.abs(steps).max()) <= 2**15 - 1
    return base64.b64encode(steps.astype("<i2" if small else "<i4").tobytes()).decode("ascii")


def pack_layers(frames: Layers, rows: Sequence[dict[str, Any]], budget: int = BUDGET) -> dict[str, dict[str, Any]]:
    """Band edges by layer as the page holds them, relative to the frame's Fermi energy.

    :param frames: the most telling first; one whose row has no ``fermi`` is left out.
    :return: by pk as text ``z`` (first, step, number; 0.001 Å) and ``vbm``, ``cbm``: integers in meV, as base64 of
        little-endian int16, ``NOTHING`` where a layer has none and beyond ±32.767 eV.
    """
    fermi = {row.get("gap_pk"): row.get("fermi") for row in rows}
    packed: dict[str, dict[str, Any]] = {}
    used = 0
    for pk, arrays in frames.items():
        zero = fermi.get(pk)
        if zero is None:
            continue
        heights = np.asarray(arrays["z"], dtype=float)
        step = float(np.mean(np.diff(heights))) if len(heights) > 1 else 0.0
        first = round(MILLI * float(heights[0]))
        found = {
            "z": [first, round(MILLI * step), len(heights)],
            **{edge: _milli(arrays[edge], zero) for edge in ("vbm", "cbm")},
        }
        used += 60 + len(found["vbm"]) + len(found["cbm"])
        if used > budget:
            break
        packed[str(pk)] = found
    return packed


def _milli(values: ArrayLike, zero: float) -> str:
    shifted = np.round(MILLI * (np.asarray(values, dtype=float) - zero))
    known = np.isfinite(shifted) & (np.abs(np.nan_to_num(shifted)) < -NOTHING)
    return base64.b64encode(np.where(known, shifted, NOTHING).astype("<i2").tobytes()).decode("ascii")

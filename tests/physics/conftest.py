"""Molecules that the tests share."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.float64]


def water(bond: float = 0.98, angle: float = 105.0) -> Array:
    """One water molecule, O H H, its dipole along +z; the default geometry is that of liquid revPBE-D3 water."""
    half = np.radians(angle / 2)
    return bond * np.array([[0, 0, 0], [np.sin(half), 0, np.cos(half)], [-np.sin(half), 0, np.cos(half)]])


@pytest.fixture
def box() -> tuple[Array, list[str], list[list[int]], Array]:
    """27 randomly turned water molecules in a cell that is not orthogonal, molecules whole and 3.3 Å apart.

    :return: positions (81, 3), symbols, molecules, cell.
    """
    rng = np.random.default_rng(2)
    cell = np.array([[9.9, 0.0, 0.0], [2.0, 9.9, 0.0], [0.0, 0.0, 30.0]])
    sites = np.array([[i, j, k] for i in range(3) for j in range(3) for k in range(3)]) * 3.3
    positions = []
    for site in sites:
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        positions.append(site + water() @ (rotation * np.sign(np.linalg.det(rotation))).T)
    molecules = [[3 * i, 3 * i + 1, 3 * i + 2] for i in range(27)]
    return np.concatenate(positions), ["O", "H", "H"] * 27, molecules, cell

"""Band edges by counting electrons: the gap exists also where smearing has blurred what is occupied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class BandEdges:
    """Edges of one spin-unpolarised k-point, energies in eV.

    :param vbm: the state number N/2 from below, N electrons.
    :param cbm: the next one.
    :param witness: electrons that smearing has moved from the lowest N/2 states to those above; 0 for an insulator.
    """

    vbm: float
    cbm: float
    witness: float

    @property
    def gap(self) -> float:
        """``cbm - vbm`` in eV, never negative because the energies are sorted."""
        return self.cbm - self.vbm


def band_edges(energies: NDArray[np.float64], occupations: NDArray[np.float64], electrons: int) -> BandEdges:
    """Count electrons into the states of one k-point.

    :param energies: shape (states,), eV, any order.
    :param occupations: shape (states,), in electrons (0 to 2) or in units of a full state (0 to 1).
    :param electrons: number of electrons, even.
    :raises ValueError: if the number of electrons is odd or there is no empty state.
    """
    if electrons % 2:
        raise ValueError(f"{electrons} electrons are odd: a spin-unpolarised gap is not defined.")
    half = electrons // 2
    if len(energies) <= half:
        raise ValueError(f"{len(energies)} states hold no empty one above {electrons} electrons; raise nbnd.")
    order = np.argsort(energies, kind="stable")
    levels = energies[order]
    # pw.x counts a full state as 1 or as 2, depending on who parsed it; the sum says which.
    filled = occupations[order] * (electrons / occupations.sum())
    moved = float(np.sum(2.0 - filled[:half]))
    return BandEdges(float(levels[half - 1]), float(levels[half]), max(0.0, moved))

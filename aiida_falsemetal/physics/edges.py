"""Band edges by counting electrons: the gap exists also where smearing has blurred what is occupied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class BandEdges:
    """Edges of a spin-unpolarised system, energies in eV.

    :param vbm: the state number N/2 from below, N electrons; the highest one over the k-points.
    :param cbm: the next one; the lowest one over the k-points.
    :param witness: electrons that smearing has moved from the lowest N/2 states to those above; 0 for an insulator.
    """

    vbm: float
    cbm: float
    witness: float

    @property
    def gap(self) -> float:
        """``cbm - vbm`` in eV. Never negative at one k-point, where the energies are sorted; negative where bands of
        several k-points overlap.
        """
        return self.cbm - self.vbm


def band_edges(
    energies: NDArray[np.float64],
    occupations: NDArray[np.float64],
    electrons: int,
    weights: NDArray[np.float64] | None = None,
) -> BandEdges:
    """Count electrons into the states of each k-point.

    :param energies: shape (states,) or (kpoints, states), eV, any order.
    :param occupations: same shape, in electrons (0 to 2) or in units of a full state (0 to 1).
    :param electrons: number of electrons, even.
    :param weights: shape (kpoints,), any sum; equal ones unless given.
    :raises ValueError: if the number of electrons is odd or there is no empty state.
    """
    if electrons % 2:
        raise ValueError(f"{electrons} electrons are odd: a spin-unpolarised gap is not defined.")
    half = electrons // 2
    energies, occupations = np.atleast_2d(energies), np.atleast_2d(occupations)
    if energies.shape[1] <= half:
        raise ValueError(f"{energies.shape[1]} states hold no empty one above {electrons} electrons; raise nbnd.")
    share = np.ones(len(energies)) if weights is None else np.asarray(weights, dtype=float)
    share = share / share.sum()
    order = np.argsort(energies, axis=1, kind="stable")
    levels = np.take_along_axis(energies, order, axis=1)
    # pw.x counts a full state as 1 or as 2, depending on who parsed it; the sum says which.
    filled = np.take_along_axis(occupations, order, axis=1) * (electrons / float(share @ occupations.sum(axis=1)))
    moved = float(share @ np.sum(2.0 - filled[:, :half], axis=1))
    return BandEdges(float(levels[:, half - 1].max()), float(levels[:, half].min()), max(0.0, moved))

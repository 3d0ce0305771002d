"""Band edges of a solvent on a metal: the whole system has no gap, but the solvent's own states have.

A state belongs to the solvent by its share s of the projected weight. Counting electrons works as for a film alone,
with shares in the place of whole states.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TAIL = 0.1
"""Shares below this count as 0, and above one minus this as 1. Every metal state has a tail on the solvent and every
solvent state one on the metal: added up over hundreds of states, tails would shift the count by whole electrons."""


@dataclass(frozen=True)
class SolventEdges:
    """Edges of the solvent, eV.

    :param vbm: energy at which its highest occupied state would be were it alone with its own electrons.
    :param cbm: energy of the next one; None where the run has too few states.
    :param occupied: shape (kpoints, states): states that count as the solvent's occupied ones, by its own electrons.
    :param counts: shape (kpoints, states): how much of each state is the solvent's, tails rounded away.
    """

    vbm: float
    cbm: float | None
    occupied: NDArray[np.bool_]
    counts: Floats


def solvent_counts(shares: Floats) -> Floats:
    """Shares with tails rounded away: 0 up to ``TAIL``, 1 from 1 - ``TAIL``, linear in between.

    :param shares: between 0 and 1, any shape.
    """
    counts: Floats = np.clip((shares - TAIL) / (1.0 - 2.0 * TAIL), 0.0, 1.0)
    return counts


def solvent_edges(energies: Floats, weights: Floats, shares: Floats, electrons: int) -> SolventEdges:
    """Count the solvent's own electrons into its own states.

    C_k(E) is the sum of the counts of the states of k-point k up to E. For a solvent that shares nothing it rises in
    steps of 1, and its state number m takes it from m - 1 to m. The edge of state m is where C_k reaches m - 1/2: the
    middle of that step, and where hybridization has spread a state over several, the middle of what it became. With N
    electrons, the VBM is the highest edge of state N/2 over the k-points, the CBM the lowest one of state N/2 + 1.
    What the count lost or gained elsewhere may be up to half a state.

    :param energies: shape (kpoints, states), eV, any order.
    :param weights: shape (kpoints,); only where they are not 0 a k-point counts.
    :param shares: shape (kpoints, states): the solvent's share of each state's projected weight.
    :param electrons: the solvent's valence electrons, even.
    :raises ValueError: if the number is odd, or the states do not hold so many of the solvent's electrons.
    """
    if electrons % 2:
        raise ValueError(f"the solvent's {electrons} electrons are odd: a spin-unpolarised gap is not defined.")
    half = electrons // 2
    counts = solvent_counts(shares)
    occupied = np.zeros(energies.shape, dtype=bool)
    highest, lowest = [], []
    for k in np.flatnonzero(weights > 0.0):
        order = np.argsort(energies[k], kind="stable")
        running = np.cumsum(counts[k, order])
        # A hair below the middle: rounding must not push an exact half to the next state.
        top = int(np.searchsorted(running, half - 0.5 - 1e-9))
        if top == len(order):
            raise ValueError(
                f"the states hold {2 * running[-1]:.1f} of the solvent's {electrons} electrons; are the atoms of the "
                "substrate the right ones?"
            )
        occupied[k, order[: top + 1]] = True
        highest.append(energies[k, order[top]])
        bottom = int(np.searchsorted(running, half + 0.5 - 1e-9))
        lowest.append(energies[k, order[bottom]] if bottom < len(order) else np.inf)
    cbm = min(lowest)
    return SolventEdges(float(max(highest)), float(cbm) if np.isfinite(cbm) else None, occupied, counts)


def is_metallized(vbm: float, cbm: float | None, fermi: float, margin: float) -> bool:
    """Whether the Fermi level enters the solvent's bands: comes closer to an edge than ``margin``.

    :param margin: eV; half of the gap below which a film alone counts as metallic, since E_F then is that close.
    """
    return fermi < vbm + margin or (cbm is not None and fermi > cbm - margin)

"""Dipoles of films from point charges on whole molecules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

SCREENED_CHARGES = {"O": -0.5562, "H": 0.2781}
"""Point charges in e that give water's electronically screened dipole, about 1.6 D a molecule, so that M_z/(eps0 A) is
the potential drop that DFT sees (ML-PEG's authors, see PHYSICS.md, section 2)."""

DETACHED = 5.0
"""A molecule whose centre is farther than this (Å, along the normal) from every other's has left the film. Layers of a
liquid lie some 3 Å apart, so a film in one piece has no such gap."""


def charges_for(symbols: Sequence[str], table: Mapping[str, float]) -> NDArray[np.float64]:
    """Charge of every atom, in e, shape (n,).

    :param symbols: chemical symbols, length n.
    :param table: charge in e by element.
    :raises ValueError: if an element has no charge.
    """
    missing = sorted(set(symbols) - set(table))
    if missing:
        raise ValueError(f"dipole_charges has no charge for {', '.join(missing)}; add one (0 for a neutral substrate).")
    return np.array([table[symbol] for symbol in symbols], dtype=float)


def dipole_z(positions: NDArray[np.float64], charges: NDArray[np.float64], axis: int = 2) -> float:
    """Dipole along the interface's normal in e Å: sum of q_i z_i, independent of the origin for a neutral system.

    :param positions: shape (n, 3) in Å; molecules whole (see :func:`..molecules.make_whole`).
    :param charges: shape (n,) in e.
    :param axis: index of the normal.
    """
    return float(charges @ positions[:, axis])


def evaporated(positions: NDArray[np.float64], molecules: Sequence[Sequence[int]], axis: int = 2) -> int:
    """Number of molecules that have left the film: those outside the largest group with no gap above ``DETACHED``.

    :param positions: shape (n, 3) in Å; molecules whole. A molecule that has crossed the vacuum to the film's periodic
        image counts as evaporated too: it did leave.
    :param molecules: indices of the atoms of each molecule.
    """
    centre = np.sort([positions[list(members), axis].mean() for members in molecules])
    breaks = np.flatnonzero(np.diff(centre) > DETACHED) + 1
    largest = max(len(group) for group in np.split(centre, breaks))
    return len(centre) - largest

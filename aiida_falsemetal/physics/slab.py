"""The dipole (Yeh-Berkowitz) correction that removes the coupling of a film to its periodic images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .constants import EPS0

FILM_VACUUM = 8.0
"""Å without an atom along z above which a cell holds a film."""


def is_film(positions: NDArray[np.float64], height: float) -> bool:
    """Whether the cell is empty along z over more than ``FILM_VACUUM``: bulk is not, and needs no slab correction.

    :param positions: shape (n, 3) in Å, of whole molecules that do not cross the cell's face in z.
    :param height: of the cell, Å.
    """
    return bool(height - np.ptp(positions[:, 2]) > FILM_VACUUM)


def slab_correction(
    positions: NDArray[np.float64], charges: NDArray[np.float64], volume: float
) -> tuple[float, NDArray[np.float64]]:
    """Energy and forces that turn a tin-foil 3D Ewald sum of a neutral film into that of an isolated film.

    E = M_z^2 / (2 eps0 V) (Yeh and Berkowitz, J. Chem. Phys. 111, 3155 (1999), eq. 8, in SI). The film's normal is z.

    :param positions: shape (n, 3) in Å, of whole molecules that do not cross the cell's face in z.
    :param charges: shape (n,) in e, summing to zero.
    :param volume: volume of the cell in Å^3, vacuum included.
    :return: energy in eV and forces of shape (n, 3) in eV/Å.
    """
    moment = float(charges @ positions[:, 2])
    forces = np.zeros_like(positions)
    forces[:, 2] = -charges * moment / (EPS0 * volume)
    return moment**2 / (2.0 * EPS0 * volume), forces

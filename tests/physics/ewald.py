"""Electrostatics of point charges, written for the tests alone and independent of the package (lengths in Å,
energies in e^2/Å, that is without the prefactor 1/(4 pi eps0)).

Both sums are checked in test_slab.py: the three-dimensional one against Madelung's constant, both against a change
of the splitting parameter.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]


def _real_space(positions: Array, charges: Array, shifts: Array, alpha: float) -> float:
    """Half the sum of q_i q_j erfc(alpha r) / r over all copies, without a charge's interaction with itself."""
    delta = positions[:, None, None, :] - positions[None, :, None, :] + shifts
    distance = np.linalg.norm(delta, axis=-1)
    distance[distance < 1e-9] = np.inf
    return 0.5 * float(np.einsum("i,j,ijn->", charges, charges, special.erfc(alpha * distance) / distance))


def _lattice(lengths: Array, reach: float) -> Array:
    """All lattice vectors of an orthogonal cell up to ``reach`` along each axis; a length of infinity has one."""
    counts = [0 if np.isinf(length) else int(np.ceil(reach / length)) for length in lengths]
    cells = np.array(list(itertools.product(*(range(-count, count + 1) for count in counts))), dtype=float)
    return cells * np.where(np.isinf(lengths), 0.0, lengths)


def ewald_3d(positions: Array, charges: Array, lengths: Array, alpha: float = 0.6) -> float:
    """Energy per cell of a neutral, orthogonal, three-dimensionally periodic cell with tin-foil boundary, in e^2/Å.

    Both sums are carried to terms of exp(-36) relative to the first.
    """
    real = _real_space(positions, charges, _lattice(lengths, 6.0 / alpha + lengths.min()), alpha)
    waves = _lattice(2.0 * np.pi / lengths, 12.0 * alpha)
    square = np.sum(waves**2, axis=1)
    waves, square = waves[square > 0], square[square > 0]
    structure = np.abs(np.exp(1j * waves @ positions.T) @ charges) ** 2
    reciprocal = 2.0 * np.pi / np.prod(lengths) * np.sum(structure * np.exp(-square / (4.0 * alpha**2)) / square)
    own = alpha / np.sqrt(np.pi) * np.sum(charges**2)
    return float(real + reciprocal - own)


def ewald_2d(positions: Array, charges: Array, sides: Array, alpha: float = 0.6) -> float:
    """Energy per cell of a neutral film periodic in x and y only, vacuum to infinity in z, in e^2/Å.

    Parry, Surf. Sci. 49, 433 (1975); the form is that of Yeh and Berkowitz, J. Chem. Phys. 111, 3155 (1999), eq. 2.
    """
    lengths = np.array([sides[0], sides[1], np.inf])
    real = _real_space(positions, charges, _lattice(lengths, 6.0 / alpha + sides.min()), alpha)
    waves = _lattice(2.0 * np.pi / sides, 12.0 * alpha)
    k = np.linalg.norm(waves, axis=1)
    waves, k = waves[k > 0], k[k > 0]
    delta = positions[:, None, :] - positions[None, :, :]
    z = delta[..., 2]
    phase = np.cos(delta[..., :2] @ waves.T)
    zk = z[..., None]
    # exp(kz) erfc(alpha z + k / 2 alpha) overflows for large kz; erfcx carries the exponent apart.
    decay = np.zeros_like(phase)
    for sign in (1.0, -1.0):
        argument = sign * alpha * zk + k / (2.0 * alpha)
        exponent = sign * k * zk
        positive = argument > 0
        tail = special.erfcx(np.where(positive, argument, 0.0)) * np.exp(exponent - argument**2)
        decay += np.where(positive, tail, np.exp(np.minimum(exponent, 0.0)) * special.erfc(argument))
    pair = np.einsum("i,j,ij->", charges, charges, np.sum(phase * decay / k, axis=-1))
    flat = z * special.erf(alpha * z) + np.exp(-((alpha * z) ** 2)) / (alpha * np.sqrt(np.pi))
    area = np.prod(sides)
    reciprocal = np.pi / (2.0 * area) * pair - np.pi / area * np.einsum("i,j,ij->", charges, charges, flat)
    own = alpha / np.sqrt(np.pi) * np.sum(charges**2)
    return float(real + reciprocal - own)

"""A diagnostic that needs no interface: the longitudinal polarization structure factor of a bulk liquid.

Where P(k) is the Fourier transform of the polarization, i k . P(k) = -rho(k) for neutral molecules, rho(k) being that
of the charges, so

    S_L(k) = <|k_hat . P(k)|^2> / (V eps0 kT) = <|rho(k)|^2> / (k^2 V eps0 kT),   rho(k) = sum_i q_i exp(-i k . r_i).

It is taken from the charges: no molecules, no wrapping and no origin enter, and all multipoles are in it. A
longitudinal wave makes the full depolarising field, as a film's dipole does, so linear response gives the same numbers
(:mod:`.dielectric`): for k to 0, 1 - 1/eps with full electrostatics (Bopp, Kornyshev and Sutmann, Phys. Rev. Lett. 76,
1280 (1996)), 1/eps_inf - 1/eps for screened charges, and up to eps - 1 for a potential without a long-ranged part. The
transverse parts, and with them the k = 0 fluctuation that gives eps, are blind to that.

At finite k the structure of the liquid enters: eps(k) of water is negative from about 0.5 to 10 1/Å, and S_L rises from
0.99 to a peak of some tens at 3 1/Å. Cells of 12 to 20 Å have their smallest k at 0.5 to 0.3 1/Å, where it is still
near 1 with full electrostatics.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, special

from .constants import BOLTZMANN, EPS0
from .series import pool

Array = NDArray[np.float64]

ALIKE = 1e-6
"""Relative difference below which two wave numbers count as one shell."""


@dataclass(frozen=True)
class Shell:
    """S_L at one wave number.

    :param k: in 1/Å.
    :param value: S_L, dimensionless, the mean over the shell.
    :param low: lower end of its interval.
    :param high: upper end.
    :param n_eff: independent samples of a component in all.
    :param correlation_samples: correlation time of rho(k) in frames.
    :param vectors: number of wave vectors of the shell, of k and -k one.
    """

    k: float
    value: float
    low: float
    high: float
    n_eff: float
    correlation_samples: float
    vectors: int


def wave_vectors(cell: Array, shells: int) -> list[Array]:
    """The smallest wave vectors that fit into a cell, by length.

    :param cell: shape (3, 3), rows are lattice vectors, in Å; not necessarily orthogonal.
    :param shells: number of different lengths, at least 1.
    :return: one array of shape (n, 3), in 1/Å, for every length; of k and -k one.
    :raises ValueError: if the cell has no volume or no shell is asked for.
    """
    lattice = np.asarray(cell, dtype=float)
    if lattice.shape != (3, 3) or not abs(np.linalg.det(lattice)) > 0.0:
        raise ValueError("A cell of three independent lattice vectors is needed.")
    if shells < 1:
        raise ValueError(f"{shells} shells of wave vectors are none.")
    reciprocal = 2.0 * np.pi * np.linalg.inv(lattice).T
    reach = float(np.linalg.norm(reciprocal, axis=1).min())
    while True:
        vectors, lengths = _within(reciprocal, lattice, reach)
        starts = np.flatnonzero(np.diff(lengths, prepend=-1.0) > ALIKE * lengths)
        if len(starts) > shells:  # the last shell may not be complete, and is not returned
            return [vectors[a:b] for a, b in zip(starts[:shells], starts[1 : shells + 1], strict=True)]
        reach *= 1.3


def _within(reciprocal: Array, lattice: Array, reach: float) -> tuple[Array, Array]:
    """All wave vectors up to a length, of k and -k one, and the lengths, both sorted by length."""
    # An integer's largest value follows from k . a_i = 2 pi n_i.
    most = np.floor(reach * np.linalg.norm(lattice, axis=1) / (2.0 * np.pi) + ALIKE).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[len(grid) // 2 + 1 :]  # the grid is symmetric about its middle, which is zero
    vectors = grid @ reciprocal
    lengths = np.linalg.norm(vectors, axis=1)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] <= reach * (1.0 + ALIKE)]
    return vectors[order], lengths[order]


def charge_waves(positions: Array, charges: Array, vectors: Array) -> NDArray[np.complex128]:
    """rho(k) = sum_i q_i exp(-i k . r_i) in e, shape (frames, n).

    :param positions: shape (frames, atoms, 3) in Å, wrapped or not.
    :param charges: shape (atoms,) in e.
    :param vectors: shape (n, 3) in 1/Å.
    :raises ValueError: if the shapes do not fit.
    """
    frames, q = np.asarray(positions, dtype=float), np.asarray(charges, dtype=float)
    if frames.ndim != 3 or frames.shape[1:] != (len(q), 3):
        raise ValueError(f"Positions of shape {frames.shape} do not fit to {len(q)} charges: (frames, atoms, 3).")
    return np.stack([np.exp(-1j * (frames @ k)) @ q for k in vectors], axis=1)


def structure_factor(
    positions: Array, charges: Array, cell: Array, kelvin: float, shells: int = 2, confidence: float = 0.95
) -> list[Shell]:
    """S_L at the smallest wave numbers, each with an interval.

    Real and imaginary part of every rho(k) of a shell are independent Gaussian series of mean zero and equal variance
    in a homogeneous liquid; they are pooled as :func:`.series.pool` does. S_L is twice that variance over
    k^2 V eps0 kT, and its interval the squared one of the standard deviation.

    :param positions: shape (frames, atoms, 3) in Å, equilibrated, evenly spaced, at least 2 frames; wrapped or not.
    :param charges: shape (atoms,) in e; molecules neutral.
    :param cell: shape (3, 3) in Å, the same for all frames.
    :param kelvin: temperature in K, positive.
    :param shells: number of wave numbers.
    :raises ValueError: if an argument is out of range.
    """
    if not kelvin > 0.0:
        raise ValueError(f"A temperature of {kelvin} K is not positive.")
    volume = abs(float(np.linalg.det(np.asarray(cell, dtype=float))))
    found = []
    for vectors in wave_vectors(cell, shells):
        waves = charge_waves(positions, charges, vectors)
        parts = [part for wave in waves.T for part in (wave.real, wave.imag)]
        spread = pool(parts, confidence, mean=0.0).spread
        k = float(np.linalg.norm(vectors[0]))
        unit = 2.0 / (k**2 * volume * EPS0 * BOLTZMANN * kelvin)
        value, low, high = (unit * end**2 for end in (spread.value, spread.low, spread.high))
        found.append(Shell(k, value, low, high, spread.n_eff, spread.correlation_samples, len(vectors)))
    return found


def expected_structure_factor(eps: float, kept: float = 1.0) -> float:
    """S_L = chi / (1 + chi kept), chi = eps - 1, for k to 0.

    :param eps: static relative permittivity of the full liquid, at least 1.
    :param kept: share of 4 pi / k^2 that the model's Coulomb interaction keeps at this k: 1 for full electrostatics
        (then S_L = 1 - 1/eps), :func:`kept_by_erfc`, :func:`kept_by_truncation`.
    :raises ValueError: if ``eps`` is below 1 or the share makes the liquid unstable.
    """
    if not eps >= 1.0:
        raise ValueError(f"A relative permittivity of {eps} is below 1.")
    stiffness = 1.0 + (eps - 1.0) * kept
    if not stiffness > 0.0:
        raise ValueError(f"With a share of {kept} kept, a liquid of permittivity {eps} polarises by itself.")
    return (eps - 1.0) / stiffness


def kept_by_erfc(k: float, s: float) -> float:
    """Share of 4 pi / k^2 that erfc(r/s)/r keeps: 1 - exp(-k^2 s^2 / 4), as in :func:`.dielectric.truncated`.

    :param k: in 1/Å.
    :param s: in Å.
    """
    return -math.expm1(-((k * s) ** 2) / 4.0)


def kept_by_truncation(k: float, interaction: Callable[[float], float], cutoff: float) -> float:
    """Share of 4 pi / k^2 that an interaction v(r) keeps that ends at a cutoff: k times the integral of r v(r) sin(kr).

    :param k: in 1/Å, positive.
    :param interaction: v in 1/Å at r in Å, 1/r at small r, in units of q_i q_j / (4 pi eps0).
    :param cutoff: in Å.
    """
    found, _ = integrate.quad(lambda r: r * interaction(r) * math.sin(k * r), 0.0, cutoff)
    return float(k * found)


def shifted_force(cutoff: float, damping: float) -> Callable[[float], float]:
    """The damped shifted force of Fennell and Gezelter, J. Chem. Phys. 124, 234104 (2006), of the truncated control.

    :param cutoff: in Å.
    :param damping: in 1/Å.
    """
    shift = float(special.erfc(damping * cutoff)) / cutoff
    steep = shift / cutoff + 2.0 * damping / math.sqrt(math.pi) * math.exp(-((damping * cutoff) ** 2)) / cutoff
    return lambda r: float(special.erfc(damping * r)) / r - shift + steep * (r - cutoff) if r > 0.0 else math.inf

"""How far a film's dipole may fluctuate: linear dielectric theory, for several treatments of the electrostatics.

Each of the first four functions returns the dimensionless ratio <M_z^2> / (eps0 V kT) of a homogeneous film with
volume V = A d (A its area, d its thickness, z its normal). They differ in the field that a fluctuation of the
polarisation makes for itself. With chi = eps - 1 and a depolarisation factor n, a sample whose polarisation P makes
the field -n P / eps0 has <M_z^2> / (eps0 V kT) = chi / (1 + chi n) (Neumann, Mol. Phys. 50, 841 (1983)).
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .constants import BOLTZMANN, EPS0

Moment = TypeVar("Moment", float, NDArray[np.float64])


def _susceptibility(eps: float) -> float:
    if not eps >= 1.0:
        raise ValueError(f"A relative permittivity of {eps} is below 1.")
    return eps - 1.0


def isolated_film(eps: float) -> float:
    """Full electrostatics, isolated film: n = 1, hence 1 - 1/eps.

    Also a film on a neutral metal with vacuum above. The dipole is that of the charges that make up ``eps``.

    :param eps: static relative permittivity, at least 1.
    :raises ValueError: if ``eps`` is below 1.
    """
    return 1.0 - 1.0 / (1.0 + _susceptibility(eps))


def screened_film(eps: float, eps_inf: float) -> float:
    """The same film's dipole as DFT sees it, where the electrons have screened it: 1/eps_inf - 1/eps.

    The electrons answer at once and their own thermal fluctuations, 1 - 1/eps_inf, are not sampled: they are the
    difference to :func:`isolated_film`.

    :param eps: static relative permittivity.
    :param eps_inf: electronic (optical) relative permittivity, between 1 and ``eps``.
    :raises ValueError: if ``eps_inf`` is not between 1 and ``eps``.
    """
    if not 1.0 <= eps_inf <= eps:
        raise ValueError(f"An electronic permittivity of {eps_inf} is not between 1 and the static one, {eps}.")
    return 1.0 / eps_inf - 1.0 / eps


def tin_foil(eps: float, d_over_L: float) -> float:
    """Three-dimensional Ewald sum with tin-foil boundary and no slab correction: n = 1 - d/L.

    The periodic images of the film lower its depolarising field by the share of the cell that it fills.

    :param eps: static relative permittivity, at least 1.
    :param d_over_L: thickness over the cell's height, above 0 and at most 1.
    :raises ValueError: if an argument is out of range.
    """
    if not 0.0 < d_over_L <= 1.0:
        raise ValueError(f"A film cannot fill {d_over_L} of the cell's height.")
    susceptibility = _susceptibility(eps)
    return susceptibility / (1.0 + susceptibility * (1.0 - d_over_L))


def truncated(eps: float, d: float, s: float) -> float:
    """Coulomb interaction kept only as erfc(r/s)/r: n = 1 - exp(-k^2 s^2 / 4) at the film's longest wave, k = pi/d.

    1 - exp(-k^2 s^2 / 4) is the share of 4 pi / k^2 that the Fourier transform of erfc(r/s)/r keeps. The ceiling, for
    a thick film, is eps - 1. The potential keeps its structure at short range, so ``eps`` is that of the full liquid
    (Rodgers and Weeks, PNAS 105, 19136 (2008); Cox, PNAS 117, 19746 (2020)).

    :param eps: static relative permittivity, at least 1.
    :param d: thickness in Å, positive.
    :param s: truncation length in Å, positive.
    :raises ValueError: if an argument is out of range.
    """
    if not (d > 0.0 and s > 0.0):
        raise ValueError(f"A thickness of {d} Å and a truncation length of {s} Å must both be positive.")
    susceptibility = _susceptibility(eps)
    kept = -math.expm1(-((math.pi * s / d) ** 2) / 4.0)
    return susceptibility / (1.0 + susceptibility * kept)


def sd_dipole(ratio: float, volume: float, kelvin: float) -> float:
    """Standard deviation of M_z in e Å: sqrt(ratio eps0 V kT).

    :param ratio: <M_z^2> / (eps0 V kT) from one of the functions above.
    :param volume: V = A d of the film in Å^3, without the vacuum.
    :param kelvin: temperature in K.
    :raises ValueError: if an argument is negative.
    """
    if ratio < 0.0 or volume < 0.0 or kelvin < 0.0:
        raise ValueError(f"Ratio {ratio}, volume {volume} Å^3 and temperature {kelvin} K must not be negative.")
    return math.sqrt(ratio * EPS0 * volume * BOLTZMANN * kelvin)


def drop(Mz: Moment, area: float) -> Moment:
    """Potential drop M_z / (eps0 A) across an isolated film in V: potential above the film minus that below.

    Helmholtz's formula for a dipole layer. It has the sign of M_z: the potential is higher on the side to which the
    dipole points.

    :param Mz: dipole along the normal in e Å, a number or an array of any shape.
    :param area: in Å^2, positive.
    :raises ValueError: if the area is not positive.
    """
    if not area > 0.0:
        raise ValueError(f"An area of {area} Å^2 is not positive.")
    return Mz / (EPS0 * area)

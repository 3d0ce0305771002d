"""Memory that one rank of pw.x needs, before it is started.

The same sum that pw.x 6.7 and later print as "Estimated max dynamical RAM per process" (PW/src/memory_report.f90 of
Quantum ESPRESSO), from the cell and the cutoffs: numbers of plane waves are those of spheres, V k^3 / (6 pi^2), and
arrays that hold one of them are shared out among the ranks. What a process takes besides, ``PROCESS``, is not in pw.x's
own number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BOHR = 0.529177210903
"""Å (CODATA 2018)."""
COMPLEX, REAL = 16, 8
"""Bytes of a number."""
G_VECTOR = 68
"""Bytes that pw.x keeps of a G-vector: its components, length, Miller indices and places on the grid."""
DAVIDSON = 2
"""pw.x's default ``diago_david_ndim``."""
PROCESS = 50e6
"""Bytes for executable, libraries and buffers: one peaked at 737 MB where pw.x estimated 744 (docs/cluster.md)."""
FACTORS = (2, 3, 5)
"""Prime factors of a length that pw.x lets its Fourier transform have."""


@dataclass(frozen=True)
class Species:
    """What an element's pseudopotential adds.

    :param projectors: number of nonlocal projectors, 2l + 1 for each beta function.
    :param waves: number of atomic wavefunctions, 2l + 1 for each.
    """

    projectors: int
    waves: int


@dataclass(frozen=True)
class Memory:
    """Bytes of one rank.

    :param arrays: what pw.x itself estimates.
    :param total: with :data:`PROCESS`.
    :param saved: bytes that all ranks together leave on the disk: wavefunctions and charge density.
    """

    arrays: float
    saved: float

    @property
    def total(self) -> float:
        """Of the whole process."""
        return self.arrays + PROCESS


def species_of(upf: str) -> Species:
    """From the text of a UPF file of version 2.

    Where functions are split by spin-orbit coupling, pw.x without that coupling merges the two of l > 0. Where the file
    does not list its functions (version 1): two each of s, p and d.
    """
    split = re.search(r'has_so="\s*\.?[tT]', upf) is not None
    found = []
    for tag in ("BETA", "CHI"):
        heads = re.findall(rf"<PP_{tag}\.\d+([^>]*)>", upf)
        momenta = [re.search(r'\b(?:angular_momentum|l)="\s*(\d+)\s*"', head) for head in heads]
        orders = [int(momentum[1]) for momentum in momenta if momentum is not None]
        found.append(sum((2 * order + 1) / (2 if split and order else 1) for order in orders))
    return Species(round(found[0]) or 18, round(found[1]) or 9)


def pw_memory(
    cell: NDArray[np.float64],
    symbols: Sequence[str],
    species: Mapping[str, Species],
    bands: int,
    ecutwfc: float,
    ecutrho: float,
    mixing_ndim: int,
    kpoints: int = 1,
    gamma: bool = True,
    ranks: int = 1,
) -> Memory:
    """Memory of one rank of a calculation without spin.

    :param cell: shape (3, 3), Å.
    :param symbols: of the atoms.
    :param species: of every element.
    :param bands: number of bands.
    :param ecutwfc: Ry, as ``ecutrho``; above four times ``ecutwfc`` the pseudopotentials are taken as ultrasoft.
    :param mixing_ndim: densities that the mixing keeps.
    :param kpoints: number of k-points.
    :param gamma: whether only the half of the plane waves is kept, as pw.x does at the Gamma point alone.
    """
    volume = abs(float(np.linalg.det(cell))) / BOHR**3
    half = 2.0 if gamma else 1.0
    waves = volume * ecutwfc**1.5 / (6.0 * np.pi**2) / half
    density = volume * ecutrho**1.5 / (6.0 * np.pi**2) / half
    points = float(np.prod([grid_length(float(np.linalg.norm(row)) / BOHR, ecutrho) for row in cell]))
    projectors = sum(species[symbol].projectors for symbol in symbols)
    atomic = sum(species[symbol].waves for symbol in symbols)
    soft = ecutrho > 4.0 * ecutwfc * (1.0 + 1e-6)
    field = REAL * points + COMPLEX * density
    static = (
        # Wavefunctions, with the buffer that holds those of all k-points.
        COMPLEX * waves * bands * (1 + kpoints)
        + COMPLEX * density * len(set(symbols))  # structure factors
        + COMPLEX * waves * projectors
        + 5.0 * field  # density, potential, the new one, the density that came in, and work space
        + REAL * points
        + 2.0 * COMPLEX * density * mixing_ndim
        + G_VECTOR * density
    )
    vectors = DAVIDSON * bands
    davidson = COMPLEX * waves * vectors * (3.0 if soft else 2.0)
    starting = 2.0 * COMPLEX * waves * max(atomic, bands)
    shared = (static + max(davidson, starting)) / ranks
    small = 3.0 * (REAL if gamma else COMPLEX) * vectors**2
    return Memory(float(shared + small), float(COMPLEX * (waves * bands * kpoints + density)))


def grid_length(edge: float, ecutrho: float) -> int:
    """Points along an edge (bohr) of the grid that holds the density's plane waves; at least so many."""
    least = int(2.0 * np.sqrt(ecutrho) * edge / (2.0 * np.pi)) + 1
    while not _is_good(least):
        least += 1
    return least


def _is_good(number: int) -> bool:
    for factor in FACTORS:
        while number % factor == 0:
            number //= factor
    return number == 1

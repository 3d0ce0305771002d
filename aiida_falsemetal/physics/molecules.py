"""Molecules: which atoms belong together, and how to put them back together across periodic faces."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

COVALENT_RADII = {"H": 0.31, "C": 0.76, "N": 0.71, "O": 0.66, "F": 0.57, "S": 1.05, "Cl": 1.02}
"""Covalent radii in Å of the elements that solvents are made of (Cordero et al., Dalton Trans. 2008, 2832). Metals are
left out: with sodium's 1.66 Å, an ion in solution would be bonded to the oxygens of its shell, 2.4 Å away."""
BOND_TOLERANCE = 1.25
"""Two atoms are bonded when closer than this times the sum of their covalent radii."""


class AtomsLike(Protocol):
    """The part of ``ase.Atoms`` that is used here."""

    cell: object

    def get_positions(self) -> NDArray[np.float64]:
        """Positions, shape (n, 3), in Å."""

    def get_chemical_symbols(self) -> list[str]:
        """Chemical symbols."""


def minimum_image(vectors: NDArray[np.float64], cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shortest periodic copies of ``vectors``.

    Exact for vectors shorter than half of the cell's smallest height, which bonds are.

    :param vectors: shape (..., 3) in Å.
    :param cell: shape (3, 3), rows are lattice vectors, in Å.
    """
    fractional = vectors @ np.linalg.inv(cell)
    return (fractional - np.round(fractional)) @ cell


def bonded_pairs(
    positions: NDArray[np.float64], symbols: list[str], cell: NDArray[np.float64]
) -> list[tuple[int, int]]:
    """Pairs of atoms closer than ``BOND_TOLERANCE`` times the sum of their covalent radii.

    H-H pairs never count as bonds; elements without an entry in ``COVALENT_RADII`` (a substrate) bond to nothing.
    Where a hydrogen is near two atoms, the nearer one has it: a short hydrogen bond does not merge molecules.
    """
    radii = np.array([COVALENT_RADII.get(s, 0.0) for s in symbols])
    hydrogen = np.array([s == "H" for s in symbols], dtype=bool)
    delta = minimum_image(positions[:, None, :] - positions[None, :, :], cell)
    distance = np.linalg.norm(delta, axis=-1)
    limit = BOND_TOLERANCE * (radii[:, None] + radii[None, :])
    bonded = (distance < limit) & (radii[:, None] > 0) & (radii[None, :] > 0)
    bonded &= ~(hydrogen[:, None] & hydrogen[None, :])
    np.fill_diagonal(bonded, False)
    for h in np.flatnonzero(hydrogen):
        partners = np.flatnonzero(bonded[h])
        if len(partners) > 1:
            nearest = partners[np.argmin(distance[h, partners])]
            bonded[h, :] = bonded[:, h] = False
            bonded[h, nearest] = bonded[nearest, h] = True
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(bonded))]


def find_molecules(atoms: AtomsLike) -> list[list[int]]:
    """Connected atoms, each molecule a sorted list of indices, molecules ordered by their first atom."""
    count = len(atoms.get_chemical_symbols())
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    cell = np.asarray(atoms.cell, dtype=float)
    for i, j in bonded_pairs(atoms.get_positions(), atoms.get_chemical_symbols(), cell):
        parent[root(j)] = root(i)
    groups: dict[int, list[int]] = {}
    for i in range(count):
        groups.setdefault(root(i), []).append(i)
    return sorted(groups.values())


def make_whole(
    positions: NDArray[np.float64], molecules: list[list[int]], cell: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Move every atom to the periodic copy nearest to its molecule's anchor, the first atom.

    Exact for molecules whose atoms lie within half of the cell from the anchor: small solvents, not chains.
    The anchor is the molecule's first atom that is not hydrogen where callers order atoms that way (O H H).

    :param positions: shape (..., n, 3) in Å; leading axes are frames.
    :param molecules: lists of indices into the atoms' axis.
    :param cell: shape (3, 3) in Å.
    :return: a copy of the same shape.
    """
    whole = np.array(positions, dtype=float)
    for members in molecules:
        anchor = whole[..., members[:1], :]
        rest = whole[..., members[1:], :]
        whole[..., members[1:], :] = anchor + minimum_image(rest - anchor, cell)
    return whole

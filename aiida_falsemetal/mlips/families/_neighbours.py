"""Pairs of atoms within a cutoff, in an order that does not depend on the past."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

SKIN = 1.0
"""Å by which the list is longer than the cutoff: it holds until an atom has moved half of that, in water some forty
steps of 1 fs."""


class Neighbours:
    """Pairs within a cutoff, from a longer list that is made anew when atoms have moved far enough (Verlet 1967).

    Which pairs there are and in which order, by first atom, second atom and image, is a function of the positions
    alone, as long as no atom is wrapped back into the cell. So sums over pairs round alike whenever the list was made,
    and a run that is gone on with equals one that was never interrupted, to the last bit.

    :param cutoff: Å.
    """

    def __init__(self, cutoff: float, skin: float = SKIN) -> None:
        self.cutoff, self.skin = cutoff, skin
        self._made_for: Atoms | None = None

    def of(self, atoms: Atoms) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Ordered pairs with a distance below the cutoff, an atom and its own images included.

        :return: atoms, shape (2, n); the cell vectors between them, shape (n, 3), and the same in Å, so that the vector
            from the first to the second is ``positions[second] - positions[first] + shift``.
        """
        positions = atoms.get_positions()
        if not self._holds(atoms, positions):
            self._make(atoms, positions)
        vectors = positions[self._pairs[1]] - positions[self._pairs[0]] + self._shifts
        near = np.einsum("ij,ij->i", vectors, vectors) < self.cutoff**2
        # As it comes, numpy lays the two rows out side by side, and torch sums a tenth more slowly over such.
        return np.ascontiguousarray(self._pairs[:, near]), self._images[near], self._shifts[near]

    def _holds(self, atoms: Atoms, positions: NDArray[np.float64]) -> bool:
        made = self._made_for
        if made is None or len(made) != len(atoms) or not np.array_equal(made.pbc, atoms.pbc):
            return False
        if not np.array_equal(made.cell.array, atoms.cell.array):
            return False
        moved = positions - made.positions
        return bool(np.einsum("ij,ij->i", moved, moved).max(initial=0.0) < (0.5 * self.skin) ** 2)

    def _make(self, atoms: Atoms, positions: NDArray[np.float64]) -> None:
        from matscipy.neighbours import neighbour_list

        first, second, images = neighbour_list("ijS", atoms, cutoff=self.cutoff + self.skin)
        order = np.lexsort((*images.T[::-1], second, first))
        self._pairs = np.stack((first, second))[:, order].astype(np.int64)
        self._images = images[order].astype(float)
        self._shifts = self._images @ atoms.cell.array
        self._made_for = Atoms(positions=positions, cell=atoms.cell, pbc=atoms.pbc)

"""Brings a structure into the form that interfaces have: normal along z, matter in one piece, vacuum above it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from .matching import Floats
from .recipe import InterfaceError

TILT = 1e-3
"""Å: components of cell vectors below this are rounding."""
EMPTY = 5.0
"""Å without an atom along z that count as vacuum. Sheets of layered crystals are up to 4 Å apart."""


@dataclass(frozen=True)
class Upright:
    """A structure whose lowest atom is at z = 0 and that no face of the cell cuts along z.

    :param atoms: in the order of the file; positions along x and y are the file's.
    :param vacuum: Å above it to its periodic image; at least 0.
    """

    atoms: Atoms
    vacuum: float

    @property
    def lateral(self) -> Floats:
        """Cell vectors in the plane, shape (2, 2), Å, right-handed."""
        return np.array(self.atoms.cell.array[:2, :2])

    @property
    def area(self) -> float:
        """Å^2."""
        (ax, ay), (bx, by) = self.lateral
        return float(ax * by - ay * bx)  # not numpy's determinant, which rounds where nothing has to be


def upright(atoms: Atoms, repeat: tuple[int, int] = (1, 1)) -> Upright:
    """The structure in the form described.

    :param atoms: with a cell; where it is not periodic along z, atoms are not wrapped there.
    :param repeat: copies along the first and the second vector.
    :raises InterfaceError: if the normal is not z, or there is no vacuum.
    """
    cell = _straight(atoms.cell.array)
    height = cell[2, 2]
    z = atoms.positions[:, 2]
    if atoms.pbc[2]:
        z, vacuum = _in_one_piece(z, height)
        if vacuum < EMPTY:
            raise InterfaceError(
                f"the structure is nowhere empty along z over more than {vacuum:.1f} Å, so it is no slab; cut one with "
                f"vacuum from a crystal, with ase.build.surface for example."
            )
    else:
        z, vacuum = z - z.min(), max(0.0, height - float(np.ptp(z)))
    cell[2, 2] = z.max() + vacuum
    positions = atoms.get_positions()
    positions[:, 2] = z
    moved = Atoms(atoms.get_chemical_symbols(), positions, cell=cell, pbc=True)
    return Upright(moved.repeat((*repeat, 1)) if repeat != (1, 1) else moved, float(vacuum))


def _straight(given: Floats) -> Floats:
    """The cell, rounding removed, right-handed and the third vector upwards: the same lattice."""
    cell = np.array(given, dtype=float)
    if max(np.abs(cell[2, :2]).max(), np.abs(cell[:2, 2]).max()) > TILT:
        raise InterfaceError(
            "the third cell vector must be along z and the first two at right angles to it; turn the structure, or "
            "make the vector upright, with get_orthogonal_c_slab of pymatgen's Slab for example."
        )
    cell[2, :2] = cell[:2, 2] = 0.0
    cell[2, 2] = abs(cell[2, 2])
    if cell[0, 0] * cell[1, 1] - cell[0, 1] * cell[1, 0] < 0.0:
        cell[1] = -cell[1]
    return cell


def _in_one_piece(z: Floats, height: float) -> tuple[Floats, float]:
    """Heights counted from the upper end of the largest empty stretch, and its length, Å."""
    wrapped = z % height
    levels = np.sort(wrapped)
    empty = np.diff(np.append(levels, levels[0] + height))
    widest = int(np.argmax(empty))
    return (wrapped - levels[(widest + 1) % len(levels)]) % height, float(empty[widest])

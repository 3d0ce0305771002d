"""Calcfunction that turns an MD frame into what DFT needs: whole molecules, centred, just enough vacuum."""

from __future__ import annotations

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms

from ..physics.molecules import find_molecules, make_whole


@calcfunction
def prepare_film(structure: orm.StructureData, parameters: orm.Dict) -> orm.StructureData:
    """Centre the film along z and trim or extend the vacuum.

    The sawtooth of the dipole correction will lie at the cell's face, in the middle of the vacuum.

    :param structure: a frame; the normal is z.
    :param parameters: ``vacuum``, Å between the outermost atoms of the film and its image.
    """
    return orm.StructureData(ase=centred_film(structure.get_ase(), parameters.get_dict()["vacuum"]))


def centred_film(frame: Atoms, vacuum: float) -> Atoms:
    """The film of a frame in one piece, its molecules whole, in the middle of a cell with that much vacuum.

    :param frame: the normal is z.
    :param vacuum: Å between the outermost atoms of the film and its image.
    """
    atoms = frame.copy()
    cell = atoms.cell.array
    molecules = find_molecules(atoms)
    positions = _unsplit(make_whole(atoms.get_positions(), molecules, cell), molecules, float(cell[2, 2]))
    height = float(positions[:, 2].max() - positions[:, 2].min()) + vacuum
    middle = 0.5 * (positions[:, 2].max() + positions[:, 2].min())
    positions[:, 2] += 0.5 * height - middle
    atoms.set_positions(positions)
    atoms.set_cell([cell[0], cell[1], [0.0, 0.0, height]], scale_atoms=False)
    return atoms


def _unsplit(positions: np.ndarray, molecules: list[list[int]], period: float) -> np.ndarray:
    """Move whole molecules by the period in z so that the film is in one piece: cut at the widest empty gap."""
    centre = np.array([positions[members, 2].mean() for members in molecules])
    wrapped = centre % period
    order = np.sort(wrapped)
    gaps = np.diff(np.append(order, order[0] + period))
    cut = order[(int(np.argmax(gaps)) + 1) % len(order)]
    target = (wrapped - cut) % period
    moved = positions.copy()
    for members, old, new in zip(molecules, centre, target, strict=True):
        moved[members, 2] += new - old
    return moved

"""Reasons for a trajectory to stop itself: it has left the physics it was started for."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from ase import Atoms

from ..physics.dipoles import evaporated
from ..physics.molecules import COVALENT_RADII, bonded_pairs, make_whole

HOT = 3.0
"""An instantaneous temperature above this times the thermostat's, plus ``MARGIN`` K, is an explosion."""
MARGIN = 500.0
BROKEN = 1.6
"""A bond longer than this times the sum of the covalent radii is broken (1.55 Å for O-H)."""


class Stop(Exception):
    """The trajectory ends here; ``status`` is one of ``nan``, ``exploded``, ``dissociated``, ``evaporated``."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Guard:
    """Checks a frame against the molecules the run started with.

    Only bonds inside of a molecule count as broken, and only molecules can leave; an ion is a molecule without bonds.

    :param atoms: the starting atoms, molecules whole, held atoms constrained: the temperature is that of the others.
    :param molecules: lists of indices.
    :param axis: the interface's normal, 0, 1 or 2.
    :param temperature: the thermostat's, K.
    :param max_evaporated: share of the molecules that may leave the film.
    :param substrate: indices of the atoms that the film lies on.
    """

    atoms: Atoms
    molecules: list[list[int]]
    axis: int
    temperature: float
    max_evaporated: float
    substrate: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        symbols = self.atoms.get_chemical_symbols()
        self.cell = self.atoms.cell.array.copy()
        owner = {index: number for number, members in enumerate(self.molecules) for index in members}
        bonds = [
            (i, j)
            for i, j in bonded_pairs(self.atoms.get_positions(), symbols, self.cell)
            if i in owner and owner[i] == owner.get(j)
        ]
        self.bonds = np.array(bonds, dtype=int).reshape(-1, 2)
        radii = np.array([COVALENT_RADII.get(s, 0.0) for s in symbols])
        self.limits = BROKEN * radii[self.bonds].sum(axis=1)

    def check(self, atoms: Atoms) -> int:
        """Raise :class:`Stop` if the frame is not physical, else return the number of evaporated molecules."""
        forces = atoms.get_forces(apply_constraint=False)
        energy = atoms.get_potential_energy()
        if not (np.isfinite(forces).all() and np.isfinite(energy) and np.isfinite(atoms.get_positions()).all()):
            raise Stop("nan", "an energy, a force or a position is not a number")
        kelvin = atoms.get_temperature()
        if kelvin > HOT * self.temperature + MARGIN:
            raise Stop("exploded", f"the temperature is {kelvin:.0f} K at a thermostat of {self.temperature:.0f} K")
        whole = make_whole(atoms.get_positions(), self.molecules, self.cell)
        lengths = np.linalg.norm(whole[self.bonds[:, 0]] - whole[self.bonds[:, 1]], axis=1)
        broken = np.flatnonzero(lengths > self.limits)
        if len(broken):
            i, j = self.bonds[broken[0]]
            raise Stop("dissociated", f"the bond of atoms {i} and {j} is {lengths[broken[0]]:.2f} Å long")
        left = evaporated(whole, self.molecules, self.axis, self.substrate)
        if left > self.max_evaporated * len(self.molecules):
            raise Stop("evaporated", f"{left} of {len(self.molecules)} molecules have left the film")
        return int(left)

"""Forces against finite differences of the energy."""

from __future__ import annotations

import numpy as np
from ase import Atoms


def slopes(atoms: Atoms, step: float, seed: int = 2) -> tuple[float, float]:
    """Slope of the energy (eV/Å) along a random direction of all atoms: by central differences, and as forces have it.

    :param atoms: with a calculator.
    :param step: displacement in Å over that of a component of the direction, whose standard deviation is 1.
    """
    forces = atoms.get_forces()
    direction = np.random.default_rng(seed).normal(size=forces.shape)
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions += sign * step * direction
        moved.calc = atoms.calc
        energies.append(moved.get_potential_energy())
    return (energies[0] - energies[1]) / (2 * step), -float((forces * direction).sum())

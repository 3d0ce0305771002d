"""How close atoms of different molecules are, and how to push molecules apart that are too close."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from .recipe import InterfaceError

RADII = {"H": 0.8, "O": 1.35, "C": 1.5, "N": 1.35, "Na": 1.1, "K": 1.4, "Cl": 1.6}
"""Half of the smallest distance (Å) between like atoms of different molecules. Oxygens packed as close as 2 Å press a
hydrogen into a foreign oxygen on relaxation, and classical water has nothing to hold it back."""
OTHER = 1.0
"""The same for other elements."""
STEPS = 4000
ENOUGH = 0.02
"""Å: contacts are pushed apart to within this."""


def radius(symbol: str) -> float:
    """Contact radius of an element in Å."""
    return RADII.get(symbol, OTHER)


def is_orthogonal(cell: NDArray[np.float64]) -> bool:
    """Whether the lattice vectors lie along x, y and z."""
    return bool(np.abs(cell - np.diag(np.diag(cell))).max() < 1e-9)


def close_pairs(
    atoms: Atoms, owner: NDArray[np.int_], margin: float = 0.0
) -> tuple[NDArray[np.int_], NDArray[np.int_], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Pairs of atoms of different owners that are closer than the sum of their radii, by minimum image.

    :param owner: shape (n,), number of the molecule of each atom.
    :param margin: Å beyond the sum of the radii.
    :return: indices i and j, vectors from i to j (shape (m, 3)), distances, and sums of radii; each pair both ways.
    """
    radii = np.array([radius(symbol) for symbol in atoms.get_chemical_symbols()])
    reach = 2.0 * float(radii.max()) + margin
    i, j, distance, vector = neighbor_list("ijdD", atoms, reach)
    limit = radii[i] + radii[j]
    keep = (owner[i] != owner[j]) & (distance < limit + margin)
    return i[keep], j[keep], vector[keep], distance[keep], limit[keep]


def smallest_contact(packed: Atoms, members: list[list[int]], obstacles: Atoms | None = None) -> float:
    """Smallest distance between atoms of different molecules less the sum of their radii, in Å; at most zero.

    :param packed: in its cell.
    :param members: indices of each molecule's atoms.
    :param obstacles: counted as one molecule more.
    """
    atoms, owner, _ = _together(packed, members, obstacles)
    _, _, _, distance, limit = close_pairs(atoms, owner)
    return float(min(0.0, (distance - limit).min(initial=0.0)))


def separate(
    packed: Atoms, members: list[list[int]], slab: tuple[float, float], obstacles: Atoms | None = None
) -> None:
    """Move rigid molecules until none is too close to another, to an obstacle or outside of the slab; in place.

    Steepest descent of the squared overlaps, in each molecule's translation and rotation.

    :param slab: lower and upper z in Å.
    :raises InterfaceError: if overlaps remain.
    """
    atoms, owner, mobile = _together(packed, members, obstacles)
    count = len(members)
    sizes = np.array([len(indices) for indices in members])
    for _ in range(STEPS):
        push, worst = _push(atoms, owner, slab, mobile)
        if worst < ENOUGH:
            packed.positions = atoms.positions[mobile]
            return
        positions = atoms.positions[mobile]
        own = owner[mobile]
        centre = np.stack([np.bincount(own, positions[:, k], count) for k in range(3)], axis=1) / sizes[:, None]
        arm = positions - centre[own]
        shift = np.stack([np.bincount(own, push[:, k], count) for k in range(3)], axis=1) / sizes[:, None]
        torque = np.cross(arm, push)
        turn = np.stack([np.bincount(own, torque[:, k], count) for k in range(3)], axis=1)
        inertia = np.bincount(own, (arm**2).sum(axis=1), count) + 1.0
        atoms.positions[mobile] = centre[own] + shift[own] + _rotated(arm, (turn / inertia[:, None])[own])
    raise InterfaceError(
        "the molecules could not be packed without overlap; use a larger lateral size or fewer molecules."
    )


def _together(
    packed: Atoms, members: list[list[int]], obstacles: Atoms | None
) -> tuple[Atoms, NDArray[np.int_], slice]:
    """All atoms, the number of each one's molecule (obstacles: one of their own), and which may move."""
    owner = np.empty(len(packed), dtype=int)
    for number, indices in enumerate(members):
        owner[indices] = number
    mobile = slice(0, len(packed))
    atoms = Atoms(packed.get_chemical_symbols(), packed.get_positions(), cell=packed.cell, pbc=(True, True, False))
    if obstacles is not None:
        atoms += Atoms(obstacles.get_chemical_symbols(), obstacles.get_positions())
        owner = np.concatenate([owner, np.full(len(obstacles), len(members))])
    return atoms, owner, mobile


def _push(
    atoms: Atoms, owner: NDArray[np.int_], slab: tuple[float, float], mobile: slice
) -> tuple[NDArray[np.float64], float]:
    """How far each mobile atom should go, and the worst overlap in Å."""
    i, _, vector, distance, limit = close_pairs(atoms, owner)
    overlap = limit - distance
    push = np.zeros((len(atoms), 3))
    if len(i):
        np.add.at(push, i, -vector / np.maximum(distance, 1e-6)[:, None] * (0.5 * (overlap + ENOUGH))[:, None])
    z = atoms.positions[:, 2]
    margin = 1.0  # as packmol's walls
    outside = np.maximum(slab[0] + margin - z, 0.0) - np.maximum(z - slab[1] + margin, 0.0)
    push[:, 2] += outside
    worst = max(float(overlap.max(initial=0.0)), float(np.abs(outside[mobile]).max(initial=0.0)))
    return push[mobile], worst


def _rotated(arm: NDArray[np.float64], turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rodrigues' rotation of vectors by rotation vectors, both of shape (n, 3)."""
    angle = np.linalg.norm(turn, axis=1, keepdims=True)
    axis = turn / np.maximum(angle, 1e-12)
    along = (axis * arm).sum(axis=1, keepdims=True) * axis
    turned: NDArray[np.float64] = (
        arm * np.cos(angle) + np.cross(axis, arm) * np.sin(angle) + along * (1.0 - np.cos(angle))
    )
    return turned

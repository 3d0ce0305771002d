"""Lateral cells: how often a surface is repeated, and how well a second surface fits on the first.

Two-dimensional lattices are arrays of shape (2, 2), Å, whose rows are the vectors. Matching finds, for a given cell of
the first surface, the vectors of the second one's lattice that come closest to its edges. pymatgen's ``ZSLGenerator``
(Zur and McGill, J. Appl. Phys. 55, 378 (1984)) searches both lattices at once and reduces the cells on the way, so that
the cell a user asked for is lost; the tests hold the strains found here against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from numpy.typing import NDArray

from .recipe import InterfaceError
from .substrates import bottom_up

Floats = NDArray[np.float64]
Matrix = tuple[tuple[int, int], tuple[int, int]]

SEARCHED_STRAIN = 0.15
"""Vectors that are longer or shorter than the edge by more than this share are not looked at."""
SEARCHED_REPEATS = 12
SEARCHED_AREA = 900.0
"""Å^2: how far a better cell is looked for when the one that was asked for does not fit."""


@dataclass(frozen=True)
class Match:
    """How a second surface is cut and strained to lie on the first.

    :param matrix: rows are its supercell's vectors in its own smallest ones.
    :param strain: xx, yy and xy in the first surface's frame, %; positive is stretched.
    :param principal: the two principal strains in %, the larger magnitude first.
    :param rotation: degrees, counter-clockwise, by which its lattice is turned.
    """

    matrix: Matrix
    strain: tuple[float, float, float]
    principal: tuple[float, float]
    rotation: float


def cell_matrix(hexagonal: bool, shape: str, repeat: tuple[int, int], name: str) -> Matrix:
    """Supercell of a surface: ``repeat`` of its smallest ``shape`` cell.

    :param hexagonal: whether the surface's lattice is, with 120° between its vectors.
    :param shape: ``orthogonal`` or ``hexagonal``. A hexagonal lattice's orthogonal cell is 1 x sqrt(3), twice as large.
    :param name: of the surface, for the message.
    :raises InterfaceError: if there is no hexagonal cell.
    """
    if shape == "hexagonal" and not hexagonal:
        raise InterfaceError(f"{name} has no hexagonal cell; use `cell: orthogonal`.")
    n, m = repeat
    return ((n, 0), (m, 2 * m)) if hexagonal and shape == "orthogonal" else ((n, 0), (0, m))


def nearest_repeat(lengths: tuple[float, float], lateral: tuple[float, float]) -> tuple[int, int]:
    """Repeats, at least 1, of a cell with these edges that come closest to the target lengths, Å."""
    first, second = (max(1, round(target / edge)) for edge, target in zip(lengths, lateral, strict=True))
    return first, second


def supercell(atoms: Atoms, matrix: Matrix) -> Atoms:
    """The supercell of a surface, sorted from bottom to top; its first vector may point anywhere in the plane."""
    (a, b), (c, d) = matrix
    return bottom_up(make_supercell(atoms, [[a, b, 0], [c, d, 0], [0, 0, 1]]))


def strained(atoms: Atoms, cell: Floats) -> Atoms:
    """Turn and strain a surface onto the cell ``cell`` of shape (2, 2), heights unchanged (no Poisson contraction)."""
    moved = atoms.copy()
    full = np.zeros((3, 3))
    full[:2, :2], full[2] = cell, atoms.cell[2]
    moved.set_cell(full, scale_atoms=True)
    return bottom_up(moved)


def find_match(target: Floats, lattice: Floats) -> Match | None:
    """The least strained supercell of ``lattice`` on ``target``; among equals, the least turned.

    Strains are those of W = sqrt(F^T F), where F takes the supercell's vectors (rows) to the target's.

    :return: none if nothing comes within ``SEARCHED_STRAIN``.
    """
    pairs = np.array(list(product(_near(lattice, target[0]), _near(lattice, target[1]))), dtype=float)
    if len(pairs):
        pairs = pairs[np.linalg.det(pairs) > 0.5]  # the others are collinear, or mirror images
    if not len(pairs):
        return None
    deformation = np.linalg.inv(pairs @ lattice) @ target
    left, singular, right = np.linalg.svd(deformation)
    worst = np.abs(singular - 1.0).max(axis=1)
    turn = left @ right
    angle = np.degrees(np.arctan2(turn[:, 0, 1], turn[:, 0, 0]))
    # Rounded, so that what is equal by symmetry stays equal; then the integers decide, not the order of the search.
    keys = (*pairs.reshape(-1, 4).T, np.round(np.abs(angle), 6), np.round(worst, 9))
    best = int(np.lexsort(keys)[0])
    stretch = (right[best].T * singular[best]) @ right[best]
    strain = 100.0 * (stretch - np.eye(2)).round(9) + 0.0
    (a, b), (c, d) = pairs[best].astype(int).tolist()
    principal = sorted((100.0 * (singular[best] - 1.0).round(9) + 0.0).tolist(), key=abs, reverse=True)
    return Match(
        ((a, b), (c, d)),
        (float(strain[0, 0]), float(strain[1, 1]), float(strain[0, 1])),
        (principal[0], principal[1]),
        float(angle[best]),
    )


def match(
    target: Floats, lattice: Floats, max_strain: float, names: tuple[str, str], edge: Floats, repeat: tuple[int, int]
) -> Match:
    """The match of a second surface on the first, or a refusal that says what would fit.

    :param target: the first surface's supercell.
    :param lattice: the second surface's smallest cell.
    :param max_strain: %, of the larger principal strain.
    :param names: of both surfaces.
    :param edge: the cell that ``repeat`` repeats to ``target``.
    :raises InterfaceError: if nothing fits within ``max_strain``.
    """
    found = find_match(target, lattice)
    if found is not None and abs(found.principal[0]) <= max_strain:
        return found
    best = "does not fit" if found is None else f"must be strained by {abs(found.principal[0]):.1f} %"
    other = fitting_repeat(lattice, max_strain, edge, at_least=repeat)
    remedy = f"use `repeat: [{other[0]}, {other[1]}]`" if other else "use another `repeat` or `cell`"
    raise InterfaceError(
        f"{names[1]} {best} on {names[0]} with repeat [{repeat[0]}, {repeat[1]}], `max_strain` is {max_strain:g} %; "
        f"{remedy}, or a larger max_strain."
    )


def fitting_repeat(
    lattice: Floats, max_strain: float, edge: Floats, at_least: tuple[int, int] = (1, 1)
) -> tuple[int, int] | None:
    """The repeats of ``edge`` with the smallest area on which ``lattice`` fits, none smaller than ``at_least``."""
    area = abs(float(np.linalg.det(edge)))
    sizes = product(*(range(low, low + SEARCHED_REPEATS) for low in at_least))
    for n, m in sorted(sizes, key=lambda size: (size[0] * size[1], size)):
        if n * m * area > SEARCHED_AREA:
            return None
        found = find_match(np.diag([n, m]) @ edge, lattice)
        if found is not None and abs(found.principal[0]) <= max_strain:
            return n, m
    return None


def report(
    name: str, source: str, constant: float, cell: str, repeat: tuple[int, int], lateral: Floats
) -> dict[str, Any]:
    """``info['lattice']`` of one substrate, unstrained: lengths in Å, angle in degrees, strain (xx, yy, xy) in %."""
    lengths = np.linalg.norm(lateral, axis=1)
    cosine = float(lateral[0] @ lateral[1] / np.prod(lengths))
    return {
        "substrate": name,
        "lattice_constant": constant,
        "source": source,
        "cell": cell,
        "repeats": list(repeat),
        "lengths": [float(length) for length in lengths],
        "angle": float(np.degrees(np.arccos(cosine))),
        "strain": [0.0, 0.0, 0.0],
    }


def _near(lattice: Floats, edge: Floats) -> list[tuple[int, int]]:
    """Integer vectors of a lattice nearly as long as ``edge``."""
    length = float(np.linalg.norm(edge))
    reach = (1.0 + SEARCHED_STRAIN) * length
    # |i| can be at most reach over the height of the first vector above the second, and the other way round.
    area = abs(float(np.linalg.det(lattice)))
    most = [int(reach * np.linalg.norm(lattice[1 - k]) / area) for k in range(2)]
    grid = np.array(list(product(*(range(-limit, limit + 1) for limit in most))))
    sizes = np.linalg.norm(grid @ lattice, axis=1)
    return [(int(i), int(j)) for i, j in grid[np.abs(sizes / length - 1.0) <= SEARCHED_STRAIN]]

"""Packs molecules into a slab with packmol (Martínez et al., J. Comput. Chem. 30, 2157 (2009))."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write
from numpy.typing import NDArray

from ..physics.molecules import make_whole
from .contacts import is_orthogonal, radius, separate, smallest_contact
from .recipe import InterfaceError

TOLERANCE = 2.0
"""Smallest distance in Å between atoms of different molecules, where no radius says otherwise."""
SLACK = 0.05
"""Å by which packmol may miss a distance: it counts a packing as solved at a hundredth of the violation's square."""
Contents = Sequence[tuple[Atoms, int]]


def find_packmol() -> str:
    """Path of packmol: the one beside this Python first (PyPI's package), then the one on PATH.

    :raises InterfaceError: if there is none.
    """
    beside = Path(sys.executable).parent / "packmol"
    found = str(beside) if beside.exists() else shutil.which("packmol")
    if found is None:
        raise InterfaceError("packmol was not found; run `pip install packmol` or `apt-get install packmol`.")
    return found


def pack(molecule: Atoms, count: int, box: tuple[float, float, float], seed: int, timeout: float = 120.0) -> Atoms:
    """``count`` copies of ``molecule`` in an orthogonal box, periodic in x and y. See :func:`pack_slab`.

    :param box: lengths in Å; z ends in walls.
    :return: atoms with cell ``box``.
    """
    packed = pack_slab(np.diag(box), 0.0, box[2], [(molecule, count)], seed, timeout=timeout)
    packed.set_cell(np.diag(box))
    return packed


def pack_slab(
    cell: NDArray[np.float64],
    low: float,
    high: float,
    contents: Contents,
    seed: int,
    obstacles: Atoms | None = None,
    timeout: float = 120.0,
) -> Atoms:
    """Molecules in the slab ``low`` <= z <= ``high`` of a cell, without overlap.

    packmol knows periodic boxes with right angles only. For another lateral cell it fills the box of the same area and
    height, which is sheared onto the cell, molecules staying rigid; contacts that this has made too short are pushed
    apart (:func:`.contacts.separate`).

    :param cell: shape (3, 3), rows are lattice vectors in Å; periodic in the first two, which lie in the plane; the
        third is along z.
    :param contents: molecules and how many of each.
    :param seed: packmol's seed.
    :param obstacles: atoms in the same cell that molecules must keep clear of.
    :param timeout: seconds after which packing is given up.
    :return: the packed atoms alone, molecules whole, in the order of ``contents``, in ``cell``.
    :raises InterfaceError: if there is no arrangement.
    """
    cell = np.asarray(cell, dtype=float)
    upright = is_orthogonal(cell)
    length = float(np.linalg.norm(cell[0]))
    # Not numpy's determinant, which rounds where nothing has to be.
    area = abs(cell[0, 0] * cell[1, 1] - cell[0, 1] * cell[1, 0])
    box = np.array([length, area / length, high - low])
    inside = None if obstacles is None or not upright else _wrapped(obstacles, cell, low)
    packed = _packmol([(molecule, count) for molecule, count in contents if count], box, seed, inside, timeout)
    members = molecules_of(contents)
    # packmol wraps atoms one by one; everything after this relies on whole molecules. Its period along z is longer.
    packed.positions = make_whole(packed.get_positions(), members, np.diag([box[0], box[1], max(box[2], 10.0)]))
    packed.positions[:, 2] += low
    packed.set_cell(cell)
    packed.pbc = True
    if not upright:
        packed.positions = _sheared(packed.get_positions(), members, cell, box)
        separate(packed, members, (low, high), obstacles)
    shortest = smallest_contact(packed, members, obstacles)
    if shortest < -2.0 * SLACK:
        raise _no_room(contents, box)
    return packed


def molecules_of(contents: Contents, first: int = 0) -> list[list[int]]:
    """Indices of the atoms of every packed molecule.

    :param first: index of the first packed atom.
    """
    found: list[list[int]] = []
    for molecule, count in contents:
        for _ in range(count):
            found.append(list(range(first, first + len(molecule))))
            first += len(molecule)
    return found


def _no_room(contents: Contents, box: NDArray[np.float64]) -> InterfaceError:
    what = " and ".join(f"{count} {molecule.get_chemical_formula()}" for molecule, count in contents if count)
    return InterfaceError(
        f"packmol could not place {what} in {box[0]:.1f} x {box[1]:.1f} x {box[2]:.1f} Å; "
        "use a larger lateral size or fewer molecules."
    )


def _run(packmol: str, folder: Path, timeout: float) -> bool:
    """Whether packmol has solved the ``pack.inp`` of a folder."""
    with open(folder / "pack.inp") as stdin:
        try:
            done = subprocess.run(
                [packmol], stdin=stdin, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise InterfaceError(f"packmol found no arrangement in {timeout:.0f} s; use a larger box.") from error
    return "Success" in done.stdout and (folder / "packed.xyz").exists()


def _packmol(contents: Contents, box: NDArray[np.float64], seed: int, obstacles: Atoms | None, timeout: float) -> Atoms:
    packmol = find_packmol()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (molecule, _) in enumerate(contents):
            write(folder / f"molecule-{number}.xyz", molecule, format="xyz")
        if obstacles is not None:
            write(folder / "obstacles.xyz", obstacles, format="xyz")
        (folder / "pack.inp").write_text(_input(contents, box, seed, obstacles))
        if not _run(packmol, folder, timeout):
            raise _no_room(contents, box)
        packed: Atoms = read(folder / "packed.xyz", format="xyz")
    return packed[0 if obstacles is None else len(obstacles) :]


def _input(contents: Contents, box: NDArray[np.float64], seed: int, obstacles: Atoms | None) -> str:
    x, y, z = box
    margin = TOLERANCE / 2.0  # The walls in z are not periodic: keep half a contact distance from them.
    floor = 0.0 if obstacles is None else float(min(0.0, obstacles.positions[:, 2].min() - 5.0))
    top = z if obstacles is None else float(max(z, obstacles.positions[:, 2].max() + 5.0))
    text = (
        f"tolerance {TOLERANCE}\nseed {seed}\nfiletype xyz\noutput packed.xyz\n"
        # A huge z period lets packmol treat x and y as periodic and z as open.
        f"pbc 0. 0. {floor - 50:.6f} {x:.6f} {y:.6f} {top + 50:.6f}\n"
    )
    if obstacles is not None:
        text += f"structure obstacles.xyz\n  number 1\n  fixed 0. 0. 0. 0. 0. 0.\n{_radii(obstacles)}end structure\n"
    for number, (molecule, count) in enumerate(contents):
        text += (
            f"structure molecule-{number}.xyz\n  number {count}\n"
            f"  inside box 0. 0. {margin:.6f} {x:.6f} {y:.6f} {z - margin:.6f}\n{_radii(molecule)}end structure\n"
        )
    return text


def _radii(molecule: Atoms) -> str:
    return "".join(
        f"  atoms {number}\n    radius {radius(symbol)}\n  end atoms\n"
        for number, symbol in enumerate(molecule.get_chemical_symbols(), start=1)
        if radius(symbol) != TOLERANCE / 2.0
    )


def _wrapped(obstacles: Atoms, cell: NDArray[np.float64], low: float) -> Atoms:
    """Obstacles inside of packmol's box, whose floor is at zero."""
    moved = Atoms(obstacles.get_chemical_symbols(), obstacles.get_positions())
    moved.positions[:, 0] %= cell[0, 0]
    moved.positions[:, 1] %= cell[1, 1]
    moved.positions[:, 2] -= low
    return moved


def _sheared(
    positions: NDArray[np.float64], members: list[list[int]], cell: NDArray[np.float64], box: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Move every molecule, rigid, from the orthogonal box to the place with the same fractional coordinates."""
    moved = positions.copy()
    for indices in members:
        centre = positions[indices].mean(axis=0)
        fractional = centre[:2] / box[:2]
        moved[indices, :2] += fractional @ cell[:2, :2] - centre[:2]
    return moved

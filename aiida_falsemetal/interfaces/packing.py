"""Packs molecules into a box with packmol (Martínez et al., J. Comput. Chem. 30, 2157 (2009))."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write

from ..physics.molecules import make_whole
from .recipe import InterfaceError

TOLERANCE = 2.0
"""Smallest distance in Å between atoms of different molecules, where no radius says otherwise."""
RADII = {"H": 0.8, "O": 1.35}
"""Half of the smallest distance (Å) between like atoms of different molecules. Oxygens packed as close as ``TOLERANCE``
press a hydrogen into a foreign oxygen on relaxation, and classical water has nothing to hold it back."""


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
    """``count`` copies of ``molecule`` in an orthogonal box, periodic in x and y.

    :param molecule: one molecule, any position.
    :param count: number of copies.
    :param box: lengths in Å; x and y are periodic, z ends in walls.
    :param seed: packmol's seed.
    :param timeout: seconds after which packing is given up.
    :return: atoms in packmol's order (one molecule after the other), with cell ``box``.
    :raises InterfaceError: if packmol finds no arrangement.
    """
    packmol = find_packmol()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "molecule.xyz", molecule, format="xyz")
        (Path(folder) / "pack.inp").write_text(_input(molecule, count, box, seed))
        with open(Path(folder) / "pack.inp") as stdin:
            try:
                done = subprocess.run(
                    [packmol], stdin=stdin, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False
                )
            except subprocess.TimeoutExpired as error:
                raise InterfaceError(f"packmol found no arrangement in {timeout:.0f} s; use a larger box.") from error
        result = Path(folder) / "packed.xyz"
        if "Success" not in done.stdout or not result.exists():
            raise InterfaceError(
                f"packmol could not place {count} molecules in {box[0]:.1f} x {box[1]:.1f} x {box[2]:.1f} Å; "
                "use a larger lateral size or fewer molecules."
            )
        packed: Atoms = read(result, format="xyz")
    packed.set_cell(np.diag(box))
    packed.pbc = True
    # packmol wraps atoms one by one; everything after this relies on whole molecules.
    size = len(molecule)
    members = [list(range(first, first + size)) for first in range(0, len(packed), size)]
    packed.positions = make_whole(packed.get_positions(), members, packed.cell.array)
    return packed


def _input(molecule: Atoms, count: int, box: tuple[float, float, float], seed: int) -> str:
    x, y, z = box
    radii = "".join(
        f"  atoms {number}\n    radius {RADII[symbol]}\n  end atoms\n"
        for number, symbol in enumerate(molecule.get_chemical_symbols(), start=1)
        if symbol in RADII
    )
    margin = TOLERANCE / 2.0  # The walls in z are not periodic: keep half a contact distance from them.
    return (
        f"tolerance {TOLERANCE}\nseed {seed}\nfiletype xyz\noutput packed.xyz\n"
        # A huge z period lets packmol treat x and y as periodic and z as open.
        f"pbc 0. 0. -50. {x:.6f} {y:.6f} {z + 50:.6f}\n"
        f"structure molecule.xyz\n  number {count}\n"
        f"  inside box 0. 0. {margin:.6f} {x:.6f} {y:.6f} {z - margin:.6f}\n{radii}end structure\n"
    )

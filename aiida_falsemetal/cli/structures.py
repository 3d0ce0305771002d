"""Structures from files, for the launchers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np


def read_structure(file: Path, index: int = -1) -> Any:
    """The ``index``-th frame of ``file`` as ``ase.Atoms``.

    :raises click.ClickException: if the file is missing, ase cannot read it, or it has no cell or a tilted normal.
    """
    from ase.io import read

    if not file.is_file():
        raise click.ClickException(f"{file}: there is no such file.")
    try:
        atoms = read(file, index=index)
    except Exception as error:  # ase raises many kinds
        raise click.ClickException(
            f"{file}: ase cannot read frame {index} ({type(error).__name__}: {error})."
        ) from error
    cell = atoms.cell.array
    if abs(np.linalg.det(cell)) < 1e-3:
        raise click.ClickException(f"{file}: the structure has no cell; add one (extended XYZ: Lattice=...).")
    if np.abs(cell[2, :2]).max() > 1e-3 or np.abs(cell[:2, 2]).max() > 1e-3:
        raise click.ClickException(f"{file}: the third cell vector must be the interface's normal, along z.")
    atoms.pbc = True
    return atoms

"""Structures from files, for the launchers."""

from __future__ import annotations

import re
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


def read_substrate(atoms: Any, text: str) -> list[int]:
    """Indices of a substrate's atoms.

    :param text: elements (``Al``), indices and ranges of them (``0-15``), counted from 0, with commas between.
    :raises click.ClickException: if an entry is neither, names no atom, or nothing else is left.
    """
    symbols = atoms.get_chemical_symbols()
    found: set[int] = set()
    for entry in (part.strip() for part in text.split(",")):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", entry)
        if match:
            first, last = int(match.group(1)), int(match.group(2) or match.group(1))
            chosen = set(range(first, last + 1))
        else:
            chosen = {index for index, symbol in enumerate(symbols) if symbol == entry}
        if not chosen or max(chosen) >= len(symbols):
            have = f"{', '.join(sorted(set(symbols)))}, or 0 to {len(symbols) - 1}"
            raise click.ClickException(f"--substrate: {entry!r} names no atom; the structure has {have}.")
        found |= chosen
    if len(found) == len(symbols):
        raise click.ClickException(f"--substrate: {text!r} is the whole structure; leave the solvent out.")
    return sorted(found)

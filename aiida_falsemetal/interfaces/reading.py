"""Reads a structure from a file: CIF, POSCAR, extended XYZ and whatever else ase knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from ase.io.formats import UnknownFileTypeError, filetype, open_with_compression

from .recipe import InterfaceError

EXTXYZ = "extxyz"
MOST_EMPTY = 1000
"""Reads after the end of a file; ase makes a few in good files."""
SMALLEST_VOLUME = 1e-3
"""Å^3: cells below this are none."""


def read_atoms(path: Path, index: int = -1) -> Atoms:
    """The ``index``-th frame of a file: symbols, positions and cell alone, and along z as periodic as the file says.

    Constraints, velocities and results of a calculator are left out.

    :raises InterfaceError: if there is no such file, ase cannot read it, sites are mixed, or there is no cell.
    """
    try:
        found = path.is_file()
    except (OSError, ValueError):  # a path that is too long, or holds a null byte
        found = False
    if not found:
        raise InterfaceError(f"there is no file {path}; give the path of a structure file.")
    refuse_name(path)
    try:
        form = filetype(str(path))
        with opened(path, form) as source:
            atoms = read(source, index=index, format=form, do_not_split_by_at_sign=True)
    except Exception as error:  # ase raises many kinds
        raise InterfaceError(_unreadable(path, index, error)) from error
    return checked(atoms)


def refuse_name(path: Path) -> None:
    """Refuse a file whose place cannot be stored.

    :raises InterfaceError: if its name, or that of a folder, is no text: bytes that are not UTF-8.
    """
    try:
        str(path.resolve()).encode()
    except UnicodeEncodeError as error:
        raise InterfaceError("the name of the file or of its folder is not UTF-8; rename it.") from error


@contextmanager
def opened(path: Path, form: str) -> Iterator[Any]:
    """What to give to ase's reader of a format: the path, or a stream where the reader might not end by itself."""
    if form != EXTXYZ:
        yield str(path)
        return
    with open_with_compression(str(path), "r") as stream:
        yield _Ending(stream)


class _Ending:
    """A text stream that raises where it is read on and on after its end.

    The first line of a frame in extended XYZ is its number of atoms, and ase skips as many lines without a look at
    them: of a file that says 10^18, for years.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._empty = 0

    def readline(self) -> str:
        """The next line; an empty text at the end."""
        line = str(self._stream.readline())
        if not line:
            self._empty += 1
            if self._empty > MOST_EMPTY:
                raise EOFError("the file ends before all the atoms that it announces")
        return line

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)

    def __next__(self) -> str:
        return str(next(self._stream))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def checked(atoms: Atoms) -> Atoms:
    """Symbols, positions and cell of a structure that can be used.

    :raises InterfaceError: if it is empty, has mixed sites, positions that are no numbers, or no cell.
    """
    if not isinstance(atoms, Atoms) or not len(atoms):
        raise InterfaceError("the structure has no atoms; give another file or index.")
    occupancies = atoms.info.get("occupancy") or {}
    for site in occupancies.values():
        if len(site) > 1 or min(site.values()) < 0.999:
            raise InterfaceError("the structure has partly occupied sites; make an ordered one of it.")
    if not np.isfinite(atoms.positions).all() or not np.isfinite(atoms.cell.array).all():
        raise InterfaceError("a position or cell vector is not a number; mend the file.")
    if "X" in atoms.get_chemical_symbols():
        raise InterfaceError("an atom has no element; name the elements in the file.")
    if abs(atoms.cell.volume) < SMALLEST_VOLUME:
        raise InterfaceError(
            'the structure has no cell of three vectors; give it one, in extended XYZ with Lattice="...".'
        )
    plain = Atoms(atoms.get_chemical_symbols(), atoms.get_positions(), cell=atoms.cell.array)
    # In the plane everything here is periodic; along z a file may say that atoms must not be wrapped.
    plain.pbc = (True, True, bool(atoms.pbc[2]) or not atoms.pbc.any())
    return plain


def file_format(path: Path) -> str:
    """ase's name of a file's format.

    :raises InterfaceError: if ase does not know it, or the file is packed and damaged.
    """
    try:
        return str(filetype(str(path)))
    except (UnknownFileTypeError, OSError) as error:
        raise InterfaceError(f"{path} is of a format that ase does not know; convert it.") from error
    except Exception as error:  # ase looks into packed files, whose readers raise many kinds
        raise InterfaceError(f"{path} cannot be read ({reason(error)}); copy it again.") from error


def reason(error: Exception) -> str:
    """Kind and text of an error of a library, on one line, short, and without semicolons or control characters, which
    it may quote from the file."""
    said = " ".join(str(error).replace(";", ",").split())[:200].rstrip(". ")
    said = "".join(letter if letter.isprintable() else "?" for letter in said)
    return type(error).__name__ + (f": {said}" if said else "")


def _unreadable(path: Path, index: int, error: Exception) -> str:
    if isinstance(error, (IndexError, StopIteration)):
        which = "no structure" if index in (0, -1) else f"no frame {index}"
        return f"{path.name} has {which} ({reason(error)}); give another {'file' if index in (0, -1) else 'index'}."
    return f"ase cannot read {path.name} ({reason(error)}); give a CIF, POSCAR or extended XYZ file, or another index."

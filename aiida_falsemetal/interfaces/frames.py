"""Frames of a trajectory file, one after the other: of the file, only the frame that is being read is in memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.io import iread, read
from ase.io.formats import open_with_compression

from .reading import file_format, opened, reason, refuse_name
from .recipe import InterfaceError

XDATCAR = "vasp-xdatcar"
LAMMPS = ("lammps-dump-text", "lammps-dump-binary")
XDATCAR_HEADER = 7
"""Lines before the first configuration: title, scale, three vectors, elements, numbers."""


def trajectory_format(path: Path, form: str | None, elements: tuple[str, ...]) -> str:
    """ase's name of the format, guessed where ``form`` is None.

    :param elements: of the types 1, 2, ... of a LAMMPS dump.
    :raises InterfaceError: if there is no such file, its format is not known, or ``elements`` are missing or do not go
        with it.
    """
    try:
        found = path.is_file()
    except (OSError, ValueError):  # a path that is too long, or holds a null byte
        found = False
    if not found:
        raise InterfaceError("there is no such file; give the path of a trajectory.")
    refuse_name(path)
    name = form or file_format(path)
    if elements and name not in LAMMPS:
        raise InterfaceError(f"elements are for LAMMPS dumps, and this is read as {name}; leave them out.")
    if name in LAMMPS and not elements and not _tells_elements(path, name):
        raise InterfaceError(
            "the dump has numbers for its types of atoms; name their elements in the order of the types, with "
            '--elements "O H" for example.'
        )
    return name


def iterate_frames(path: Path, form: str, elements: tuple[str, ...], frames: slice) -> Iterator[tuple[int, Atoms]]:
    """Number in the file, counted from 0, and atoms of every frame of a slice.

    :param frames: its step is positive; where a limit is negative, the file is read twice.
    :raises InterfaceError: if ase cannot read a frame.
    """
    start, stop, step = frames.start or 0, frames.stop, frames.step or 1
    if start < 0 or (stop is not None and stop < 0):
        start, stop, step = frames.indices(sum(1 for _ in _all(path, form, elements)))
    yield from islice(enumerate(_all(path, form, elements)), start, stop, step)


def _all(path: Path, form: str, elements: tuple[str, ...]) -> Iterator[Atoms]:
    more: dict[str, Any] = {"specorder": list(elements)} if elements else {}
    number = 0
    try:
        with opened(path, form) as source:
            frames = (
                _xdatcar(path)
                if form == XDATCAR
                else iread(source, ":", format=form, do_not_split_by_at_sign=True, **more)
            )
            for atoms in frames:
                yield atoms
                number += 1
    except Exception as error:  # ase raises many kinds
        remedy = f"leave out what follows, with --index :{number}" if number > 1 else "give another file or --format"
        raise InterfaceError(f"ase cannot read frame {number} as {form} ({reason(error)}); {remedy}.") from error


def _xdatcar(path: Path) -> Iterator[Atoms]:
    """Frames of an XDATCAR, each given to ase alone: ase's own reader takes in the whole file."""
    with open_with_compression(str(path), "r") as stream:
        header: list[str] = []
        count = 0
        for line in stream:
            if "configuration=" not in line:  # a header, which is repeated where the cell may change
                if not line.strip():
                    continue
                header = [line, *islice(stream, XDATCAR_HEADER - 1)]
                count = sum(int(number) for number in header[-1].split())
                continue
            text = "".join(chain(header, [line], islice(stream, count)))
            yield read(io.StringIO(text), index=0, format=XDATCAR)


def _tells_elements(path: Path, form: str) -> bool:
    """Whether the columns of a LAMMPS dump say which elements the atoms are."""
    if form != "lammps-dump-text":
        return False
    try:
        with open_with_compression(str(path), "r") as stream:
            for line in islice(stream, 100):
                if line.startswith("ITEM: ATOMS"):
                    return bool({"element", "mass"} & set(line.split()))
    except Exception as error:  # damaged, or no text at all
        said = f"{path.name} is not a LAMMPS dump that can be read ({reason(error)}); copy it again."
        raise InterfaceError(said) from error
    return False

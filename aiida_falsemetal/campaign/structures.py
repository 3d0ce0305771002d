"""Structures that a campaign's interfaces start from: read from files here, found in a profile by whoever has one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ..interfaces.reading import checked, file_format, read_atoms
from ..interfaces.recipe import InterfaceError

DIGITS = 8
"""Decimals in Å to which two structures are the same."""
Finder = Callable[[str], Atoms]
"""Gives the structure of a node by PK or UUID; raises ``LookupError`` with ``what is wrong; remedy``."""


@dataclass(frozen=True)
class ResolvedStructure:
    """A structure with all that is to be remembered of it.

    :param atoms: symbols, positions, cell.
    :param node: PK or UUID of the node that it is, None for one from a file.
    :param origin: of a file: ``path``, ``sha256``, ``format`` (ase's name) and ``index``.
    """

    atoms: Atoms
    node: str | None = None
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        """Symbols, positions and cell (Å), rounded to ``DIGITS`` decimals: what makes two structures the same."""
        return structure_content(self.atoms)


def structure_content(atoms: Atoms) -> dict[str, Any]:
    """Symbols, and positions and cell in Å with ``DIGITS`` decimals."""
    return {
        "symbols": atoms.get_chemical_symbols(),
        "positions": _rounded(atoms.get_positions()),
        "cell": _rounded(atoms.cell.array),
        # Along z alone it makes a difference: whether atoms are wrapped.
        "periodic": bool(atoms.pbc[2]),
    }


def read_structure_file(path: Path, index: int) -> ResolvedStructure:
    """The ``index``-th structure of a file.

    :raises InterfaceError: if it cannot be used, see :func:`.reading.read_atoms`.
    """
    atoms = read_atoms(path, index)
    place = path.resolve()
    with open(place, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    origin = {"path": str(place), "sha256": digest, "format": file_format(place), "index": index}
    return ResolvedStructure(atoms, origin=origin)


def find_structure(node: str, find: Finder | None) -> ResolvedStructure:
    """The structure of a node.

    :raises InterfaceError: if there is none, or nothing to look it up with.
    """
    if find is None:
        raise InterfaceError("nodes cannot be looked up here; name a file.")
    try:
        return ResolvedStructure(checked(find(node)), node=node)
    except LookupError as error:
        raise InterfaceError(str(error.args[0]) if error.args else f"there is no node {node}; name another.") from error


def _rounded(vectors: Any) -> list[list[float]]:
    rows: list[list[float]] = (np.round(vectors, DIGITS) + 0.0).tolist()  # no -0.0
    return rows

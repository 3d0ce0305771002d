"""Structures from files and from the profile, for the commands and the launchers."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import click
import numpy as np

ORIGIN = "falsemetal_origin"
"""Extra of a StructureData from a file: path, sha256, format, index."""
CONTENT = "falsemetal_content"
"""Extra: SHA-256 of what makes two structures the same."""


def find_atoms(identifier: str) -> Any:
    """The ``ase.Atoms`` of the StructureData with a PK or UUID in the profile, which is loaded for it.

    :raises LookupError: saying what is wrong, and after a semicolon what to do.
    :raises click.ClickException: if there is no profile.
    """
    return load_structure(identifier).get_ase()


def load_structure(identifier: str) -> Any:
    """The StructureData with a PK or UUID; errors as of :func:`find_atoms`."""
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    from .common import load_profile

    load_profile()
    remedy = "name a StructureData by its PK or UUID, `falsemetal interface import` makes one"
    try:
        node = orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        many = isinstance(error, MultipleObjectsError)
        fault = "several nodes begin with" if many else "the profile has no node"
        raise LookupError(f"{fault} {identifier}; {remedy}.") from error
    if not isinstance(node, orm.StructureData):
        raise LookupError(f"node {identifier} is a {type(node).__name__}; {remedy}.")
    if node.has_vacancies or node.is_alloy:
        raise LookupError(f"node {identifier} has partly occupied sites; make an ordered structure of it.")
    return node


def store_structure(structure: Any, label: str = "") -> tuple[Any, bool]:
    """As :func:`structure_node`, stored, and whether the node is new."""
    node = structure_node(structure, label)
    new = not node.is_stored
    return node.store() if new else node, new


def structure_node(structure: Any, label: str = "") -> Any:
    """The StructureData of a resolved structure: the one that was named, one with the same content, or a new one.

    A new one is not stored.

    :param structure: a ``campaign.structures.ResolvedStructure``.
    """
    from aiida import orm

    from ..campaign.expand import canonical

    if structure.node is not None:
        return load_structure(structure.node)
    digest = hashlib.sha256(canonical(structure.content).encode("ascii")).hexdigest()
    query = orm.QueryBuilder().append(orm.StructureData, filters={f"extras.{CONTENT}": digest}, tag="node")
    known = query.order_by({"node": "id"}).first(flat=True)
    if known is not None:
        return known
    node = orm.StructureData(ase=structure.atoms, label=label or Path(structure.origin["path"]).name)
    # Before it is stored, so that no structure is ever without.
    node.base.extras.set_many({CONTENT: digest, ORIGIN: structure.origin})
    return node


def read_structure(file: Path, index: int = -1) -> Any:
    """The ``index``-th frame of ``file`` as ``ase.Atoms``.

    :raises click.ClickException: if the file is missing, ase cannot read it, or it has no cell or a tilted normal.
    """
    from ..interfaces.reading import read_atoms
    from ..interfaces.recipe import InterfaceError

    try:
        atoms = read_atoms(file, index)
    except InterfaceError as error:
        raise click.ClickException(f"{file}: {error}") from error
    cell = atoms.cell.array
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

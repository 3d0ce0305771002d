"""What an interface has become: densities and distances, for people to look at and for tests to hold against theory."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..physics.molecules import make_whole
from .contacts import smallest_contact
from .recipe import BuiltInterface
from .solvents import AVOGADRO

OVERLAP = 0.1
"""Å by which a contact may fall short: packmol and the pushing apart both stop at less."""
TOUCHING = 1.1
"""Å: in an interface that was not packed but given, atoms that do not belong together and are closer than this overlap.
The shortest hydrogen bonds of a liquid have 1.4 Å."""


def measure(built: BuiltInterface) -> dict[str, Any]:
    """Numbers of a built interface.

    :return: ``formula``, ``atoms``, ``molecules``, ``density`` (g/cm^3 of the liquid in its nominal volume),
        ``shortest_distance`` (Å, between atoms of different molecules or of a molecule and the substrate, by minimum
        image), ``contact`` (Å, smallest distance less the sum of contact radii, at most 0), ``height`` (Å, of all atoms
        along the normal), ``vacuum`` (Å, left free by the atoms), ``charge`` (e, sum of screened charges), ``dipole``
        (e Å, of these along the normal), ``whole`` (whether no molecule is cut by the cell).
    """
    atoms, info = built.atoms, built.info
    members = [list(molecule) for molecule in info["molecules"]]
    liquid = [index for molecule in members for index in molecule]
    z = atoms.positions[:, 2]
    charges = np.array(info["charges"])
    volume = info["area"] * info["thickness"]
    whole = make_whole(atoms.get_positions(), members, atoms.cell.array)
    return {
        "formula": atoms.get_chemical_formula(),
        "atoms": len(atoms),
        "molecules": len(members),
        "density": float(atoms.get_masses()[liquid].sum() / (AVOGADRO * volume)),
        "shortest_distance": _shortest(built, members),
        "contact": _contact(built, members, liquid),
        "height": float(np.ptp(z)),
        "vacuum": float(atoms.cell.array[2, 2] - np.ptp(z)),
        "charge": float(charges.sum()),
        "dipole": float(charges @ z),
        "whole": bool(np.abs(whole - atoms.get_positions()).max(initial=0.0) < 1e-6),
    }


def problems(built: BuiltInterface) -> list[str]:
    """Sentences on what is wrong with an interface; none for a good one."""
    found, info = measure(built), built.info
    sentences = []
    if found["contact"] < -OVERLAP:
        sentences.append(f"molecules overlap: a contact is {-found['contact']:.2f} Å too short.")
    if found["shortest_distance"] < TOUCHING:
        sentences.append(f"molecules overlap: two atoms are {found['shortest_distance']:.2f} Å apart.")
    if found["vacuum"] < info["vacuum"] - 1e-6:
        sentences.append(f"the vacuum is {found['vacuum']:.1f} Å, not {info['vacuum']:.1f} Å.")
    if abs(found["charge"]) > 1e-6:
        sentences.append(f"the charges sum to {found['charge']:.3f} e, not to zero.")
    if not found["whole"]:
        sentences.append("a molecule is cut by the cell.")
    return sentences


def _shortest(built: BuiltInterface, members: list[list[int]]) -> float:
    """Smallest distance between atoms that do not belong together, in Å."""
    atoms = built.atoms
    owner = np.full(len(atoms), -1)
    for number, molecule in enumerate(members):
        owner[molecule] = number
    distances = atoms.get_all_distances(mic=True)
    apart = owner[:, None] != owner[None, :]
    return float(distances[apart].min(initial=np.inf))


def _contact(built: BuiltInterface, members: list[list[int]], liquid: list[int]) -> float:
    """Of the liquid's molecules and the substrate, as packing measures it."""
    if built.info.get("eps") is None or not built.info.get("packed", True):
        return 0.0  # hydrogen bonds of ice and of an equilibrated liquid are shorter than molecules are packed
    position = {index: number for number, index in enumerate(liquid)}
    packed = built.atoms[liquid]
    substrate = built.info["substrate_indices"]
    own = [[position[index] for index in molecule] for molecule in members]
    return smallest_contact(packed, own, built.atoms[substrate] if substrate else None)

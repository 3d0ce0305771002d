"""Asks several models for the forces on the frames of one trajectory, and says how far they disagree.

``python runner.pyz --committee`` reads ``committee.json`` and ``frames.npz`` in the working directory and writes
``disagreement.npz``. A job that is cut off is cheap to repeat: it keeps nothing.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ..mlips.registry import load_family
from ..physics.committee import disagreement
from . import device
from .result import versions

FLAG = "--committee"
INPUT, FRAMES, OUTPUT, RESULT = "committee.json", "frames.npz", "disagreement.npz", "result.json"
EVERY = 50
"""Frames between two lines of progress."""


def ask() -> None:
    """Do what ``committee.json`` says: ``symbols``, ``members`` (``model``, ``family``, ``kwargs``), ``device``,
    ``threads``."""
    folder, started = Path.cwd(), time.monotonic()
    given = json.loads((folder / INPUT).read_text())
    device.choose(given["device"])
    device.limit_threads(given.get("threads", 1))
    with np.load(folder / FRAMES) as arrays:
        positions, cell = arrays["positions"], arrays["cell"]
    members = given["members"]
    energies = np.empty((len(members), len(positions)))
    forces = np.empty((len(members), *positions.shape), dtype=np.float32)
    for number, member in enumerate(members):
        said = f"member {number + 1} of {len(members)}"
        energies[number], forces[number] = _answers(folder, member, given["symbols"], positions, cell, said)
    found = [disagreement(forces[:, k]) for k in range(len(positions))]
    part = folder / f"part-{OUTPUT}"
    np.savez(part, disagreement=np.array(found), energy=energies)
    part.rename(folder / OUTPUT)
    account = {"versions": versions(), "wall_seconds": time.monotonic() - started, **device.used()}
    (folder / RESULT).write_text(json.dumps(account, indent=1))


def _answers(
    folder: Path, member: dict[str, Any], symbols: list[str], positions: np.ndarray, cell: np.ndarray, said: str
) -> tuple[np.ndarray, np.ndarray]:
    """Energies (n,) in eV and forces (n, atoms, 3) in eV/Å; molecules in ``positions`` are whole."""
    energies, forces = np.empty(len(positions)), np.empty(positions.shape, dtype=np.float32)
    if not len(positions):
        return energies, forces
    atoms = Atoms(symbols, positions[0], cell=cell, pbc=True)
    atoms.calc = load_family(member["family"]).calculator(folder / member["model"], member["kwargs"], atoms)
    for k, frame in enumerate(positions):
        atoms.set_positions(frame)
        energies[k] = atoms.get_potential_energy()
        forces[k] = atoms.get_forces()
        if k % EVERY == 0:
            print(f"{said}: frame {k + 1} of {len(positions)}", flush=True)
    return energies, forces

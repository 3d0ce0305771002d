"""A trajectory of eight waters, and the files in which someone may have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.registry import load_family
from aiida_falsemetal.runner.driver import Settings, Trajectory

from .nodes import film

TIMESTEP = 50.0
"""fs between stored frames."""
SUFFIXES = {"extxyz": ".extxyz", "traj": ".traj", "vasp-xdatcar": ".XDATCAR", "lammps-dump-text": ".dump"}
"""Names of files by ase's name of their format, which ase guesses from them."""


@dataclass
class Run:
    """What an MD left: frames with energies, molecules whole, and its records of each."""

    frames: list[Atoms] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)

    def append(self, whole: np.ndarray, record: dict[str, Any]) -> None:
        """What the driver calls at each sample, every one of which is a frame here."""
        atoms = film()[0].copy()
        atoms.positions = whole
        atoms.calc = SinglePointCalculator(atoms, energy=record["potential_energy"])
        self.frames.append(atoms)
        self.records.append(record)

    def series(self, name: str) -> np.ndarray:
        """One of the records' values, shape (frames,)."""
        return np.array([record[name] for record in self.records])


@cache
def run(steps: int = 2000) -> Run:
    """MD with a shipped control. Shared: copy frames before changing them."""
    built, info = film()
    atoms, entry, made = built.copy(), presets()["spcfw-truncated"], Run()
    atoms.calc = load_family(entry.family).calculator(model_path(entry), entry.kwargs, atoms)
    stride = int(TIMESTEP)
    settings = Settings(steps, 1.0, 300.0, 0.01, 1, stride, stride, 2.014, 0.5, None, 1e9)
    with TemporaryDirectory() as folder:
        status, reason = Trajectory(atoms, info, settings, Path(folder), lambda: False).run(made)  # type: ignore[arg-type]
    assert status == "finished", reason
    return made


def wrapped(frames: Sequence[Atoms]) -> list[Atoms]:
    """Each atom by itself put into the cell, moved so that a face cuts through the film; energies stay."""
    cut = []
    for frame in frames:
        atoms = frame.copy()
        atoms.positions[:, 2] += 0.5 * atoms.cell.array[2, 2]
        atoms.wrap()
        energy = frame.get_potential_energy() if frame.calc is not None else 0.0
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
        cut.append(atoms)
    return cut


def save(frames: Sequence[Atoms], form: str, folder: Path, columns: str = "element") -> Path:
    """A file of the format.

    :param columns: of a LAMMPS dump, what the second one says: ``element`` or ``type`` (1 for O, 2 for H).
    """
    path = folder / f"run{SUFFIXES[form]}"
    if form == "lammps-dump-text":
        path.write_text("".join(_dump(number, frame, columns) for number, frame in enumerate(frames)))
    else:
        write(path, list(frames), format=form)
    return path


def _dump(number: int, frame: Atoms, columns: str) -> str:
    """A frame as LAMMPS writes it, atoms in no order."""
    lengths = frame.cell.lengths()
    lines = ["ITEM: TIMESTEP", str(1000 + int(TIMESTEP) * number), "ITEM: NUMBER OF ATOMS", str(len(frame))]
    lines += ["ITEM: BOX BOUNDS pp pp pp", *(f"0.0 {length:.10f}" for length in lengths)]
    lines.append(f"ITEM: ATOMS id {columns} x y z")
    order = np.random.default_rng(number).permutation(len(frame))
    for index in order:
        symbol = frame.symbols[index]
        kind = symbol if columns == "element" else {"O": "1", "H": "2"}[symbol]
        lines.append(f"{index + 1} {kind} " + " ".join(f"{value:.8f}" for value in frame.positions[index]))
    return "\n".join(lines) + "\n"

"""The frames that the gap stage is measured on: one film of water, from flat to far beyond closing.

    python benchmarks/gap/frames.py [--picoseconds 160]

Molecular dynamics with the truncated control (``spcfw-truncated``), whose dipole wanders far out; every seed gives the
same frames. Frames are taken so that they spread evenly over the drop that screened charges expect, ``expected_drop``,
of either sign, at least ``SPACING`` apart in time. Written to ``frames.xyz`` beside this file.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.io import write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.optimize import FIRE

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.registry import load_family
from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.physics.dipoles import SCREENED_CHARGES, charges_for, dipole_z

OUT = Path(__file__).with_name("frames.xyz")
FILM = {"molecules": 16, "lateral": 6.5, "vacuum": 25.0}
SEEDS = (1, 2, 3, 4)
SPACING = 200
"""MD steps of 1 fs between two samples."""
BINS = ((0.0, 2.0, 6), (2.0, 3.5, 6), (3.5, 5.0, 10), (5.0, 6.5, 10), (6.5, 8.0, 6), (8.0, 12.0, 4))
"""From and to in V of expected drop, and how many frames: closing happens between 4 and 7 V."""


def relaxed_film(preset: str, **parameters: Any) -> Atoms:
    """A packed film of water, relaxed with the calculator of a shipped model, which it keeps."""
    atoms: Atoms = FilmRecipe().build(FilmParameters(**parameters)).atoms
    entry = presets()[preset]
    atoms.calc = load_family(entry.family).calculator(model_path(entry), dict(entry.kwargs), atoms)
    FIRE(atoms, logfile=None).run(fmax=1.0, steps=150)
    return atoms


def trajectory(seed: int, picoseconds: float) -> list[Atoms]:
    """Samples of one trajectory, 2 ps of equilibration left out, each with its expected drop."""
    atoms = relaxed_film("spcfw-truncated", **FILM, seed=seed)
    atoms.set_masses([2.014 if symbol == "H" else None for symbol in atoms.get_chemical_symbols()])
    rng = np.random.default_rng(seed)
    thermalize_momenta(atoms, temperature_K=300.0, rng=rng)
    dynamics = Langevin(atoms, units.fs, temperature_K=300.0, friction=0.01 / units.fs, fixcm=False, rng=rng)
    dynamics.run(2000)
    charges = charges_for(atoms.get_chemical_symbols(), SCREENED_CHARGES)
    area = float(np.linalg.norm(np.cross(*atoms.cell.array[:2])))
    samples = []
    for _ in range(round(picoseconds * 1000 / SPACING)):
        dynamics.run(SPACING)
        sample = Atoms(atoms.get_chemical_symbols(), atoms.get_positions(), cell=atoms.cell, pbc=True)
        drop = dipole_z(sample.positions, charges) / (EPS0 * area)
        sample.info.update(seed=seed, step=dynamics.nsteps, expected_drop=drop)
        samples.append(sample)
    return samples


def choose(samples: list[Atoms]) -> list[Atoms]:
    """Evenly over each bin's samples, sorted by the drop's size."""
    chosen = []
    for low, high, number in BINS:
        inside = sorted(
            (sample for sample in samples if low <= abs(sample.info["expected_drop"]) < high),
            key=lambda sample: abs(sample.info["expected_drop"]),
        )
        number = min(number, len(inside))
        chosen += [inside[round(place)] for place in np.linspace(0, len(inside) - 1, number)]
    for name, frame in enumerate(chosen):
        frame.info["frame"] = f"f{name:02d}"
    return chosen


def main() -> None:
    """Run the trajectories and write the chosen frames."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picoseconds", type=float, default=160.0, help="length of all trajectories together")
    picoseconds = parser.parse_args().picoseconds / len(SEEDS)
    samples: list[Atoms] = []
    for seed in SEEDS:
        samples += trajectory(seed, picoseconds)
        drops = np.array([sample.info["expected_drop"] for sample in samples])
        print(f"seed {seed}: {len(samples)} samples, drops from {drops.min():.2f} to {drops.max():.2f} V", flush=True)
    frames = choose(samples)
    write(OUT, frames, format="extxyz")
    print(f"{len(frames)} frames in {OUT.name}")


if __name__ == "__main__":
    main()

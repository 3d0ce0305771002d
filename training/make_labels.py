"""Labels for the twins: films of water and bulk from flexible SPC/Fw, energies and forces with full electrostatics.

    python training/make_labels.py OUT [--workers 2]

Every trajectory is seeded, so the same command gives the same frames. Some trajectories are *driven* by the truncated
control, so that polarised films are among the frames; the labels are always those of full Ewald electrostatics. Each
frame carries ``REF_energy``/``REF_forces`` (total) and ``RES_energy``/``RES_forces`` (less the Ewald baseline of the
long-ranged twin). Held-out frames come from trajectories of their own.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.io import read, write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.optimize import FIRE

from aiida_falsemetal.interfaces.film import WATER_VOLUME, FilmParameters, FilmRecipe, water
from aiida_falsemetal.interfaces.packing import pack
from aiida_falsemetal.mlips.families.mace_ewald import EwaldBaseline
from aiida_falsemetal.mlips.registry import load_family

SPCFW = Path(__file__).parents[1] / "aiida_falsemetal/mlips/models/spcfw.xml"
CHARGES = {"O": -0.82, "H": 0.41}
SMEARING = 1.4
FILMS = ((24, 7.0), (32, 8.0), (48, 8.8), (64, 8.8))


@dataclass(frozen=True)
class Run:
    """One labelling trajectory: a film (lateral > 0) or bulk (lateral 0)."""

    molecules: int
    lateral: float
    kelvin: float
    electrostatics: str
    frames: int
    seed: int
    split: str
    spacing: int = 400

    @property
    def kind(self) -> str:
        """``film`` or ``bulk``."""
        return "film" if self.lateral else "bulk"


def plan() -> list[Run]:
    """All trajectories."""
    runs = []
    for n, lateral in FILMS:
        runs += [Run(n, lateral, t, "pme", 12, 0, "train") for t in (300, 350, 450, 600)]
        runs += [Run(n, lateral, t, "truncated", 14, 0, "train", 600) for t in (300, 400)]
    runs += [Run(64, 0.0, t, "pme", 12, 0, "train") for t in (300, 350, 450, 600)]
    runs += [Run(n, lateral, 300, "pme", 8, 0, "test") for n, lateral in FILMS]
    runs += [Run(48, 8.8, 300, "truncated", 8, 0, "test", 1000), Run(64, 0.0, 300, "pme", 8, 0, "test")]
    return [Run(**{**run.__dict__, "seed": 101 + number}) for number, run in enumerate(runs)]


def start(run: Run) -> Atoms:
    """Packed atoms of the run."""
    if run.kind == "film":
        parameters = FilmParameters(molecules=run.molecules, lateral=run.lateral, vacuum=25.0, seed=run.seed)
        return FilmRecipe().build(parameters).atoms
    edge = (run.molecules * WATER_VOLUME) ** (1.0 / 3.0)
    return pack(water(), run.molecules, (edge, edge, edge), run.seed)


def label(frame: Atoms, full: Calculator, baseline: Calculator) -> Atoms:
    """A copy of ``frame`` with total and residual labels."""
    atoms = frame.copy()
    atoms.calc = full
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.calc = baseline
    atoms.info.update(REF_energy=energy, RES_energy=energy - atoms.get_potential_energy())
    atoms.arrays.update(REF_forces=forces, RES_forces=forces - atoms.get_forces())
    atoms.arrays.pop("momenta", None)
    atoms.calc = None
    return atoms


def trajectory(run: Run) -> list[Atoms]:
    """Run MD and label every ``spacing``-th frame, after 500 steps."""
    atoms = start(run)
    # Made once, of the packed molecules: a hot molecule may stretch beyond what counts as a bond.
    full = load_family("openmm").calculator(SPCFW, {"electrostatics": "pme", "ewald_tolerance": 1e-5}, atoms)
    baseline = EwaldBaseline(atoms, CHARGES, SMEARING)
    atoms.calc = load_family("openmm").calculator(
        SPCFW, {"electrostatics": run.electrostatics, "ewald_tolerance": 1e-5}, atoms
    )
    FIRE(atoms, logfile=None).run(fmax=1.0, steps=150)
    frames = [label(atoms, full, baseline)]
    # Deuterium's mass lets a step of 1 fs sample the same distribution of positions.
    atoms.set_masses([2.014 if s == "H" else None for s in atoms.get_chemical_symbols()])
    rng = np.random.default_rng(run.seed)
    thermalize_momenta(atoms, temperature_K=run.kelvin, rng=rng)
    dynamics = Langevin(atoms, 1.0 * units.fs, temperature_K=run.kelvin, friction=0.02 / units.fs, fixcm=False, rng=rng)
    dynamics.run(500)
    for _ in range(run.frames - 1):
        frames.append(label(atoms, full, baseline))
        dynamics.run(run.spacing)
    for frame in frames:
        frame.info.update(config_type=f"{run.kind}{run.molecules}", kelvin=run.kelvin, driver=run.electrostatics)
    return frames


def compute(run: Run, out: Path) -> tuple[Path, Run]:
    """Compute one trajectory unless its file is there already."""
    path = out / "parts" / f"{run.split}-{run.seed}.xyz"
    if not path.exists():
        frames = trajectory(run)
        part = path.with_suffix(".part")
        write(part, frames, format="extxyz")
        part.rename(path)
    return path, run


def main() -> None:
    """Compute what is missing and write train.xyz and test.xyz."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    (arguments.out / "parts").mkdir(parents=True, exist_ok=True)
    runs = plan()
    pieces: dict[str, list[Atoms]] = {"train": [], "test": []}
    with ProcessPoolExecutor(arguments.workers) as pool:
        for done, (path, run) in enumerate(pool.map(compute, runs, [arguments.out] * len(runs)), start=1):
            pieces[run.split] += read(path, ":", format="extxyz")
            print(f"{done}/{len(runs)} {run}", flush=True)
    for split, frames in pieces.items():
        write(arguments.out / f"{split}.xyz", frames, format="extxyz")
        print(split, len(frames), "frames", sum(map(len, frames)), "atoms")


if __name__ == "__main__":
    main()

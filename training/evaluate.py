"""Errors of a shipped model on the held-out frames, by kind of frame: what its card states.

    python training/evaluate.py LABELS PRESET

Energies and forces are those of the whole model, its electrostatic baseline included, against the total labels.
Energy errors are per atom, after the mean difference over all frames is taken out (it is no physics). ``film,
polarised`` frames were driven by the truncated control.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read

from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.registry import load_family


def kind(frame: Atoms) -> str:
    """Row of the table that a frame belongs to."""
    if frame.info["config_type"].startswith("bulk"):
        return "bulk"
    return "film" if frame.info["driver"] == "pme" else "film, polarised"


def errors(frame: Atoms, calculator: object) -> tuple[float, np.ndarray]:
    """Energy error per atom (eV) and force errors (eV/Å, flat)."""
    energy, forces = frame.info["REF_energy"], frame.arrays["REF_forces"]
    atoms = frame.copy()
    atoms.calc = calculator
    return (atoms.get_potential_energy() - energy) / len(atoms), (atoms.get_forces() - forces).ravel()


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("preset", choices=sorted(presets()))
    given = parser.parse_args()
    entry = presets()[given.preset]
    family = load_family(entry.family)
    found: dict[str, list[tuple[float, np.ndarray]]] = {}
    for frame in read(given.labels / "test.xyz", ":"):
        # A calculator of its own for every frame: a baseline is made for one cell and one set of molecules.
        calculator = family.calculator(model_path(entry), entry.kwargs, frame)
        found.setdefault(kind(frame), []).append(errors(frame, calculator))
    shift = np.mean([energy for rows in found.values() for energy, _ in rows])
    print("| held-out frames | number | force RMSE (meV/Å) | force MAE (meV/Å) | energy RMSE (meV/atom) |")
    print("|---|---|---|---|---|")
    for name, rows in sorted(found.items()):
        force = np.concatenate([row[1] for row in rows]) * 1e3
        energy = (np.array([row[0] for row in rows]) - shift) * 1e3
        print(
            f"| {name} | {len(rows)} | {np.sqrt(np.mean(force**2)):.1f} | {np.mean(np.abs(force)):.1f} "
            f"| {np.sqrt(np.mean(energy**2)):.2f} |"
        )


if __name__ == "__main__":
    main()

"""The controls: full electrostatics where that is claimed, none beyond the cutoff where it is truncated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe, water
from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.family import ModelError
from aiida_falsemetal.mlips.registry import load_family
from aiida_falsemetal.physics.constants import COULOMB

from .gradient import slopes

FILE = model_path(presets()["spcfw-ewald"])
CHARGES = np.array([-0.82, 0.41, 0.41])


def control(atoms: Atoms, electrostatics: str, **kwargs: Any) -> Atoms:
    atoms = atoms.copy()
    atoms.calc = load_family("openmm").calculator(FILE, {"electrostatics": electrostatics, **kwargs}, atoms)
    return atoms


def film(vacuum: float = 25.0) -> Atoms:
    return FilmRecipe().build(FilmParameters(molecules=24, lateral=7.0, vacuum=vacuum, seed=1)).atoms


def two_waters(distance: float) -> Atoms:
    """Two molecules, their dipoles along z, one above the other, in a cell of 60 Å."""
    one = water()
    one.rotate(_direction(one), "z")  # also where it lies along -z already, to the last bit
    assert _direction(one)[2] == pytest.approx(1.0, abs=1e-6)
    other = one.copy()
    other.positions[:, 2] += distance
    both = one + other
    both.set_cell([60.0, 60.0, 60.0])
    both.pbc = True
    both.center()
    return both


def _direction(atoms: Atoms) -> np.ndarray:
    dipole = CHARGES @ atoms.positions
    return np.asarray(dipole / np.linalg.norm(dipole))


def coulomb(atoms: Atoms, images: int = 12) -> float:
    """Coulomb energy in eV of the first molecule with the second and with its lateral images, by direct summation.

    The images' share falls as one over their number: what is left out is 5 % of the images' 0.15 meV.
    """
    first, second = atoms.positions[:3], atoms.positions[3:]
    length = atoms.cell[0, 0]
    total = 0.0
    for i in range(-images, images + 1):
        for j in range(-images, images + 1):
            r = np.linalg.norm(first[:, None] - second[None, :] + [i * length, j * length, 0.0], axis=-1)
            total += float((COULOMB * CHARGES[:, None] * CHARGES[None, :] / r).sum())
    return total


def interaction(electrostatics: str, distance: float) -> float:
    """Energy of two molecules less that of the same two 14 Å apart, in a cell of 60 Å."""
    near, far = (control(two_waters(d), electrostatics).get_potential_energy() for d in (distance, 14.0))
    return float(near - far)


def test_full_electrostatics_gives_the_dipole_interaction() -> None:
    exact = coulomb(two_waters(8.0)) - coulomb(two_waters(14.0))
    # 1 % of 10 meV: single precision, PME's grid, and the images left out.
    assert interaction("pme", 8.0) == pytest.approx(exact, rel=0.01)


def test_truncated_electrostatics_ends_at_its_cutoff() -> None:
    atoms = control(two_waters(10.0), "truncated")
    assert interaction("truncated", 10.0) == pytest.approx(0.0, abs=1e-6)
    lone = control(two_waters(28.0), "truncated")
    assert atoms.get_forces() == pytest.approx(lone.get_forces(), abs=1e-4)  # float32


@pytest.mark.parametrize("electrostatics", ["pme", "truncated"])
def test_forces_are_the_gradient(electrostatics: str) -> None:
    atoms = control(film(), electrostatics)
    found, expected = slopes(atoms, 2e-3)
    # Central differences err by step^2 times the third derivative; single precision and PME's grid add 1e-3.
    assert found == pytest.approx(expected, rel=5e-3, abs=0.05)


def test_slab_correction_makes_the_vacuum_irrelevant() -> None:
    # An isolated film does not know the height of its cell; without the correction the energy changes by
    # M_z^2 / (2 eps0 V), which is 1e-2 eV here and more.
    short, tall = film(25.0), film(75.0)
    tall.positions += short.positions[0] - tall.positions[0]
    assert tall.positions == pytest.approx(short.positions, abs=1e-6)
    tall.positions[:, 2] += 25.0
    corrected = [control(atoms, "pme").get_potential_energy() for atoms in (short, tall)]
    bare = [control(atoms, "pme", slab_correction=False).get_potential_energy() for atoms in (short, tall)]
    assert corrected[0] == pytest.approx(corrected[1], abs=3e-3)
    assert abs(bare[0] - bare[1]) > 3 * abs(corrected[0] - corrected[1])


@pytest.mark.parametrize("electrostatics", ["pme", "truncated"])
def test_lateral_tiling_changes_nothing(electrostatics: str) -> None:
    small = film()
    large = small.repeat((2, 2, 1))
    one, four = control(small, electrostatics), control(large, electrostatics)
    assert 4 * one.get_potential_energy() == pytest.approx(four.get_potential_energy(), abs=5e-3)
    assert one.get_forces() == pytest.approx(four.get_forces()[: len(small)], abs=5e-3)


def test_facts_and_their_errors(tmp_path: Path) -> None:
    family = load_family("openmm")
    facts = family.inspect(FILE, {"electrostatics": "truncated"})
    assert (facts.elements, facts.long_ranged, facts.cutoff, facts.layers) == (("H", "O"), False, 6.0, 1)
    assert family.inspect(FILE, {"electrostatics": "pme"}).long_ranged
    for electrostatics, slab, boundary in (
        ("pme", True, "isolated"),
        ("pme", False, "tin-foil"),
        ("truncated", True, "isolated"),
        ("truncated", False, "isolated"),
    ):
        facts = family.inspect(FILE, {"electrostatics": electrostatics, "slab_correction": slab})
        assert (facts.boundary, facts.charges) == (boundary, {"O": -0.82, "H": 0.41})
    broken = tmp_path / "broken.xml"
    broken.write_text(FILE.read_text()[:300])
    for path, kwargs, text in (
        (broken, {}, "not a complete"),
        (FILE, {"cutof": 6.0}, "cutof"),
        (FILE, {"electrostatics": "none"}, "electrostatics"),
        (FILE, {"cutoff": 1.0}, "cutoff"),
    ):
        with pytest.raises(ModelError, match=text):
            family.inspect(path, kwargs)

"""The quick MACE calculator against mace-torch's own, and its list of pairs against matscipy's."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from mace.calculators import MACECalculator
from matscipy.neighbours import neighbour_list

from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.families._mace_forces import MaceForces, is_plain
from aiida_falsemetal.mlips.families._neighbours import Neighbours
from aiida_falsemetal.mlips.families._tools import quietly, repeatable
from aiida_falsemetal.mlips.registry import load_family

from .test_mace import film

CUTOFF = 4.5
PATH = model_path(presets()["twin-sr"])


def theirs(precision: str) -> MACECalculator:
    """mace-torch's calculator of the short-ranged twin."""
    with quietly():
        return MACECalculator(model_paths=str(PATH), device=repeatable(), default_dtype=precision)


def walk(atoms: Atoms, steps: int, size: float, seed: int = 1) -> list[Atoms]:
    """Configurations, each some way from the one before."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(steps):
        atoms = atoms.copy()
        atoms.positions += rng.normal(scale=size, size=(len(atoms), 3))
        found.append(atoms)
    return found


@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_energy_and_forces_are_those_of_mace(precision: str, tolerance: float) -> None:
    """To rounding, of which float32 has 1e-7 of the forces' 10 eV/Å; across several lists of pairs."""
    reference = theirs(precision)
    ours = MaceForces(reference)
    for atoms in walk(film(), 6, 0.1):
        ours.calculate(atoms)
        reference.calculate(atoms)
        assert ours.results["energy"] == pytest.approx(reference.results["energy"], abs=10 * tolerance)
        assert ours.results["energy"] == ours.results["free_energy"]
        assert np.abs(ours.results["forces"] - reference.results["forces"]).max() < tolerance
        assert np.abs(ours.results["forces"]).max() > 1.0


def test_other_elements_and_another_cell_are_noticed() -> None:
    reference = theirs("float64")
    ours = MaceForces(reference)
    small, large = film(8), film(12)
    swapped = small.copy()
    swapped.numbers = swapped.numbers[::-1]
    wide = small.copy()
    wide.set_cell(small.cell.array * [1.03, 1.0, 1.0])
    for atoms in (small, large, swapped, wide, small):
        atoms = atoms.copy()
        atoms.calc = ours
        forces = atoms.get_forces()
        reference.calculate(atoms)
        assert np.abs(forces - reference.results["forces"]).max() < 1e-12


def test_nothing_is_computed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    atoms = film(8)
    atoms.calc = MaceForces(theirs("float32"))
    atoms.get_forces()
    monkeypatch.setattr(MaceForces, "calculate", pytest.fail)
    atoms.get_potential_energy(), atoms.get_forces(), atoms.get_potential_energy(force_consistent=True)


def test_one_bit_is_noticed() -> None:
    atoms = film(8)
    atoms.calc = MaceForces(theirs("float32"))
    atoms.get_forces()
    atoms.positions[0, 0] = np.nextafter(atoms.positions[0, 0], 100.0)
    assert atoms.calc.check_state(atoms) == ["positions"]


def test_the_family_takes_it_and_leaves_other_models_to_mace() -> None:
    atoms = film(8)
    assert isinstance(load_family("mace").calculator(PATH, {}, atoms), MaceForces)
    assert is_plain(theirs("float32").models[0])

    class PolarMACE:
        """A class of mace-torch that wants a total charge."""

    assert not is_plain(PolarMACE())


@pytest.mark.parametrize("lateral", [3.0, 7.0, 20.0])
def test_pairs_are_those_of_matscipy(lateral: float) -> None:
    """In cells narrower than the cutoff too, where an atom is its own neighbour, and after atoms have left the cell."""
    rng = np.random.default_rng(2)
    atoms = Atoms("H40", positions=rng.uniform(0, [lateral, lateral, 12.0], (40, 3)), cell=[lateral, lateral, 30.0])
    atoms.cell[1, 0] = 0.3 * lateral
    atoms.pbc = (True, True, False)
    neighbours = Neighbours(CUTOFF)
    for moved in walk(atoms, 12, 0.15):
        first, second, images = neighbour_list("ijS", moved, cutoff=CUTOFF)
        expected = sorted(zip(first, second, map(tuple, images), strict=True))
        pairs, shifts, vectors = neighbours.of(moved)
        assert list(zip(*pairs, map(tuple, shifts.astype(int)), strict=True)) == expected
        assert np.allclose(vectors, shifts @ moved.cell.array)


def test_order_and_rounding_do_not_depend_on_the_past() -> None:
    """What makes a restart exact: a list that is some steps old and a new one give the same bits."""
    reference = theirs("float32")
    old = MaceForces(reference)
    for atoms in walk(film(), 25, 0.02):
        old.calculate(atoms)
        new = MaceForces(reference)
        new.calculate(atoms)
        assert np.array_equal(old.results["forces"], new.results["forces"])
        assert old.results["energy"] == new.results["energy"]

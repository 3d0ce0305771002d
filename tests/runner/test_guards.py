"""Each way a trajectory can leave its physics is found, and named."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.velocitydistribution import thermalize_momenta

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.runner.guards import Guard, Stop


@pytest.fixture
def film() -> tuple[Atoms, Guard]:
    built = FilmRecipe().build(FilmParameters(molecules=16, lateral=7.0, vacuum=30.0, seed=1))
    guard = Guard(built.atoms.copy(), built.info["molecules"], 2, 300.0, 0.1)
    return built.atoms, guard


def given(atoms: Atoms, energy: float = 0.0, force: float = 0.0) -> Atoms:
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.full((len(atoms), 3), force))
    return atoms


def stopped(guard: Guard, atoms: Atoms) -> Stop:
    with pytest.raises(Stop) as caught:
        guard.check(atoms)
    return caught.value


def test_intact_film_passes(film: tuple[Atoms, Guard]) -> None:
    atoms, guard = film
    assert guard.check(given(atoms)) == 0


def test_wrapped_film_passes(film: tuple[Atoms, Guard]) -> None:
    atoms, guard = film
    atoms.wrap()
    assert guard.check(given(atoms)) == 0


@pytest.mark.parametrize(("energy", "force"), [(np.nan, 0.0), (0.0, np.nan), (np.inf, 0.0)])
def test_not_a_number(film: tuple[Atoms, Guard], energy: float, force: float) -> None:
    atoms, guard = film
    assert stopped(guard, given(atoms, energy, force)).status == "nan"


def test_explosion(film: tuple[Atoms, Guard]) -> None:
    atoms, guard = film
    thermalize_momenta(atoms, temperature_K=5000.0, rng=np.random.default_rng(1))
    stop = stopped(guard, given(atoms))
    assert stop.status == "exploded"
    assert "K" in str(stop)


def test_dissociation_names_the_bond(film: tuple[Atoms, Guard]) -> None:
    atoms, guard = film
    atoms.positions[1] += atoms.positions[1] - atoms.positions[0]
    stop = stopped(guard, given(atoms))
    assert stop.status == "dissociated"
    assert "atoms 0 and 1" in str(stop)


def test_evaporation_counts_molecules(film: tuple[Atoms, Guard]) -> None:
    atoms, guard = film
    top = max(guard.molecules, key=lambda members: float(atoms.positions[members, 2].mean()))
    atoms.positions[top, 2] += 12.0
    assert guard.check(given(atoms)) == 1
    other = next(members for members in guard.molecules if members != top)
    atoms.positions[other, 2] -= 40.0
    stop = stopped(guard, given(atoms))
    assert stop.status == "evaporated"
    assert "2 of 16" in str(stop)

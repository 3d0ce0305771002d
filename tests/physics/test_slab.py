"""The slab correction against an Ewald sum that is periodic in two dimensions only."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aiida_falsemetal.physics.constants import COULOMB, EPS0
from aiida_falsemetal.physics.slab import is_film, slab_correction

from .ewald import ewald_2d, ewald_3d

Array = NDArray[np.float64]
SIDES = np.array([6.0, 5.0])


@pytest.fixture
def film() -> tuple[Array, Array]:
    """Ten charges in a film 7 Å thick, neutral, with a dipole along z of more than 1 e Å."""
    rng = np.random.default_rng(3)
    positions = np.column_stack([rng.uniform(0, SIDES[0], 10), rng.uniform(0, SIDES[1], 10), np.linspace(0, 7, 10)])
    charges = rng.normal(size=10) + np.linspace(-1.0, 1.0, 10)
    return positions, charges - charges.mean()


def test_the_reference_gives_madelungs_constant() -> None:
    """Rock salt: -1.747564594633 per ion pair at unit distance, here eight ions, four pairs."""
    positions = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    charges = (-1.0) ** positions.sum(axis=1)
    energy = ewald_3d(positions, charges, np.full(3, 2.0), alpha=2.0)
    assert energy / 4 == pytest.approx(-1.747564594633, abs=1e-11)


def test_the_references_do_not_depend_on_the_splitting(film: tuple[Array, Array]) -> None:
    """Only with all terms right, the two halves of an Ewald sum add up to the same for any splitting."""
    positions, charges = film
    lengths = np.array([*SIDES, 30.0])
    assert ewald_3d(positions, charges, lengths, 0.5) == pytest.approx(
        ewald_3d(positions, charges, lengths, 0.8), abs=1e-9
    )
    assert ewald_2d(positions, charges, SIDES, 0.5) == pytest.approx(ewald_2d(positions, charges, SIDES, 0.8), abs=1e-9)


@pytest.mark.parametrize(("height", "tolerance"), [(20.0, 5e-5), (40.0, 1e-10)])
def test_energy_is_that_of_an_isolated_film(film: tuple[Array, Array], height: float, tolerance: float) -> None:
    """What is left couples the film's lateral waves through the vacuum: exp(-2 pi 13/6) = 1e-6 of some 50 eV at 20 Å,
    exp(-2 pi 33/6) = 1e-15 at 40 Å, where rounding is all. The correction itself is 31 and 16 eV."""
    positions, charges = film
    lengths = np.array([*SIDES, height])
    periodic = COULOMB * ewald_3d(positions, charges, lengths)
    correction, _ = slab_correction(positions, charges, float(np.prod(lengths)))
    isolated = COULOMB * ewald_2d(positions, charges, SIDES)
    assert correction > 10.0
    assert periodic + correction == pytest.approx(isolated, abs=tolerance)


def test_forces_are_the_difference_of_the_two_sums(film: tuple[Array, Array]) -> None:
    """Central differences of the sums, step 1e-3 Å: error of order 1e-6 times the third derivative."""
    positions, charges = film
    lengths, step = np.array([*SIDES, 30.0]), 1e-3
    _, forces = slab_correction(positions, charges, float(np.prod(lengths)))
    for atom in (0, 4, 9):
        for axis in range(3):
            energies = []
            for sign in (1, -1):
                moved = positions.copy()
                moved[atom, axis] += sign * step
                energies.append(COULOMB * (ewald_2d(moved, charges, SIDES) - ewald_3d(moved, charges, lengths)))
            assert forces[atom, axis] == pytest.approx(-(energies[0] - energies[1]) / (2 * step), abs=1e-5)


def test_forces_are_the_slope_of_the_energy(film: tuple[Array, Array]) -> None:
    """The energy is quadratic in z, so central differences are exact up to rounding."""
    positions, charges = film
    _, forces = slab_correction(positions, charges, 900.0)
    for atom in range(len(charges)):
        up, down = positions.copy(), positions.copy()
        up[atom, 2] += 0.1
        down[atom, 2] -= 0.1
        difference = slab_correction(up, charges, 900.0)[0] - slab_correction(down, charges, 900.0)[0]
        assert forces[atom, 2] == pytest.approx(-difference / 0.2, abs=1e-9)
    assert not forces[:, :2].any()
    assert forces.sum() == pytest.approx(0.0, abs=1e-12)


def test_capacitor() -> None:
    """A film of two charged planes: the correction takes out the share d/L of the field energy M^2/(2 eps0 A d)."""
    area, thickness, height = 30.0, 8.0, 40.0
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, thickness]])
    energy, forces = slab_correction(positions, np.array([-0.5, 0.5]), area * height)
    moment = 0.5 * thickness
    stored = moment**2 / (2 * EPS0 * area * thickness)
    assert energy == pytest.approx(stored * thickness / height)
    assert forces[1, 2] == pytest.approx(-0.5 * moment / (EPS0 * area * height))


def test_vanishes_with_the_vacuum_and_ignores_the_origin(film: tuple[Array, Array]) -> None:
    """As 1/V; and a neutral film may sit anywhere."""
    positions, charges = film
    near, _ = slab_correction(positions, charges, 1e3)
    far, forces = slab_correction(positions, charges, 1e9)
    assert far == pytest.approx(near * 1e-6)
    assert np.abs(forces).max() < 1e-5
    assert slab_correction(positions + 17.0, charges, 1e3)[0] == pytest.approx(near)


@pytest.mark.parametrize(("height", "expected"), [(7.0, False), (14.9, False), (15.1, True), (30.0, True)])
def test_film_has_more_than_eight_angstrom_of_vacuum(film: tuple[Array, Array], height: float, expected: bool) -> None:
    """The film is 7 Å thick; where it sits, and in which order its atoms come, does not matter."""
    positions, _ = film
    assert is_film(positions, height) is expected
    assert is_film(positions[::-1] + 5.0, height) is expected

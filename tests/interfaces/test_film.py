"""Films: density, composition, distances, whole molecules and vacuum, over sizes and seeds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.physics.molecules import find_molecules

GRAMS = 18.01528 / 6.02214076e23
"""Mass of a water molecule."""


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    molecules=st.integers(8, 48),
    lateral=st.floats(6.5, 12.0),
    vacuum=st.floats(10.0, 40.0),
    seed=st.integers(1, 10**6),
)
def test_film_is_what_was_asked_for(molecules: int, lateral: float, vacuum: float, seed: int) -> None:
    assume(molecules * 29.97 / lateral**2 > 5.0)  # thinner than two layers is no film, and packmol says so
    parameters = FilmParameters(molecules=molecules, lateral=lateral, vacuum=vacuum, seed=seed)
    built = FilmRecipe().build(parameters)
    atoms, info = built.atoms, built.info
    assert atoms.get_chemical_symbols() == ["O", "H", "H"] * molecules
    assert info["area"] == pytest.approx(lateral**2)
    # 0.997 g/cm^3 at 25 degrees; the film's nominal volume holds exactly its molecules.
    density = molecules * GRAMS / (info["area"] * info["thickness"] * 1e-24)
    assert density == pytest.approx(0.997, abs=0.002)
    assert find_molecules(atoms) == info["molecules"]
    z = atoms.positions[:, 2]
    assert np.ptp(z) <= info["thickness"] + 1e-6
    assert atoms.cell.lengths()[2] - np.ptp(z) >= vacuum - 1e-6
    bonds = np.linalg.norm(atoms.positions[1::3] - atoms.positions[::3], axis=1)
    assert np.allclose(bonds, bonds[0], atol=2e-3)  # rigid copies, whole: packmol writes six digits
    distances = atoms.get_all_distances(mic=True)
    owner = np.arange(len(atoms)) // 3
    between = distances[owner[:, None] != owner[None, :]]
    assert between.min() > 1.55  # twice hydrogen's packing radius, 1.6 Å, less packmol's tolerance


def test_same_parameters_give_the_same_atoms() -> None:
    parameters = FilmParameters(molecules=16, lateral=7.0, vacuum=20.0, seed=5)
    first, second = (FilmRecipe().build(parameters).atoms for _ in range(2))
    assert np.array_equal(first.positions, second.positions)
    other = FilmRecipe().build(FilmParameters(molecules=16, lateral=7.0, vacuum=20.0, seed=6)).atoms
    assert not np.allclose(first.positions, other.positions)


@pytest.mark.parametrize(
    ("field", "value"), [("vacuum", 5.0), ("molecules", 2), ("lateral", 3.0), ("seed", 0), ("colour", "blue")]
)
def test_bad_parameters_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        FilmParameters(**{"molecules": 16, "lateral": 7.0, field: value})  # type: ignore[arg-type]

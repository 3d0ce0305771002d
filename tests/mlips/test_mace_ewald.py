"""The Ewald baseline of the long-ranged twin against formulas for isolated charges and films."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from scipy.special import erf

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.mlips.families.mace_ewald import EwaldBaseline
from aiida_falsemetal.mlips.family import ModelError
from aiida_falsemetal.mlips.registry import load_family
from aiida_falsemetal.physics.constants import COULOMB

from .gradient import slopes

SMEARING = 1.4


def pair_energy(distance: float, length: float = 40.0) -> float:
    """Energy of charges +1 and -1 in a cubic cell."""
    atoms = Atoms("HO", [[0, 0, 0], [0, 0, distance]], cell=[length] * 3, pbc=True)
    atoms.calc = EwaldBaseline(atoms, {"H": 1.0, "O": -1.0}, SMEARING, slab=False)
    return float(atoms.get_potential_energy())


def test_pair_of_smeared_charges() -> None:
    def isolated(r: float) -> float:
        return float(-COULOMB * erf(r / (np.sqrt(2) * SMEARING)) / r)

    def cubic(r: float, length: float = 40.0) -> float:
        # Tin-foil cubic cell: E = E_isolated - 2 pi M^2 / (3 V) in Gaussian units (Makov and Payne,
        # Phys. Rev. B 51, 4014 (1995), eq. 15); the next term is of order r^4 / L^5.
        return isolated(r) - COULOMB * 2 * np.pi * r**2 / (3 * length**3)

    for near, far in ((1.0, 2.0), (2.0, 4.0), (1.0, 6.0)):
        assert pair_energy(near) - pair_energy(far) == pytest.approx(cubic(near) - cubic(far), abs=2e-3)


def test_forces_are_the_gradient_and_sum_to_zero() -> None:
    atoms = FilmRecipe().build(FilmParameters(molecules=12, lateral=7.0, vacuum=20.0, seed=2)).atoms
    atoms.calc = EwaldBaseline(atoms, {"O": -0.82, "H": 0.41}, SMEARING)
    assert np.abs(atoms.get_forces().sum(axis=0)).max() < 1e-8
    found, expected = slopes(atoms, 1e-4, seed=3)
    # Double precision, smooth charges: only the truncation of the differences is left.
    assert found == pytest.approx(expected, rel=1e-6)


def test_film_energy_does_not_depend_on_the_vacuum() -> None:
    energies = []
    for vacuum in (25.0, 60.0):
        atoms = FilmRecipe().build(FilmParameters(molecules=12, lateral=7.0, vacuum=vacuum, seed=2)).atoms
        atoms.calc = EwaldBaseline(atoms, {"O": -0.82, "H": 0.41}, SMEARING)
        energies.append(atoms.get_potential_energy())
    # What is left decays as exp(-2 pi vacuum / lateral): 1e-10 of the charges' energy.
    assert energies[0] == pytest.approx(energies[1], abs=1e-4)


def test_charged_system_and_missing_keywords_are_refused() -> None:
    atoms = Atoms("OH", [[0, 0, 0], [0, 0, 1]], cell=[10] * 3, pbc=True)
    with pytest.raises(ModelError, match="sum to"):
        EwaldBaseline(atoms, {"O": -0.82, "H": 0.41}, SMEARING)
    family = load_family("mace_ewald")
    for kwargs, text in (
        ({"smearing": 1.0}, "charges"),
        ({"charges": {}}, "smearing"),
        ({"charges": {}, "smearing": 0.1}, "larger"),
    ):
        with pytest.raises(ModelError, match=text):
            family.inspect(__file__, kwargs)  # type: ignore[arg-type]

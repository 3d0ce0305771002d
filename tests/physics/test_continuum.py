from __future__ import annotations

import numpy as np
import pytest

from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.physics.continuum import continuum_charges
from aiida_falsemetal.physics.dipoles import SCREENED_CHARGES
from aiida_falsemetal.physics.missing_energy import EPS_INF, slab_energy


def test_their_film_costs_what_the_screened_dipole_costs() -> None:
    """The two derivations meet: M^2 / (2 eps0 V) of these charges is E_slab of the screened ones."""
    rng = np.random.default_rng(4)
    z, volume = rng.normal(size=30), 700.0
    symbols = ["O", "H", "H"] * 10
    moment = {
        name: sum(q[s] * h for s, h in zip(symbols, z, strict=True))
        for name, q in (("bare", continuum_charges()), ("screened", SCREENED_CHARGES))
    }
    expected = float(slab_energy(np.array([moment["screened"]]), volume, EPS_INF)[0])
    assert moment["bare"] ** 2 / (2.0 * EPS0 * volume) == pytest.approx(expected)


def test_water_has_the_charges_of_the_documentation() -> None:
    charges = continuum_charges()
    assert charges["O"] == pytest.approx(-0.742, abs=5e-4)
    assert charges["O"] + 2 * charges["H"] == pytest.approx(0.0, abs=1e-12)


def test_a_permittivity_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="below 1"):
        continuum_charges(eps_inf=0.9)

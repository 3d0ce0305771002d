"""Constants against scipy's, which are CODATA's."""

from __future__ import annotations

import pytest
from scipy import constants as codata

from aiida_falsemetal.physics import constants


def test_constants() -> None:
    """A part in 10^7: CODATA 2018 and 2022 differ by less, a slipped digit by more."""
    assert constants.EPS0 == pytest.approx(codata.epsilon_0 / codata.e * 1e-10, rel=1e-7)
    assert constants.BOLTZMANN == pytest.approx(codata.k / codata.e, rel=1e-7)
    assert constants.DEBYE == pytest.approx(1e-21 / codata.c / codata.e * 1e10, rel=1e-6)
    assert constants.RYDBERG == pytest.approx(codata.value("Rydberg constant times hc in eV"), rel=1e-7)
    assert constants.HARTREE == pytest.approx(codata.value("Hartree energy in eV"), rel=1e-7)
    assert constants.BOHR == pytest.approx(codata.value("Bohr radius") * 1e10, rel=1e-7)
    assert constants.COULOMB == pytest.approx(codata.e / (4 * codata.pi * codata.epsilon_0) * 1e10, rel=1e-7)

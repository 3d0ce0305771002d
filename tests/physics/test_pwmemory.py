"""Memory of pw.x: against what pw.x 6.7 itself printed, and what follows from counting."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_falsemetal.physics.pwmemory import BOHR, Memory, Species, grid_length, pw_memory, species_of

ONCV = {"O": Species(8, 4), "H": Species(2, 1)}
WATER = ["O", "H", "H"] * 16


def film(height: float, **changes: float) -> Memory:
    """The quickstart's film at 50 Ry with 72 bands, ``height`` in bohr."""
    cell = np.diag([12.2832, 12.2832, height]) * BOHR
    settings = {"bands": 72, "ecutwfc": 50.0, "ecutrho": 200.0, "mixing_ndim": 24, **changes}
    return pw_memory(cell, WATER, ONCV, **settings)  # type: ignore[arg-type]


def test_is_pw_x_s_own_estimate() -> None:
    """Its "Estimated max dynamical RAM per process", for 6990.81 bohr^3. 1 %: plane waves are counted, not a volume."""
    assert film(6990.8139 / 12.2832**2).arrays / 2**20 == pytest.approx(386.40, rel=0.01)


def test_grid_is_pw_x_s() -> None:
    assert grid_length(12.2832, 200.0) == 60
    assert grid_length(6990.8139 / 12.2832**2, 200.0) == 216


def test_ranks_share_it_and_the_process_is_each_one_s_own() -> None:
    one, four = film(46.0), film(46.0, ranks=4)
    assert four.arrays == pytest.approx(one.arrays / 4.0, rel=0.01)
    assert one.total - one.arrays == pytest.approx(four.total - four.arrays)
    assert one.total > one.arrays
    assert one.saved == four.saved


def test_without_gamma_tricks_it_is_twice_as_much() -> None:
    assert film(46.0, gamma=False).arrays == pytest.approx(2.0 * film(46.0).arrays, rel=0.05)


def test_saved_are_bands_and_density() -> None:
    """N(ecut) = V k^3 / (6 pi^2), the half of it at Gamma, 16 bytes each."""
    volume = 12.2832**2 * 46.0
    waves, density = (volume * ecut**1.5 / (12.0 * np.pi**2) for ecut in (50.0, 200.0))
    assert film(46.0).saved == pytest.approx(16.0 * (72.0 * waves + density))


def test_more_of_anything_needs_more() -> None:
    least = film(46.0).total
    for more in ({"bands": 90}, {"ecutwfc": 60.0}, {"ecutrho": 400.0}, {"mixing_ndim": 30}, {"kpoints": 4}):
        assert film(46.0, **more).total > least


HEAD = '<UPF version="2.0.1"><PP_HEADER has_so="{}"/>'
BETAS = "".join(
    f'<PP_BETA.{k} size="9" angular_momentum="{order}">1</PP_BETA.{k}>' for k, order in enumerate((0, 0, 1, 1), 1)
)
SPLIT = "".join(f'<PP_BETA.{k} size="9" angular_momentum="{order}"/>' for k, order in enumerate((0, 0, 1, 1, 1, 1), 1))


def test_species_from_upf() -> None:
    """Two s and two p functions; split by j there are four p, of which pw.x makes two again."""
    assert species_of(HEAD.format("F") + BETAS + '<PP_CHI.1 l="0"/><PP_CHI.2 l="1"/>') == Species(8, 4)
    assert species_of(HEAD.format("T") + SPLIT + '<PP_CHI.1 l="0"/><PP_CHI.2 l="1"/><PP_CHI.3 l="1"/>') == Species(8, 4)
    assert species_of("<PP_HEADER>\n   0   Version Number\n</PP_HEADER>") == Species(18, 9)

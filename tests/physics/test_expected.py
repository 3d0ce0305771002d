"""Expected widths against the formulas they must reduce to, and against a direct simulation of nuclei and electrons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_falsemetal.physics import dielectric
from aiida_falsemetal.physics.expected import expected_width, screened_ratio, width_ratio
from aiida_falsemetal.physics.statistics import Spread

FILM = {"area": 100.0, "thickness": 25.0, "kelvin": 300.0}


@given(st.floats(1.0, 5.0), st.floats(0.1, 100.0), st.floats(0.01, 1.0))
def test_limits(eps_inf: float, more: float, filled: float) -> None:
    """n = 1: the screened film; eps_inf = 1: tin foil; a full cell (n = 0): (eps - eps_inf) / eps_inf^2."""
    eps = eps_inf + more
    assert screened_ratio(eps, eps_inf, 1.0) == pytest.approx(dielectric.screened_film(eps, eps_inf))
    assert screened_ratio(eps, 1.0, 1.0 - filled) == pytest.approx(dielectric.tin_foil(eps, filled))
    assert screened_ratio(eps, eps_inf, 0.0) == pytest.approx((eps - eps_inf) / eps_inf**2)


@pytest.mark.parametrize("n", [0.0, 0.3, 1.0])
def test_ratio_against_a_sample_of_nuclei(n: float) -> None:
    """One mode: nuclei with a field-free dipole m and a stiffness of their own, electrons that follow at once, the
    field -n P. Units eps0 V = kT = 1. The nuclei's stiffness follows from eps, the rest is Boltzmann's weight by
    quadrature; the dipole is m / eps_inf. Exact but for rounding."""
    eps, eps_inf = 78.0, 1.78
    chi_inf = eps_inf - 1.0
    m = np.linspace(-200, 200, 400_001)

    def energy(m: np.ndarray, n: float) -> np.ndarray:
        electrons = -n * chi_inf * m / (1.0 + n * chi_inf)  # they minimise what follows
        return m**2 / (2 * (eps - eps_inf)) + electrons**2 / (2 * chi_inf) + n * (m + electrons) ** 2 / 2

    weight = np.exp(-energy(m, n))
    found = np.sum(weight * (m / eps_inf) ** 2) / np.sum(weight)
    assert found == pytest.approx(screened_ratio(eps, eps_inf, n), rel=1e-6)


def test_widths_of_the_table() -> None:
    """PHYSICS.md, section 3: 100 Å^2, 25 Å, unscreened: 1.07 V; screened: sqrt(0.549/0.987) of it."""
    bare = expected_width(**FILM, eps_inf=1.0)
    assert bare.sd is not None and bare.ratio == pytest.approx(1 - 1 / 78)
    assert dielectric.drop(bare.sd * 100.0, 100.0) == pytest.approx(1.07, abs=0.005)
    screened = expected_width(**FILM)
    assert screened.sd == pytest.approx(bare.sd * np.sqrt(0.549 / 0.987), rel=1e-3)
    assert expected_width(**FILM, geometry="film on metal").sd == screened.sd


@pytest.mark.parametrize(("filled", "ratio"), [(0.16, 1.17), (0.5, 1.95)])
def test_tin_foil_of_the_table(filled: float, ratio: float) -> None:
    """PHYSICS.md, section 3; a metal that screens is taken off the height."""
    found = expected_width(**FILM, boundary="tin-foil", height=25.0 / filled, eps_inf=1.0)
    assert found.ratio == pytest.approx(ratio, abs=0.01)
    assert expected_width(
        **FILM, boundary="tin-foil", height=25.0 / filled + 8.0, metal=8.0, eps_inf=1.0
    ).ratio == pytest.approx(found.ratio)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"geometry": "confined"}, "short-circuited"),
        ({"eps": None}, "do not turn"),
        ({"boundary": "tin-foil", "height": 25.0}, "no vacuum"),
        ({"boundary": "tin-foil", "height": 34.0, "metal": 6.0}, "no vacuum"),
    ],
)
def test_no_expectation(changes: dict[str, Any], why: str) -> None:
    found = expected_width(**FILM, **changes)
    assert (found.sd, found.ratio) == (None, None)
    assert why in found.formula
    assert width_ratio(Spread(1.0, 0.9, 1.1, 50.0, 3.0), found) is None


def test_ratio_carries_the_interval() -> None:
    width = expected_width(**FILM)
    assert width.sd is not None
    found = width_ratio(Spread(2 * width.sd, 1.5 * width.sd, 3 * width.sd, 20.0, 3.0), width)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 1.5, 3.0))


@pytest.mark.parametrize(
    "changes",
    [
        {"area": 0.0},
        {"thickness": -1.0},
        {"metal": -1.0},
        {"boundary": "tin-foil"},
        {"boundary": "tin-foil", "height": 20.0},
        {"eps_inf": 0.5},
        {"eps": 1.2},
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        expected_width(**{**FILM, **changes})
    with pytest.raises(ValueError, match="depolarisation"):
        screened_ratio(78.0, 1.78, 1.5)

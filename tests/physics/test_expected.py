"""Expected widths against the formulas they must reduce to, and against a direct simulation of nuclei and electrons."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_falsemetal.physics import dielectric
from aiida_falsemetal.physics.expected import expected_width, pair_width, screened_ratio, width_ratio
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


# --- from an interface and a model ---

WATERS = 84
INFO: dict[str, Any] = {
    "area": 100.0,
    "thickness": 25.0,
    "vacuum": 25.0,
    "height": 50.0,
    "solvent_indices": list(range(3 * WATERS)),
    "substrate_indices": [],
    "charges": [-0.5562, 0.2781, 0.2781] * WATERS,
    "eps": 78.0,
    "eps_inf": 1.78,
}
OLD = {"area": 100.0, "thickness": 25.0}
"""What every version has had."""
SPCFW = {"O": -0.82, "H": 0.41}
ISOLATED, FOIL = {"boundary": "isolated"}, {"boundary": "tin-foil"}
CLASSICAL = {"charges": SPCFW}
SCREEN = (0.5562 / 0.82) ** 2
METAL = {
    **INFO,
    "substrate_indices": list(range(8)),
    "solvent_indices": list(range(8, 8 + 3 * WATERS)),
    "charges": [0.0] * 8 + INFO["charges"],
    "metal_indices": list(range(8)),
    "metal_thickness": 6.0,
    "between_metals": False,
    "height": 60.0,
}


@pytest.mark.parametrize(
    ("info", "facts", "ratio"),
    [
        # Rows of PHYSICS.md, section 3. The screened dipole of an isolated film, and of one on a metal.
        (INFO, ISOLATED, 1 / 1.78 - 1 / 78),
        (METAL, ISOLATED, 1 / 1.78 - 1 / 78),
        # Facts of earlier versions, an imported trajectory, and interfaces of earlier versions.
        (INFO, {}, 1 / 1.78 - 1 / 78),
        (INFO, None, 1 / 1.78 - 1 / 78),
        (OLD, None, 1 / 1.78 - 1 / 78),
        (OLD, ISOLATED, 1 / 1.78 - 1 / 78),
        # A classical model and the screened charges: 0.454.
        (INFO, CLASSICAL, SCREEN * (1 - 1 / 78)),
        ({**OLD, "eps": 78.0}, CLASSICAL, SCREEN * (1 - 1 / 78)),
        (METAL, CLASSICAL, SCREEN * (1 - 1 / 78)),
        # Tin-foil, d/L = 0.5 and 0.16; with screened charges, with a metal (which fixed charges cannot make screen).
        (INFO, {**FOIL, **CLASSICAL}, SCREEN * 1.95),
        ({**INFO, "height": 156.25}, {**FOIL, **CLASSICAL}, SCREEN * 1.17),
        (INFO, FOIL, screened_ratio(78, 1.78, 0.5)),
        ({**OLD, "vacuum": 25.0}, FOIL, screened_ratio(78, 1.78, 0.5)),
        (METAL, FOIL, screened_ratio(78, 1.78, 1 - 25 / 54)),
        (METAL, {**FOIL, **CLASSICAL}, SCREEN * dielectric.tin_foil(78, 25 / 60)),
        # Nobody knows the cell's height: isolated.
        (OLD, FOIL, 1 / 1.78 - 1 / 78),
        ({**OLD, "vacuum": 25.0, "substrate_indices": [0]}, FOIL, 1 / 1.78 - 1 / 78),
        ({key: METAL[key] for key in METAL if key != "metal_thickness"}, FOIL, 1 / 1.78 - 1 / 78),
        # Another liquid.
        ({**INFO, "eps": 32.6, "eps_inf": 1.76}, ISOLATED, 1 / 1.76 - 1 / 32.6),
    ],
)
def test_width_of_a_pair(info: dict[str, Any], facts: Any, ratio: float) -> None:
    found = pair_width(info, facts, 300.0)
    assert found.ratio == pytest.approx(ratio, rel=5e-3)
    assert found.sd == pytest.approx(dielectric.sd_dipole(found.ratio or 0.0, 2500.0, 300.0) / 100.0)


def test_width_of_spcfw_is_the_one_of_the_docs() -> None:
    assert pair_width(INFO, CLASSICAL, 300.0).ratio == pytest.approx(0.454, abs=5e-4)
    assert pair_width(INFO, ISOLATED, 300.0).ratio == pytest.approx(0.549, abs=5e-4)


def test_rms_drop_of_the_table() -> None:
    """PHYSICS.md, section 3, column LR: charges of the model make M_z."""
    for area, thickness, volt in ((64.0, 25.0, 1.34), (100.0, 25.0, 1.07), (154.5, 25.0, 0.86), (166.5, 38.0, 1.03)):
        found = pair_width({**INFO, "area": area, "thickness": thickness}, CLASSICAL, 300.0, SPCFW)
        assert found.sd is not None and found.ratio == pytest.approx(1 - 1 / 78)
        assert dielectric.drop(found.sd, 1.0) == pytest.approx(volt, abs=0.006)


@pytest.mark.parametrize(
    ("info", "facts", "says"),
    [
        (INFO, ISOLATED, "isolated film: 1/eps_inf - 1/eps"),
        (INFO, CLASSICAL, r"isolated film.*own charges \(eps_inf = 1\), times 0.6783\^2"),
        (INFO, {**FOIL, **CLASSICAL}, r"tin-foil, d/L = 0.5.*own charges"),
        (OLD, FOIL, "isolated film.*does not tell its cell's height"),
    ],
)
def test_formula_says_what_was_used(info: dict[str, Any], facts: Any, says: str) -> None:
    assert re.search(says, pair_width(info, facts, 300.0).formula)


@pytest.mark.parametrize(
    ("changes", "facts", "why"),
    [
        ({"eps": None}, ISOLATED, "do not turn"),
        ({"metal_indices": [0, 1], "between_metals": True}, ISOLATED, "between two metals"),
        ({"metal_indices": [0, 1], "substrate_indices": [0, 1], "gaps": [3.0, 3.0]}, None, "between two metals"),
        ({"height": 28.0}, FOIL, "no vacuum"),
        ({"charges": [-0.6, 0.2, 0.4] * WATERS}, CLASSICAL, "not a multiple"),
        ({"charges": [0.0] * 3 * WATERS}, CLASSICAL, "not a multiple"),
    ],
)
def test_pairs_without_expectation(changes: dict[str, Any], facts: Any, why: str) -> None:
    found = pair_width({**INFO, **changes}, facts, 300.0)
    assert (found.sd, found.ratio) == (None, None)
    assert why in found.formula


def test_one_metal_of_two_plates_is_a_film() -> None:
    """Vacuum is outside of both plates: a second plate that is no metal short-circuits nothing, in old infos too."""
    plates = {**METAL, "substrate_indices": list(range(12)), "gaps": [3.0, 3.0]}
    old = {key: plates[key] for key in plates if key != "between_metals"}
    assert pair_width(plates, None, 300.0) == pair_width(old, None, 300.0) == pair_width(METAL, None, 300.0)


def test_charges_of_a_model_that_knows_more_elements() -> None:
    more = {"charges": {**SPCFW, "Na": 1.0, "Cl": -1.0, "Cu": 0.0}}
    assert pair_width(INFO, more, 300.0).ratio == pytest.approx(SCREEN * (1 - 1 / 78), rel=1e-3)
    assert pair_width(INFO, {"charges": {"A": 1.0, "B": -2.0, "C": -1.0, "D": 2.0}}, 300.0).ratio is None  # +c and -c

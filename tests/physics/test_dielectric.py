"""Dielectric theory against the table of PHYSICS.md, section 3 (docs/physics), to the digits printed there."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from aiida_falsemetal.physics import bulk, constants, dielectric
from aiida_falsemetal.physics.gaplaw import INTERCEPT

EPS = 78.0
KELVIN = 300.0

# Area (Å^2), thickness (Å), truncation (Å, None for full electrostatics), rms drop (V), percent beyond 4.45 V.
TABLE = [
    (64.0, 25.0, None, "1.34", None),
    (64.0, 25.0, 8.0, "2.78", "11"),
    (64.0, 25.0, 5.0, "4.13", "28"),
    (64.0, 25.0, 3.0, "6.2", "47"),
    (100.0, 25.0, None, "1.07", None),
    (100.0, 25.0, 8.0, "2.22", "4.5"),
    (100.0, 25.0, 5.0, "3.31", "18"),
    (100.0, 25.0, 3.0, "4.9", "37"),
    (154.5, 25.0, None, "0.86", None),
    (154.5, 25.0, 8.0, "1.79", "1.3"),
    (154.5, 25.0, 5.0, "2.66", "9"),
    (154.5, 25.0, 3.0, "4.0", "26"),
    (166.5, 38.0, None, "1.03", None),
    (166.5, 38.0, 8.0, "3.03", "14"),
    (166.5, 38.0, 5.0, "4.41", "31"),
    (166.5, 38.0, 3.0, "6.2", "47"),
]


def printed(text: str) -> object:
    """The value with a tolerance of six tenths of its last printed digit: rounding, in either direction at a tie."""
    digits = len(text.partition(".")[2])
    return pytest.approx(float(text), abs=0.6 * 10.0**-digits)


@pytest.mark.parametrize(("area", "thickness", "truncation", "volts", "percent"), TABLE)
def test_table(area: float, thickness: float, truncation: float | None, volts: str, percent: str | None) -> None:
    """rms drop and the chance of a Gaussian drop beyond the gap."""
    if truncation is None:
        ratio = dielectric.isolated_film(EPS)
    else:
        ratio = dielectric.truncated(EPS, thickness, truncation)
    rms = dielectric.drop(dielectric.sd_dipole(ratio, area * thickness, KELVIN), area)
    assert rms == printed(volts)
    beyond = 100.0 * math.erfc(INTERCEPT / rms / math.sqrt(2.0))
    if percent is None:
        assert beyond < 0.1
    else:
        assert beyond == printed(percent)


@pytest.mark.parametrize(("share", "ratio"), [(0.16, "1.17"), (0.5, "1.95"), (1.0, "77")])
def test_tin_foil(share: float, ratio: str) -> None:
    """The three values that PHYSICS.md prints."""
    assert dielectric.tin_foil(EPS, share) == printed(ratio)


def test_screened_film_of_water() -> None:
    """About 0.54: the refractive index of water is 1.33, its square 1.77; the last digit depends on it."""
    assert dielectric.screened_film(EPS, 1.78) == pytest.approx(0.54, abs=0.015)


def test_limits_agree_with_each_other() -> None:
    """The geometries are one formula with different depolarisation: they meet where their fields do."""
    film = dielectric.isolated_film(EPS)
    assert dielectric.tin_foil(EPS, 1e-12) == pytest.approx(film)
    assert dielectric.truncated(EPS, 1.0, 1e3) == pytest.approx(film)
    assert dielectric.truncated(EPS, 1e6, 1.0) == pytest.approx(EPS - 1.0, rel=1e-6)
    assert dielectric.screened_film(EPS, 1.0) == pytest.approx(film)
    assert dielectric.screened_film(EPS, EPS) == 0.0
    assert dielectric.isolated_film(1.0) == 0.0


def test_truncation_grows_with_thickness() -> None:
    """The ratio of short-ranged to full fluctuations must grow with the film: the test of the whole idea."""
    ratios = [dielectric.truncated(EPS, d, 5.0) / dielectric.isolated_film(EPS) for d in (10.0, 20.0, 40.0, 80.0)]
    assert ratios == sorted(ratios)
    assert ratios[-1] > 10 * ratios[0]


def test_truncation_from_the_interaction_itself() -> None:
    """The kept share of 4 pi / k^2 from the numerical Fourier transform of erfc(r/s)/r."""
    d, s = 25.0, 5.0
    k = math.pi / d
    r = np.linspace(1e-6, 12.0 * s, 200_001)
    erfc = np.array([math.erfc(value / s) for value in r])
    transform = 4.0 * math.pi / k * np.trapezoid(erfc * np.sin(k * r), r)
    kept = transform * k**2 / (4.0 * math.pi)
    chi = EPS - 1.0
    assert dielectric.truncated(EPS, d, s) == pytest.approx(chi / (1.0 + chi * kept), rel=1e-6)


def test_sd_dipole_by_equipartition() -> None:
    """An isolated film of conducting liquid (ratio 1) stores M^2/(2 eps0 V); its mean must be kT/2."""
    volume = 1234.0
    moment = dielectric.sd_dipole(1.0, volume, KELVIN)
    assert moment**2 / (2 * constants.EPS0 * volume) == pytest.approx(constants.BOLTZMANN * KELVIN / 2)


def test_drop_is_signed_and_takes_arrays() -> None:
    """1 V is 5.526e-3 e/Å (PHYSICS.md)."""
    assert dielectric.drop(5.526349e-3 * 80.0, 80.0) == pytest.approx(1.0)
    drops = dielectric.drop(np.array([-1.0, 0.0, 1.0]), 50.0)
    assert np.allclose(drops, np.array([-1, 0, 1]) / (constants.EPS0 * 50))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: dielectric.isolated_film(0.5),
        lambda: dielectric.screened_film(2.0, 3.0),
        lambda: dielectric.screened_film(2.0, 0.5),
        lambda: dielectric.tin_foil(78.0, 0.0),
        lambda: dielectric.tin_foil(78.0, 1.1),
        lambda: dielectric.truncated(78.0, 0.0, 5.0),
        lambda: dielectric.truncated(78.0, 25.0, -1.0),
        lambda: dielectric.isolated_film(math.nan),
        lambda: dielectric.sd_dipole(-1.0, 10.0, 300.0),
        lambda: dielectric.drop(1.0, 0.0),
    ],
)
def test_nonsense_is_refused(wrong: object) -> None:
    """Every argument out of range raises, none returns a number."""
    assert callable(wrong)
    with pytest.raises(ValueError, match=r"."):
        wrong()


# --- a film with sharp faces, any truncation ---


def erfc_over_r(s: float) -> Callable[[float], float]:
    return lambda r: math.erfc(r / s) / r if r > 0.0 else math.inf


@pytest.mark.parametrize("d", [3.0, 12.0, 40.0])
def test_an_interaction_that_ends_outside_of_the_film_is_full(d: float) -> None:
    found = dielectric.truncated_film(EPS, d, lambda r: 1.0 / r if r > 0.0 else math.inf, 10.0 * d)
    assert found == pytest.approx(dielectric.isolated_film(EPS))


def test_a_thick_film_is_a_bulk_without_field() -> None:
    """Faces cost a length of sqrt(chi) s, so the ceiling of eps - 1 is approached as 1/d."""
    lost = [EPS - 1.0 - dielectric.truncated_film(EPS, d, bulk.shifted_force(6.0, 0.2), 6.0) for d in (400.0, 800.0)]
    assert lost[0] < 0.1 * EPS
    assert lost[0] / lost[1] == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize(
    ("s", "d", "above"), [(3.0, 25.0, 1.01), (3.0, 38.0, 0.97), (5.0, 25.0, 1.09), (8.0, 25.0, 1.19), (8.0, 12.0, 1.34)]
)
def test_wave_of_pi_over_d_is_an_estimate(s: float, d: float, above: float) -> None:
    """Standard deviation of the film over that of the wave; the table's formula is good where s is small against d."""
    film = dielectric.truncated_film(EPS, d, erfc_over_r(s), 6.0 * s)
    assert math.sqrt(film / dielectric.truncated(EPS, d, s)) == pytest.approx(above, abs=0.005)


def test_film_by_the_energy_of_its_modes() -> None:
    """The same operator in another basis: cosines, whose matrix elements follow from the Fourier transform of K, by
    quadrature over k. K's transform is the share kept, :func:`bulk.kept_by_erfc`."""
    s, d, chi = 5.0, 12.0, EPS - 1.0
    k = np.linspace(1e-4, 60.0, 400_001)
    orders = np.arange(0, 60, 2)  # odd ones have no mean

    def transform(m: int) -> NDArray[np.float64]:
        """Of cos(m pi z / d) on -d/2 to d/2."""
        q = m * np.pi / d
        return 0.5 * d * (np.sinc((k - q) * d / (2 * np.pi)) + np.sinc((k + q) * d / (2 * np.pi)))

    waves = np.array([transform(int(m)) for m in orders])
    lost = np.exp(-((k * s) ** 2) / 4.0)  # 1 less the share kept: K = 1 - lost
    overlap = (waves * lost) @ waves.T * (k[1] - k[0]) / np.pi
    norms = np.where(orders == 0, d, d / 2.0)
    stiffness = np.diag(norms * (1.0 + 1.0 / chi)) - overlap
    mean = np.zeros(len(orders))
    mean[0] = d
    ratio = float(mean @ np.linalg.solve(stiffness, mean)) / d
    assert dielectric.truncated_film(EPS, d, erfc_over_r(s), 6.0 * s) == pytest.approx(ratio, rel=2e-3)


def test_film_of_no_susceptibility_and_nonsense() -> None:
    force = bulk.shifted_force(6.0, 0.2)
    assert dielectric.truncated_film(1.0, 10.0, force, 6.0) == 0.0
    for arguments, message in (
        ((EPS, 0.0, force, 6.0), "positive"),
        ((EPS, 10.0, force, 0.0), "positive"),
        ((0.5, 10.0, force, 6.0), "below 1"),
        ((EPS, 10.0, lambda r: 1.0 / r - 2.0 if r > 0.0 else math.inf, 6.0), "by itself"),
    ):
        with pytest.raises(ValueError, match=message):
            dielectric.truncated_film(*arguments)

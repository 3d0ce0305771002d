"""The potential inside a film: against integration on a grid, capacitors, and symmetries."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_falsemetal.physics import inside
from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.physics.inside import LOCAL, WIDTH, potential_range

AREA = 42.0
MOLECULES = [[3 * k, 3 * k + 1, 3 * k + 2] for k in range(24)]
CHARGES = np.tile([-0.5562, 0.2781, 0.2781], 24)


def film(frames: int = 3, seed: int = 1) -> np.ndarray:
    """Heights of 24 waters of random orientation in 14 Å; shape (frames, 72)."""
    rng = np.random.default_rng(seed)
    oxygen = rng.uniform(0.0, 14.0, (frames, 24, 1))
    return np.concatenate([oxygen, oxygen + rng.uniform(-0.9, 0.9, (frames, 24, 2))], axis=2).reshape(frames, 72)


def by_integration(z: np.ndarray) -> np.ndarray:
    """Potential (V) at the molecules' centres from two integrations of the smeared charge on a fine grid."""
    step = 0.005
    grid = np.arange(z.min() - 8.0 * WIDTH, z.max() + 8.0 * WIDTH, step)
    shapes = np.exp(-0.5 * ((grid[:, None] - z) / WIDTH) ** 2) / (np.sqrt(2.0 * np.pi) * WIDTH)
    field = np.cumsum(shapes @ CHARGES) * step / (EPS0 * AREA)
    return np.interp(z.reshape(24, 3).mean(axis=1), grid, -np.cumsum(field) * step)


def test_is_what_integration_of_the_charge_gives() -> None:
    """1e-3 V: the grid's step times the largest field."""
    heights = film()
    for z, found in zip(heights, potential_range(heights, CHARGES, MOLECULES, AREA), strict=True):
        level = by_integration(z) / LOCAL
        expected = LOCAL * (np.log(np.mean(np.exp(level))) + np.log(np.mean(np.exp(-level))))
        assert found == pytest.approx(expected, abs=1e-3)


def test_a_dipole_layer_between_two_groups_is_a_capacitor() -> None:
    """Two equal groups V apart: 2 LOCAL ln cosh(V / (2 LOCAL)), which tends to V less 2 LOCAL ln 2."""
    plates = np.array([20.0, 23.0])
    heights = np.concatenate([np.zeros(4), np.full(4, 43.0), plates])[None]
    charges = np.concatenate([np.zeros(8), [-0.05, 0.05]])
    molecules = [[k] for k in range(8)]
    drop = 0.05 * 3.0 / (EPS0 * AREA)
    found = potential_range(heights, charges, molecules, AREA)[0]
    assert found == pytest.approx(2.0 * LOCAL * np.log(np.cosh(drop / (2.0 * LOCAL))), rel=1e-9)
    assert 0.0 < found < drop


def test_layers_that_oppose_each_other_have_a_range_without_a_drop() -> None:
    """Two dipole layers of opposite sign: no drop from face to face, and all of one layer's in between."""
    heights = np.array([[0.0, 10.0, 13.0, 23.0, 33.0, 36.0, 46.0]])
    charges = np.array([0.0, -0.05, 0.05, 0.0, 0.05, -0.05, 0.0])
    assert charges @ heights[0] == pytest.approx(0.0)
    molecules = [[0], [3], [6]]
    drop = 0.05 * 3.0 / (EPS0 * AREA)
    found = potential_range(heights, charges, molecules, AREA)[0]
    level = np.array([0.0, drop, 0.0]) / LOCAL
    assert found == pytest.approx(LOCAL * np.log(np.exp(level).mean() * np.exp(-level).mean()), rel=1e-9)


def test_is_that_of_the_film_wherever_and_whichever_way_up_it_is() -> None:
    heights = film()
    found = potential_range(heights, CHARGES, MOLECULES, AREA)
    for same in (heights + 17.0, -heights, heights.reshape(3, 24, 3)[:, ::-1].reshape(3, 72)):
        assert potential_range(same, CHARGES, MOLECULES, AREA) == pytest.approx(found, abs=1e-9)
    assert potential_range(heights, -CHARGES, MOLECULES, AREA) == pytest.approx(found, abs=1e-9)
    assert np.all(found > 0.0)


def test_frames_do_not_know_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    heights = film(frames=7)
    found = potential_range(heights, CHARGES, MOLECULES, AREA)
    monkeypatch.setattr(inside, "AT_ONCE", 3)
    assert potential_range(heights, CHARGES, MOLECULES, AREA) == pytest.approx(found, abs=1e-12)
    assert potential_range(heights[:0], CHARGES, MOLECULES, AREA).shape == (0,)


def test_no_field_or_no_molecule_is_no_range() -> None:
    assert potential_range(film(), np.zeros(72), MOLECULES, AREA) == pytest.approx(np.zeros(3), abs=1e-12)
    assert potential_range(film(), CHARGES, [], AREA).tolist() == [0.0, 0.0, 0.0]


def test_without_local_surroundings_it_is_the_largest_difference() -> None:
    heights = film()
    hard = [float(np.ptp(by_integration(z))) for z in heights]
    local = 1e-4
    found = potential_range(heights, CHARGES, MOLECULES, AREA, local) + 2.0 * local * np.log(len(MOLECULES))
    assert found == pytest.approx(hard, abs=2e-3)

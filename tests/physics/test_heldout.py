from __future__ import annotations

import numpy as np
import pytest

from aiida_falsemetal.physics.heldout import Frame, energy_shift, errors, slope
from aiida_falsemetal.physics.missing_energy import EPS_INF, slab_energy

VOLUME = 700.0


def frame(energy: float, moment: float | None = None, source: str = "a", size: int = 4, force: float = 0.0) -> Frame:
    return Frame(source, "test", energy, np.full((size, 3), force), moment, VOLUME, EPS_INF)


def films(share: float, noise: float, sources: int = 2, count: int = 15) -> list[Frame]:
    """Films whose label has ``share`` of E_slab more than the model, each source with a zero of its own."""
    rng = np.random.default_rng(5)
    made = []
    for number in range(sources):
        for moment in rng.normal(0.0, 0.7, size=count):
            expected = float(slab_energy(np.array([moment]), VOLUME)[0])
            energy = share * expected + 3.0 * number + noise * rng.normal()
            made.append(frame(energy, float(moment), f"s{number}"))
    return made


def test_errors_are_in_their_units_and_the_shift_is_taken_out() -> None:
    frames = [frame(4 * 0.5 + 0.004, force=0.03), frame(4 * 0.5 - 0.004, force=-0.01)]
    shift = energy_shift(frames)
    assert shift == pytest.approx(0.5)
    found = errors(frames, shift)
    assert found["frames"] == 2 and found["energy_rmse"] == pytest.approx(1.0)
    assert found["force_mae"] == pytest.approx(20.0) and found["force_rmse"] == pytest.approx(np.sqrt(500.0))
    assert errors([], shift)["force_rmse"] is None


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_slope_is_the_missing_share_whatever_the_sources_zeros(share: float) -> None:
    found = slope([*films(share, 0.02), frame(9.0, None, "bulk")])
    assert found["frames"] == 30 and found["low"] < share < found["high"]
    assert found["slope"] == pytest.approx(share, abs=0.15)
    assert ("no sign" in found["says"]) == (share == 0.0)


def test_too_few_frames_have_no_slope() -> None:
    assert slope(films(1.0, 0.0)[:3])["slope"] is None
    assert slope([frame(1.0, None)] * 9)["frames"] == 0
    assert slope([frame(0.1, 0.3)] * 9)["slope"] is None

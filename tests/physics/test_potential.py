"""Plateaus of the averaged potential."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_falsemetal.physics.potential import MARGIN, plateaus

HEIGHT, SAWTOOTH, FILM = 28.0, 0.06, (8.0, 20.0)


def profile(drop: float, ripple: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A film with a linear rise inside, flat vacuum, the sawtooth around the cell's face."""
    z = np.linspace(0.0, HEIGHT, 1001)
    inside = np.clip((z - FILM[0]) / (FILM[1] - FILM[0]), 0.0, 1.0)
    width = SAWTOOTH * HEIGHT
    fall = np.clip((z - HEIGHT + 0.5 * width) / width, 0.0, 0.5) + np.clip((0.5 * width - z) / width, 0.0, 0.5) * -1.0
    return z, drop * (inside - fall) + ripple * np.sin(40.0 * z) + 3.0


@pytest.mark.parametrize("drop", [2.5, -0.8, 0.0])
def test_drop_is_the_difference_of_the_plateaus(drop: float) -> None:
    z, potential = profile(drop)
    found = plateaus(z, potential, FILM, HEIGHT, SAWTOOTH)
    assert found.drop == pytest.approx(drop, abs=1e-9)
    assert (found.lower, found.ripple) == (pytest.approx(3.0), pytest.approx(0.0, abs=1e-9))


def test_ripple_is_seen() -> None:
    z, potential = profile(1.0, ripple=0.01)
    found = plateaus(z, potential, FILM, HEIGHT, SAWTOOTH)
    assert found.ripple == pytest.approx(0.01 / np.sqrt(2.0), rel=0.15)
    assert found.drop == pytest.approx(1.0, abs=2e-3)


def test_thin_vacuum_is_refused_with_the_remedy() -> None:
    z, potential = profile(1.0)
    with pytest.raises(ValueError, match=r"raise `vacuum` by \d+\.\d Å"):
        plateaus(z, potential, (MARGIN, HEIGHT - MARGIN), HEIGHT, SAWTOOTH)

"""The point charges' error against films whose errors are known, and what is no error of theirs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aiida_falsemetal.physics.droperror import drop_errors
from aiida_falsemetal.physics.gapmodel import GapLaw, calibrate

Array = NDArray[np.float64]


def law(rng: np.random.Generator, wrong: float, scattered: float) -> GapLaw:
    """Of 60 frames on 12 eV - |drop|, drops of 1.5 V about 0: point charges are ``wrong`` by so many V, DFT's drop is
    ``scattered``."""
    true = rng.normal(scale=1.5, size=60)
    gap = 12.0 - np.abs(true) + 0.25 * rng.normal(size=60)
    seen, measured = true + wrong * rng.normal(size=60), true + scattered * rng.normal(size=60)
    return calibrate(seen, gap, np.zeros(60, bool), measured)


@pytest.mark.parametrize(
    ("wrong", "scattered", "off"),
    [(0.0, 0.0, 0.02), (0.5, 0.0, 0.03), (0.0, 0.6, 0.08), (0.3, 0.3, 0.05), (0.5, 0.6, 0.1)],
)
def test_the_law_whoever_errs(wrong: float, scattered: float, off: float) -> None:
    """400 times. A correction is never negative, so that what is none on the mean leaves the slope some percent too
    steep (``off``). The standard error of a mean slope is 0.008 at most, that of a coverage of 95 % one point."""
    rng = np.random.default_rng(8)
    laws = [law(rng, wrong, scattered) for _ in range(400)]
    slope, held = (
        np.mean([one.slope for one in laws]),
        np.mean([one.slope_low <= 1.0 <= one.slope_high for one in laws]),
    )
    error = np.mean([one.drop_error for one in laws])
    print(f"| {wrong:g} | {scattered:g} | {error:.2f} | {slope:.3f} | {100 * held:.0f} % |")
    assert slope == pytest.approx(1.0, abs=off)
    assert held >= 0.91


def test_an_error_of_the_point_charges_alone() -> None:
    """Far from 0 the difference is the error's variance; a frame without weight or without DFT's drop says nothing."""
    rng = np.random.default_rng(1)
    true = rng.uniform(2.0, 6.0, 4000)
    drop, measured = true + 0.4 * rng.normal(size=4000), true.copy()
    measured[:10], drop[10:20] = np.nan, 1e3
    weights = np.ones((2, 4000))
    weights[:, 10:20] = 0.0
    weights[1, 2000:] = 0.0
    assert drop_errors(drop, measured, weights) == pytest.approx([0.4, 0.4], rel=0.06)


def test_where_the_frames_cannot_tell() -> None:
    """Too few, or an error that would explain most of the spread."""
    drop = np.array([1.0, -2.0, 3.0, -1.5, 2.5, -3.5])
    assert drop_errors(drop, drop, np.ones((1, 6)))[0] == 0.0
    assert drop_errors(drop[:4], 0.8 * drop[:4], np.ones((1, 4)))[0] == 0.0
    assert drop_errors(drop, 0.1 * drop, np.ones((1, 6)))[0] == 0.0
    assert drop_errors(drop, 0.8 * drop, np.ones((1, 6)))[0] > 0.0

"""The gap law and its fit."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_falsemetal.physics import dielectric, gaplaw


def test_breakdown_is_where_the_law_has_no_gap() -> None:
    """0.02459 e/Å in the paper's numbers (PHYSICS.md, section 2), and the law's own zero."""
    assert pytest.approx(0.02459, abs=5e-6) == gaplaw.BREAKDOWN
    assert gaplaw.gap_law(dielectric.drop(gaplaw.BREAKDOWN * 100.0, 100.0)) == pytest.approx(0.0, abs=1e-12)


def test_the_law_is_even_and_goes_below_zero() -> None:
    """Either face may be the polar one; what is missing for a gap is not cut off."""
    drops = np.array([-6.0, -1.0, 0.0, 1.0, 6.0])
    assert np.allclose(gaplaw.gap_law(drops), [-1.55, 3.45, 4.45, 3.45, -1.55])
    assert gaplaw.gap_law(-1.0, intercept=5.0) == 4.0


def test_fit_finds_what_made_the_gaps() -> None:
    """200 gaps with 0.25 eV of scatter from geometry, drops of both signs: slope -1, intercept 4.3."""
    rng = np.random.default_rng(0)
    drops = rng.normal(0.0, 1.2, 200)
    fit = gaplaw.fit_gap_law(drops, 4.3 - np.abs(drops) + rng.normal(0.0, 0.25, 200))
    assert fit.slope_low < -1.0 < fit.slope_high
    assert fit.intercept_low < 4.3 < fit.intercept_high
    assert fit.slope_high - fit.slope_low < 0.2
    assert fit.residual_sd == pytest.approx(0.25, rel=0.2)
    assert fit.n == 200
    mirrored = gaplaw.fit_gap_law(-drops, gaplaw.gap_law(drops))
    assert mirrored.slope == pytest.approx(-1.0)
    assert mirrored.intercept == pytest.approx(gaplaw.INTERCEPT)

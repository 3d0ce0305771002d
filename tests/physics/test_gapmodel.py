"""The calibrated gap law against frames made by a law that is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aiida_falsemetal.physics import gapmodel
from aiida_falsemetal.physics.droperror import drop_errors
from aiida_falsemetal.physics.gapmodel import CLOSED, Prior, calibrate, fit_gap_model

Array = NDArray[np.float64]
E0, SLOPE, SCATTER = 4.2, 0.75, 0.35


def frames(rng: np.random.Generator, n: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Drops, gaps that saturate at 0.1 eV, labels."""
    true = rng.uniform(-8.0, 8.0, n)
    opened = E0 - SLOPE * np.abs(true) + SCATTER * rng.normal(size=n)
    metallic = opened < CLOSED
    return true, np.where(metallic, 0.1, opened), metallic


def test_metallic_frames_do_not_bend_the_line() -> None:
    """A line through the saturated gaps is far off, the censored one is not; a metallic gap's value does not matter."""
    drop, gap, metallic = frames(np.random.default_rng(1), 2000)
    naive = -np.polyfit(np.abs(drop), gap, 1)[0]
    model = fit_gap_model(drop, gap, metallic)
    assert abs(naive - SLOPE) > 0.1
    assert model.slope == pytest.approx(SLOPE, abs=0.03)
    assert model.intercept == pytest.approx(E0, abs=0.1)
    assert model.scatter == pytest.approx(SCATTER, rel=0.06)
    other = fit_gap_model(drop, np.where(metallic, np.nan, gap), metallic)
    assert other.slope == model.slope


def test_leaving_metallic_frames_out_would_be_biased() -> None:
    """Near closing only the frames with a large residual are open: without the closed ones the line is too flat."""
    drop, gap, metallic = frames(np.random.default_rng(2), 4000)
    without = -np.polyfit(np.abs(drop[~metallic]), gap[~metallic], 1)[0]
    assert without < fit_gap_model(drop, gap, metallic).slope - 0.02


def test_errors_of_the_drop_flatten_a_regression_and_not_the_law() -> None:
    """Frames that stay away from 0 and from closing, so that neither fold nor censoring matter."""
    rng = np.random.default_rng(3)
    true = rng.uniform(1.5, 4.0, 4000)
    gap = E0 - SLOPE * true + 0.2 * rng.normal(size=4000)
    drop = true + 0.4 * rng.normal(size=4000)
    closed = np.zeros(4000, bool)
    # Expected: slope var(true) / var(drop) = 0.765 times as steep.
    assert fit_gap_model(drop, gap, closed).slope == pytest.approx(SLOPE * 0.765, abs=0.03)
    # Not `calibrate`, whose jackknife would fit all of them again without each.
    weights = np.ones((1, 4000))
    errors = drop_errors(drop, true, weights)
    assert errors == pytest.approx([0.4], rel=0.05)
    model = gapmodel._em(drop, gap, closed, weights, None, errors)
    assert model[1][0] == pytest.approx(SLOPE, abs=0.03)
    assert model[0][0] == pytest.approx(E0, abs=0.08)


def test_the_law_s_intervals_cover() -> None:
    """40 frames, 100 times: 95 % within 8 points (one standard error is 2.2)."""
    rng = np.random.default_rng(4)
    hits = np.zeros(2)
    for _ in range(100):
        law = calibrate(*frames(rng, 40))
        hits += law.slope_low <= SLOPE <= law.slope_high, law.intercept_low <= E0 <= law.intercept_high
    assert np.all(np.abs(hits / 100 - 0.95) < 0.08)


def test_predictive_intervals_cover_new_frames() -> None:
    """25 frames fitted, 200 new ones predicted, 100 times; a metallic frame's gap is 0. Within 2 points of 95 %."""
    rng = np.random.default_rng(5)
    hits = []
    for _ in range(100):
        model = fit_gap_model(*frames(rng, 25))
        drop, gap, metallic = frames(rng, 200)
        low, high = model.interval(drop)
        truth = np.where(metallic, 0.0, gap)
        # Where the law is far below 0 every frame is metallic and the interval 0 to 0: count the others.
        counts = np.abs(drop) < 6.0
        hits.append(np.mean((low <= truth)[counts] & (truth <= high)[counts]))
    assert np.mean(hits) == pytest.approx(0.95, abs=0.02)


def test_the_probability_of_metal_is_one() -> None:
    """In bins of the probability, the frequency on new frames is the same within 0.06."""
    rng = np.random.default_rng(6)
    model = fit_gap_model(*frames(rng, 10_000))
    drop, _, metallic = frames(rng, 40_000)
    p = model.predict(drop).metallic
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        here = (low <= p) & (p < low + 0.2)
        assert metallic[here].mean() == pytest.approx(p[here].mean(), abs=0.06)


def test_a_sharper_transition_is_learned() -> None:
    """Open gaps scatter by 0.45 eV and yet every frame beyond 5.4 V is metallic: the probability becomes a step."""
    rng = np.random.default_rng(7)
    drop = rng.uniform(0.0, 8.0, 400)
    closed = drop > 5.4
    gap = np.where(closed, 0.1, np.maximum(4.25 - 0.75 * drop + 0.45 * rng.normal(size=400), 0.25))
    model = fit_gap_model(drop, gap, closed)
    assert model.stretch > 1.5
    p = model.predict(np.array([4.9, 5.9])).metallic
    assert p[0] < 0.1
    assert p[1] > 0.9


def test_moments_are_those_of_simulated_frames() -> None:
    """Mean, variance and probability in closed form against a million draws."""
    model = gapmodel.from_prior(Prior(intercept=4.0, intercept_sd=1e-6, slope=1.0, slope_sd=1e-6, scatter=0.5))
    drop = np.array([-1.0, 3.5, 4.2])
    found = model.predict(drop)
    u = 4.0 - np.abs(drop) + 0.5 * np.random.default_rng(8).normal(size=(1_000_000, 3))
    gap = np.where(u < CLOSED, 0.0, u)
    assert np.allclose(found.gap, gap.mean(axis=0), atol=2e-3)
    assert np.allclose(found.gap_variance, gap.var(axis=0), atol=2e-3)
    assert np.allclose(found.metallic, (u < CLOSED).mean(axis=0), atol=2e-3)


def test_one_outlier_moves_little() -> None:
    """A gap that is 3 eV off at a large drop, one of 30."""
    drop, gap, metallic = frames(np.random.default_rng(9), 30)
    before = fit_gap_model(drop, gap, metallic)
    drop, gap, metallic = np.append(drop, 4.5), np.append(gap, 4.0), np.append(metallic, False)
    plain = -np.polyfit(np.abs(drop[~metallic]), gap[~metallic], 1)[0]
    assert abs(fit_gap_model(drop, gap, metallic).slope - before.slope) < abs(plain - before.slope)
    assert abs(fit_gap_model(drop, gap, metallic).slope - before.slope) < 0.12


def test_a_prior_carries_until_frames_speak() -> None:
    """Nothing, one metallic frame, many frames."""
    nothing = fit_gap_model(np.array([]), np.array([]), np.array([], bool), Prior())
    assert (nothing.intercept, nothing.slope, nothing.frames) == (4.45, 1.0, 0)
    one = fit_gap_model(np.array([3.0]), np.array([np.nan]), np.array([True]), Prior())
    assert one.predict(np.array([3.0])).metallic[0] > nothing.predict(np.array([3.0])).metallic[0]
    many = frames(np.random.default_rng(10), 2000)
    assert fit_gap_model(*many, Prior()).slope == pytest.approx(fit_gap_model(*many).slope, abs=0.01)


def test_what_is_no_line_is_refused() -> None:
    """Shapes, numbers, too few open frames, an error that explains all."""
    drop, gap, metallic = frames(np.random.default_rng(11), 20)
    with pytest.raises(ValueError, match="pair up"):
        fit_gap_model(drop, gap[:-1], metallic)
    with pytest.raises(ValueError, match="finite"):
        fit_gap_model(np.append(drop, np.nan), np.append(gap, 1.0), np.append(metallic, False))
    with pytest.raises(ValueError, match="open"):
        fit_gap_model(drop, gap, np.ones(20, bool))
    with pytest.raises(ValueError, match="pair up"):
        calibrate(drop, gap, metallic, drop[:-1])

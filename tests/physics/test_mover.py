"""Pooling of estimates by their intervals: limits that are known, and coverage."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_falsemetal.physics.mover import pool_fractions, weighted_mean
from aiida_falsemetal.physics.series import Fraction, wilson


def fraction(k: int, n: int) -> Fraction:
    return Fraction(k / n, *wilson(k / n, n), n)


def test_one_estimate_is_itself() -> None:
    assert weighted_mean([0.3], [0.1], [0.6], [7.0]) == pytest.approx((0.3, 0.1, 0.6))
    pooled = pool_fractions([fraction(2, 20)], [1.0])
    assert (pooled.value, pooled.low, pooled.high) == pytest.approx((0.1, *wilson(0.1, 20)))


def test_normal_errors_add_in_quadrature() -> None:
    """Symmetric intervals: the standard error of a weighted mean, sqrt(0.75^2 0.1^2 + 0.25^2 0.2^2) t."""
    reach = 1.96 * np.array([0.1, 0.2])
    mean, low, high = weighted_mean([1.0, 2.0], [1.0, 2.0] - reach, [1.0, 2.0] + reach, [3.0, 1.0])
    assert mean == pytest.approx(1.25)
    assert high - mean == pytest.approx(mean - low) == pytest.approx(1.96 * np.hypot(0.75 * 0.1, 0.25 * 0.2))


def test_nothing_seen_stays_open_at_the_top_only() -> None:
    pooled = pool_fractions([fraction(0, 10), fraction(0, 10)], [1.0, 1.0])
    assert pooled.low == pooled.value == 0.0
    # Not the 0.16 of 20 frames in one: MOVER adds distances, and is the more cautious of the two.
    assert wilson(0.0, 20)[1] < pooled.high < wilson(0.0, 10)[1]


def test_unknown_frames_bound_the_whole() -> None:
    lost = Fraction(0.5, 0.0, 1.0, 4.0, 0.95, 0.0, 1.0)
    pooled = pool_fractions([lost, fraction(0, 40)], [1.0, 1.0])
    assert (pooled.smallest, pooled.largest) == (0.0, 0.5)
    assert pooled.low == 0.0 and pooled.high >= 0.5


@pytest.mark.parametrize(
    ("p", "q", "least"), [(0.02, 0.02, 0.89), (0.05, 0.1, 0.93), (0.1, 0.5, 0.93), (0.5, 0.5, 0.93), (0.9, 0.2, 0.93)]
)
def test_coverage(p: float, q: float, least: float) -> None:
    """95 % intervals of (2p + q)/3 from 60 and 30 trials hold the truth in 93 to 99 %: 4000 repetitions know it to
    0.35 %. Where one event is expected in 60 trials Wilson's own lower end is too high, and 90 % are left."""
    rng = np.random.default_rng(7)
    held = 0
    for first, second in zip(rng.binomial(60, p, 4000), rng.binomial(30, q, 4000), strict=True):
        pooled = pool_fractions([fraction(int(first), 60), fraction(int(second), 30)], [2.0, 1.0])
        held += pooled.low <= (2 * p + q) / 3 <= pooled.high
    assert least <= held / 4000 <= 0.99


@pytest.mark.parametrize(
    "call",
    [
        lambda: weighted_mean([], [], [], []),
        lambda: weighted_mean([1.0], [0.0], [2.0], [0.0]),
        lambda: weighted_mean([1.0], [0.0], [2.0], [-1.0]),
        lambda: weighted_mean([1.0], [0.0, 1.0], [2.0], [1.0]),
        lambda: pool_fractions([fraction(1, 4), Fraction(0.1, 0.0, 0.3, 9.0, 0.9)], [1.0, 1.0]),
    ],
)
def test_nonsense_is_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]

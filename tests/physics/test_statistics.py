"""Statistics against series, counts and lines whose truth is known.

Coverage is measured by simulation with fixed seeds: R repetitions of an interval of coverage c scatter by
sqrt(c (1 - c) / R), and every tolerance below is at least four times that.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal
from scipy import stats as scipy_stats

from aiida_falsemetal.physics import statistics

Array = NDArray[np.float64]


def ar1(rng: np.random.Generator, n: int, inefficiency: float) -> Array:
    """Gaussian series of unit variance and autocorrelation rho^k, so that g = (1 + rho) / (1 - rho)."""
    rho = (inefficiency - 1.0) / (inefficiency + 1.0)
    noise = rng.normal(size=n) * np.sqrt(1.0 - rho**2)
    noise[0] = rng.normal()
    return np.asarray(signal.lfilter([1.0], [1.0, -rho], noise))


# --- correlation time ---


@pytest.mark.parametrize(("inefficiency", "tolerance"), [(1.0, 0.06), (5.0, 0.04), (20.0, 0.04), (100.0, 0.08)])
def test_correlation_time_of_ar1(inefficiency: float, tolerance: float) -> None:
    """Mean over 40 series of 20000. A window of m lags gives g a relative sd of sqrt(2 (2m + 1) / n) (Madras and Sokal,
    J. Stat. Phys. 50, 109 (1988)), 0.2 for g = 100 and a window of 4 g, 0.03 for the mean. White noise is biased up by
    0.02, because g is not let below 1."""
    rng = np.random.default_rng(11)
    found = np.mean([statistics.correlation_samples(ar1(rng, 20_000, inefficiency)) for _ in range(40)])
    assert found == pytest.approx(inefficiency, rel=tolerance)


def test_correlation_time_of_a_short_series_is_not_cut_short() -> None:
    """Ten correlation times only: the bias from the mean is put back to within 10 %; uncorrected it is over 10 %."""
    rng = np.random.default_rng(12)
    found = np.mean([statistics.correlation_samples(ar1(rng, 1000, 100.0)) for _ in range(600)])
    assert found == pytest.approx(100.0, rel=0.1)


def test_slow_tail_is_followed() -> None:
    """80 % white noise and 20 % of a slow mode, as librations on top of reorientation: g = 0.8 + 0.2 * 100."""
    rng = np.random.default_rng(13)
    series = [np.sqrt(0.8) * rng.normal(size=20_000) + np.sqrt(0.2) * ar1(rng, 20_000, 100.0) for _ in range(40)]
    found = np.mean([statistics.correlation_samples(x) for x in series])
    assert found == pytest.approx(20.8, rel=0.1)


def test_correlation_time_scales_with_the_sampling() -> None:
    """Repeating every sample four times makes g four times as long and adds no information."""
    x = ar1(np.random.default_rng(14), 5000, 20.0)
    assert statistics.correlation_samples(np.repeat(x, 4)) == pytest.approx(
        4 * statistics.correlation_samples(x), rel=0.05
    )


def test_fft_agrees_with_the_definition() -> None:
    """The autocorrelation by a double loop; an FFT padded too little would wrap around."""
    x = ar1(np.random.default_rng(15), 65, 10.0)
    y = x - x.mean()
    direct = [sum(y[i] * y[i + lag] for i in range(65 - lag)) / sum(y**2) for lag in range(65)]
    assert np.allclose(statistics._autocorrelation(x), direct, atol=1e-12)


def test_antithetic_series_does_not_gain_samples() -> None:
    """An autocorrelation of (-1/2)^k makes the mean better than independent samples would, g = 1/3; g stays 1."""
    rng = np.random.default_rng(16)
    noise = rng.normal(size=20_000)
    assert statistics.correlation_samples(signal.lfilter([1.0], [1.0, 0.5], noise)) == 1.0


# --- standard deviation ---


def coverage(samples: int, inefficiency: float, repetitions: int, seed: int) -> tuple[float, float]:
    """Share of 95 % intervals that hold the true sd of 1, and the mean of the estimated variance."""
    rng = np.random.default_rng(seed)
    found = [statistics.sd_with_interval(ar1(rng, samples, inefficiency)) for _ in range(repetitions)]
    return float(np.mean([s.low <= 1.0 <= s.high for s in found])), float(np.mean([s.value**2 for s in found]))


@pytest.mark.parametrize(
    ("samples", "inefficiency"), [(50, 1.0), (500, 1.0), (2000, 10.0), (1000, 50.0), (1000, 100.0)]
)
def test_coverage(samples: int, inefficiency: float) -> None:
    """95 % within 3.2 points (R = 1000: one standard error is 0.7) from 10 correlation times on; no bias within 4 %."""
    covered, variance = coverage(samples, inefficiency, 1000, seed=21)
    assert covered == pytest.approx(0.95, abs=0.032)
    assert variance == pytest.approx(1.0, abs=0.04)


def test_coverage_with_four_correlation_times() -> None:
    """91 % and not more: what four correlation times can carry. The docstring promises no more."""
    covered, _ = coverage(800, 200.0, 1000, seed=22)
    assert 0.87 < covered < 0.97


def test_a_naive_interval_would_fail() -> None:
    """The number of samples in place of n_eff covers less than half: the test above can tell."""
    rng = np.random.default_rng(23)
    hits = 0
    for _ in range(300):
        x = ar1(rng, 1000, 50.0)
        ends = [np.sqrt(x.var() * 999 / scipy_stats.chi2.ppf(q, 999)) for q in (0.975, 0.025)]
        hits += ends[0] <= 1.0 <= ends[1]
    assert hits < 150


@pytest.mark.parametrize("inefficiency", [1.0, 10.0, 40.0])
def test_n_eff_is_the_one_for_the_spread(inefficiency: float) -> None:
    """1/sqrt(2 n_eff) against the scatter of the estimates themselves, over 500 series of 4000; theory beside it.

    n_eff is n (1 - rho^2)/(1 + rho^2); 15 % for the scatter (1/sqrt(2 * 500) = 3 %) and for ``DOUBT`` (4 g/n = 4 %)
    and for taking the longer of two estimates (10 %).
    """
    rng = np.random.default_rng(24)
    found = [statistics.sd_with_interval(ar1(rng, 4000, inefficiency)) for _ in range(500)]
    n_eff = np.mean([s.n_eff for s in found])
    rho = (inefficiency - 1) / (inefficiency + 1)
    assert n_eff == pytest.approx(4000 * (1 - rho**2) / (1 + rho**2), rel=0.15)
    assert np.std([s.value for s in found]) == pytest.approx(1 / np.sqrt(2 * n_eff), rel=0.15)


def test_white_noise_gives_the_textbook_interval() -> None:
    """Never narrower on average than the textbook's chi-square interval and at most 10 % wider, over 100 series of 400:
    neither correlation time is let below 1 and the longer one counts, so n_eff comes out some 10 % low."""
    rng = np.random.default_rng(25)
    ratios = []
    for _ in range(100):
        x = rng.normal(3.0, 2.0, 400)
        found = statistics.sd_with_interval(x, confidence=0.9)
        low, high = (np.sqrt(x.var(ddof=1) * 399 / scipy_stats.chi2.ppf(q, 399)) for q in (0.95, 0.05))
        assert found.value == pytest.approx(x.std(ddof=1), rel=1e-2)
        ratios.append((found.high - found.low) / (high - low))
    assert 1.0 <= np.mean(ratios) <= 1.1


def test_intervals_nest_and_scale() -> None:
    """More confidence, wider; a change of unit or of origin changes nothing else."""
    x = ar1(np.random.default_rng(26), 1000, 20.0)
    narrow, wide = statistics.sd_with_interval(x, 0.68), statistics.sd_with_interval(x, 0.99)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    other = statistics.sd_with_interval(5.0 - 3.0 * x, 0.68)
    assert other.value == pytest.approx(3.0 * narrow.value)
    assert other.n_eff == pytest.approx(narrow.n_eff)


def test_constant_series() -> None:
    """One sample, no spread, nothing raised, also where rounding moves the mean."""
    for value in (0.0, 0.1, -1e9):
        series = np.full(123, value)
        assert statistics.correlation_samples(series) == 123
        assert statistics.sd_with_interval(series) == statistics.Spread(0.0, 0.0, 0.0, 1.0, 123.0)
        assert statistics.detect_equilibration(series) == 0


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_every_series_has_a_finite_interval(values: list[float]) -> None:
    """Whatever the series: finite, ordered, and never more samples than there are."""
    found = statistics.sd_with_interval(np.array(values))
    assert 0.0 <= found.low <= found.value <= found.high < np.inf
    assert 1.0 <= found.n_eff <= len(values)
    assert 1.0 <= found.correlation_samples <= len(values)


@pytest.mark.parametrize("series", [[], [1.0], [1.0, np.nan, 2.0], [[1.0, 2.0]]])
def test_what_is_no_series_is_refused(series: list[float]) -> None:
    """Too short, not a number, two-dimensional."""
    with pytest.raises(ValueError, match="finite numbers"):
        statistics.sd_with_interval(np.array(series))


# --- equilibration ---


def test_equilibration_finds_the_end_of_a_relaxation() -> None:
    """A decay from 10 sd with a time of 200 samples before white noise is at 1 sd after 460 samples and at 0.1 sd
    after 920: found between 400 and 1800 in each of 20 series of 10000, and little is thrown away
    where there is nothing to throw away."""
    rng = np.random.default_rng(31)
    decay = 10.0 * np.exp(-np.arange(10_000) / 200.0)
    for _ in range(20):
        assert 400 <= statistics.detect_equilibration(decay + rng.normal(size=10_000)) <= 1800
    stationary = [statistics.detect_equilibration(rng.normal(size=10_000)) for _ in range(20)]
    assert np.median(stationary) < 1500


def test_equilibration_grid_misses_little() -> None:
    """The best of all starts, one by one, has at most 5 % more independent samples than the one found."""
    rng = np.random.default_rng(32)
    x = ar1(rng, 400, 8.0) + 6.0 * np.exp(-np.arange(400) / 30.0)
    independent = [(400 - t) / statistics.correlation_samples(x[t:]) for t in range(381)]
    assert independent[statistics.detect_equilibration(x)] >= 0.95 * max(independent)


def test_equilibration_of_short_series() -> None:
    """Ten samples or fewer are kept whole; no start leaves fewer than ten."""
    rng = np.random.default_rng(33)
    for n in range(1, 60):
        start = statistics.detect_equilibration(np.linspace(0, 9, n) + rng.normal(size=n))
        assert start == 0 if n <= 10 else 0 <= start <= n - 10


# --- fractions ---

NEWCOMBE = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
"""Newcombe, Stat. Med. 17, 857 (1998), table I, method 3, as printed there."""


@pytest.mark.parametrize(("k", "n", "low", "high"), NEWCOMBE)
def test_wilson_as_published(k: int, n: int, low: float, high: float) -> None:
    """Half a unit of the fourth digit."""
    assert statistics.wilson_interval(k, n) == pytest.approx((low, high), abs=5.1e-5)


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 500), st.data(), st.floats(0.5, 0.999))
def test_wilson_against_scipy(n: int, data: st.DataObject, confidence: float) -> None:
    """The same interval from scipy's binomtest, for any count, and its mirror image for the failures."""
    k = data.draw(st.integers(0, n))
    low, high = statistics.wilson_interval(k, n, confidence)
    reference = scipy_stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert 0.0 <= low <= k / n <= high <= 1.0
    mirrored = statistics.wilson_interval(n - k, n, confidence)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_nonsense(k: int, n: int) -> None:
    """No trials, or counts outside of them."""
    with pytest.raises(ValueError, match="not a fraction"):
        statistics.wilson_interval(k, n)


# --- lines ---


def hc3_by_matrices(x: Array, y: Array) -> tuple[Array, Array]:
    """Coefficients (intercept, slope) and HC3 standard errors straight from the sandwich formula."""
    design = np.column_stack([np.ones_like(x), x])
    bread = np.linalg.inv(design.T @ design)
    beta = bread @ design.T @ y
    leverage = np.einsum("ij,jk,ik->i", design, bread, design)
    meat = design.T @ np.diag(((y - design @ beta) / (1 - leverage)) ** 2) @ design
    return beta, np.sqrt(np.diag(bread @ meat @ bread))


def test_line_agrees_with_the_sandwich_formula() -> None:
    """The same numbers from matrices, and the coefficients from scipy's linregress."""
    rng = np.random.default_rng(41)
    x = rng.uniform(5, 9, 17)
    y = 1.5 - 0.7 * x + rng.normal(size=17) * x
    fit = statistics.fit_line(x, y, confidence=0.9)
    beta, error = hc3_by_matrices(x, y)
    t = scipy_stats.t.ppf(0.95, 15)
    assert (fit.intercept, fit.slope) == pytest.approx((beta[0], beta[1]))
    assert fit.intercept_high - fit.intercept == pytest.approx(t * error[0])
    assert fit.slope - fit.slope_low == pytest.approx(t * error[1])
    reference = scipy_stats.linregress(x, y)
    assert (fit.slope, fit.intercept) == pytest.approx((reference.slope, reference.intercept))
    assert fit.residual_sd == pytest.approx(np.sqrt(np.sum((y - reference.intercept - reference.slope * x) ** 2) / 15))


def test_line_coverage_where_the_noise_grows() -> None:
    """Noise proportional to x^2, 30 points: HC3 covers 95 % within 3 points (R = 2000, one standard error 0.5; HC3 is
    only asymptotically exact), the ordinary interval less than 90 %."""
    rng = np.random.default_rng(42)
    slope, intercept, ordinary = 0, 0, 0
    for _ in range(2000):
        x = rng.uniform(0, 3, 30)
        y = 4.45 - x + 0.1 * x**2 * rng.normal(size=30)
        fit = statistics.fit_line(x, y)
        slope += fit.slope_low <= -1.0 <= fit.slope_high
        intercept += fit.intercept_low <= 4.45 <= fit.intercept_high
        half = scipy_stats.t.ppf(0.975, 28) * fit.residual_sd / np.sqrt(np.sum((x - x.mean()) ** 2))
        ordinary += abs(fit.slope + 1.0) <= half
    assert slope / 2000 == pytest.approx(0.95, abs=0.03)
    assert intercept / 2000 == pytest.approx(0.95, abs=0.03)
    assert ordinary / 2000 < 0.9


def test_exact_line() -> None:
    """No scatter, no width."""
    fit = statistics.fit_line(np.array([0.0, 1.0, 2.0, 5.0]), np.array([1.0, 3.0, 5.0, 11.0]))
    assert (fit.slope, fit.slope_low, fit.slope_high) == pytest.approx((2, 2, 2))
    assert (fit.intercept, fit.residual_sd) == pytest.approx((1, 0), abs=1e-12)
    assert fit.n == 4


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([0.0, 1.0], [0.0, 1.0], "at least 3"),
        ([2.0, 2.0, 2.0], [0.0, 1.0, 2.0], "same x"),
        ([0.1 * 3, 0.3, 0.3], [0.0, 1.0, 2.0], "same x"),
        ([1.0, 1.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0], "All points but one"),
        ([0.0, 1.0, 2.0], [0.0, np.inf, 2.0], "finite"),
        ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0], "pair up"),
    ],
)
def test_line_refuses_what_it_cannot_fit(x: list[float], y: list[float], message: str) -> None:
    """Too few points, no spread in x (rounding is none), one point that decides alone, not a number, unpaired."""
    with pytest.raises(ValueError, match=message):
        statistics.fit_line(np.array(x), np.array(y))

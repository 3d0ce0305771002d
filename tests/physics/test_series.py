"""Pooling against series whose truth is known.

Coverage is measured by simulation with fixed seeds: R repetitions of an interval of coverage c scatter by
sqrt(c (1 - c) / R); tolerances are three times that and more.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from aiida_falsemetal.physics import series, statistics

from .test_statistics import ar1

Array = NDArray[np.float64]


def seeds(rng: np.random.Generator, lengths: tuple[int, ...], g: float) -> list[Array]:
    return [ar1(rng, n, g) for n in lengths]


# --- pooled spread and mean ---


@pytest.mark.parametrize("g", [1.0, 20.0])
def test_one_series_is_the_old_statistic(g: float) -> None:
    """Value, interval, n_eff and correlation time of one series are those of sd_with_interval."""
    x = 3.0 + ar1(np.random.default_rng(1), 1500, g)
    pooled, single = series.pool([x]).spread, statistics.sd_with_interval(x)
    for name in ("value", "low", "high", "n_eff", "correlation_samples"):
        assert getattr(pooled, name) == pytest.approx(getattr(single, name), rel=1e-9)


@pytest.mark.parametrize(
    ("lengths", "g"),
    [((1000,) * 4, 50.0), ((200,) * 4, 50.0), ((200,) * 8, 50.0), ((1000, 500, 250), 50.0), ((300, 2000), 20.0)],
)
def test_coverage(lengths: tuple[int, ...], g: float) -> None:
    """95 % intervals of sd and mean cover within 2.5 points (R = 600: one standard error is 0.9), seeds of four
    correlation times included; the mean 1.5 points less where there are 16 in all."""
    rng = np.random.default_rng(2)
    found = [series.pool(seeds(rng, lengths, g)) for _ in range(600)]
    sd = np.mean([p.spread.low <= 1.0 <= p.spread.high for p in found])
    mean = np.mean([p.mean_low <= 0.0 <= p.mean_high for p in found])
    assert sd == pytest.approx(0.95, abs=0.025)
    assert mean == pytest.approx(0.945, abs=0.035)
    assert np.mean([p.spread.value**2 for p in found]) == pytest.approx(1.0, abs=0.05)


def test_seeds_add_up() -> None:
    """Four seeds know the spread twice as well as one."""
    rng = np.random.default_rng(3)
    one = np.mean([series.pool(seeds(rng, (2000,), 20.0)).spread.n_eff for _ in range(40)])
    four = np.mean([series.pool(seeds(rng, (2000,) * 4, 20.0)).spread.n_eff for _ in range(40)])
    assert four / one == pytest.approx(4.0, rel=0.1)


def test_stuck_seeds_do_not_count_as_certain() -> None:
    """Four seeds, each stuck at a polarisation of its own: n_eff is about the number of seeds, and the interval holds
    the spread of the states, where each seed for itself claims a small one."""
    rng = np.random.default_rng(4)
    stuck = [0.2 * ar1(rng, 2000, 10.0) + state for state in (-2.0, -1.0, 1.0, 2.0)]
    pooled = series.pool(stuck).spread
    assert pooled.n_eff < 8
    assert pooled.low < math.sqrt(2.5) < pooled.high
    assert all(statistics.sd_with_interval(x).high < 0.3 for x in stuck)


def test_pool_in_any_unit() -> None:
    rng = np.random.default_rng(5)
    xs = seeds(rng, (500, 700), 10.0)
    one, other = series.pool(xs), series.pool([7.0 - 1e-6 * x for x in xs])
    assert other.spread.value == pytest.approx(1e-6 * one.spread.value)
    assert other.spread.n_eff == pytest.approx(one.spread.n_eff, rel=1e-6)
    assert other.mean == pytest.approx(7.0 - 1e-6 * one.mean)


def test_constants() -> None:
    for mean in (None, 3.0):
        pooled = series.pool([np.full(20, 3.0), np.full(30, 3.0)], mean=mean)
        assert (pooled.spread.value, pooled.spread.n_eff, pooled.mean, pooled.samples) == (0.0, 1.0, 3.0, 50)


@pytest.mark.parametrize("bad", [[], [np.array([1.0])], [np.array([1.0, np.nan, 2.0])], [np.ones((3, 2))]])
def test_pool_refuses(bad: list[Array]) -> None:
    with pytest.raises(ValueError, match="series|finite"):
        series.pool(bad)


def test_equilibration_is_cut() -> None:
    rng = np.random.default_rng(6)
    decay = 10.0 * np.exp(-np.arange(4000) / 100.0)
    cut = series.equilibrated([decay + rng.normal(size=4000), rng.normal(size=4000)])
    assert 200 <= 4000 - len(cut[0]) <= 1500
    assert abs(series.pool(cut).mean) < 0.1


# --- fraction beyond a window ---


@pytest.mark.parametrize("edge", [0.7, 1.645, 2.326, 3.0])
def test_fraction_coverage(edge: float) -> None:
    """At least 95 % less one point for 48, 10, 2 and 0.3 % beyond; wider than needed for rare events, as documented."""
    rng = np.random.default_rng(7)
    truth, hits = 2 * stats.norm.sf(edge), 0
    for _ in range(250):
        found = series.fraction_outside(seeds(rng, (1000,) * 4, 50.0), (-edge, edge))
        hits += found.low <= truth <= found.high
    assert hits / 250 >= 0.94


def test_one_sided_fraction_coverage() -> None:
    """An indicator that is odd in x has the series' own, longer correlation time, and the interval follows."""
    rng = np.random.default_rng(8)
    hits = 0
    for _ in range(300):
        found = series.fraction_outside(seeds(rng, (1000,) * 4, 50.0), (-99.0, 0.0))
        hits += found.low <= 0.5 <= found.high
    assert hits / 300 == pytest.approx(0.95, abs=0.035)


def test_fraction_at_the_ends() -> None:
    """None outside: low is 0 and high that of the independent samples, not of the frames; all outside: its mirror."""
    x = seeds(np.random.default_rng(9), (1000, 1000), 50.0)
    none, every = series.fraction_outside(x, (-99, 99)), series.fraction_outside(x, (50, 99))
    assert (none.value, none.low, every.value, every.high) == (0.0, 0.0, 1.0, 1.0)
    assert none.high == pytest.approx(statistics.wilson_interval(0, round(none.n_eff))[1], rel=0.05)
    assert every.low == pytest.approx(1.0 - none.high)
    assert none.n_eff < 150


def test_a_first_event_does_not_narrow_the_interval() -> None:
    x = seeds(np.random.default_rng(10), (2000, 2000), 50.0)
    top = max(float(np.abs(y).max()) for y in x)
    none = series.fraction_outside(x, (-top, top))
    first = series.fraction_outside(x, (-top * 0.9999, top * 0.9999))
    assert none.value == 0.0 < first.value
    assert first.high >= none.high


def test_fraction_of_a_constant() -> None:
    """A frozen series is one sample."""
    found = series.fraction_outside([np.full(100, 5.0)], (-1, 1))
    assert found.value == 1.0
    assert found.low < 0.25


def test_window_upside_down() -> None:
    with pytest.raises(ValueError, match="upside down"):
        series.fraction_outside([np.arange(9.0)], (1, -1))


@settings(deadline=None)
@given(st.integers(1, 300), st.data())
def test_wilson_agrees_for_whole_numbers(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    assert series.wilson(k / n, n) == pytest.approx(statistics.wilson_interval(k, n), abs=1e-12)


# --- agreement ---


def test_rhat_by_the_formula() -> None:
    """Equal lengths: the paper's equations written out for the bulk part."""
    rng = np.random.default_rng(11)
    xs = [rng.normal(size=100) + shift for shift in (0.0, 0.8)]
    halves = np.array([xs[0][:50], xs[0][50:], xs[1][:50], xs[1][50:]])
    ranks = stats.rankdata(halves).reshape(4, 50)
    z = stats.norm.ppf((ranks - 3 / 8) / (200 + 1 / 4))
    between = 50 * np.var(z.mean(axis=1), ddof=1)
    within = np.mean(z.var(axis=1, ddof=1))
    assert series.split_rhat(xs) == pytest.approx(math.sqrt((49 / 50 * within + between / 50) / within))


def test_rhat_of_what_is_right_and_wrong() -> None:
    """Near 1 for equal seeds; above 1.1 for a shift by one and for a spread three times as wide (only the folded one
    sees that), for a drift within one series, and infinite where nothing moves."""
    rng = np.random.default_rng(12)
    good = seeds(rng, (5000,) * 4, 10.0)
    assert series.split_rhat(good) < 1.01
    assert series.split_rhat([*good[:3], good[3] + 1.5]) > 1.1
    assert series.split_rhat([*good[:3], good[3] * 3.0]) > 1.1
    assert series.split_rhat([good[0] + np.linspace(-2, 2, 5000)]) > 1.3
    assert series.split_rhat([np.ones(50)]) == math.inf


def alarms(lengths: tuple[int, ...], g: float, shift: float, scale: float, repetitions: int) -> tuple[float, ...]:
    """Shares: tests that disagree, exactly the last seed named, R-hat above 1.1."""
    rng = np.random.default_rng(13)
    found = []
    for _ in range(repetitions):
        xs = seeds(rng, lengths, g)
        xs[-1] = scale * xs[-1] + shift
        agreement = series.agreement(xs)
        found.append((agreement.disagree, agreement.disagreeing == (len(lengths) - 1,), agreement.rhat > 1.1))
    return tuple(float(share) for share in np.mean(found, axis=0))


@pytest.mark.parametrize(("lengths", "g"), [((500,) * 4, 50.0), ((1000,) * 2, 50.0), ((2000, 1000, 500), 50.0)])
def test_false_alarms_are_rare(lengths: tuple[int, ...], g: float) -> None:
    """The tests' level is 1 %: at most 3 % of 300."""
    disagree, _, _ = alarms(lengths, g, 0.0, 1.0, 300)
    assert disagree <= 0.03


def test_shifted_and_wide_seeds_are_caught() -> None:
    """Four seeds of 20 correlation times: shifted by two sd, or twice as wide, 9 of 10 are caught; the right one is
    named in most. R-hat sees every shift, and a doubled spread in less than half of the cases."""
    shifted, named, rhat = alarms((1000,) * 4, 50.0, 2.0, 1.0, 100)
    assert shifted > 0.9
    assert named > 0.8
    assert rhat > 0.95
    wide, named, rhat = alarms((1000,) * 4, 50.0, 0.0, 2.0, 100)
    assert wide > 0.85
    assert named > 0.8
    assert rhat < 0.6


def test_two_stuck_of_five_are_both_named() -> None:
    rng = np.random.default_rng(14)
    xs = seeds(rng, (2000,) * 5, 10.0)
    xs[1], xs[3] = xs[1] + 3.0, 4.0 * xs[3]
    assert series.agreement(xs).disagreeing == (1, 3)


def test_agreement_of_constants() -> None:
    """A frozen seed beside moving ones disagrees; frozen ones alike do not, but R-hat is infinite."""
    rng = np.random.default_rng(15)
    mixed = series.agreement([rng.normal(size=100), np.zeros(100)])
    assert mixed.disagree
    assert mixed.disagreeing == (1,)
    alike = series.agreement([np.zeros(100), np.zeros(50)])
    assert (alike.disagree, alike.disagreeing, alike.rhat) == (False, (), math.inf)


def test_one_series_has_nothing_to_disagree_with() -> None:
    found = series.agreement([np.random.default_rng(16).normal(size=400)])
    assert (found.p_mean, found.p_sd, found.disagree) == (None, None, False)
    assert found.rhat < 1.1


# --- how much more ---


def test_more_md_is_enough() -> None:
    """Four seeds of 10 correlation times, 10 % asked for. After the time that is said, the half-width is 10 % within a
    seventh in the median; and nine of ten intervals of the answer hold the time that it takes in truth."""
    rng = np.random.default_rng(17)
    g, interval, target = 20.0, 0.05, 0.1
    n_eff = series.smallest_trials(lambda n: series._half_width(n, 0.95) <= target, 2.0)
    assert n_eff is not None
    truth = (g + 1 / g) / 2 * n_eff * interval
    held, reached = [], []
    for _ in range(60):
        pooled = series.pool(seeds(rng, (200,) * 4, g))
        more = series.more_for_sd(pooled, target, interval)
        assert more.amount is not None and more.low is not None and more.high is not None
        done = pooled.samples * interval
        held.append(more.low <= truth - done <= more.high)
        total = min(int((done + more.amount) / interval / 4), 20_000)
        after = series.pool(seeds(rng, (total,) * 4, g)).spread
        reached.append((after.high - after.low) / (2 * after.value))
    assert np.mean(held) >= 0.88
    assert np.median(reached) == pytest.approx(target, rel=1 / 7)


def test_nothing_more_where_it_is_reached() -> None:
    pooled = series.pool(seeds(np.random.default_rng(18), (20_000,) * 2, 5.0))
    assert series.more_for_sd(pooled, 0.1, 0.02).amount == 0.0


def test_more_is_unknown_with_a_reason() -> None:
    """A series that does not move, and one shorter than four correlation times."""
    still = series.more_for_sd(series.pool([np.ones(50)]), 0.1, 0.02)
    assert still.amount is None
    assert "does not vary" in still.reason
    short = series.more_for_sd(series.pool([np.linspace(0, 1, 100)]), 0.1, 0.02)
    assert short.amount is None
    assert "correlation times" in short.reason


def test_more_for_a_fraction() -> None:
    """The half-width asked for is met at the n_eff that the sentence names; none for one that is reached."""
    xs = seeds(np.random.default_rng(19), (1000,) * 4, 20.0)
    pooled, found = series.pool(xs), series.fraction_outside(xs, (-2, 2))
    half = (found.high - found.low) / 2
    assert series.more_for_fraction(found, pooled, 1.01 * half, 0.02).amount == 0.0
    more = series.more_for_fraction(found, pooled, half / 2, 0.02)
    assert more.amount is not None
    assert 2.0 < more.amount / (pooled.samples * 0.02) < 6.0
    with pytest.raises(ValueError, match="positive"):
        series.more_for_fraction(found, pooled, 0.0, 0.02)


@settings(deadline=None)
@given(st.floats(1.0, 1e6), st.floats(1.0, 1e8))
def test_smallest_trials(start: float, border: float) -> None:
    found = series.smallest_trials(lambda n: n >= border, start)
    assert found == pytest.approx(max(start, border), rel=1e-9)


def test_no_trials_are_enough() -> None:
    assert series.smallest_trials(lambda n: False, 1.0) is None

"""Several trajectories of one pair: one spread, one mean, one fraction, whether they agree, and how much is missing.

Trajectories that differ in their seed only are independent samples of the same distribution. Their fluctuations are
taken about the *common* mean, and the autocorrelation is the mean over all of them, each with the weight of its length
(the covariance sums are added and divided by the total number of samples, as in one long series). A seed that is stuck
in a state of its own then shows up as a correlation that never ends: n_eff falls to about the number of seeds and the
intervals widen, while each seed for itself would claim to be certain (Vehtari et al., Bayesian Anal. 16, 667 (2021),
section 3.2, have the same idea). With one series everything here equals :mod:`.statistics`.

All series of one call are sampled at the same interval, are equilibrated (:func:`equilibrated`) and have one unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from . import statistics
from .gaplaw import BREAKDOWN
from .statistics import Spread

Array = NDArray[np.float64]

WINDOW = (-BREAKDOWN, BREAKDOWN)
"""M_z/A in e/Å inside of which the gap law leaves a gap."""
LEAST_TIMES = 4.0
"""Correlation times below which a series has not shown its correlation time, see
:func:`.statistics.sd_with_interval`; :func:`more_for_sd` then gives no number."""
TIME_DOUBT = 2.4
"""Relative standard error of a measured correlation time, in units of sqrt(g/n); calibrated by simulation, see
:func:`more_for_sd`."""
DISAGREE = 0.01
"""Probability below which seeds are said to disagree, see :func:`agreement`."""
MOST = 1e9
"""Trials that :func:`smallest_trials` looks for at most."""


@dataclass(frozen=True)
class Fraction:
    """A fraction with its interval.

    :param value: the estimate.
    :param low: lower end of the interval.
    :param high: upper end of the interval.
    :param n_eff: number of independent trials that the interval amounts to.
    :param confidence: coverage of the interval.
    :param least: the estimate if everything unknown (frames that failed) were outside of the count; None if nothing is
        unknown.
    :param most: the estimate if everything unknown were counted in; None if nothing is unknown.
    """

    value: float
    low: float
    high: float
    n_eff: float
    confidence: float = 0.95
    least: float | None = None
    most: float | None = None

    @property
    def smallest(self) -> float:
        """The estimate with everything unknown outside of the count."""
        return self.value if self.least is None else self.least

    @property
    def largest(self) -> float:
        """The estimate with everything unknown counted in."""
        return self.value if self.most is None else self.most


@dataclass(frozen=True)
class Pooled:
    """Several series as one.

    :param spread: standard deviation about the common mean, n_eff and correlation time of all of them.
    :param mean: weighted with the lengths; ``mean_low`` and ``mean_high`` are the ends of its interval.
    :param samples: of all series together.
    :param series: number of series.
    """

    spread: Spread
    mean: float
    mean_low: float
    mean_high: float
    samples: int
    series: int


@dataclass(frozen=True)
class Agreement:
    """Whether several series come from one distribution.

    :param rhat: rank-normalised split R-hat, :func:`split_rhat`.
    :param p_mean: probability that means differ as much by chance; None for one series.
    :param p_sd: the same for the standard deviations.
    :param disagreeing: indices of series that differ from all the others together in mean or spread.
    """

    rhat: float
    p_mean: float | None
    p_sd: float | None
    disagreeing: tuple[int, ...]

    @property
    def disagree(self) -> bool:
        """Whether either test says so, at the level ``DISAGREE``."""
        return any(p is not None and p < DISAGREE / 2.0 for p in (self.p_mean, self.p_sd))


@dataclass(frozen=True)
class More:
    """What is missing to a stated precision.

    :param amount: further time (in the unit of the sampling interval), all seeds together; 0 where the precision is
        reached, None where it cannot be told.
    :param low: lower end of its interval; None with ``amount``.
    :param high: upper end.
    :param reason: a sentence.
    """

    amount: float | None
    low: float | None
    high: float | None
    reason: str


def _checked(series: Sequence[Array], least: int = 2) -> list[Array]:
    if not len(series):
        raise ValueError("No series to pool.")
    return [statistics._series(x, least) for x in series]


def equilibrated(series: Sequence[Array]) -> list[Array]:
    """Every series without what :func:`.statistics.detect_equilibration` takes for its equilibration.

    :param series: each of shape (n_i,), from the first step on.
    :raises ValueError: as that function does, and if there is no series.
    """
    return [x[statistics.detect_equilibration(x) :] for x in _checked(series, 1)]


# --- pooled estimates ---


def _autocorrelation(fluctuations: Sequence[Array]) -> Array:
    """Normalised autocorrelation up to the longest series' last lag, covariance sums over the total length."""
    longest = max(len(y) for y in fluctuations)
    covariance = np.zeros(longest)
    for y in fluctuations:
        spectrum = np.fft.rfft(y, 1 << (2 * len(y) - 1).bit_length())
        covariance[: len(y)] += np.fft.irfft(np.abs(spectrum) ** 2)[: len(y)]
    return np.asarray(covariance / covariance[0])


def _inefficiency(fluctuations: Sequence[Array], means: int) -> float:
    """Statistical inefficiency of all series together, in samples; all of them if nothing varies.

    :param means: how many means were subtracted from the data. Each lowers the autocorrelation at every lag by g over
        the samples it was taken from, which is put back once, as :func:`.statistics.correlation_samples` does.
    """
    total = sum(len(y) for y in fluctuations)
    largest = max(float(np.abs(y).max()) for y in fluctuations)
    if largest == 0.0:
        return float(total)
    autocorrelation = _autocorrelation([y / largest for y in fluctuations])
    g = statistics._inefficiency(autocorrelation)
    if means:
        lost = min(means * g / total, 0.5)
        g = statistics._inefficiency(autocorrelation * (1.0 - lost) + lost)
    return g


def pool(series: Sequence[Array], confidence: float = 0.95, mean: float | None = None) -> Pooled:
    """One standard deviation and one mean from several independent series.

    The standard deviation's n_eff and interval are those of :func:`.statistics.sd_with_interval`, of the pooled
    autocorrelation; the mean's interval is Student's t with the number of independent samples less one.
    Simulated coverage of 95 % intervals (tests/physics/test_series.py): 93 to 97 % for two to eight seeds of four
    correlation times each and more.

    :param series: each of shape (n_i,), n_i at least 2.
    :param mean: the mean where it is known, as 0 for a component of a Fourier transform; then it costs nothing.
    :return: spread 0 with one effective sample where nothing varies.
    :raises ValueError: without series, and as :func:`.statistics.sd_with_interval` does.
    """
    checked = _checked(series)
    total = sum(len(x) for x in checked)
    centre = float(sum(x.sum() for x in checked) / total) if mean is None else mean
    if mean is None and statistics._is_constant(np.concatenate(checked)):
        return Pooled(Spread(0.0, 0.0, 0.0, 1.0, float(total)), centre, centre, centre, total, len(checked))
    fluctuations = [x - centre for x in checked]
    means = int(mean is None)
    scale = max(float(np.abs(y).max()) for y in fluctuations)
    if scale == 0.0:
        return Pooled(Spread(0.0, 0.0, 0.0, 1.0, float(total)), centre, centre, centre, total, len(checked))
    squares = [(y / scale) ** 2 for y in fluctuations]
    variance = float(sum(y.sum() for y in squares) / total)
    g = _inefficiency(fluctuations, means)
    of_squares = max(_inefficiency([y - variance for y in squares], 1), (g + 1.0 / g) / 2.0)
    n_eff = max(1.0, _independent(total, g, of_squares))
    if means:
        variance /= 1.0 - min(g / total, 0.5)
    value = scale * math.sqrt(variance)
    low, high = (value * end for end in _chi_ends(n_eff - means, confidence))
    reach = 0.0
    if mean is None:
        independent = max(total / g, 2.0)
        reach = value / math.sqrt(independent) * float(stats.t.ppf((1.0 + confidence) / 2.0, independent - 1.0))
    return Pooled(Spread(value, low, high, n_eff, g), centre, centre - reach, centre + reach, total, len(checked))


def _independent(samples: float, g: float, inefficiency: float) -> float:
    """Independent samples, less what the doubt about the correlation time takes off (``statistics.DOUBT``)."""
    return samples / (inefficiency * (1.0 + statistics.DOUBT * g / samples))


def _chi_ends(freedom: float, confidence: float) -> tuple[float, float]:
    """Ends of a standard deviation's chi-square interval over the estimate."""
    freedom, tail = max(freedom, 1.0), (1.0 - confidence) / 2.0
    low, high = (float(np.sqrt(freedom / stats.chi2.ppf(q, freedom))) for q in (1.0 - tail, tail))
    return low, high


def fraction_outside(
    series: Sequence[Array], window: tuple[float, float] = WINDOW, confidence: float = 0.95
) -> Fraction:
    """Fraction of the samples outside of a window, with Wilson's interval on effective counts.

    n_eff follows from the autocorrelation of the indicator "outside". Few events do not show their correlation time,
    and none shows nothing; so the inefficiency is not let below (g + 1/g)/2, g being that of the series. That is an
    upper bound for a Gaussian series and a window symmetric about its mean, whose indicator holds even Hermite
    polynomials only, each with an autocorrelation of at most rho^2. The interval of a rare event is therefore too wide
    rather than too narrow, and a first event does not narrow it.

    :param series: each of shape (n_i,), n_i at least 2.
    :param window: lower and upper end, samples on the ends are inside.
    :raises ValueError: without series, for a window upside down, and as :func:`pool` does.
    """
    checked = _checked(series)
    low, high = window
    if not low <= high:
        raise ValueError(f"The window from {low} to {high} is upside down.")
    total = sum(len(x) for x in checked)
    outside = [((x < low) | (x > high)).astype(float) for x in checked]
    value = float(sum(x.sum() for x in outside) / total)
    centre = float(sum(x.sum() for x in checked) / total)
    still = statistics._is_constant(np.concatenate(checked))
    g = float(total) if still else _inefficiency([x - centre for x in checked], 1)
    inefficiency = max((g + 1.0 / g) / 2.0, 1.0)
    if 0.0 < value < 1.0:
        inefficiency = max(inefficiency, _inefficiency([x - value for x in outside], 1))
    n_eff = max(1.0, _independent(total, g, inefficiency))
    return Fraction(value, *wilson(value, n_eff, confidence), n_eff, confidence)


def wilson(fraction: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval (:func:`.statistics.wilson_interval`) of a fraction of effective trials, not whole numbers.

    :param fraction: 0 to 1.
    :param trials: above 0.
    :raises ValueError: if an argument is out of range.
    """
    if not (0.0 <= fraction <= 1.0 and trials > 0.0):
        raise ValueError(f"{fraction} of {trials} trials is not a fraction.")
    z = float(stats.norm.ppf((1.0 + confidence) / 2.0))
    centre = (fraction * trials + z**2 / 2.0) / (trials + z**2)
    half = z / (trials + z**2) * math.sqrt(fraction * (1.0 - fraction) * trials + z**2 / 4.0)
    return (0.0 if fraction == 0.0 else centre - half), (1.0 if fraction == 1.0 else centre + half)


# --- do the seeds agree? ---


def split_rhat(series: Sequence[Array]) -> float:
    """Rank-normalised split R-hat, the larger of bulk and folded (Vehtari et al., Bayesian Anal. 16, 667 (2021)).

    Every series is cut in half; samples are replaced with the normal scores of their ranks, (r - 3/8)/(S + 1/4), as
    they are and, for the folded one, as distances from the median. R-hat is sqrt(((n-1)/n W + B/n)/W) with the mean W
    of the halves' variances and the variance B/n of their means, eqs. (1) to (4). The halves need not be equally long
    here: n is their mean length. A short half has a noisy mean, which raises R-hat.

    What to expect: halves of m independent samples give about sqrt(1 + 1/m) where nothing is wrong. The paper's 1.01
    asks for some 50 independent samples a half; five, as a slow dipole has in 50 ps, give 1.1.

    :param series: each of shape (n_i,), n_i at least 4; one series is compared with itself.
    :return: infinity where no half varies: nothing then says that it moves at all.
    :raises ValueError: without series, or as :func:`pool` does.
    """
    halves = [half for x in _checked(series, 4) for half in (x[: len(x) // 2], x[(len(x) + 1) // 2 :])]
    joined = np.concatenate(halves)
    ends = np.cumsum([len(half) for half in halves])[:-1]
    found = []
    for values in (joined, np.abs(joined - np.median(joined))):
        scores = stats.norm.ppf((stats.rankdata(values) - 0.375) / (len(values) + 0.25))
        parts = np.split(scores, ends)
        within = float(np.mean([part.var(ddof=1) for part in parts]))
        between = float(np.var([part.mean() for part in parts], ddof=1))
        length = len(joined) / len(parts)
        found.append(math.sqrt((length - 1.0) / length + between / within) if within > 0.0 else math.inf)
    return max(found)


def agreement(series: Sequence[Array]) -> Agreement:
    """Whether seeds agree: R-hat, and two tests that know how few independent samples there are.

    Means: Welch's analysis of variance (Biometrika 38, 330 (1951)). Spreads: logarithms of the variances, whose bias
    and variance at nu degrees of freedom are digamma(nu/2) - log(nu/2) and trigamma(nu/2), against chi-square with one
    degree of freedom less than there are seeds. Effective numbers of samples come from the correlation time within the
    seeds, common to all, since a seed that is stuck would not show its own.
    Seeds are named that differ from all the others together, in mean or spread, at ``DISAGREE`` over twice the number
    of seeds (Bonferroni), the most deviant first; of two seeds that differ, both are. Simulated false alarms
    (tests/physics/test_series.py): 1 to 2 % in all for seeds of 10 correlation times and more.

    :param series: each of shape (n_i,), n_i at least 4.
    :raises ValueError: as :func:`split_rhat` does.
    """
    checked = _checked(series, 4)
    rhat = split_rhat(checked)
    if len(checked) < 2:
        return Agreement(rhat, None, None, ())
    if any(statistics._is_constant(x) for x in checked):
        return _of_constants(checked, rhat)
    lengths = np.array([len(x) for x in checked], dtype=float)
    own = [x - x.mean() for x in checked]
    g = _inefficiency(own, len(checked))
    squares = [y**2 - np.mean(y**2) for y in own]
    of_squares = max(_inefficiency(squares, len(checked)), (g + 1.0 / g) / 2.0)
    doubt = 1.0 + statistics.DOUBT * g / lengths.sum()
    independent = np.maximum(lengths / (g * doubt), 2.0)
    freedom = np.maximum(lengths / (of_squares * doubt) - 1.0, 1.0)
    means = np.array([x.mean() for x in checked])
    variances = np.array([np.mean(y**2) for y in own]) / (1.0 - np.minimum(g / lengths, 0.5))
    logs = np.log(variances) - (special.digamma(freedom / 2.0) - np.log(freedom / 2.0))
    log_errors = special.polygamma(1, freedom / 2.0)
    weights = 1.0 / log_errors
    scatter = float(np.sum(weights * (logs - np.average(logs, weights=weights)) ** 2))
    return Agreement(
        rhat,
        _welch(means, variances / independent, independent - 1.0),
        float(stats.chi2.sf(scatter, len(checked) - 1)),
        _strangers(
            [(means, variances / independent, independent - 1.0), (logs, log_errors, np.full_like(means, np.inf))]
        ),
    )


def _of_constants(series: Sequence[Array], rhat: float) -> Agreement:
    """Some seed does not vary: the seeds that do not, disagree, unless none does and all have one value."""
    still = tuple(i for i, x in enumerate(series) if statistics._is_constant(x))
    alike = statistics._is_constant(np.concatenate(list(series)))
    return Agreement(rhat, 1.0, 1.0, ()) if alike else Agreement(rhat, 0.0, 0.0, still)


def _welch(means: Array, errors: Array, freedom: Array) -> float:
    """Probability of Welch's statistic; ``errors`` are squared standard errors of the means."""
    count = len(means)
    weights = 1.0 / errors
    share = weights / weights.sum()
    scatter = float(np.sum(weights * (means - share @ means) ** 2)) / (count - 1)
    doubt = float(np.sum((1.0 - share) ** 2 / freedom)) / (count**2 - 1)
    return float(stats.f.sf(scatter / (1.0 + 2.0 * (count - 2) * doubt), count - 1, 1.0 / (3.0 * doubt)))


def _strangers(tests: Sequence[tuple[Array, Array, Array]]) -> tuple[int, ...]:
    """Seeds that differ from all the others, the most deviant one taken out before the next is looked for.

    :param tests: for each test the values, their squared errors and their degrees of freedom.
    """
    count = len(tests[0][0])
    left, found = np.arange(count), []
    while len(left) > 1:
        found_each = [_alone(*(array[left] for array in test)) for test in tests]
        chance = np.min([each for each, _ in found_each], axis=0)
        # Long series make several chances 0: then the score says which seed is the furthest off.
        worst = int(np.lexsort((-np.max([score for _, score in found_each], axis=0), chance))[0])
        if chance[worst] >= DISAGREE / (2.0 * count):
            break
        found += left.tolist() if len(left) == 2 else [int(left[worst])]
        left = np.delete(left, worst) if len(left) > 2 else left[:0]
    return tuple(sorted(found))


def _alone(values: Array, errors: Array, freedom: Array) -> tuple[Array, Array]:
    """Probability of each value's distance from the weighted mean of the others, and that distance in units of its
    standard error; ``errors`` are squared."""
    weights = 1.0 / errors
    rest = weights.sum() - weights
    others = (weights @ values - weights * values) / rest
    score = np.abs(values - others) / np.sqrt(errors + 1.0 / rest)
    return np.asarray(2.0 * stats.t.sf(score, freedom)), np.asarray(score)


# --- how much more? ---


def more_for_sd(pooled: Pooled, relative: float, interval: float, confidence: float = 0.95) -> More:
    """Further MD until the standard deviation's interval has a relative half-width of ``relative``.

    n_eff grows with n as in :func:`pool`, with the correlation times found so far. These are known to a relative
    standard error of ``TIME_DOUBT`` sqrt(g/n), which the interval of the answer carries, at ``confidence``.

    :param relative: (high - low) / (2 value) that is asked for, above 0; 0.1 takes an n_eff of some 200.
    :param interval: time between samples; the answer has its unit.
    :param confidence: also of the interval that shall become this narrow.
    :raises ValueError: if an argument is not positive.
    """
    _positive(relative, interval)
    unknown = _unknown(pooled, interval)
    if unknown:
        return unknown
    spread, n = pooled.spread, pooled.samples
    if _half_width(spread.n_eff, confidence) <= relative:
        return More(0.0, 0.0, 0.0, f"The half-width of {relative:.3g} is reached.")
    wanted = smallest_trials(lambda trials: _half_width(trials, confidence) <= relative, spread.n_eff)
    if wanted is None:
        return _out_of_reach(relative)
    return _further(wanted, spread.n_eff, spread.correlation_samples, n, interval, confidence)


def more_for_fraction(
    fraction: Fraction, pooled: Pooled, half_width: float, interval: float, confidence: float = 0.95
) -> More:
    """Further MD until Wilson's interval of a fraction has a half-width of ``half_width``, the fraction staying.

    :param fraction: from :func:`fraction_outside`.
    :param pooled: from :func:`pool`, of the same series.
    :param half_width: (high - low) / 2 that is asked for, above 0.
    :param interval: time between samples; the answer has its unit.
    :raises ValueError: if an argument is not positive.
    """
    _positive(half_width, interval)
    unknown = _unknown(pooled, interval)
    if unknown:
        return unknown

    def excess(trials: float) -> float:
        low, high = wilson(fraction.value, trials, confidence)
        return (high - low) / 2.0 - half_width

    if excess(fraction.n_eff) <= 0.0:
        return More(0.0, 0.0, 0.0, f"The half-width of {half_width:.3g} is reached.")
    wanted = smallest_trials(lambda trials: excess(trials) <= 0.0, fraction.n_eff)
    if wanted is None:
        return _out_of_reach(half_width)
    return _further(wanted, fraction.n_eff, pooled.spread.correlation_samples, pooled.samples, interval, confidence)


def _positive(*values: float) -> None:
    if not all(value > 0.0 for value in values):
        raise ValueError(f"Precision and sampling interval must be positive, not {values}.")


def _unknown(pooled: Pooled, interval: float) -> More | None:
    if pooled.spread.value == 0.0:
        return More(None, None, None, "The series does not vary: its correlation time is unknown.")
    g, n = pooled.spread.correlation_samples, pooled.samples
    if n < LEAST_TIMES * g:
        return More(
            None,
            None,
            None,
            f"{n * interval:.3g} of MD are {n / g:.2g} correlation times; below {LEAST_TIMES:g} the time is unknown. "
            f"Run at least {(LEAST_TIMES * g - n) * interval:.3g} more and ask again.",
        )
    return None


def _out_of_reach(half_width: float) -> More:
    return More(None, None, None, f"A half-width of {half_width:.3g} is out of reach.")


def _half_width(n_eff: float, confidence: float) -> float:
    low, high = _chi_ends(n_eff - 1.0, confidence)
    return (high - low) / 2.0


def _further(wanted: float, n_eff: float, g: float, n: int, interval: float, confidence: float) -> More:
    """Time until n_eff is ``wanted``, from n_eff = m / (s (1 + DOUBT g/m)) at m samples; s and g scale together with
    the doubt about the correlation time."""
    inefficiency = n / (n_eff * (1.0 + statistics.DOUBT * g / n))
    factor = math.exp(float(stats.norm.ppf((1.0 + confidence) / 2.0)) * TIME_DOUBT * math.sqrt(g / n))

    def further(scale: float) -> float:
        product = inefficiency * scale * wanted
        total = (product + math.sqrt(product**2 + 4.0 * statistics.DOUBT * g * scale * product)) / 2.0
        return max(0.0, (total - n) * interval)

    amount = further(1.0)
    low, high = further(1.0 / factor), further(factor)
    return More(amount, low, high, f"n_eff has to grow from {n_eff:.3g} to {wanted:.3g}.")


def smallest_trials(enough: Callable[[float], bool], start: float) -> float | None:
    """Smallest number of independent trials, not below ``start``, that is enough; None above ``MOST``.

    :param enough: false up to some number, true from there on.
    :param start: above 0.
    """
    if enough(start):
        return start
    low = high = start
    while not enough(high):
        low, high = high, 2.0 * high
        if high > MOST:
            return None
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high

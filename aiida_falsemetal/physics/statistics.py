"""Statistics of correlated series, of counts and of lines, each result with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

STARTS = 60
"""Starts tried by :func:`detect_equilibration`, in an even and in a geometric grid of this size each."""
DOUBT = 4.0
"""How much the uncertainty of the correlation time itself takes off n_eff; calibrated by simulation, see
:func:`sd_with_interval`."""
LEAST_TAIL = 10
"""Samples that :func:`detect_equilibration` leaves at the very least."""


@dataclass(frozen=True)
class Spread:
    """A standard deviation with its interval, in the unit of the series.

    :param value: the estimate, corrected for the uncertainty of the mean.
    :param low: lower end of the interval.
    :param high: upper end of the interval.
    :param n_eff: number of independent samples as far as the *spread* is concerned: 1/sqrt(2 n_eff) is the relative
        error of ``value``.
    :param correlation_samples: correlation time of the *series*, in samples (:func:`correlation_samples`).
    """

    value: float
    low: float
    high: float
    n_eff: float
    correlation_samples: float


@dataclass(frozen=True)
class LineFit:
    """Straight line y = intercept + slope x with intervals; units are those of y/x and of y."""

    slope: float
    intercept: float
    slope_low: float
    slope_high: float
    intercept_low: float
    intercept_high: float
    residual_sd: float
    n: int


def _series(x: NDArray[np.float64], least: int) -> NDArray[np.float64]:
    series = np.asarray(x, dtype=float)
    if series.ndim != 1 or len(series) < least or not np.isfinite(series).all():
        raise ValueError(f"A series of at least {least} finite numbers is needed, got shape {series.shape}.")
    return series


def _is_constant(series: NDArray[np.float64]) -> bool:
    """Whether nothing but rounding moves the series."""
    return bool(np.ptp(series) <= 8 * np.finfo(float).eps * np.abs(series).max())


def _standardised(series: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Fluctuation over its largest magnitude, and that magnitude: squares of tiny numbers would underflow to zero."""
    fluctuation = series - series.mean()
    scale = float(np.abs(fluctuation).max())
    return fluctuation / scale, scale


def _autocorrelation(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalised autocorrelation at lags 0 to n-1 with the (biased, positive definite) factor 1/n, by FFT."""
    n = len(series)
    fluctuation, _ = _standardised(series)
    spectrum = np.fft.rfft(fluctuation, 1 << (2 * n - 1).bit_length())
    covariance = np.fft.irfft(np.abs(spectrum) ** 2)[:n]
    return np.asarray(covariance / covariance[0])


def _inefficiency(autocorrelation: NDArray[np.float64]) -> float:
    """Sum of the autocorrelation over all lags of either sign, by Geyer's initial monotone sequence.

    Sums of adjacent pairs of lags are added up while they are positive, none larger than the one before (Geyer,
    Stat. Sci. 7, 473 (1992), section 3.3). Unlike a window of a few correlation times it follows a small slow tail
    behind a fast decay, which dipoles have; where the autocorrelation oscillates it errs to the long side.
    """
    even = autocorrelation[: len(autocorrelation) // 2 * 2]
    pairs = even[0::2] + even[1::2]
    negative = np.flatnonzero(pairs <= 0.0)
    positive = pairs[: negative[0]] if len(negative) else pairs
    total = 2.0 * float(np.minimum.accumulate(positive).sum()) - 1.0 if len(positive) else 1.0
    return float(np.clip(total, 1.0, len(autocorrelation)))


def correlation_samples(x: NDArray[np.float64]) -> float:
    """Statistical inefficiency g = 1 + 2 tau of a series: ``len(x) / g`` samples are independent for the mean.

    Subtracting the series' own mean lowers the autocorrelation at every lag by about g/n; a first estimate of g puts
    that back once. Without it g is a quarter short where the series holds ten correlation times.

    :param x: shape (n,), n at least 1, evenly spaced in time.
    :return: g in samples, between 1 and n. A constant series is one sample: n.
    :raises ValueError: if the series is empty or holds a number that is not finite.
    """
    series = _series(x, 1)
    n = len(series)
    if _is_constant(series):
        return float(n)
    autocorrelation = _autocorrelation(series)
    lost = min(_inefficiency(autocorrelation) / n, 0.5)
    return _inefficiency(autocorrelation * (1.0 - lost) + lost)


def sd_with_interval(x: NDArray[np.float64], confidence: float = 0.95) -> Spread:
    """Standard deviation of a correlated series with a chi-square interval.

    Which n_eff: the variance is the mean of (x - mean)^2, so its error follows from the correlation time of *that*
    series. For exponentially correlated Gaussian samples it is (g + 1/g)/2, half as long as that of x, since a
    fluctuation of either sign counts. The longer of this and of the time measured on the squares is taken: the
    squares' own estimate is the noisier and the shorter one in a short series.

    Both are estimates from the same few samples, and where they are too short the interval is too narrow. n_eff is
    therefore divided by 1 + ``DOUBT`` g/n.

    The mean is estimated from the same series; this lowers the variance by the factor 1 - g/n, g being the
    correlation time of x, which is divided out, and costs one degree of freedom. Degrees of freedom do not fall below
    1: then the interval spans a factor of 70 and says that little is known, but stays finite.

    The samples are taken to be Gaussian, as a film's dipole is in linear response; a heavier tail needs a wider
    interval.
    Simulated coverage of a 95 % interval (tests/physics/test_statistics.py): 94 to 96 % for ten correlation times and
    more, 91 % for four. A series shorter than that has not shown its correlation time.

    :param x: shape (n,), n at least 2, equilibrated, evenly spaced.
    :param confidence: coverage of the interval, between 0 and 1.
    :return: a constant series has spread 0 with interval 0 to 0 and one effective sample.
    :raises ValueError: if the series is shorter than 2 or holds a number that is not finite.
    """
    series = _series(x, 2)
    n = len(series)
    if _is_constant(series):
        return Spread(0.0, 0.0, 0.0, 1.0, float(n))
    fluctuation, scale = _standardised(series)
    correlation = correlation_samples(series)
    of_squares = max(correlation_samples(fluctuation**2), (correlation + 1.0 / correlation) / 2.0)
    n_eff = max(1.0, n / (of_squares * (1.0 + DOUBT * correlation / n)))
    variance = float(np.mean(fluctuation**2)) / (1.0 - min(correlation / n, 0.5))
    freedom = max(n_eff - 1.0, 1.0)
    tail = (1.0 - confidence) / 2.0
    value = scale * float(np.sqrt(variance))
    # Quantiles of chi^2. As scipy.stats has them, whose import takes longer than most commands that need none.
    chi2 = (2.0 * float(special.gammaincinv(0.5 * freedom, q)) for q in (1.0 - tail, tail))
    low, high = (value * float(np.sqrt(freedom / at)) for at in chi2)
    return Spread(value, low, high, float(n_eff), correlation)


def detect_equilibration(x: NDArray[np.float64]) -> int:
    """Start of the equilibrated part: the index that leaves most independent samples.

    Chodera, J. Chem. Theory Comput. 12, 1799 (2016). Starts are tried on a geometric and an even grid, not one by
    one, and never so late that fewer than ``LEAST_TAIL`` samples or a twentieth of the series remain: there the
    correlation time of the tail cannot be told.

    :param x: shape (n,), n at least 1.
    :return: index of the first sample to keep; 0 for a constant or very short series.
    :raises ValueError: if the series is empty or holds a number that is not finite.
    """
    series = _series(x, 1)
    n = len(series)
    last = n - max(LEAST_TAIL, n // 20)
    if last <= 0:
        return 0
    geometric = np.geomspace(1, last, STARTS)
    starts = np.unique(np.concatenate([[0], geometric, np.linspace(0, last, STARTS)]).astype(int))
    independent = [(n - start) / correlation_samples(series[start:]) for start in starts]
    return int(starts[int(np.argmax(independent))])


def wilson_interval(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a fraction k/n (J. Am. Stat. Assoc. 22, 209 (1927)), without continuity correction.

    :param k: successes, 0 to n.
    :param n: trials, at least 1, independent.
    :raises ValueError: if the counts make no sense.
    """
    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is not a fraction.")
    z = float(special.ndtri((1.0 + confidence) / 2.0))
    centre = (k + z**2 / 2.0) / (n + z**2)
    half = z / (n + z**2) * float(np.sqrt(k * (n - k) / n + z**2 / 4.0))
    # Rounding would otherwise leave 1e-17 where the formula gives exactly 0 or 1.
    return (0.0 if k == 0 else centre - half), (1.0 if k == n else centre + half)


def fit_line(x: NDArray[np.float64], y: NDArray[np.float64], confidence: float = 0.95) -> LineFit:
    """Least-squares line with intervals that hold where the noise is not the same everywhere.

    Standard errors are HC3 (MacKinnon and White, J. Econom. 29, 305 (1985)), quantiles those of Student's t with
    n - 2 degrees of freedom. Points are taken to be independent.

    :param x: shape (n,), n at least 3.
    :param y: shape (n,).
    :raises ValueError: with fewer than three points, no spread in x, or a single point that alone fixes the slope
        (all others share one x), whose error cannot be told.
    """
    abscissa, ordinate = _series(x, 3), _series(y, 3)
    n = len(abscissa)
    if len(ordinate) != n:
        raise ValueError(f"{n} values of x and {len(ordinate)} of y do not pair up.")
    if _is_constant(abscissa):
        raise ValueError("All points have the same x: no slope can be fitted.")
    offset = abscissa - abscissa.mean()
    spread = float(offset @ offset)
    leverage = 1.0 / n + offset**2 / spread
    if leverage.max() > 1.0 - 1e-9:
        raise ValueError("All points but one have the same x: the slope's error cannot be told.")
    # Each estimate is a weighted sum of y; the rows are these weights.
    slope_weights = offset / spread
    weights = np.stack([slope_weights, 1.0 / n - abscissa.mean() * slope_weights])
    slope, intercept = weights @ ordinate
    residuals = ordinate - intercept - slope * abscissa
    error = np.sqrt(weights**2 @ (residuals / (1.0 - leverage)) ** 2)
    reach = special.stdtrit(n - 2, (1.0 + confidence) / 2.0) * error
    return LineFit(
        slope=float(slope),
        intercept=float(intercept),
        slope_low=float(slope - reach[0]),
        slope_high=float(slope + reach[0]),
        intercept_low=float(intercept - reach[1]),
        intercept_high=float(intercept + reach[1]),
        residual_sd=float(np.sqrt(residuals @ residuals / (n - 2))),
        n=n,
    )

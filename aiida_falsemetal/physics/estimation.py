"""Metallized fraction and mean gap of a whole trajectory, from the dipole of every frame and the gaps of a few.

The estimate. Batch b (:mod:`.design`) predicts y of every frame by a surrogate f_b that has seen earlier batches only,
draws n_h of the N_h frames of stratum h, and corrects the prediction by what it finds there (the difference estimator;
Sarndal, Swensson and Wretman, Model Assisted Survey Sampling (1992), section 6.3):

    T_b = [ sum_{computed before} y + sum_{others} f_b + sum_h N_h mean_{drawn in h}(y - f_b) ] / N
    T = sum_b w_b T_b,    w_b from the batches' sizes alone (:mod:`.difference`).

What is unbiased. Given all earlier batches, f_b is a fixed number for each frame and every frame of stratum h is drawn
with probability n_h / N_h. So E[T_b | earlier] is the trajectory's mean exactly, for any surrogate, good or bad, and so
is E[T], because the weights are fixed before anything is computed: the errors of the batches are the steps of a
martingale, uncorrelated, and their variances add up. Sizes must therefore not be chosen by results. Where a rule ends
the campaign early, the number of batches is chosen by results, and T is unbiased no more than nearly.

The design variance. Sums of squared residuals in strata of two draws estimate it without bias but with few degrees of
freedom, and are zero for a fraction where nothing surprising was drawn. The surrogate expects a variance too,
f (1 - f) with ``design.LEAST_RISK`` as a floor. What is used is the expectation, scaled by observed over expected;
the expectation counts as ``difference.TRUST`` degrees of freedom, the observation as many as its own scatter leaves.
Strata with one draw show no scatter and stay out of that comparison.

The intervals. For the mean gap T -+ t sd. For the fraction a score interval, as Wilson's: P is inside if T is less than
t sd(P) off. How the surrogate's probabilities change with P is taken from the family Phi(z + delta), z the surrogate's
own probit: the threshold of the drop moves. Without information from the drop this is Wilson's interval.
The trajectory's fraction is a whole number of frames over N, and the ends are rounded outwards to such numbers: where
few frames are left to draw the next one is far away, and a smooth interval would miss it. Where every frame was drawn
the estimate is the mean itself and the interval a point.

The finite trajectory. The above covers the mean over the trajectory's frames. The ensemble's mean differs from it by
sd(y)/sqrt(n_eff) more; n_eff is that of the surrogate's series, and ``total_low``, ``total_high`` hold both.

Failed frames are unknown: the lower end takes all of them at their lowest, the upper end at their highest value, and
the variance is the largest that any of their values would give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from .design import LEAST_RISK, Batch
from .difference import Sample, Scale, sample, scale
from .difference import batch_weights as batch_weights  # part of this module's interface
from .gapmodel import Prediction
from .statistics import DOUBT, correlation_samples

Array = NDArray[np.float64]

REACH = 40.0
"""Largest shift of the probit tried: probabilities beyond it are 0 and 1."""


@dataclass(frozen=True)
class Estimate:
    """A mean over the trajectory with intervals, in the unit of the quantity (1 or eV).

    :param value: the estimate; with failed frames the middle of ``value_low`` and ``value_high``.
    :param value_low: the estimate with every failed frame at its lowest; ``value_high`` with its highest.
    :param low: lower end for the mean over the *trajectory*; only the sampling of frames is uncertain, and what failed.
    :param total_low: lower end for the mean over the *ensemble*, from a trajectory of finite length.
    :param design_sd: standard deviation from computing some frames only.
    :param trajectory_sd: standard deviation from the trajectory's length.
    :param n_eff: independent samples in the trajectory.
    :param runs: number of frames drawn, ``failed`` of them without a result.
    """

    value: float
    value_low: float
    value_high: float
    low: float
    high: float
    total_low: float
    total_high: float
    design_sd: float
    trajectory_sd: float
    n_eff: float
    runs: int
    failed: int

    @property
    def inside(self) -> float:
        """The estimate moved into the trajectory's interval, for a report: an unbiased one may be negative."""
        return min(max(self.value, self.low), self.high)

    @property
    def half_width(self) -> float:
        """Half the length of the trajectory's interval."""
        return (self.high - self.low) / 2.0

    @property
    def total_half_width(self) -> float:
        """Half the length of the ensemble's interval."""
        return (self.total_high - self.total_low) / 2.0


def estimate_fraction(
    batches: list[Batch], prediction: Prediction, metallic: Array, confidence: float = 0.95
) -> Estimate:
    """Fraction of the trajectory's frames that are metallic.

    :param batches: in the order in which they were drawn.
    :param prediction: for all N frames, from a model of everything computed. It shapes the interval, not the value.
    :param metallic: shape (N,), 1 or 0 for a computed frame, nan for any other; nan of a drawn frame means failed.
    :raises ValueError: if shapes do not fit or there is no batch.
    """
    y = _answers(batches, prediction, metallic)
    guesses = [batch.metallic for batch in batches]
    found = sample(batches, guesses, y, np.ones(len(y)))
    z = special.ndtri(np.clip(prediction.metallic, 1e-12, 1.0 - 1e-12))
    # The expectation belongs where the answer is, not where the surrogate thought it would be.
    scales = []
    for value in {found.value_low, found.value_high}:
        danger = _danger(z + _shift(found, z, y, value))
        spread = danger * (1.0 - danger)
        scales.append(scale(batches, guesses, found, danger, spread, spread * (1.0 - 3.0 * spread)))
    n_eff = independent_samples(prediction)
    ends, total = (
        [
            sign * max(sign * _score_end(found, one, z, y, value, sign, samples, confidence) for one in scales)
            for value, sign in ((found.value_low, -1.0), (found.value_high, 1.0))
        ]
        for samples in (np.inf, n_eff)
    )
    # The trajectory's fraction is a number of frames over N: where few are left the ends are steps apart.
    ends = [float(np.floor(ends[0] * len(y) + 1e-6)) / len(y), float(np.ceil(ends[1] * len(y) - 1e-6)) / len(y)]
    factor = max(scales, key=lambda one: one.factor)
    middle = float(np.clip((found.value_low + found.value_high) / 2.0, 0.0, 1.0))
    danger = _danger(z + _shift(found, z, y, middle))
    design_sd = float(np.sqrt(factor.factor * (found.burden @ (danger * (1.0 - danger)) + factor.offset)))
    return _result(found, ends, total, design_sd, float(np.sqrt(middle * (1.0 - middle) / n_eff)), n_eff)


def estimate_gap(
    batches: list[Batch], prediction: Prediction, gap: Array, highest: Array | float, confidence: float = 0.95
) -> Estimate:
    """Mean gap over the trajectory in eV.

    :param batches: in the order in which they were drawn.
    :param prediction: for all N frames, from a model of everything computed. It shapes the interval, not the value.
    :param gap: shape (N,), eV, 0 for a metallic frame, nan where not computed; nan of a drawn frame means failed.
    :param highest: what a failed frame's gap may be at most in eV, E_g0 or a bound for each frame, shape (N,).
    :raises ValueError: if shapes do not fit or there is no batch.
    """
    y = _answers(batches, prediction, gap)
    spread = np.maximum(prediction.gap_variance, LEAST_RISK)
    top = np.broadcast_to(np.asarray(highest, float), y.shape)
    guesses = [batch.gap for batch in batches]
    found = sample(batches, guesses, y, top)
    known = scale(batches, guesses, found, prediction.gap, spread, 3.0 * spread**2)
    n_eff = independent_samples(prediction)
    design = known.factor * (float(found.burden @ spread) + known.offset)
    trajectory = float(np.var(prediction.gap) + spread.mean()) / n_eff
    ends, total = ([found.value_low, found.value_high] for _ in range(2))
    for pair, variance, freedom in (
        (ends, design, known.freedom),
        (total, design + trajectory, _satterthwaite(design, known.freedom, trajectory, n_eff)),
    ):
        reach = _quantile(confidence, freedom) * float(np.sqrt(variance))
        pair[0], pair[1] = max(pair[0] - reach, 0.0), pair[1] + reach
    # No gap is below 0, so the trajectory's mean is no less than what was computed adds up to.
    ends[0] = max(ends[0], float(np.nansum(y[found.drawn])) / len(y))
    return _result(found, ends, total, float(np.sqrt(design)), float(np.sqrt(trajectory)), n_eff)


def independent_samples(prediction: Prediction) -> float:
    """How many independent samples a trajectory holds as far as the surrogate can see, at least 1.

    The longer of the correlation times of the open gap, which is that of |drop|, and of the probability of metal;
    divided by 1 + ``statistics.DOUBT`` g/N, for g itself is uncertain. A part of the gap that the drop does not show
    could be slower still; a few computed frames do not tell.
    """
    n = len(prediction.open_gap)
    times = [correlation_samples(prediction.open_gap)]
    if np.ptp(prediction.metallic) > 1e-6:
        times.append(correlation_samples(prediction.metallic))
    longest = max(times)
    return max(1.0, n / (longest * (1.0 + DOUBT * longest / n)))


def stop_reason(
    estimate: Estimate, half_width: float, most_runs: int, tolerated: float | None = None, total: bool = False
) -> str | None:
    """Why to compute no more frames, or None.

    :param half_width: of the interval that is enough, in the estimate's unit.
    :param most_runs: number of runs not to be exceeded.
    :param tolerated: a limit for the quantity: an interval on one side of it decides the verdict.
    :param total: judge the ensemble's interval and not the trajectory's.
    """
    low, high = (estimate.total_low, estimate.total_high) if total else (estimate.low, estimate.high)
    if tolerated is not None and low > tolerated:
        return f"The interval {low:.3g} to {high:.3g} lies above {tolerated:g}."
    if tolerated is not None and high < tolerated:
        return f"The interval {low:.3g} to {high:.3g} lies below {tolerated:g}."
    if (high - low) / 2.0 <= half_width:
        return f"The interval {low:.3g} to {high:.3g} is narrow enough."
    if estimate.runs >= most_runs:
        return f"{estimate.runs} runs are spent."
    return None


def _answers(batches: list[Batch], prediction: Prediction, values: Array) -> Array:
    y = np.asarray(values, float)
    if y.shape != prediction.open_gap.shape or any(batch.label.shape != y.shape for batch in batches):
        raise ValueError(f"Values of shape {y.shape} do not belong to these batches and predictions.")
    return y


def _result(
    found: Sample, ends: list[float], total: list[float], design_sd: float, trajectory_sd: float, n_eff: float
) -> Estimate:
    return Estimate(
        value=(found.value_low + found.value_high) / 2.0,
        value_low=found.value_low,
        value_high=found.value_high,
        low=ends[0],
        high=ends[1],
        total_low=total[0],
        total_high=total[1],
        design_sd=design_sd,
        trajectory_sd=trajectory_sd,
        n_eff=n_eff,
        runs=int(found.drawn.sum()),
        failed=found.failed,
    )


def _satterthwaite(first: float, freedom: float, second: float, n_eff: float) -> float:
    """Degrees of freedom of a sum of two variances (Biometrics Bull. 2, 110 (1946))."""
    if first + second <= 0.0:
        return freedom
    share = first / (first + second)
    return float(1.0 / (share**2 / freedom + (1.0 - share) ** 2 / max(n_eff - 1.0, 1.0)))


def _danger(z: Array) -> Array:
    """Probability of metal at probit ``z``, kept off 0 and 1."""
    return np.asarray(np.clip(special.ndtr(z), LEAST_RISK, 1.0 - LEAST_RISK))


def _shift(found: Sample, z: Array, y: Array, value: float) -> float:
    """Shift of the probit at which the fraction is ``value``, or nearly where this is nothing or everything.

    The answer is mixed with the surrogate's own in the proportion of the runs to one.
    """
    left = ~found.drawn
    seen = float(np.nansum(y[found.drawn]))
    most = seen + float(left.sum())
    runs = float(found.drawn.sum())
    expected = seen + float(special.ndtr(z[left]).sum())
    wanted = (runs * float(np.clip(value * len(z), seen, most)) + expected) / (runs + 1.0)

    def miss(delta: float) -> float:
        return float(seen + special.ndtr(z[left] + delta).sum() - wanted)

    if miss(-REACH) >= 0.0 or miss(REACH) <= 0.0:
        return 0.0
    return float(optimize.brentq(miss, -REACH, REACH, xtol=1e-3))


def _score_end(
    found: Sample, size: Scale, z: Array, y: Array, value: float, sign: float, n_eff: float, confidence: float
) -> float:
    """Lower (``sign`` -1) or upper (+1) end: the fraction of which ``value`` is t standard deviations off.

    :param n_eff: infinite for the trajectory's own fraction. What was computed is known then: it is never below what
        has been seen to be metallic. The ensemble's fraction has no such bound.
    """
    n = len(z)
    lost = found.drawn & np.isnan(y)
    known, rest = 0.0, z
    if np.isinf(n_eff):
        known = float(np.nansum(y[found.drawn]) + (lost.sum() if sign > 0 else 0)) / n
        rest = z[~found.drawn]
    inside = float(np.clip(value, known, known + len(rest) / n))

    def at(delta: float) -> float:
        return float(known + special.ndtr(rest + delta).sum() / n)

    def miss(delta: float) -> float:
        danger, fraction = _danger(z + delta), at(delta)
        design = size.factor * (float(found.burden @ (danger * (1.0 - danger))) + size.offset)
        trajectory = max(fraction * (1.0 - fraction), 0.0) / n_eff
        freedom = size.freedom if np.isinf(n_eff) else _satterthwaite(design, size.freedom, trajectory, n_eff)
        return _quantile(confidence, freedom) * float(np.sqrt(design + trajectory)) - sign * (fraction - inside)

    # At both ends of the family everything is 0 or 1; where even that is no further off, it is the end.
    outer, inner = miss(sign * REACH), miss(-sign * REACH)
    if outer >= 0.0 or inner <= 0.0:
        return at(sign * REACH if outer >= 0.0 else -sign * REACH)
    return at(float(optimize.brentq(miss, -REACH, REACH, xtol=1e-4)))


def _quantile(confidence: float, freedom: float) -> float:
    """Two-sided quantile of Student's t."""
    return float(special.stdtrit(freedom, (1.0 + confidence) / 2.0))

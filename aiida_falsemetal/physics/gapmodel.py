"""A frame's gap from its point-charge drop: the gap law, calibrated on computed gaps, and what it predicts.

The open gap of a frame is taken to be ``u = intercept - slope |drop| + scatter``, ``drop`` from point charges, known
for every frame of a trajectory; in its place there may be the range of the potential inside the film (:mod:`.inside`),
with which the same line predicts more. A closed gap is not a number: smearing makes it some 0.1 eV whatever the drop
(PHYSICS.md, section 3), so a metallic frame only says that u lies below ``CLOSED``. This is Tobin's censored regression
(Econometrica 26, 24 (1958)), fitted by expectation maximisation; large residuals of open frames are clipped at ``CLIP``
standard deviations (Huber, Ann. Math. Stat. 35, 73 (1964)). How sharply gaps close need not follow from how open ones
scatter: the probability of metal is recalibrated on the labels (Platt's scaling, with a probit).

Two lines, for two questions:

- :class:`GapModel` *predicts* the gap of a frame that was not computed from its point-charge drop. For this the errors
  of point charges must stay in: the regression of the gap on the drop as it is known is the best line.
- :func:`calibrate` asks for the *law* itself, E_g0 and the slope, with errors in both. Errors in the drop flatten a
  regression; with their standard deviation from DFT's drop (:mod:`.droperror`), the spread of the drops is corrected
  for them (Fuller, Measurement Error Models (1987), section 1.2).

Nothing here needs to be right for the estimates of :mod:`.estimation` to be unbiased; it decides how narrow they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from .droperror import drop_errors
from .gaplaw import INTERCEPT

Array = NDArray[np.float64]

CLOSED = 0.2
"""Gap in eV below which a frame is metallic (docs/physics.md, "Witness")."""
CLIP = 2.0
"""Residuals of open frames count no more than this many standard deviations."""
ITERATIONS = 300
TOLERANCE = 1e-6
"""The iteration ends when neither parameter moves by more than this (eV, eV/V)."""
LEAST_SCATTER = 1e-3
"""eV; keeps frames that happen to lie on a line from claiming certainty."""
CALIBRATION = (1.0, 1.0)
"""Standard deviations, about 0 and 1, within which shift and stretch of the probit are expected."""
_KEPT = float(1.0 - 2.0 * stats.norm.sf(CLIP) * (1.0 - CLIP**2) - 2.0 * CLIP * stats.norm.pdf(CLIP))
"""Mean of min(z^2, CLIP^2) for a standard normal z: what clipping leaves of the variance."""


@dataclass(frozen=True)
class Prior:
    """What is known of the gap law before any frame is computed: independent normal distributions.

    :param intercept: eV, with its standard deviation ``intercept_sd``.
    :param slope: eV/V, positive, with ``slope_sd``.
    :param scatter: standard deviation of the open gap at one drop, eV, worth ``scatter_weight`` frames.
    """

    intercept: float = INTERCEPT
    intercept_sd: float = 0.7
    slope: float = 1.0
    slope_sd: float = 0.25
    scatter: float = 0.4
    scatter_weight: float = 4.0


@dataclass(frozen=True)
class Prediction:
    """What is expected of frames that were not computed; every array has the shape of the drops.

    :param open_gap: centre of the open gap in eV; negative where the law has no gap left.
    :param sd: standard deviation of the open gap in eV: scatter and uncertainty of the line.
    :param metallic: probability that the frame is metallic.
    :param gap: mean gap in eV, a metallic frame counting as 0.
    :param gap_variance: variance of that gap in eV^2.
    """

    open_gap: Array
    sd: Array
    metallic: Array
    gap: Array
    gap_variance: Array


@dataclass(frozen=True)
class GapModel:
    """Line, scatter and their uncertainty.

    :param intercept: eV.
    :param slope: eV/V, positive where a drop closes the gap.
    :param scatter: eV.
    :param covariance: shape (2, 2), of intercept and slope.
    :param freedom: degrees of freedom behind the scatter; infinite for a prior alone.
    :param frames: number of frames fitted, ``metallic`` of them closed.
    :param shift: with ``stretch`` recalibrates the probability of metal to Phi(shift + stretch z), z the line's own
        probit: gaps of real films close more sharply than the open ones scatter.
    """

    intercept: float
    slope: float
    scatter: float
    covariance: Array
    freedom: float
    frames: int
    metallic: int
    shift: float = 0.0
    stretch: float = 1.0

    def predict(self, drop: Array) -> Prediction:
        """What to expect of frames with these drops, the open gap taken as normal.

        :param drop: shape (n,), V, of either sign, from point charges.
        """
        size = np.abs(np.asarray(drop, dtype=float))
        centre = self.intercept - self.slope * size
        sd = np.sqrt(self.scatter**2 + self.line_variance(size))
        return _moments(centre, sd, self.shift, self.stretch)

    def interval(self, drop: Array, confidence: float = 0.95) -> tuple[Array, Array]:
        """Predictive interval of the gap of a frame that was not computed, in eV.

        Student's t about the line. What lies below ``CLOSED`` is a metallic frame, whose gap is 0.

        :param drop: shape (n,), V.
        :return: lower and upper ends, shape (n,) each.
        """
        found = self.predict(drop)
        reach = stats.t.ppf((1.0 + confidence) / 2.0, max(self.freedom, 1.0)) * found.sd
        low, high = found.open_gap - reach, found.open_gap + reach
        return np.where(low < CLOSED, 0.0, low), np.where(high < CLOSED, 0.0, high)

    def line_variance(self, size: Array) -> Array:
        """Variance of the line's height in eV^2 at drops of these sizes (V, 0 or more); shape as ``size``."""
        c = self.covariance
        return np.asarray(np.maximum(c[0, 0] - 2.0 * size * c[0, 1] + size**2 * c[1, 1], 0.0))


@dataclass(frozen=True)
class GapLaw:
    """E_g0 (eV) and slope (eV/V) with intervals.

    :param scatter: of the gap about the line, eV.
    :param drop_error: what the law was corrected for, V.
    """

    intercept: float
    intercept_low: float
    intercept_high: float
    slope: float
    slope_low: float
    slope_high: float
    scatter: float
    frames: int
    metallic: int
    drop_error: float


def from_prior(prior: Prior) -> GapModel:
    """The model before any frame is computed."""
    covariance = np.diag([prior.intercept_sd**2, prior.slope_sd**2])
    return GapModel(prior.intercept, prior.slope, prior.scatter, covariance, np.inf, 0, 0)


def fit_gap_model(drop: Array, gap: Array, metallic: NDArray[np.bool_], prior: Prior | None = None) -> GapModel:
    """Fit the predicting line to computed frames. Failed frames do not belong here.

    :param drop: shape (n,), V, of either sign, from point charges.
    :param gap: shape (n,), eV; of a metallic frame it is not used.
    :param metallic: shape (n,).
    :param prior: None asks for two open frames of different drop and a third frame; with a prior n may be 0.
    :raises ValueError: if the arrays do not pair up, or hold too little for a line.
    """
    size, height, closed = _frames(drop, gap, metallic)
    if prior is None:
        _enough(size, closed)
    elif not len(size):
        return from_prior(prior)
    a, b, s = (float(x[0]) for x in _em(size, height, closed, np.ones((1, len(size))), prior, np.zeros(1)))
    carried = np.where(closed, _carried((CLOSED - (a - b * size)) / s)[1], 1.0).sum()
    free = float(carried) - 2.0 if prior is None else max(float(carried) - 1.0, 0.0) + prior.scatter_weight
    model = GapModel(a, b, s, _covariance(size, closed, a, b, s, prior), free, len(size), int(closed.sum()))
    found = model.predict(size)
    shift, stretch = _recalibrate((CLOSED - found.open_gap) / found.sd, closed)
    return replace(model, shift=shift, stretch=stretch)


def calibrate(
    drop: Array,
    gap: Array,
    metallic: NDArray[np.bool_],
    measured: Array | None = None,
    confidence: float = 0.95,
) -> GapLaw:
    """E_g0 and slope of one interface and functional, errors in both, with intervals.

    Intervals are jackknife ones (Student's t with n - 2 degrees of freedom), frames taken to be independent; the drop's
    error is found anew without each frame.

    :param drop: shape (n,), V, of either sign.
    :param gap: shape (n,), eV; of a metallic frame it is not used.
    :param metallic: shape (n,).
    :param measured: shape (n,), V, DFT's own drop, where ``drop`` is the point charges'; NaN where there is none, and
        not used of a metallic frame, whose drop is pinned. Without it the drop is taken to have no error.
    :raises ValueError: as :func:`fit_gap_model`, or if ``measured`` does not pair up with the drops.
    """
    size, height, closed = _frames(drop, gap, metallic)
    _enough(size, closed)
    n = len(size)
    weights = np.concatenate([np.ones((1, n)), 1.0 - np.eye(n)])
    known = np.full(n, np.nan) if measured is None else np.asarray(measured, float)
    if known.shape != size.shape:
        raise ValueError(f"Drops and DFT's own do not pair up: {size.shape}, {known.shape}.")
    errors = drop_errors(np.asarray(drop, float), np.where(closed, np.nan, known), weights)
    a, b, s = _em(size, height, closed, weights, None, errors)
    quantile = float(stats.t.ppf((1.0 + confidence) / 2.0, n - 2))
    reach = [quantile * float(np.sqrt((n - 1) / n * np.sum((x[1:] - x[1:].mean()) ** 2))) for x in (a, b)]
    ends = [(float(x[0]), float(x[0] - r), float(x[0] + r)) for x, r in zip((a, b), reach, strict=True)]
    return GapLaw(*ends[0], *ends[1], float(s[0]), n, int(closed.sum()), float(errors[0]))


def _moments(centre: Array, sd: Array, shift: float, stretch: float) -> Prediction:
    """Of u with everything below ``CLOSED`` counted as 0, u normal: truncated moments in closed form."""
    z = (centre - CLOSED) / sd
    is_open, density = special.ndtr(z), np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    mean = centre * is_open + sd * density
    square = (centre**2 + sd**2) * is_open + sd * (centre + CLOSED) * density
    metallic = special.ndtr(shift - stretch * z)
    return Prediction(centre, sd, metallic, mean, np.maximum(square - mean**2, 0.0))


def _recalibrate(z: Array, closed: NDArray[np.bool_]) -> tuple[float, float]:
    """Shift and stretch of the probit ``z`` that fit the labels best, drawn to 0 and 1 by ``CALIBRATION``.

    Probit regression by Fisher's scoring; steps are kept below 1, and the stretch at 0 or more.
    """
    design = np.stack([np.ones_like(z), z])
    centre, pull = np.array([0.0, 1.0]), np.array(CALIBRATION) ** -2.0
    found = centre.copy()
    sign = np.where(closed, 1.0, -1.0)
    for _ in range(30):
        at = np.clip(found @ design, -8.0, 8.0)
        density = np.exp(-0.5 * at**2) / np.sqrt(2.0 * np.pi)
        slope = sign * density / special.ndtr(sign * at)
        weight = density**2 / (special.ndtr(at) * special.ndtr(-at))
        gradient = design @ slope - pull * (found - centre)
        step = np.linalg.solve((design * weight) @ design.T + np.diag(pull), gradient)
        found = found + step / max(1.0, float(np.abs(step).max()))
        found[1] = max(found[1], 0.0)
        if np.abs(step).max() < 1e-5:
            break
    return float(found[0]), float(found[1])


def _frames(drop: Array, gap: Array, metallic: NDArray[np.bool_]) -> tuple[Array, Array, NDArray[np.bool_]]:
    size, height, closed = np.abs(np.asarray(drop, float)), np.asarray(gap, float), np.asarray(metallic, bool)
    if not size.ndim == 1 or not size.shape == height.shape == closed.shape:
        raise ValueError(f"Drops, gaps and metallic do not pair up: {size.shape}, {height.shape}, {closed.shape}.")
    if not (np.isfinite(size).all() and np.isfinite(height[~closed]).all()):
        raise ValueError("A drop or the gap of an open frame is not finite.")
    return size, np.where(closed, CLOSED, height), closed


def _enough(size: Array, closed: NDArray[np.bool_]) -> None:
    if len(size) < 3 or closed.all() or np.ptp(size[~closed]) < 1e-9:
        raise ValueError("A line needs three frames, two of them open and of different drop.")


def _em(
    size: Array, height: Array, closed: NDArray[np.bool_], weights: Array, prior: Prior | None, errors: Array
) -> tuple[Array, Array, Array]:
    """Intercept, slope and scatter by expectation maximisation, for every row of ``weights`` (shape (R, n)) and of the
    drop's ``errors`` (shape (R,)) at once."""
    rows = len(weights)
    start = prior or Prior()
    a, b, s = (np.full(rows, value) for value in (start.intercept, start.slope, start.scatter))
    for _ in range(ITERATIONS):
        centre = a[:, None] - b[:, None] * size
        mean, square, robust = _expect(height - centre, (CLOSED - centre) / s[:, None], s[:, None], closed)
        s = _scatter(square, weights, np.where(closed, robust, 1.0), prior)
        before = a, b
        a, b = _line(size, centre + mean, weights * robust, s, prior, errors)
        if max(np.abs(a - before[0]).max(), np.abs(b - before[1]).max()) < TOLERANCE:
            break
    return a, b, s


def _expect(residual: Array, z: Array, s: Array, closed: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Residual, its square (clipped, put back to that of a normal) and weight of each frame.

    A closed frame weighs what it carries of an open one's information, which is nothing where the law has it closed
    anyway. Residual and square are such that the fixed point is that of expectation maximisation (residual times weight
    is E[u - centre | closed]), and it is reached in a tenth of the steps.
    """
    ratio, carried = _carried(z)
    mean = np.where(closed, -s * ratio / carried, residual)
    clipped = np.minimum(residual**2, (CLIP * s) ** 2) / _KEPT
    square = np.where(closed, (s * ratio) ** 2, clipped)
    robust = np.where(closed, carried, np.minimum(1.0, CLIP * s / np.maximum(np.abs(residual), 1e-12)))
    return mean, square, robust


def _carried(z: Array) -> tuple[Array, Array]:
    """phi(z) / Phi(z), and the information of a frame known to be below z, in units of that of an open frame."""
    ratio = np.exp(-0.5 * z**2 - 0.5 * np.log(2.0 * np.pi) - special.log_ndtr(z))
    return ratio, np.clip(ratio * (ratio + z), 1e-6, 1.0)


def _scatter(square: Array, weights: Array, carried: Array, prior: Prior | None) -> Array:
    """Standard deviation from expected squares, for the degrees of freedom that the line leaves."""
    total, count = (weights * square).sum(axis=1), (weights * carried).sum(axis=1)
    if prior is None:
        return np.asarray(np.maximum(np.sqrt(total / np.maximum(count - 2.0, 1.0)), LEAST_SCATTER))
    return np.asarray(
        np.sqrt(
            (total + prior.scatter_weight * prior.scatter**2) / (np.maximum(count - 1.0, 0.0) + prior.scatter_weight)
        )
    )


def _line(
    size: Array, height: Array, weights: Array, s: Array, prior: Prior | None, errors: Array
) -> tuple[Array, Array]:
    """Weighted least squares of ``height`` (R, n) on ``size``, its sum of squares less that of the drop's errors."""
    w0, w1 = weights.sum(axis=1), weights @ size
    w2 = weights @ size**2 - w0 * errors**2
    y0, y1 = (weights * height).sum(axis=1), -(weights * height) @ size
    if prior is not None:
        pull0, pull1 = (s / prior.intercept_sd) ** 2, (s / prior.slope_sd) ** 2
        w0, w2 = w0 + pull0, w2 + pull1
        y0, y1 = y0 + pull0 * prior.intercept, y1 + pull1 * prior.slope
    determinant = w0 * w2 - w1**2
    return (w2 * y0 + w1 * y1) / determinant, (w1 * y0 + w0 * y1) / determinant


def _covariance(size: Array, closed: NDArray[np.bool_], a: float, b: float, s: float, prior: Prior | None) -> Array:
    """Inverse of the expected information; a closed frame carries ratio (ratio + z) of an open one's."""
    z = (CLOSED - (a - b * size)) / s
    carried = np.where(closed, _carried(z)[1], 1.0)
    design = np.stack([np.ones_like(size), -size])
    information = (design * carried) @ design.T / s**2
    if prior is not None:
        information = information + np.diag([prior.intercept_sd**-2.0, prior.slope_sd**-2.0])
    return np.asarray(np.linalg.inv(information))

"""The difference estimator over batches, and its design variance: what :mod:`.estimation` makes intervals of.

Given all earlier batches, the surrogate f of a batch is a fixed number for each frame, and the mean of y - f over the
frames drawn in a stratum estimates that of the stratum without bias (Sarndal, Swensson and Wretman, Model Assisted
Survey Sampling (1992), section 6.3). Its variance is (1 - n_h/N_h) S_h^2 / n_h, S_h^2 being that of y - f within the
stratum. Two draws and more show S_h^2; a stratum with one draw shows nothing of it and counts in neither the observed
nor the expected sum that are held against each other. Its own variance is the expected one, scaled by what the others
showed, or as it is where no stratum has two draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .design import Batch

Array = NDArray[np.float64]

TRUST = 12.0
"""Degrees of freedom that the surrogate's expected variance counts for; chosen by simulation."""


@dataclass(frozen=True)
class Sample:
    """What was drawn: estimates with failed frames low and high, observed variance, and how it comes about.

    :param observed: the design variance from squared residuals, of the strata with two draws and more, the largest
        that failed frames allow.
    :param shares: for each batch the factor, shape (H,), of the variance within a stratum.
    :param burden: shape (N,), the same for every frame.
    :param drawn: shape (N,).
    :param failed: number of frames drawn that have no answer.
    """

    value_low: float
    value_high: float
    observed: float
    shares: list[Array]
    burden: Array
    drawn: NDArray[np.bool_]
    failed: int


@dataclass(frozen=True)
class Scale:
    """Observed over expected variance, its degrees of freedom, and the part of the expectation that is no scatter."""

    factor: float
    freedom: float
    offset: float


def batch_weights(sizes: list[int]) -> Array:
    """Weights of the batches, their sum 1; shape (B,). They are proportional to the sizes and depend on nothing else.

    To count the first batch less, whose surrogate has seen nothing, does not pay (docs/statistics.md, "Runs saved").

    :raises ValueError: without batches.
    """
    if not sizes:
        raise ValueError("There is no batch to estimate from.")
    return np.array(sizes, float) / sum(sizes)


def sample(batches: list[Batch], guesses: list[Array], y: Array, top: Array) -> Sample:
    """Estimates and observed variance. Where every frame was drawn there is nothing to estimate: the mean itself.

    :param guesses: each batch's own surrogate, shape (N,) each.
    :param y: shape (N,), the answers; nan where not computed, nan of a drawn frame means failed.
    :param top: shape (N,), highest value of a failed frame; the lowest is 0.
    :raises ValueError: without batches.
    """
    weights = batch_weights([len(batch.index) for batch in batches])
    drawn = np.zeros(len(y), bool)
    for batch in batches:
        drawn[batch.index] = True
    unknown = drawn & np.isnan(y)
    answers = np.where(unknown, 0.0, y), np.where(unknown, top, y)
    failed = int(unknown.sum())
    if drawn.all():
        none = [np.zeros(int(batch.stratum.max()) + 1) for batch in batches]
        return Sample(float(answers[0].mean()), float(answers[1].mean()), 0.0, none, np.zeros(len(y)), drawn, failed)
    burden, shares, observed = np.zeros(len(y)), [], 0.0
    for weight, batch, guess in zip(weights, batches, guesses, strict=True):
        sizes, draws = stratum_sizes(batch)
        share = (weight * sizes / len(y)) ** 2 * (1.0 - draws / sizes) / draws
        observed += float(share @ _largest_variance(batch, guess, answers, unknown))
        burden += np.where(batch.label >= 0, (share / sizes)[batch.label], 0.0)
        shares.append(share)
    low, high = (
        sum(w * _difference(batch, guess, answer) for w, batch, guess in zip(weights, batches, guesses, strict=True))
        for answer in answers
    )
    return Sample(float(low), float(high), observed, shares, burden, drawn, failed)


def scale(
    batches: list[Batch], guesses: list[Array], found: Sample, centre: Array, spread: Array, fourth: Array
) -> Scale:
    """Observed over expected variance, drawn towards 1 by ``TRUST``.

    :param centre: shape (N,), what is expected of every frame, with variance ``spread`` and fourth moment ``fourth``.
    """
    expected = offset = noise = 0.0
    for batch, guess, share in zip(batches, guesses, found.shares, strict=True):
        _, draws = stratum_sizes(batch)
        off = _within(batch, centre - guess)
        each = _mean(batch, spread) + off
        offset += float(share @ off)
        # One draw has no scatter: counted here, it would look like a variance of zero that was observed.
        shown = np.where(draws > 1.0, share, 0.0)
        expected += float(shown @ each)
        # Variance of a sample variance: (mu4 - v^2 (n - 3)/(n - 1))/n.
        scatter = _mean(batch, fourth) / draws - each**2 * (draws - 3.0) / np.maximum(draws - 1.0, 1.0) / draws
        noise += float(shown**2 @ np.maximum(scatter, 0.0))
    if expected <= 0.0 or noise <= 0.0:
        return Scale(1.0, TRUST, offset)
    freedom = 2.0 * expected**2 / noise
    return Scale((TRUST + freedom * found.observed / expected) / (TRUST + freedom), TRUST + freedom, offset)


def stratum_sizes(batch: Batch) -> tuple[Array, Array]:
    """Frames and draws of each stratum, shape (H,)."""
    return np.bincount(batch.label[batch.label >= 0]).astype(float), np.bincount(batch.stratum).astype(float)


def _mean(batch: Batch, values: Array) -> Array:
    """Mean of ``values`` (N,) over the frames of each stratum, shape (H,)."""
    inside = batch.label >= 0
    label = batch.label[inside]
    return np.asarray(np.bincount(label, values[inside]) / np.bincount(label))


def _within(batch: Batch, values: Array) -> Array:
    """Variance of ``values`` (N,) within each stratum, shape (H,)."""
    inside = batch.label >= 0
    centred = np.zeros_like(values)
    centred[inside] = values[inside] - _mean(batch, values)[batch.label[inside]]
    return _mean(batch, centred**2)


def _difference(batch: Batch, guess: Array, y: Array) -> float:
    """T_b of :mod:`.estimation`: a batch's estimate, frames computed before it counting as they are."""
    sizes, draws = stratum_sizes(batch)
    before = batch.label < 0
    residual = np.bincount(batch.stratum, (y - guess)[batch.index]) / draws
    return float((y[before].sum() + guess[~before].sum() + sizes @ residual) / len(y))


def _largest_variance(batch: Batch, guess: Array, answers: tuple[Array, Array], unknown: NDArray[np.bool_]) -> Array:
    """Sample variance of the residuals in each stratum, shape (H,), the largest that failed frames could give; 0 for a
    stratum with one draw.

    It is convex in every failed frame's value, so it is largest with each at one end or the other. With sorted
    residuals only the cuts "the first k low, the others high" can be largest.
    """
    low, high = ((answer - guess)[batch.index] for answer in answers)
    lost = unknown[batch.index]
    count = np.maximum(np.bincount(batch.stratum) - 1, 1)
    mean = np.bincount(batch.stratum, low) / np.bincount(batch.stratum)
    found = np.bincount(batch.stratum, (low - mean[batch.stratum]) ** 2) / count
    for stratum in np.unique(batch.stratum[lost]):
        here = batch.stratum == stratum
        known, ends = low[here & ~lost], (low[here & lost], high[here & lost])
        order = np.argsort(ends[0] + ends[1])
        for k in range(len(order) + 1):
            values = np.concatenate([known, ends[0][order[:k]], ends[1][order[k:]]])
            found[stratum] = max(found[stratum], values.var() * len(values) / count[stratum])
    return np.asarray(found)

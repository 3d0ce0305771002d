"""Weighted mean of independent estimates that each have an interval of their own.

The interval is that of variance recovery (MOVER: Zou and Donner, Stat. Med. 27, 1693 (2008)): the distances of the
estimates from the ends of their own intervals, weighted, add in quadrature. It needs no standard deviations, keeps the
confidence of the intervals, and does not become empty where an estimate of 0 has an end at 0. Simulated coverage of
95 % intervals is 93 to 99 %, and 90 % where one event is expected (tests/physics/test_mover.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .series import Fraction


def weighted_mean(
    values: Sequence[float], lows: Sequence[float], highs: Sequence[float], weights: Sequence[float]
) -> tuple[float, float, float]:
    """Mean of independent estimates, and the ends of its interval.

    :param values: the estimates; ``lows`` and ``highs`` are the ends of their intervals, all of one confidence.
    :param weights: not negative, not all 0; they need not add up to 1.
    :raises ValueError: if there is none, or numbers do not pair up.
    """
    if not len(values) == len(lows) == len(highs) == len(weights) or not len(values):
        raise ValueError(f"{len(values)} estimates, {len(lows)} and {len(highs)} ends, {len(weights)} weights.")
    share = np.asarray(weights, float)
    if (share < 0.0).any() or not share.sum() > 0.0:
        raise ValueError(f"Weights must not be negative, nor all 0: {list(weights)}.")
    share = share / share.sum()
    mean = float(share @ np.asarray(values, float))
    down = math.sqrt(float(np.sum((share * (np.asarray(values, float) - lows)) ** 2)))
    up = math.sqrt(float(np.sum((share * (np.asarray(highs, float) - values)) ** 2)))
    return mean, mean - down, mean + up


def pool_fractions(fractions: Sequence[Fraction], weights: Sequence[float]) -> Fraction:
    """Fractions of several trajectories as one, what is unknown of each bounding the whole.

    The lower end belongs to the smallest estimates, the upper end to the largest ones. ``n_eff`` is the sum.

    :param weights: lengths of the trajectories.
    :raises ValueError: as :func:`weighted_mean`, or if the intervals differ in confidence.
    """
    if len({fraction.confidence for fraction in fractions}) > 1:
        raise ValueError("Fractions with intervals of different confidence are not pooled.")
    ends = [fraction.low for fraction in fractions], [fraction.high for fraction in fractions]
    least, low, _ = weighted_mean([fraction.smallest for fraction in fractions], *ends, weights)
    most, _, high = weighted_mean([fraction.largest for fraction in fractions], *ends, weights)
    value = weighted_mean([fraction.value for fraction in fractions], *ends, weights)[0]
    n_eff = sum(fraction.n_eff for fraction in fractions)
    return Fraction(value, max(low, 0.0), min(high, 1.0), n_eff, fractions[0].confidence, least, most)

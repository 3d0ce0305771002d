"""By how much the point charges' drop errs, from DFT's: what the gap law is corrected for (:mod:`.gapmodel`).

DFT's drop y is a second measurement of the point charges' x. An error that x alone has is in var x and not in
cov(x, y); their difference is its square, whatever errors y has of its own (Fuller, Measurement Error Models (1987),
section 1.4). What DFT's drop has and no charges know, the electrons' response to each molecule's surroundings, is
scatter of y about x: it leaves var x - cov(x, y) at 0, and flattens nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAST = 5
"""Frames with both drops below which nothing is said of an error."""
MOST = 0.5
"""Share of the drops' spread that an error may explain; beyond it nothing is left to calibrate on."""


def drop_errors(drop: Array, measured: Array, weights: Array) -> Array:
    """Standard deviation (V) by which the point charges' |drop| errs, shape (R,); 0 where the frames cannot tell.

    Films' drops lie around 0, where an error folds over with its drop and counts for less in |x|, which the law is of:
    taken in full it made the slope of simulated films too steep by a seventh. So the difference is that of |x| and |y|.
    Folding also makes scatter of y look like an error of x, though, which it does not for x and y as they are: the
    smaller of both counts.

    :param drop: shape (n,), V, of either sign, from point charges.
    :param measured: shape (n,), V, DFT's; NaN where there is none.
    :param weights: shape (R, n), of the frames, for R answers at once; 0 leaves a frame out.
    """
    known = np.isfinite(measured)
    x, y, w = drop[known], measured[known], weights[:, known]
    if len(x) < LEAST or not w.sum(axis=1).min() > 0.0:
        return np.zeros(len(weights))
    w = w / w.sum(axis=1, keepdims=True)
    # About 0, where a film's drops lie, and not about their mean: few frames of a polarised film may have one side.
    plain = w @ (x * (x - y))
    size, other = np.abs(x), np.abs(y)
    spread = w @ size**2 - (w @ size) ** 2
    folded = spread - (w @ (size * other) - (w @ size) * (w @ other))
    square = np.maximum(np.minimum(plain, folded), 0.0)
    return np.asarray(np.sqrt(np.where(square <= MOST * spread, square, 0.0)))

"""Which frames of a trajectory get a DFT calculation, and with which probability.

The design has three steps, each with its own chance:

1. Thinning. A grid of frames ``offset, offset + separation, ...``; the offset is drawn evenly, so every frame of the
   trajectory is on the grid with the same probability 1/separation. Two chosen frames are never closer than
   ``separation``, whichever set they belong to.
2. Control. ``uniform`` frames are drawn from the grid without replacement, blind to their value.
3. Strata. The rest of the grid is sorted by value and cut into strata of equal size (quantile bins, the top one being
   the most polar), and from each a fixed number is drawn without replacement.

What ``probability`` conditions on. For a control frame it is the probability, given the grid, of being in the control
set: u / G for u of G grid points. For a stratified frame it is the probability, given the grid and the control set, of
being drawn from its stratum: n_h / N_h, N_h counting the grid points of stratum h outside the control set. Both are
exact for every size of trajectory. A mean over the trajectory is therefore estimated without bias by either set alone,
each frame weighted with 1/probability; the two sets together give sum(control) + sum(stratified / probability) as the
unbiased total over the grid (Horvitz and Thompson, J. Am. Stat. Assoc. 47, 663 (1952)).

Where the grid has no more points than asked for, all are taken: probability 1 for every one of them, and "uniform"
marks a random subset. The separation is never shortened to find more frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

UNIFORM: Literal["uniform"] = "uniform"
"""The stratum of a frame of the control set."""


@dataclass(frozen=True)
class Frame:
    """One chosen frame.

    :param index: into the values given.
    :param stratum: ``"uniform"`` for the control set, else 0 (smallest values) and up.
    :param probability: inclusion probability, above 0 and at most 1; the module's docstring says given what.
    """

    index: int
    stratum: Literal["uniform"] | int
    probability: float


@dataclass(frozen=True)
class Selection:
    """The chosen frames and the grid they come from.

    :param frames: ordered by index.
    :param separation: spacing of the grid in frames.
    :param offset: first frame of the grid, which is ``range(offset, len(values), separation)``.
    :param grid_size: number of grid points.
    """

    frames: tuple[Frame, ...]
    separation: int
    offset: int
    grid_size: int


def select_frames(
    values: NDArray[np.float64], stratified: int, uniform: int, *, separation: float, seed: int, n_strata: int
) -> Selection:
    """Choose frames evenly over the range of ``values``, and a control set blind to it.

    :param values: shape (n,), what to stratify by (|M_z|/A in e/Å); n may be 0.
    :param stratified: number of frames spread over the strata as evenly as possible, the remainder to the top strata.
    :param uniform: number of frames of the control set.
    :param separation: smallest distance of two chosen frames in frames, at least 1; rounded up.
    :param seed: of numpy's ``default_rng`` (PCG64).
    :param n_strata: number of strata, at least 1. There are fewer if ``stratified`` is smaller: a stratum without a
        draw would leave its frames without a chance.
    :return: fewer frames than asked if the grid has fewer points.
    :raises ValueError: if a value is not finite or a number is out of range.
    """
    values = np.asarray(values, dtype=float)
    _check(values, stratified, uniform, separation, n_strata)
    spacing = math.ceil(separation)
    rng = np.random.default_rng(seed)
    if not len(values):
        return Selection((), spacing, 0, 0)
    # An offset beyond a short trajectory's end would leave the grid empty.
    offset = int(rng.integers(min(spacing, len(values))))
    grid = np.arange(offset, len(values), spacing)
    size, asked = len(grid), stratified + uniform
    if size <= asked:
        uniform = round(size * uniform / asked) if asked else 0
        stratified = size - uniform
    census = size == stratified + uniform
    control = np.sort(rng.choice(grid, uniform, replace=False))
    share = 1.0 if census else uniform / size
    frames = [Frame(int(index), UNIFORM, share) for index in control]
    rest = np.setdiff1d(grid, control)
    frames += _draw_stratified(values, rest, stratified, n_strata, rng)
    return Selection(tuple(sorted(frames, key=lambda frame: frame.index)), spacing, offset, size)


def _draw_stratified(
    values: NDArray[np.float64], rest: NDArray[np.int_], count: int, n_strata: int, rng: np.random.Generator
) -> list[Frame]:
    """Draw ``count`` (at most ``len(rest)``) of the indices ``rest``, stratified by value."""
    if not count:
        return []
    strata = min(n_strata, count)
    # Ranks rather than edges: equal values cannot leave a stratum empty.
    ranked = rest[np.argsort(values[rest], kind="stable")]
    sizes, draws = split_evenly(len(ranked), strata), split_evenly(count, strata)
    members = np.split(ranked, np.cumsum(sizes)[:-1])
    frames = []
    for stratum, (pool, drawn) in enumerate(zip(members, draws, strict=True)):
        chosen = np.sort(rng.choice(pool, drawn, replace=False))
        frames += [Frame(int(index), stratum, drawn / len(pool)) for index in chosen]
    return frames


def split_evenly(total: int, parts: int) -> list[int]:
    """Split ``total`` into ``parts`` as evenly as possible, the remainder to the last ones.

    Sizes and draws split by the same rule, so no stratum is asked for more than it holds.
    """
    base, remainder = divmod(total, parts)
    return [base + (part >= parts - remainder) for part in range(parts)]


def _check(values: NDArray[np.float64], stratified: int, uniform: int, separation: float, n_strata: int) -> None:
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"The values must be one finite number a frame, got an array of shape {values.shape}.")
    if stratified < 0 or uniform < 0:
        raise ValueError(f"Numbers of frames must not be negative, got {stratified} and {uniform}.")
    if not (separation >= 1 and math.isfinite(separation)):
        raise ValueError(f"A separation of {separation} frames is not a finite number of at least 1.")
    if n_strata < 1:
        raise ValueError(f"{n_strata} strata are too few; at least 1.")

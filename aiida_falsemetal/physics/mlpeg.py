"""ML-PEG's metrics of a water film, computed the way that benchmark computes them, to compare with its tables.

Definitions: ddmms/ml-peg, benchmark "Water Slab Dipoles" (merged as pull request 349; read at commit 6a03c7a of
21 August 2026), and "Copper-water interface" (pull request 470, open when read). Facts only; nothing is copied.

Their M_z sums -0.5562 e over oxygens and +0.2781 e over hydrogens times the positions as stored: molecules are not made
whole, which is right where an MD never wraps. The area is cell[0, 0] times cell[1, 1] of the first frame. Every stored
frame counts, the first one and the equilibration included. The standard deviation is about the mean and divides by the
number of frames. There are no intervals. Their run: 192 H2O, NVT, 300 K, 1 fs, 200 ps, a frame each 100 fs (each 500 fs
before August 2026).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .gaplaw import BREAKDOWN

Array = NDArray[np.float64]

OXYGEN = -0.5562
"""Charge of an oxygen in e; a hydrogen has minus half of it."""
FREE_FILM = (-BREAKDOWN, BREAKDOWN)
"""e/Å: their threshold is 4.45 V times eps0, of the revPBE-D3 gap."""
COPPER_FILM = (-0.019686563354143947, 0.011680694256792076)
"""e/Å: water on Cu(111), PBE-D3; asymmetric."""
SIGMA_GOOD, SIGMA_BAD = 0.007, 0.015
"""e/Å: where their score of the standard deviation is 1 and 0. The fraction's are 0 and 1."""


@dataclass(frozen=True)
class Metrics:
    """Both metrics.

    :param sigma: standard deviation of M_z/A in e/Å, divisor n.
    :param fraction: frames with M_z/A outside of the window ("breakdown candidates"), over all frames.
    :param frames: number of frames.
    """

    sigma: float
    fraction: float
    frames: int


def moment_per_area(positions: Array, symbols: Sequence[str], cell: Array) -> Array:
    """M_z/A in e/Å of every frame, their way: elements other than O and H count nothing.

    :param positions: shape (frames, atoms, 3) in Å, as stored.
    :param symbols: chemical symbols, length atoms.
    :param cell: shape (3, 3) in Å, of the first frame.
    :raises ValueError: if the shapes do not fit.
    """
    frames = np.asarray(positions, dtype=float)
    if frames.ndim != 3 or frames.shape[1:] != (len(symbols), 3):
        raise ValueError(f"Positions of shape {frames.shape} do not fit to {len(symbols)} atoms: (frames, atoms, 3).")
    table = {"O": OXYGEN, "H": -OXYGEN / 2.0}
    charges = np.array([table.get(symbol, 0.0) for symbol in symbols])
    return np.asarray(frames[:, :, 2] @ charges / (cell[0, 0] * cell[1, 1]))


def metrics(moment: Array, window: tuple[float, float] = FREE_FILM) -> Metrics:
    """Both metrics of a series of M_z/A.

    :param moment: shape (n,), e/Å, all frames of the run, n at least 1.
    :param window: ``FREE_FILM`` or ``COPPER_FILM``; frames on its ends are inside.
    :raises ValueError: if there is no frame or a number is not finite.
    """
    series = np.asarray(moment, dtype=float)
    if series.ndim != 1 or not len(series) or not np.isfinite(series).all():
        raise ValueError(f"A series of finite numbers is needed, got shape {series.shape}.")
    outside = (series < window[0]) | (series > window[1])
    return Metrics(float(np.std(series)), float(np.mean(outside)), len(series))


def sigma_deviation(moment: Array, reference: Array) -> float:
    """Their metric on copper beside the fraction: |sd - sd of the AIMD reference| of M_z/A, in e/Å, divisor n both.

    :param moment: shape (n,), e/Å.
    :param reference: shape (m,), e/Å, from the same charges.
    :raises ValueError: as :func:`metrics` does.
    """
    return abs(metrics(moment).sigma - metrics(reference).sigma)

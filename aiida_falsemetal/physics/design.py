"""Which frames to compute next, with known probabilities: one batch after the other.

A batch is a stratified sample of the frames not computed so far. Frames are sorted by the predicted open gap and cut
into strata of equal *burden*; from each two frames are drawn at random, without replacement. The burden of a frame is

    defence / R + (1 - defence) s_i / sum(s),

s_i being the standard deviation that the surrogate expects of the frame's answer and R the number of frames left:
with ``defence`` = 0 this is Neyman's allocation (J. R. Stat. Soc. 97, 558 (1934)), which puts runs where the answer
is open; the defensive share (Hesterberg, Technometrics 37, 185 (1995)) keeps the weight of a frame at some
1/``defence`` times that of a uniform sample at most, so that a surrogate that is wrong costs runs and not the answer.

Given everything computed before it, the inclusion probability of a frame is n_h / N_h, exactly: the surrogate that
shapes a batch is fitted on earlier batches only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .gapmodel import Prediction

Array = NDArray[np.float64]
Indices = NDArray[np.int_]

DEFENCE = 0.3
"""Share of a batch that is spread evenly over the frames."""
FRACTION_SHARE = 2.0 / 3.0
"""Of the runs that are not defensive, the share that serves the fraction where both are asked for; it is the harder."""
DRAWS = 2
"""Frames drawn from a stratum; two are the fewest that show a scatter."""
LEAST_RISK = 0.0005
"""A surrogate's probability of metal is taken as no closer to 0 and 1 than this: it has seen no more frames."""
DIGITS = 5
"""Decimals of the surrogate that a batch keeps."""
FOCUS = ("fraction", "gap", "both")


@dataclass(frozen=True)
class Batch:
    """A batch of frames to compute, and all that an estimate needs to know of how they were drawn.

    :param index: shape (n,), the frames drawn, in ascending order.
    :param stratum: shape (n,), the stratum of each.
    :param probability: shape (n,), inclusion probability given all earlier batches.
    :param label: shape (N,), stratum of every frame of the trajectory; -1 for those drawn earlier.
    :param metallic: shape (N,), the surrogate's probability of metal when the batch was drawn.
    :param gap: shape (N,), the surrogate's gap in eV then.
    """

    index: Indices
    stratum: Indices
    probability: Array
    label: Indices
    metallic: Array
    gap: Array

    def as_dict(self) -> dict[str, Any]:
        """Lists of plain numbers for JSON. Stratum and probability follow from ``index`` and ``label`` and stay out."""
        return {name: getattr(self, name).tolist() for name in STORED}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Batch:
        """What :meth:`as_dict` made; numbers are the same to the last digit.

        :raises ValueError: if something is missing, lengths differ, a frame drawn has no stratum, or a stratum no draw.
        """
        if missing := [name for name in STORED if name not in stored]:
            raise ValueError(f"Not a batch: it has no {', '.join(missing)}.")
        index, label = (np.array(stored[name], dtype=int) for name in ("index", "label"))
        metallic, gap = (np.array(stored[name], dtype=float) for name in ("metallic", "gap"))
        if (
            not label.shape == metallic.shape == gap.shape
            or not len(index)
            or not 0 <= index.min() <= index.max() < len(label)
        ):
            raise ValueError("Not a batch: its lists do not belong to the same frames.")
        stratum = label[index]
        if not np.array_equal(np.unique(stratum), np.arange(label.max() + 1)):
            raise ValueError("Not a batch: a frame drawn has no stratum, or a stratum no draw.")
        probability = np.bincount(stratum) / np.bincount(label[label >= 0])
        return cls(index, stratum, probability[stratum], label, metallic, gap)


STORED = ("index", "label", "metallic", "gap")
"""Fields of a batch that are stored; the others follow from them."""


def risk(prediction: Prediction) -> Array:
    """Probability of metal, kept ``LEAST_RISK`` off 0 and 1; shape (N,)."""
    return np.clip(prediction.metallic, LEAST_RISK, 1.0 - LEAST_RISK)


def draw_batch(
    prediction: Prediction,
    earlier: list[Batch],
    size: int,
    rng: np.random.Generator,
    focus: str = "both",
    defence: float = DEFENCE,
) -> Batch:
    """Draw the next ``size`` frames where they narrow the interval most.

    :param prediction: for all N frames of the trajectory, from a model that has seen earlier batches only.
    :param earlier: the batches drawn so far, failed frames among them: they are not drawn again.
    :param size: at least 2; if no more frames are left than this, all of them are taken, with probability 1.
    :param focus: the interval to narrow: that of the metallic ``fraction``, of the mean ``gap``, or ``both``.
    :param defence: above 0 and at most 1, which is proportional allocation.
    :raises ValueError: if a number is out of range or no frame is left.
    """
    if size < DRAWS or not 0.0 < defence <= 1.0 or focus not in FOCUS:
        raise ValueError(
            f"A batch of {size} frames (at least {DRAWS}), defence {defence}, focus {focus!r}: not possible."
        )
    taken = np.zeros(len(prediction.metallic), bool)
    for batch in earlier:
        taken[batch.index] = True
    rest = np.flatnonzero(~taken)
    if not len(rest):
        raise ValueError("Every frame of the trajectory has been drawn already.")
    ranked = rest[np.argsort(-prediction.open_gap[rest], kind="stable")]
    if len(rest) <= size:
        draws, cuts = [len(rest)], []
    else:
        draws = _draws(size)
        cuts = _cuts(_burden(prediction, ranked, focus, defence), draws)
    label = np.full(len(taken), -1)
    chosen = []
    for stratum, (members, drawn) in enumerate(zip(np.split(ranked, cuts), draws, strict=True)):
        label[members] = stratum
        chosen.append(rng.choice(members, drawn, replace=False))
    index = np.sort(np.concatenate(chosen))
    stratum_of = label[index]
    sizes = np.bincount(label[rest])
    # Rounded before they are used at all, so that a stored batch is short and yet the same.
    metallic, gap = np.round(prediction.metallic, DIGITS), np.round(prediction.gap, DIGITS)
    return Batch(index, stratum_of, (np.array(draws) / sizes)[stratum_of], label, metallic, gap)


def _draws(size: int) -> list[int]:
    """Draws per stratum: ``DRAWS`` each, the remainder in the last one, where the drop is largest."""
    strata = size // DRAWS
    return [DRAWS] * (strata - 1) + [size - DRAWS * (strata - 1)]


def _burden(prediction: Prediction, ranked: Indices, focus: str, defence: float) -> Array:
    """Share of the runs that each of the ``ranked`` frames should bear; the sum is 1."""
    danger = risk(prediction)[ranked]
    fraction, gap = danger * (1.0 - danger), np.maximum(prediction.gap_variance[ranked], 1e-12)
    share = {"fraction": 1.0, "gap": 0.0, "both": FRACTION_SHARE}[focus]
    asked = sum(part * np.sqrt(v) / np.sqrt(v).sum() for part, v in ((share, fraction), (1.0 - share, gap)))
    return np.asarray(defence / len(ranked) + (1.0 - defence) * asked)


def _cuts(burden: Array, draws: list[int]) -> list[int]:
    """Where to cut the ranked frames so that every draw bears the same, no stratum smaller than its draws."""
    reached = np.cumsum(burden) / burden.sum()
    shares = np.cumsum(draws)[:-1] / sum(draws)
    cuts = [int(cut) for cut in np.searchsorted(reached, shares)]
    for k in range(len(cuts)):
        cuts[k] = max(cuts[k], (cuts[k - 1] if k else 0) + draws[k])
    last = len(burden)
    for k in reversed(range(len(cuts))):
        last = cuts[k] = min(cuts[k], last - draws[k + 1])
    return cuts

"""How large the metallized fraction can be by the gap law, where no computed frame is metallic.

Frames drawn by design and found open bound the fraction by some 3 over their number (:mod:`.estimation`): 1 % takes
hundreds of DFT runs, even where every drop is far from closing a gap. The law says more with fewer frames, at the price
of being believed. What is assumed:

- The drop, M_z/(eps0 A), is normal, as in linear response: a film's dipole is a sum over many molecules, and
  :mod:`.expected` assumes the same. Mean and standard deviation come from the whole trajectory.
- The open gap is ``intercept - slope |drop|`` with normal scatter of one size (:mod:`.gapmodel`), also at drops beyond
  those computed. A frame's gap follows Student's t about the line, scatter and uncertainty of the line together.

The fraction is E[P(gap < CLOSED)] over the normal drop. Three things make it uncertain: standard deviation and mean of
the drop and the height of the line. Each in turn is put at its unfavourable end (one-sided, at the confidence asked
for) with the others at their estimates; the moves of the fraction's probit are added as squares. This recovers the
variance of a function of independent estimates from their own intervals (Zou and Donner, Stat. Med. 27, 1693 (2008)).
All three at their ends at once (Bonferroni) is an interval that holds in 99 to 100 % of cases and is two to three times
as wide; leaving the line out is one that holds in as few as 78 % where the trajectory is long (docs/statistics.md).

Where the law is wrong so is the bound, and nothing here notices. Heavier tails of the drop (a film that flips between
two polarisations, one that evaporates), a gap that closes by something else than the drop (a broken molecule), or a
line that steepens towards closing make it too small. A metallic frame where the law expects none is such a sign, and a
model that has seen one is refused: the fraction is to be estimated then, not bounded. The bound is for the distribution
that the trajectory samples, as a trajectory without end would show it, and not for the frames it happens to have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from .constants import EPS0
from .gapmodel import CLOSED, GapModel
from .series import LEAST_TIMES, Pooled

Array = NDArray[np.float64]

LEAST_FRAMES = 2
"""Computed frames below which the line is the prior's and nobody's measurement."""
CELLS = 1000
"""Steps of the quadrature over the drop."""
WIDTHS = 12
"""Standard deviations tried between 0 and the largest: a wider distribution need not have more metal where the mean
itself is beyond closing."""
SAFE = 0.01
"""Probability of metal up to which a drop is called safe."""


@dataclass(frozen=True)
class Bound:
    """An upper bound of the metallized fraction and what it comes from.

    :param value: the fraction at the point estimates of everything.
    :param high: upper end of a one-sided interval of the given ``confidence``.
    :param sd: standard deviation of the drop in V, at most ``sd_high`` (with that confidence, as the next).
    :param mean: size of the mean drop in V, at most ``mean_high``.
    :param largest_safe_drop: size of the drop in V up to which at most one frame in a hundred is metallic, the line at
        its unfavourable end; 0 if there is none.
    :param times: correlation times that the series holds.
    :param frames: number of computed frames behind the line.
    """

    value: float
    high: float
    confidence: float
    sd: float
    sd_high: float
    mean: float
    mean_high: float
    largest_safe_drop: float
    times: float
    frames: int

    @property
    def sentence(self) -> str:
        """What is bounded and why, in words."""
        if self.times < LEAST_TIMES:
            return f"The trajectory holds {self.times:.1f} correlation times of the drop: too few for a bound."
        return (
            f"By the gap law at most {100.0 * self.high:.2g} % of the frames are metallic ({self.confidence:.0%} "
            f"confidence): the drop is {self.mean:.2g} V (at most {self.mean_high:.2g} V) with a standard deviation of "
            f"{self.sd:.2g} V (at most {self.sd_high:.2g} V), and {self.frames} computed frames, all open, leave a gap "
            f"up to a drop of {self.largest_safe_drop:.2g} V."
        )


def fraction_bound(pooled: Pooled, model: GapModel, confidence: float = 0.95) -> Bound:
    """Upper bound of the metallized fraction; the module's docstring says what has to be true for it.

    :param pooled: of M_z/A in e/Å, whose drop is that over eps0; M_z of the charges that the model's drops are from.
    :param model: fitted, with a prior, to computed frames of the same interface and functional, none of them metallic.
    :param confidence: at least 0.5 and below 1.
    :return: ``high`` is 1 for a series of fewer than ``series.LEAST_TIMES`` correlation times.
    :raises ValueError: for a model that has seen fewer than ``LEAST_FRAMES`` or a metallic frame, or a confidence out
        of range.
    """
    _check(model, confidence)
    sd, mean = pooled.spread.value / EPS0, abs(pooled.mean) / EPS0
    sd_high, mean_high = sd * _widest(pooled, confidence), mean + sd * _furthest(pooled, confidence)
    times = pooled.samples / pooled.spread.correlation_samples
    if times < LEAST_TIMES or sd <= 0.0:
        value, high = _fraction(model, mean, sd), 1.0
    else:
        value = _fraction(model, mean, sd)
        widths = sd_high * np.linspace(1.0 / WIDTHS, 1.0, WIDTHS)
        worse = [
            max(_fraction(model, mean, width) for width in widths),
            _fraction(model, mean_high, sd),
            _fraction(model, mean, sd, confidence),
        ]
        high = _joined(value, worse)
    safe = _largest_safe(model, confidence)
    return Bound(value, high, confidence, sd, sd_high, mean, mean_high, safe, times, model.frames)


def _check(model: GapModel, confidence: float) -> None:
    if not 0.5 <= confidence < 1.0:
        raise ValueError(f"A confidence of {confidence} is not between 0.5 and 1.")
    if model.metallic:
        raise ValueError(
            f"{model.metallic} of {model.frames} computed frames are metallic: their fraction is to be estimated, "
            "not bounded by the law."
        )
    if model.frames < LEAST_FRAMES:
        raise ValueError(f"{model.frames} computed frames say nothing of the gap law here; at least {LEAST_FRAMES}.")


def _widest(pooled: Pooled, confidence: float) -> float:
    """Largest standard deviation over the estimate: chi-square, as in :func:`.series.pool`, one-sided."""
    freedom = max(pooled.spread.n_eff - 1.0, 1.0)
    return float(np.sqrt(freedom / stats.chi2.ppf(1.0 - confidence, freedom)))


def _furthest(pooled: Pooled, confidence: float) -> float:
    """How far the mean may be off, in standard deviations: Student's t, as in :func:`.series.pool`, to either side."""
    independent = max(pooled.samples / pooled.spread.correlation_samples, 2.0)
    return float(stats.t.ppf((1.0 + confidence) / 2.0, independent - 1.0) / np.sqrt(independent))


def _joined(value: float, worse: list[float]) -> float:
    """Upper end from the ``worse`` fractions, one source of doubt each."""
    probit, others = special.ndtri(value), special.ndtri(np.array(worse))
    return float(special.ndtr(probit + np.sqrt(np.sum(np.maximum(others - probit, 0.0) ** 2))))


def _metallic(model: GapModel, drop: Array, confidence: float | None = None) -> Array:
    """Probability that a frame with this drop is metallic, never less than at a smaller drop; shape as ``drop``.

    :param confidence: that the line is no lower than it is taken to be at any one drop; None for the line as it is.
    """
    variance = model.line_variance(drop)
    height = model.intercept - model.slope * drop
    if confidence is not None:
        height = height - stats.t.ppf(confidence, model.freedom) * np.sqrt(variance)
    z = (CLOSED - height) / np.sqrt(model.scatter**2 + variance)
    return np.asarray(np.maximum.accumulate(special.stdtr(model.freedom, z)))


def _fraction(model: GapModel, mean: float, sd: float, confidence: float | None = None) -> float:
    """E[P(metallic | |d|)] of a normal d: by parts, steps of P times the probability that |d| is beyond them."""
    drop = np.linspace(0.0, mean + 10.0 * sd, CELLS)
    metallic = _metallic(model, drop, confidence)
    if sd <= 0.0:
        return float(metallic[-1])
    middle = (drop[1:] + drop[:-1]) / 2.0
    beyond = special.ndtr((mean - middle) / sd) + special.ndtr((-mean - middle) / sd)
    return float(metallic[0] + np.diff(metallic) @ beyond)


def _largest_safe(model: GapModel, confidence: float) -> float:
    """``largest_safe_drop`` of :class:`Bound`, to 0.01 V and no more than 20 V."""
    drop = np.arange(0.0, 20.0, 0.01)
    return float(drop[_metallic(model, drop, confidence) <= SAFE].max(initial=0.0))

"""The plane-averaged electrostatic potential of a film, and the drop between the vacua on its two sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MARGIN = 4.0
"""Distance in Å from the outermost nuclei at which a plateau begins: the density of water has decayed there."""
KEEP_OFF = 0.5
"""Distance in Å that a plateau keeps from the sawtooth, whose corners ring in a finite Fourier series."""
MINIMUM_PLATEAU = 0.3
"""A plateau shorter than this, in Å, says nothing."""


@dataclass(frozen=True)
class Plateaus:
    """The potential in the vacuum on the two sides, V.

    :param lower: mean below the film.
    :param upper: mean above it.
    :param ripple: the larger of the two standard deviations inside a plateau.
    """

    lower: float
    upper: float
    ripple: float

    @property
    def drop(self) -> float:
        """``upper - lower`` in V: M_z/(eps0 A), positive for a dipole that points up."""
        return self.upper - self.lower


def plateaus(heights: Floats, potential: Floats, film: tuple[float, float], height: float, sawtooth: float) -> Plateaus:
    """Means over the flat parts of the potential.

    :param heights: shape (n,), Å, within the cell: from 0 to ``height``.
    :param potential: shape (n,), V.
    :param film: heights of the lowest and of the highest nucleus, Å.
    :param height: the cell's, Å.
    :param sawtooth: share of the cell over which the dipole correction's sawtooth falls, centred on the cell's face.
    :raises ValueError: if there is too little vacuum for a plateau.
    """
    edge = 0.5 * sawtooth * height + KEEP_OFF
    below = (heights >= edge) & (heights <= film[0] - MARGIN)
    above = (heights >= film[1] + MARGIN) & (heights <= height - edge)
    shortest = min(film[0] - MARGIN - edge, height - edge - film[1] - MARGIN)
    if shortest < MINIMUM_PLATEAU or not below.any() or not above.any():
        missing = 2.0 * (MINIMUM_PLATEAU - min(shortest, 0.0))
        raise ValueError(
            f"the vacuum is too thin for a plateau beside the film; raise `vacuum` by {missing:.1f} Å or more."
        )
    lower, upper = potential[below], potential[above]
    return Plateaus(float(lower.mean()), float(upper.mean()), float(max(lower.std(), upper.std())))

"""The gap law: a film's gap shrinks by the potential drop across it.

E_gap = E_g0 - |M_z| / (eps0 A) (arXiv 2603.04228; PHYSICS.md, section 2), M_z the electronically screened dipole.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .constants import EPS0
from .statistics import LineFit, fit_line

Drop = TypeVar("Drop", float, NDArray[np.float64])

INTERCEPT = 4.45
"""E_g0 in eV of a water film in revPBE-D3 (PHYSICS.md, section 2). Fit it for another functional or liquid."""

BREAKDOWN = INTERCEPT * EPS0
"""|M_z|/A in e/Å above which the law has no gap left: 0.02459."""


def gap_law(drop: Drop, intercept: float = INTERCEPT) -> Drop:
    """The gap that the law expects, ``intercept - |drop|``, in eV.

    It is not cut off at zero: a negative value says by how much the drop exceeds what the film can hold, and how
    certain the breakdown is. The gap of a real calculation stops near zero, because electrons then cross the film.

    :param drop: potential drop in V, of either sign, a number or an array of any shape.
    :param intercept: gap of a film without dipole in eV.
    """
    return intercept - abs(drop)


def fit_gap_law(drop: NDArray[np.float64], gap: NDArray[np.float64]) -> LineFit:
    """Fit intercept (eV) and slope (expected: -1 eV/V) of the gap against |drop|.

    Meant for frames whose gap is open: a closed gap pins the drop and bends the line. The frames are taken to be
    independent.

    :param drop: shape (n,), V, of either sign.
    :param gap: shape (n,), eV.
    :raises ValueError: as :func:`fit_line` does.
    """
    return fit_line(np.abs(np.asarray(drop, dtype=float)), np.asarray(gap, dtype=float))

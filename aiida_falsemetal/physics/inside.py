"""The potential inside a film, from the same point charges as its dipole: what closes the gap of a thick film.

The gap closes between the molecule whose levels are highest and the one whose levels are lowest, wherever in the film
they are. In a film whose layers are polarised against each other, both may lie inside, and the drop from face to face
is smaller than what lies between them. So a frame's gap follows the *range* of the plane-averaged potential over the
molecules better than the drop: of 146 frames of a water film it explains 82 % of the open gaps' variance, where the
drop explains 66 %, and the slope is -1 by itself (docs/physics.md, "What a gap follows").

The potential solves Poisson's equation in one dimension, phi'' = -rho/eps0, for charges smeared along z by Gaussians;
in closed form each charge q adds -q g(z - z_q) / (eps0 A), where g'' is the Gaussian and g tends to |z|/2.

A molecule's own surroundings lift its level, or lower it, from the average over its plane. Taken as independent, of
Gumbel's distribution with scale ``LOCAL``, they make the expected highest level LOCAL ln sum exp(phi/LOCAL) and
the lowest one likewise (Gumbel, Statistics of Extremes (1958), chapter 5). The logarithm of the number of molecules is
taken off, so that the range of a film without any field is 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .constants import EPS0

Array = NDArray[np.float64]

WIDTH = 1.5
"""Å. Standard deviation of the Gaussian that smears a charge along z, half a layer of water; 1 to 2 serve as well."""
LOCAL = 0.2
"""V. Scale of what a molecule's surroundings add to its level: that at which the gap's slope comes out as -1."""
AT_ONCE = 64
"""Frames computed together; what is kept meanwhile is as large as this times molecules times atoms."""


def potential_range(
    heights: Array, charges: Array, molecules: Sequence[Sequence[int]], area: float, local: float = LOCAL
) -> Array:
    """Range of the plane-averaged potential over the molecules' centres, V, shape (frames,).

    :param heights: shape (frames, n), Å, along the normal; molecules whole.
    :param charges: shape (n,), e, screened (:mod:`.dipoles`).
    :param molecules: indices of the atoms of each molecule. Without any, the range is 0.
    :param area: Å^2.
    :param local: V, as ``LOCAL``; towards 0 the range becomes the largest difference between two molecules.
    """
    if not len(molecules):
        return np.zeros(len(heights))
    starts = range(0, len(heights), AT_ONCE)
    parts = [_ranges(heights[k : k + AT_ONCE], charges, molecules, area, local) for k in starts]
    return np.concatenate([np.empty(0), *parts])


def _ranges(heights: Array, charges: Array, molecules: Sequence[Sequence[int]], area: float, local: float) -> Array:
    centres = np.stack([heights[:, list(members)].mean(axis=1) for members in molecules], axis=1)
    charged = np.flatnonzero(charges)
    potential = _potential(centres, heights[:, charged], charges[charged], area) / local
    ends = special.logsumexp(potential, axis=1) + special.logsumexp(-potential, axis=1)
    return np.asarray(local * (ends - 2.0 * np.log(len(molecules))))


def _potential(places: Array, heights: Array, charges: Array, area: float) -> Array:
    """Plane-averaged potential in V at ``places``, shape (frames, places)."""
    u = (places[:, :, None] - heights[:, None, :]) / WIDTH
    # Even in u: a film that is not neutral has equal and opposite fields on its two sides.
    smeared = u * (special.ndtr(u) - 0.5) + np.exp(-0.5 * u * u) / np.sqrt(2.0 * np.pi)
    return np.asarray(-WIDTH * (smeared @ charges) / (EPS0 * area))

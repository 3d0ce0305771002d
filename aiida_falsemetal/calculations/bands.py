"""What pw.x's bands say of a film: its edges by counting electrons, the weights of the k-points."""

from __future__ import annotations

import numpy as np
from aiida import orm
from numpy.typing import NDArray

from ..physics.edges import BandEdges, band_edges


def film_edges(bands: orm.BandsData, electrons: int) -> BandEdges:
    """Edges and witness by counting electrons, from pw.x's bands."""
    energies, occupations = (np.atleast_2d(np.squeeze(values)) for values in bands.get_bands(also_occupations=True))
    return band_edges(energies, occupations, electrons, kpoint_weights(bands))


def kpoint_weights(bands: orm.BandsData) -> NDArray[np.float64]:
    """Weights of the k-points, shape (kpoints,), summing to 1; equal ones where the node has none."""
    try:
        weights = np.asarray(bands.get_kpoints(also_weights=True)[1], dtype=float)
    except AttributeError:
        weights = np.ones(len(bands.get_kpoints()))
    normalised: NDArray[np.float64] = weights / weights.sum()
    return normalised

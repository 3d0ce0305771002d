"""Band edges by counting electrons."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from aiida_falsemetal.physics.edges import band_edges

ENERGIES = np.array([-8.0, -6.0, -5.0, -1.0, 0.5])


@pytest.mark.parametrize("full", [1.0, 2.0])
def test_an_insulator(full: float) -> None:
    """Six electrons fill three states, whichever way a full state is counted."""
    edges = band_edges(ENERGIES, full * np.array([1.0, 1.0, 1.0, 0.0, 0.0]), 6)
    assert (edges.vbm, edges.cbm, edges.gap) == (-5.0, -1.0, 4.0)
    assert edges.witness == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("full", [1.0, 2.0])
def test_smearing_moves_electrons_but_not_the_edges(full: float) -> None:
    """Half of the top pair above: the count of states decides, the witness says one electron."""
    edges = band_edges(ENERGIES, full * np.array([1.0, 1.0, 0.5, 0.5, 0.0]), 6)
    assert (edges.vbm, edges.cbm) == (-5.0, -1.0)
    assert edges.witness == pytest.approx(1.0)


@pytest.mark.parametrize("gap", [0.0, 0.02, 0.2, 2.0])
def test_witness_is_what_fermi_dirac_moves(gap: float) -> None:
    """Two states at the gap's edges, Fermi level in its middle: 2 f electrons above, f = 1/(exp(gap/2kT) + 1)."""
    width = 0.0136
    energies = np.array([-20.0, -gap / 2, gap / 2, 20.0])
    edges = band_edges(energies, 2.0 * expit(-energies / width), 4)
    assert edges.gap == pytest.approx(gap)
    assert edges.witness == pytest.approx(2.0 * expit(-gap / 2 / width), abs=1e-12)


def test_order_of_the_states_does_not_matter() -> None:
    """Sorted by energy, occupations with them; a gap is never negative."""
    occupations = np.array([2.0, 2.0, 1.5, 0.5, 0.0])
    order = np.array([3, 0, 4, 2, 1])
    assert band_edges(ENERGIES[order], occupations[order], 6) == band_edges(ENERGIES, occupations, 6)


def test_edges_do_not_follow_the_occupations() -> None:
    """A metallic frame: an occupied level far above, an empty one below. Counting still gives neighbours."""
    edges = band_edges(ENERGIES, np.array([2.0, 2.0, 0.0, 0.0, 2.0]), 6)
    assert (edges.vbm, edges.cbm) == (-5.0, -1.0)
    assert edges.witness == pytest.approx(2.0)


def test_what_has_no_gap_to_count_is_refused() -> None:
    """An odd number of electrons, or no empty state."""
    with pytest.raises(ValueError, match="odd"):
        band_edges(ENERGIES, np.full(5, 1.0), 5)
    with pytest.raises(ValueError, match="nbnd"):
        band_edges(ENERGIES, np.full(5, 2.0), 10)

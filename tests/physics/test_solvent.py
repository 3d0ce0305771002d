"""The solvent's own edges among a metal's states."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_falsemetal.physics.solvent import is_metallized, solvent_counts, solvent_edges

SOLVENT = np.array([-9.0, -7.0, -5.0, -3.0, 2.0, 3.0])
"""Four occupied states, two empty ones."""
METAL = np.linspace(-8.05, 6.05, 40)


def system(tail: float = 0.0, loss: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Energies and the solvent's shares, shapes (1, states): metal states with a tail, solvent states with a loss."""
    energies = np.concatenate([SOLVENT, METAL])
    shares = np.concatenate([np.full(6, 1.0 - loss), np.full(40, tail)])
    order = np.argsort(energies)
    return energies[None, order], shares[None, order]


@pytest.mark.parametrize(("tail", "loss"), [(0.0, 0.0), (0.05, 0.0), (0.0, 0.08), (0.09, 0.09)])
def test_edges_of_a_solvent_that_keeps_to_itself(tail: float, loss: float) -> None:
    """Tails add up to almost four states here, and do not count."""
    energies, shares = system(tail, loss)
    edges = solvent_edges(energies, np.ones(1), shares, 8)
    assert (edges.vbm, edges.cbm) == (-3.0, 2.0)
    assert edges.occupied.sum() == (energies <= -3.0).sum()


@pytest.mark.parametrize("parts", [(0.5, 0.5), (0.55, 0.45), (0.3, 0.4, 0.3), (0.25, 0.25, 0.25, 0.25)])
def test_hybridized_state_counts_once(parts: tuple[float, ...]) -> None:
    """The solvent's highest state is spread over several around its energy: the edge is in the middle of them."""
    places = -3.0 + 0.2 * (np.arange(len(parts)) - 0.5 * (len(parts) - 1))
    energies = np.concatenate([SOLVENT[SOLVENT != -3.0], places, METAL])
    shares = np.concatenate([np.ones(5), np.array(parts), np.full(40, 0.03)])
    edges = solvent_edges(energies[None], np.ones(1), shares[None], 8)
    assert edges.vbm == pytest.approx(-3.0, abs=0.15)
    assert edges.cbm == 2.0


def test_solvent_that_is_metallized_is_counted_like_any() -> None:
    """A state of the conduction band below one of the valence band: edges are neighbours in its own order."""
    energies = np.array([[-9.0, -7.0, -5.0, -0.1, 0.1, 3.0, -2.0, 0.0, 1.0]])
    shares = np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    edges = solvent_edges(energies, np.ones(1), shares, 8)
    assert edges.vbm is not None and edges.cbm is not None
    assert (edges.vbm, edges.cbm) == (-0.1, 0.1)
    assert is_metallized(edges.vbm, edges.cbm, 0.0, 0.1 + 1e-9)


def test_edges_are_over_all_k_points_with_weight() -> None:
    energies, shares = system()
    shifted = np.concatenate([energies, energies + 0.4, energies - 5.0])
    edges = solvent_edges(shifted, np.array([0.5, 0.5, 0.0]), np.repeat(shares, 3, axis=0), 8)
    assert (edges.vbm, edges.cbm) == (pytest.approx(-2.6), 2.0)
    assert not edges.occupied[2].any()


def test_too_few_states() -> None:
    energies, shares = system()
    below = energies[0] < 1.0
    assert solvent_edges(energies[:, below], np.ones(1), shares[:, below], 8).cbm is None
    with pytest.raises(ValueError, match="hold 8.0 of the solvent's 20 electrons"):
        solvent_edges(energies[:, below], np.ones(1), shares[:, below], 20)
    with pytest.raises(ValueError, match="odd"):
        solvent_edges(energies, np.ones(1), shares, 7)


def test_counts_round_tails_away() -> None:
    assert solvent_counts(np.array([0.0, 0.1, 0.5, 0.9, 1.0])) == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0])


@pytest.mark.parametrize(
    ("fermi", "metallized"), [(0.0, False), (-2.9, True), (-3.1, True), (-2.5, False), (1.95, True), (3.0, True)]
)
def test_fermi_level_enters_a_band(fermi: float, metallized: bool) -> None:
    assert is_metallized(-3.0, 2.0, fermi, 0.11) is metallized
    assert is_metallized(-3.0, None, 1.0, 0.1) is False

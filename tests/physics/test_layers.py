"""States by layer: a ladder of levels on a known field gives the field back."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_falsemetal.physics.layers import (
    THERMAL,
    States,
    band_tilt,
    edge_place,
    layer_dos,
    layer_weights,
    local_edges,
    spilling,
)

WIDTH = 0.7
VALENCE = np.array([-25.0, -12.0, -9.0, -7.0])
CONDUCTION = 1.0


def ladder(field: float, layers: int = 9, distance: float = 1.4, tail: float = 0.0) -> tuple[States, np.ndarray]:
    """One molecule a layer, four occupied levels and an empty one each, all shifted by ``field`` (eV/Å) times z.

    :param tail: share of every state that sits on the next molecule.
    :return: states, and which are occupied.
    """
    heights = distance * (np.arange(layers) - 0.5 * (layers - 1))
    energies, shares, occupied = [], [], []
    for layer, height in enumerate(heights):
        for level in (*VALENCE, CONDUCTION):
            share = np.zeros(layers)
            share[layer] += 1.0 - tail
            share[(layer + 1) % layers] += tail
            energies.append(level + field * height)
            shares.append(share)
            occupied.append(level < CONDUCTION)
    states = States(np.array([energies]), np.ones(1), np.array([shares]), heights)
    return states, np.array([occupied])


def grid_of(states: States) -> np.ndarray:
    return np.linspace(states.heights[0], states.heights[-1], 45)


@pytest.mark.parametrize("field", [0.0, 0.3, -0.3, 1.2])
def test_tilt_is_the_field(field: float) -> None:
    states, occupied = ladder(field)
    grid = grid_of(states)
    found = band_tilt(grid, local_edges(states, occupied, grid, WIDTH))
    # The rim's layers lean on one neighbour only.
    assert found == pytest.approx(field, rel=0.05, abs=1e-9)


@pytest.mark.parametrize("field", [0.3, -0.3, 1.2])
def test_local_edges_follow_the_field(field: float) -> None:
    """Steps of one molecule; across the film the edges rise by the field times the distance."""
    states, occupied = ladder(field)
    grid = grid_of(states)
    edges = local_edges(states, occupied, grid, WIDTH)
    inner = slice(10, -10)
    for edge in (edges.vbm, edges.cbm):
        slope = np.polyfit(grid[inner], edge[inner], 1)[0]
        assert slope == pytest.approx(field, rel=0.1)
    # Neighbours within the width count in part, upwards for one edge, downwards for the other.
    shift = abs(field) * 2.0 * 1.4
    assert np.all(np.abs(edges.vbm - (VALENCE[-1] + field * grid)) <= shift)
    assert np.all(np.abs(edges.cbm - (CONDUCTION + field * grid)) <= shift)


def test_flat_film_has_flat_edges() -> None:
    states, occupied = ladder(0.0)
    grid = grid_of(states)
    edges = local_edges(states, occupied, grid, WIDTH)
    assert np.allclose(edges.vbm, VALENCE[-1]) and np.allclose(edges.cbm, CONDUCTION)
    assert np.allclose(edges.centre, VALENCE.mean())


def test_tails_do_not_hide_the_tilt() -> None:
    states, occupied = ladder(0.5, tail=0.03)
    grid = grid_of(states)[5:-5]
    assert band_tilt(grid, local_edges(states, occupied, grid, WIDTH)) == pytest.approx(0.5, rel=0.12)


def test_closing_gap_keeps_the_local_edges_apart() -> None:
    """One face's valence band above the other's conduction band: still the gap of each layer."""
    states, occupied = ladder(1.2)
    assert states.energies[occupied].max() > states.energies[~occupied].min()
    grid = grid_of(states)
    edges = local_edges(states, occupied, grid, WIDTH)
    assert np.all(edges.cbm - edges.vbm > 0.0)


def test_too_few_empty_states_leave_layers_without_a_conduction_edge() -> None:
    states, occupied = ladder(0.5)
    kept = occupied[0] | (states.energies[0] < CONDUCTION)
    fewer = States(states.energies[:, kept], states.weights, states.projections[:, kept], states.heights)
    grid = grid_of(states)
    edges = local_edges(fewer, occupied[:, kept], grid, WIDTH)
    assert np.isnan(edges.cbm[-5:]).all() and np.isfinite(edges.cbm[:5]).all()
    assert np.isfinite(edges.vbm).all()


def test_layers_beyond_the_film_have_no_edges() -> None:
    states, occupied = ladder(0.0)
    grid = np.array([-20.0, 0.0, 20.0])
    edges = local_edges(states, occupied, grid, WIDTH)
    assert np.isnan(edges.vbm[[0, 2]]).all() and np.isnan(edges.cbm[[0, 2]]).all()
    assert band_tilt(grid, edges) is None


@pytest.mark.parametrize("field", [0.4, -0.4])
def test_edges_sit_on_opposite_faces(field: float) -> None:
    """Electrons are higher where the field lifts them: holes there, empty states at the other face."""
    states, occupied = ladder(field)
    atoms = np.ones(len(states.heights))
    vbm, cbm = states.energies[occupied].max(), states.energies[~occupied].min()
    hole, electron = (
        edge_place(states, vbm, True, occupied, atoms),
        edge_place(states, cbm, False, ~occupied, atoms),
    )
    face = states.heights[-1]
    assert hole.height == pytest.approx(np.sign(field) * face, abs=1e-6)
    assert electron.height == pytest.approx(-np.sign(field) * face, abs=1e-6)
    assert hole.projected == pytest.approx(1.0)


def test_degenerate_states_share_the_edge() -> None:
    states, occupied = ladder(0.0)
    place = edge_place(states, VALENCE[-1], True, occupied, np.ones(9))
    assert place.height == pytest.approx(0.0, abs=1e-9)
    # kT apart: the lower one counts 1/e.
    two = States(np.array([[0.0, -THERMAL]]), np.ones(1), np.eye(2)[None], np.array([1.0, -1.0]))
    place = edge_place(two, 0.0, True, np.ones((1, 2), bool), np.ones(2))
    assert place.height == pytest.approx(np.tanh(0.5))


def test_only_chosen_atoms_count() -> None:
    states = States(np.zeros((1, 1)), np.ones(1), np.array([[[0.6, 0.2, 0.1]]]), np.array([-3.0, 1.0, 2.0]))
    place = edge_place(states, 0.0, True, np.ones((1, 1), bool), np.array([0.0, 1.0, 1.0]))
    assert place.height == pytest.approx((0.2 * 1.0 + 0.1 * 2.0) / 0.3)
    assert place.projected == pytest.approx(0.3)
    with pytest.raises(ValueError, match="no projection|has a projection"):
        edge_place(states, 0.0, True, np.zeros((1, 1), bool), np.ones(3))


def test_density_of_states_counts_states() -> None:
    """Two electrons a state, and k-points by their weights: the integral over z and E is twice the projections."""
    energies = np.array([[-1.0, 0.5], [-0.8, 0.7]])
    projections = np.full((2, 2, 2), 0.4)
    states = States(energies, np.array([0.25, 0.75]), projections, np.array([-1.0, 2.0]))
    grid, levels = np.linspace(-8, 9, 200), np.linspace(-4, 4, 400)
    dos = layer_dos(states, grid, levels, WIDTH, 0.1)
    assert dos.shape == (200, 400)
    total = np.trapezoid(np.trapezoid(dos, levels, axis=1), grid)
    assert total == pytest.approx(2 * 2 * 0.8, rel=1e-6)
    assert np.trapezoid(layer_weights(states, grid, WIDTH)[0, 0], grid) == pytest.approx(0.8)


def test_spilling_is_what_the_orbitals_miss() -> None:
    states = States(np.array([[-1.0, 0.0, 1.0]]), np.ones(1), np.array([[[0.98], [0.96], [0.3]]]), np.zeros(1))
    assert spilling(states, np.array([[True, True, False]])) == pytest.approx(0.03)


def test_shares_of_nothing_are_nothing() -> None:
    states = States(np.zeros((1, 2)), np.ones(1), np.array([[[0.3, 0.1], [0.0, 0.0]]]), np.zeros(2))
    assert states.shares.tolist() == [[[pytest.approx(0.75), pytest.approx(0.25)], [0.0, 0.0]]]


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="do not belong"):
        States(np.zeros((1, 3)), np.ones(1), np.zeros((1, 2, 4)), np.zeros(4))

"""Ice: the ice rules, the crystal's distances, no dipole, disorder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_falsemetal.interfaces.ice import OH, RECIPE, IceParameters


@settings(max_examples=15, deadline=None)
@given(bilayers=st.integers(2, 6), n=st.integers(1, 3), m=st.integers(1, 2), seed=st.integers(1, 10**6))
def test_ice_rules(bilayers: int, n: int, m: int, seed: int) -> None:
    built = RECIPE.build(IceParameters(bilayers=bilayers, repeat=(n, m), seed=seed))
    atoms, cell = built.atoms, built.atoms.cell.array
    oxygen, hydrogen = atoms.positions[::3], np.delete(atoms.positions, np.s_[::3], axis=0)
    shifts = np.array([[i, j, 0] for i in (-1, 0, 1) for j in (-1, 0, 1)]) @ cell
    images = (oxygen[None] + shifts[:, None]).reshape(-1, 3)
    for number, site in enumerate(oxygen):
        own = atoms.positions[[3 * number + 1, 3 * number + 2]] - site
        assert np.linalg.norm(own, axis=1) == pytest.approx([OH, OH], abs=1e-9)
        away = images - site
        near = np.linalg.norm(away, axis=1)
        neighbours = away[(near > 0.1) & (near < 3.0)]
        assert np.linalg.norm(neighbours, axis=1) == pytest.approx(np.full(len(neighbours), 2.76), abs=0.01)
        assert len(neighbours) in (3, 4)  # three at a face
        # Exactly one hydrogen on every bond, at OH from one end.
        for vector in neighbours:
            unit = vector / np.linalg.norm(vector)
            spots = (site + OH * unit, site + vector - OH * unit)
            count = sum(_near(hydrogen, spot, cell) for spot in spots)
            assert count == 1
    # No flux through any plane: the bond dipoles along the normal cancel exactly.
    assert np.array(built.info["charges"]) @ atoms.positions[:, 2] == pytest.approx(0.0, abs=1e-9)


def _near(points: np.ndarray, spot: np.ndarray, cell: np.ndarray) -> int:
    fractional = (points - spot) @ np.linalg.inv(cell)
    return int((np.linalg.norm((fractional - np.round(fractional)) @ cell, axis=1) < 0.05).sum())


def test_protons_are_disordered() -> None:
    """Over seeds, each bond has its hydrogen at either end about equally often (binomial error of 40 draws: 8 %)."""
    drawn = [RECIPE.build(IceParameters(bilayers=3, repeat=(2, 1), seed=seed)).atoms.positions for seed in range(1, 41)]
    first = np.stack([positions[1] - positions[0] for positions in drawn])
    # The first oxygen's first hydrogen is on its first donated bond: over the seeds several bonds are met.
    assert len(np.unique(first.round(3), axis=0)) >= 2
    lateral = np.stack(
        [(2 * positions[::3] - positions[1::3] - positions[2::3])[:, :2].sum(axis=0) for positions in drawn]
    )
    assert np.abs(lateral.mean(axis=0)).max() < 4.0 * lateral.std() / np.sqrt(len(drawn))
    assert lateral.std() > 0.1

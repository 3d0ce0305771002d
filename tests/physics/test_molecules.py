"""Finding molecules and making them whole."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aiida_falsemetal.physics.molecules import bonded_pairs, find_molecules, make_whole, minimum_image

from .conftest import water

Array = NDArray[np.float64]
Box = tuple[Array, list[str], list[list[int]], Array]


def test_minimum_image_against_all_neighbouring_cells() -> None:
    """The shortest of 125 copies, for vectors whose shortest copy is below half of the cell's smallest height."""
    rng = np.random.default_rng(0)
    cell = np.array([[8.0, 0.0, 0.0], [2.5, 9.0, 0.0], [1.0, -1.5, 12.0]])
    heights = np.linalg.det(cell) / np.array([np.linalg.norm(np.cross(cell[i - 2], cell[i - 1])) for i in range(3)])
    short = rng.normal(size=(500, 3))
    short *= (rng.uniform(0, 0.499 * heights.min(), 500) / np.linalg.norm(short, axis=1))[:, None]
    shifted = short + rng.integers(-4, 5, size=(500, 3)) @ cell
    found = minimum_image(shifted, cell)
    copies = np.array([[i, j, k] for i in range(-2, 3) for j in range(-2, 3) for k in range(-2, 3)]) @ cell
    shortest = np.linalg.norm(found[:, None, :] + copies, axis=-1).min(axis=1)
    assert np.allclose(np.linalg.norm(found, axis=1), shortest)
    assert np.allclose(found, short)


def test_finds_water_wherever_the_cell_cuts(box: Box) -> None:
    """Whole, wrapped and shuffled: the same 27 molecules."""
    positions, symbols, molecules, cell = box
    assert find_molecules(Atoms(symbols, positions, cell=cell, pbc=True)) == molecules
    wrapped = (((positions + 1.7) @ np.linalg.inv(cell)) % 1.0) @ cell
    assert find_molecules(Atoms(symbols, wrapped, cell=cell, pbc=True)) == molecules
    order = np.random.default_rng(0).permutation(len(symbols))
    shuffled = Atoms([symbols[i] for i in order], wrapped[order], cell=cell, pbc=True)
    found = {tuple(sorted(int(order[i]) for i in members)) for members in find_molecules(shuffled)}
    assert found == {tuple(members) for members in molecules}


def test_a_short_hydrogen_bond_does_not_merge_molecules() -> None:
    """A shared proton 1.05 Å from one oxygen and 1.20 Å from the other, both within bonding distance (1.21 Å)."""
    positions = np.array([[0, 0, 0], [1.05, 0, 0], [-0.3, 0.93, 0], [2.25, 0, 0], [2.55, 0.93, 0], [2.55, -0.5, 0.8]])
    symbols = ["O", "H", "H", "O", "H", "H"]
    assert bonded_pairs(positions + 3.0, symbols, np.eye(3) * 20.0) == [(0, 1), (0, 2), (3, 4), (3, 5)]


def test_hydrogens_do_not_bond_to_each_other_nor_to_a_substrate() -> None:
    """H-H at 0.7 Å is no bond here; a copper atom at 1 Å from an oxygen neither."""
    positions = np.array([[0, 0, 0], [0.7, 0, 0], [5, 5, 5], [5, 5, 6.0]], dtype=float)
    assert bonded_pairs(positions, ["H", "H", "O", "Cu"], np.eye(3) * 12.0) == []


def test_larger_molecules_and_ions() -> None:
    """Methanol (C, O, 4 H) is one molecule, a lone sodium another, a chloride a third."""
    methanol = [[0, 0, 0], [1.43, 0, 0], [1.75, 0.9, 0], [-0.36, 1.03, 0], [-0.36, -0.51, 0.89], [-0.36, -0.51, -0.89]]
    positions = np.array([*methanol, [6, 6, 6], [9, 9, 9]], dtype=float)
    atoms = Atoms("COHHHHNaCl", positions, cell=np.eye(3) * 15.0, pbc=True)
    assert find_molecules(atoms) == [[0, 1, 2, 3, 4, 5], [6], [7]]


def test_make_whole_takes_frames_and_leaves_its_argument_alone(box: Box) -> None:
    """Anchors stay, atoms come back to within a bond, leading axes are frames."""
    positions, _, molecules, cell = box
    rng = np.random.default_rng(4)
    frames = np.stack([positions, positions + 0.4])
    cut = frames + rng.integers(-2, 3, size=frames.shape) @ cell
    before = cut.copy()
    whole = make_whole(cut, molecules, cell)
    assert (cut == before).all()
    assert np.allclose(whole[:, 0::3], cut[:, 0::3])
    for k in (1, 2):
        assert np.allclose(whole[:, k::3] - whole[:, 0::3], frames[:, k::3] - frames[:, 0::3])
    assert np.allclose(make_whole(cut[1], molecules, cell), whole[1])


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.integers(-3, 3), min_size=9, max_size=9), st.floats(-20, 20))
def test_make_whole_for_any_periodic_copy(jumps: list[int], shift: float) -> None:
    """Every atom in any cell, the molecule anywhere: its shape comes back, and doing it twice changes nothing."""
    cell = np.array([[5.0, 0.0, 0.0], [1.0, 6.0, 0.0], [0.5, 0.5, 7.0]])
    molecule = water() + shift
    whole = make_whole(molecule + np.array(jumps).reshape(3, 3) @ cell, [[0, 1, 2]], cell)
    assert np.allclose(whole - whole[0], molecule - molecule[0], atol=1e-9)
    assert np.allclose(make_whole(whole, [[0, 1, 2]], cell), whole, atol=1e-9)


@pytest.mark.parametrize("molecules", [[], [[0], [1], [2]]])
def test_make_whole_without_molecules_moves_nothing(molecules: list[list[int]]) -> None:
    """Ions and substrate atoms stay where they are."""
    positions = water() + 40.0
    assert (make_whole(positions, molecules, np.eye(3) * 5.0) == positions).all()

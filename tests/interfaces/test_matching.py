"""Matching: against pymatgen's ZSL algorithm, textbook overlayers and lattices that were strained on purpose."""

from __future__ import annotations

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.interfaces.zsl import ZSLGenerator, reduce_vectors

from aiida_falsemetal.interfaces.matching import (
    cell_matrix,
    find_match,
    fitting_repeat,
    match,
    nearest_repeat,
    report,
    strained,
    supercell,
)
from aiida_falsemetal.interfaces.recipe import InterfaceError
from aiida_falsemetal.interfaces.substrates import SUBSTRATES, substrate, surface_cell

HEX = np.array([[1.0, 0.0], [-0.5, np.sqrt(0.75)]])


def lattice(name: str) -> np.ndarray:
    return surface_cell(substrate(name), 1).cell.array[:2, :2]


def cell(name: str, shape: str, n: int, m: int) -> np.ndarray:
    return np.array(cell_matrix(substrate(name).hexagonal, shape, (n, m), name)) @ lattice(name)


def zsl_strain(target: np.ndarray, other: np.ndarray) -> float:
    """Smallest larger principal strain (%) among all matches of ZSL that keep the target's area."""
    area, small = abs(np.linalg.det(target)), abs(np.linalg.det(other))
    zsl = ZSLGenerator(
        max_area_ratio_tol=0.15 * small / area, max_area=1.2 * area, max_length_tol=0.1, max_angle_tol=0.1
    )
    found = []
    wide = [np.append(vector, 0.0) for vector in target], [np.append(vector, 0.0) for vector in other]
    reduced = reduce_vectors(*wide[0])
    for one in zsl(wide[1], reduced):
        if abs(np.linalg.det(np.array(one.substrate_sl_vectors)[:, :2])) < 1.5 * area:
            deformation = np.linalg.solve(
                np.array(one.film_sl_vectors)[:, :2], np.array(one.substrate_sl_vectors)[:, :2]
            )
            found.append(np.abs(np.linalg.svd(deformation)[1] - 1.0).max() * 100.0)
    return min(found)


@pytest.mark.parametrize(
    ("first", "shape", "repeat", "second"),
    [
        ("Cu(111)", "hexagonal", (4, 4), "graphene"),
        ("Cu(111)", "hexagonal", (4, 4), "Pt(111)"),
        ("Cu(111)", "hexagonal", (2, 2), "Au(111)"),
        ("Cu(111)", "orthogonal", (5, 3), "Cu(100)"),
        ("Cu(111)", "orthogonal", (5, 3), "MgO(100)"),
        ("Pt(111)", "orthogonal", (4, 2), "TiO2(110)"),
        ("TiO2(110)", "orthogonal", (3, 1), "graphene"),
        ("NaCl(100)", "orthogonal", (3, 3), "MgO(100)"),
    ],
)
def test_strain_is_that_of_pymatgen(first: str, shape: str, repeat: tuple[int, int], second: str) -> None:
    """Both find the least strained of all supercells of the same area; ZSL compares them by their reduced cells."""
    target = cell(first, shape, *repeat)
    found = find_match(target, lattice(second))
    assert found is not None
    assert abs(found.principal[0]) == pytest.approx(zsl_strain(target, lattice(second)), abs=1e-6)


def test_textbook_overlayers_are_found() -> None:
    """A lattice sqrt(3) times as wide lies at 30° without strain, one of sqrt(7) at 19.1° or its mirror image."""
    for factor, turn in ((3.0, 30.0), (7.0, 19.1066)):
        found = find_match(np.sqrt(factor) * HEX, HEX)
        assert found is not None
        assert found.principal == pytest.approx((0.0, 0.0), abs=1e-6)
        assert abs(found.rotation) == pytest.approx(turn, abs=1e-3)
        assert np.linalg.det(found.matrix) == pytest.approx(factor)


@settings(max_examples=40, deadline=None)
@given(
    strain=st.tuples(*[st.floats(-0.02, 0.02)] * 3),
    turn=st.floats(-14.0, 14.0),
    repeat=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_a_known_strain_is_found_again(
    strain: tuple[float, float, float], turn: float, repeat: tuple[int, int]
) -> None:
    """A supercell of a lattice without symmetry, turned, then strained: both come back, in the final frame."""
    small = np.array([[3.1, 0.0], [1.27, 4.3]])
    angle = np.radians(turn)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    stretch = np.eye(2) + np.array([[strain[0], strain[2]], [strain[2], strain[1]]])
    target = np.diag(repeat) @ small @ rotation @ stretch
    found = find_match(target, small)
    assert found is not None
    assert abs(found.principal[0]) <= 100.0 * np.abs(np.linalg.eigvalsh(stretch) - 1.0).max() + 1e-6
    if np.array_equal(found.matrix, np.diag(repeat)):
        assert found.strain == pytest.approx([100.0 * part for part in strain], abs=1e-6)
        assert found.rotation == pytest.approx(turn, abs=1e-6)
    else:  # another supercell may fit better, never worse
        assert max(repeat) > 1


@pytest.mark.parametrize("second", ["graphene", "Pt(111)", "MgO(100)", "TiO2(110)"])
def test_strained_surface_fills_the_cell_with_bonds_as_reported(second: str) -> None:
    target = cell("Cu(111)", "orthogonal", 6, 4)
    small = surface_cell(substrate(second), 2)
    found = find_match(target, small.cell.array[:2, :2])
    assert found is not None
    atoms = strained(supercell(small, found.matrix), target)
    assert np.allclose(atoms.cell.array[:2, :2], target)
    assert len(atoms) == len(small) * round(np.linalg.det(found.matrix))
    bond = neighbor_list("d", small, 3.5).min()
    change = 100.0 * (neighbor_list("d", atoms, 4.0).min() / bond - 1.0)
    low, high = min(*found.principal, 0.0), max(*found.principal, 0.0)
    assert low - 1e-4 <= change <= high + 1e-4
    assert np.allclose(np.unique(atoms.positions[:, 2].round(5)), np.unique(small.positions[:, 2].round(5)))


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(sorted(SUBSTRATES)), lateral=st.tuples(st.floats(4.0, 40.0), st.floats(4.0, 40.0)))
def test_nearest_repeat_is_nearest(name: str, lateral: tuple[float, float]) -> None:
    lengths = np.linalg.norm(cell(name, "orthogonal", 1, 1), axis=1)
    repeat = nearest_repeat((lengths[0], lengths[1]), lateral)
    for target, edge, number in zip(lateral, lengths, repeat, strict=True):
        others = [max(1, number - 1), number, number + 1]
        assert min(abs(target - edge * n) for n in others) == pytest.approx(abs(target - edge * number))


def test_what_does_not_fit_is_refused_and_the_remedy_works() -> None:
    edge = cell("Cu(111)", "hexagonal", 1, 1)
    names = ("Cu(111)", "Pt(111)")
    with pytest.raises(InterfaceError, match=r"Pt\(111\) must be strained by 6\.4 % .*`repeat: \[4, 4\]`"):
        match(2 * edge, lattice("Pt(111)"), 3.0, names, edge, (2, 2))
    fitting = match(4 * edge, lattice("Pt(111)"), 3.0, names, edge, (4, 4))
    assert abs(fitting.principal[0]) < 3.0
    assert match(2 * edge, lattice("Pt(111)"), 6.5, names, edge, (2, 2)).principal[0] == pytest.approx(6.377, abs=1e-3)


def test_no_match_at_all_is_refused_too() -> None:
    edge = np.diag([2.0, 2.0])
    assert find_match(edge, np.diag([5.0, 5.0])) is None
    with pytest.raises(InterfaceError, match=r"does not fit on first with repeat \[1, 1\].*use `repeat: \[5, 5\]`"):
        match(edge, np.diag([5.0, 5.0]), 0.5, ("first", "second"), edge, (1, 1))


def test_search_for_another_cell_ends() -> None:
    """One cell of 825 Å^2 is looked at, a second one is beyond what is built."""
    assert fitting_repeat(np.diag([5.0, 7.0]), 0.001, np.diag([4.1234, 200.0])) is None


def test_report_is_plain_and_complete() -> None:
    given = cell("Cu(111)", "hexagonal", 3, 3)
    found = report("Cu(111)", "book", 3.615, "hexagonal", (3, 3), given)
    assert found["lengths"] == pytest.approx([3 * 3.615 / np.sqrt(2)] * 2)
    assert found["angle"] == pytest.approx(120.0)
    assert found["repeats"] == [3, 3] and found["strain"] == [0.0, 0.0, 0.0]
    assert all(isinstance(value, (str, float, list)) for value in found.values())

"""Packing: hexagonal cells, mixtures, obstacles; and the numbers of the liquids."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_falsemetal.interfaces.contacts import radius
from aiida_falsemetal.interfaces.liquid import check_room, make_liquid
from aiida_falsemetal.interfaces.packing import molecules_of, pack_slab
from aiida_falsemetal.interfaces.recipe import InterfaceError
from aiida_falsemetal.interfaces.solvents import SOLVENTS, solvent


def shortest_excess(packed: Atoms, members: list[list[int]], others: Atoms | None = None) -> float:
    """Smallest distance of different molecules less the contact radii, by ase's own minimum image."""
    atoms = packed.copy() if others is None else packed + others
    owner = np.full(len(atoms), -1)
    for number, molecule in enumerate(members):
        owner[molecule] = number
    radii = np.array([radius(symbol) for symbol in atoms.get_chemical_symbols()])
    excess = atoms.get_all_distances(mic=True) - radii[:, None] - radii[None, :]
    return float(excess[owner[:, None] != owner[None, :]].min())


@settings(max_examples=8, deadline=None)
@given(
    name=st.sampled_from(sorted(SOLVENTS)),
    lateral=st.floats(9.0, 14.0),
    angle=st.sampled_from([60.0, 90.0, 120.0]),
    seed=st.integers(1, 10**6),
)
def test_any_lateral_cell(name: str, lateral: float, angle: float, seed: int) -> None:
    turn = np.radians(angle)
    second = [lateral * np.cos(turn), lateral * np.sin(turn), 0] if angle != 90.0 else [0, lateral, 0]
    cell = np.array([[lateral, 0, 0], second, [0, 0, 60.0]])
    liquid = make_liquid(name, float(np.linalg.det(cell[:2, :2])), thickness=14.0)
    packed = pack_slab(cell, 20.0, 20.0 + liquid.thickness, liquid.contents, seed)
    members = molecules_of(liquid.contents)
    assert shortest_excess(packed, members) > -0.1
    assert packed.positions[:, 2].min() > 20.5
    assert packed.positions[:, 2].max() < 19.5 + liquid.thickness
    # Rigid copies: every molecule has the distances of the one it was made from.
    own = solvent(name).atoms().get_all_distances()
    for molecule in members:
        assert packed[molecule].get_all_distances() == pytest.approx(own, abs=5e-3)


def test_obstacles_are_kept_clear_of() -> None:
    obstacles = Atoms("Cu5", [[0, 0, 7], [4.5, 0, 7], [0, 4.5, 7], [4.5, 4.5, 12], [-0.5, 8.8, 15]], cell=[9, 9, 40])
    contents = [(solvent("water").atoms(), 30), (Atoms("Na"), 1), (Atoms("Cl"), 1)]
    packed = pack_slab(np.diag([9.0, 9.0, 40.0]), 8.0, 22.0, contents, 1, obstacles)
    assert packed.get_chemical_symbols() == ["O", "H", "H"] * 30 + ["Na", "Cl"]
    assert shortest_excess(packed, molecules_of(contents), obstacles) > -0.1


def test_no_room_is_one_sentence() -> None:
    with pytest.raises(InterfaceError, match="could not place 8 H2O .* use a larger lateral size or fewer molecules"):
        pack_slab(np.diag([4.0, 4.0, 40.0]), 10.0, 13.0, [(solvent("water").atoms(), 8)], 1)


@pytest.mark.parametrize(
    ("name", "dipole", "tolerance"),
    [("water", 1.57, 0.02), ("methanol", 2.64 / 1.3265**2, 1e-6), ("acetonitrile", 4.91 / 1.3416**2, 1e-6)],
)
def test_screened_dipoles(name: str, dipole: float, tolerance: float) -> None:
    """mu_liquid / eps_inf in D. PHYSICS.md says about 1.6 for water; its charges on G2's geometry give 1.57."""
    kind = solvent(name)
    moment = np.linalg.norm(np.array(kind.charges()) @ kind.atoms().positions) / units.Debye
    assert moment == pytest.approx(dipole, rel=tolerance)
    assert sum(kind.charges()) == pytest.approx(0.0, abs=1e-12)
    assert tuple(kind.atoms().get_chemical_symbols()) == kind.symbols


def test_onsager_dipole_of_acetonitrile() -> None:
    """4.91 D is the gas phase's 3.92 D in Onsager's reaction field."""
    kind = solvent("acetonitrile")
    field = (2 * kind.eps + 1) * (kind.eps_inf + 2) / (3 * (2 * kind.eps + kind.eps_inf))
    assert kind.liquid_dipole == pytest.approx(3.92 * field, abs=0.01)


def test_salt_counts() -> None:
    liquid = make_liquid("water", 100.0, molecules=55, salts={"NaCl": 1})
    # One mol in 55 mol of water, 0.991 kg.
    assert liquid.molality["NaCl"] == pytest.approx(1.0 / (55 * 18.015e-3), rel=1e-3)
    assert liquid.charges[-2:] == pytest.approx([1 / 1.78, -1 / 1.78])
    assert liquid.count == 167
    with pytest.raises(InterfaceError, match="no salt 'LiF'"):
        make_liquid("water", 100.0, molecules=55, salts={"LiF": 1})


def test_narrow_cells_are_refused() -> None:
    with pytest.raises(InterfaceError, match=r"5\.0 Å wide, a molecule of acetonitrile needs"):
        check_room(np.diag([5.0, 20.0]), make_liquid("acetonitrile", 100.0, thickness=20.0))
    with pytest.raises(InterfaceError, match="use more molecules"):
        check_room(np.diag([20.0, 20.0]), make_liquid("water", 400.0, molecules=10))

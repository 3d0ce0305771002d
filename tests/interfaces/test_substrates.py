"""Substrates against crystallography: spacings, neighbours, stoichiometry, symmetry and no two atoms in one place."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.data import reference_states
from ase.neighborlist import neighbor_list

from aiida_falsemetal.interfaces.matching import cell_matrix, supercell
from aiida_falsemetal.interfaces.recipe import InterfaceError
from aiida_falsemetal.interfaces.substrates import (
    KINDS,
    SUBSTRATES,
    contact_distance,
    kpoint_mesh,
    layer_indices,
    substrate,
    surface_cell,
)

NAMES = sorted(SUBSTRATES)
ROOT2, ROOT3 = np.sqrt(2.0), np.sqrt(3.0)

# Distance between layers, area of the smallest cell, shortest bond; each from a and c by geometry alone.
THEORY = {
    "fcc111": lambda e: (e.a / ROOT3, ROOT3 / 4.0 * e.a**2, e.a / ROOT2),
    "fcc100": lambda e: (e.a / 2.0, e.a**2 / 2.0, e.a / ROOT2),
    "rocksalt100": lambda e: (e.a / 2.0, e.a**2 / 2.0, e.a / 2.0),
    "honeycomb": lambda e: (e.c, ROOT3 / 2.0 * e.a**2, e.a / ROOT3),
    # Ti-O: four at the equator, two at the apex sqrt(2) u a; the shorter is the equator's.
    "rutile110": lambda e: (e.a / ROOT2, ROOT2 * e.a * e.c, np.hypot((1.0 - 2.0 * e.u) * e.a / ROOT2, e.c / 2.0)),
}
# Neighbours within 1.15 times the shortest bond, in the bulk: 12 in fcc, 6 in rock salt, 3 in a sheet; in rutile 6
# around Ti and 3 around O (the apical bond is 2 % longer).
COORDINATION = {
    "fcc111": {12},
    "fcc100": {12},
    "rocksalt100": {6},
    "honeycomb": {3},
    "rutile110": {6, 3},
}
# Of an atom in the outermost layer: nine on fcc(111), eight on fcc(100), five on rock salt. On rutile(110) one Ti keeps
# six and one has five; of the four O two are whole in the plane, one bridges two Ti and the one below has three.
OUTERMOST = {"fcc111": {9: 1}, "fcc100": {8: 1}, "rocksalt100": {5: 2}, "rutile110": {6: 1, 5: 1, 3: 3, 2: 1}}


def bulk_like(atoms: Atoms, bond: float) -> np.ndarray:
    """Neighbours of each atom, across the cell's lateral edges."""
    atoms = atoms.copy()
    atoms.pbc = (True, True, False)
    return np.bincount(neighbor_list("i", atoms, 1.15 * bond), minlength=len(atoms))


def test_every_kind_has_an_entry() -> None:
    assert {entry.kind for entry in SUBSTRATES.values()} == set(KINDS)


@pytest.mark.parametrize("name", NAMES)
def test_geometry_is_that_of_the_crystal(name: str) -> None:
    entry = substrate(name)
    atoms = surface_cell(entry, 5)
    spacing, area, bond = THEORY[entry.kind](entry)
    middles = [atoms.positions[layer, 2].mean() for layer in layer_indices(len(atoms), 5)]
    assert np.diff(middles) == pytest.approx(spacing, abs=1e-6)
    assert np.linalg.det(atoms.cell.array[:2, :2]) == pytest.approx(area, rel=1e-9)  # positive: right-handed
    assert atoms.cell.angles()[2] == pytest.approx(120.0 if entry.hexagonal else 90.0)
    assert atoms.positions[:, 2].min() == 0.0
    shortest = neighbor_list("d", atoms, 1.15 * bond).min()
    assert shortest == pytest.approx(bond, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_atoms_have_the_neighbours_of_bulk_and_surface(name: str) -> None:
    entry = substrate(name)
    atoms = surface_cell(entry, 5)
    neighbours = bulk_like(atoms, THEORY[entry.kind](entry)[2])
    layers = layer_indices(len(atoms), 5)
    assert set(neighbours[layers[2]]) == COORDINATION[entry.kind]
    if entry.kind in OUTERMOST:
        assert Counter(neighbours[layers[-1]].tolist()) == OUTERMOST[entry.kind]
        assert Counter(neighbours[layers[0]].tolist()) == OUTERMOST[entry.kind]
    if len(entry.species) == 2 and entry.kind != "honeycomb":
        nearest = neighbor_list("ij", atoms, 1.15 * THEORY[entry.kind](entry)[2])
        symbols = np.array(atoms.get_chemical_symbols())
        assert np.all(symbols[nearest[0]] != symbols[nearest[1]])  # ions of one sign are no neighbours


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_every_layer_is_stoichiometric_and_the_slab_has_no_dipole(name: str, layers: int) -> None:
    entry = substrate(name)
    atoms = surface_cell(entry, layers)
    cation, anion = entry.species[0], entry.species[-1]
    ratio = 2 if entry.kind == "rutile110" else 1
    symbols = np.array(atoms.get_chemical_symbols())
    for layer in layer_indices(len(atoms), layers):
        found = Counter(symbols[layer].tolist())
        if cation == anion:
            assert set(found) == {cation}
        else:
            assert found[anion] == ratio * found[cation]
    charges = np.where(symbols == cation, float(ratio), -1.0) if cation != anion else np.zeros(len(atoms))
    assert charges @ atoms.positions[:, 2] == pytest.approx(0.0, abs=1e-6)


def test_honeycombs_are_stacked_as_in_the_crystal() -> None:
    """AB: half of the atoms lie above another; AA': all do, each above the other kind."""
    for name, share in (("graphene", 0.5), ("h-BN", 1.0)):
        entry = substrate(name)
        atoms = surface_cell(entry, 2)
        lower, upper = layer_indices(len(atoms), 2)
        delta = atoms.get_scaled_positions()[upper][:, None, :2] - atoms.get_scaled_positions()[lower][None, :, :2]
        above = np.all(np.abs(delta - np.round(delta)) < 1e-6, axis=2)
        assert above.any(axis=1).mean() == share
        if name == "h-BN":
            symbols = np.array(atoms.get_chemical_symbols())
            i, j = np.nonzero(above)
            assert np.all(symbols[upper][i] != symbols[lower][j])


@pytest.mark.parametrize("name", [name for name in NAMES if substrate(name).kind.startswith("fcc")])
def test_lattice_constants_agree_with_another_table(name: str) -> None:
    """ase's, of Ashcroft and Mermin, has two digits: 0.005 Å, and as much for temperature."""
    entry = substrate(name)
    number = surface_cell(entry, 1).numbers[0]
    assert entry.a == pytest.approx(reference_states[number]["a"], abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_lattice_constant_can_be_given(name: str) -> None:
    entry = substrate(name)
    plain, wide = surface_cell(entry, 3), surface_cell(entry, 3, 1.02 * entry.a)
    assert wide.cell.lengths()[:2] == pytest.approx(1.02 * plain.cell.lengths()[:2])
    height = 1.0 if entry.kind == "honeycomb" else 1.02
    assert wide.positions[:, 2] == pytest.approx(height * plain.positions[:, 2], abs=1e-6)


@pytest.mark.parametrize("shape", ["orthogonal", "hexagonal"])
@pytest.mark.parametrize("name", NAMES)
def test_supercells_have_every_atom_once(name: str, shape: str) -> None:
    entry = substrate(name)
    small = surface_cell(entry, 3)
    if shape == "hexagonal" and not entry.hexagonal:
        with pytest.raises(InterfaceError, match="cell: orthogonal"):
            cell_matrix(entry.hexagonal, shape, (2, 3), name)
        return
    matrix = cell_matrix(entry.hexagonal, shape, (2, 3), name)
    atoms = supercell(small, matrix)
    assert atoms.cell.angles()[2] == pytest.approx(120.0 if shape == "hexagonal" else 90.0)
    assert len(atoms) == len(small) * abs(round(np.linalg.det(matrix)))
    bond = THEORY[entry.kind](entry)[2]
    # neighbor_list counts periodic copies too, also an atom's own.
    assert neighbor_list("d", atoms, 1.15 * bond).min() == pytest.approx(bond, abs=1e-6)
    assert Counter(bulk_like(atoms, bond)) == {
        number: count * len(atoms) // len(small) for number, count in Counter(bulk_like(small, bond)).items()
    }
    assert np.all(np.diff(atoms.positions[:, 2]) > -1e-5)
    lateral = atoms.get_scaled_positions(wrap=False)[:, :2]
    assert np.all((lateral > -1e-9) & (lateral < 1.0))


def test_contact_is_the_sum_of_bondi_radii() -> None:
    assert contact_distance(surface_cell(substrate("graphene"), 1), {"O"}) == pytest.approx(1.70 + 1.52)
    assert contact_distance(surface_cell(substrate("Cu(111)"), 3), {"O"}) == pytest.approx(1.40 + 1.52)
    # Only the outermost plane counts: bridging oxygen, not the titanium below, which has no radius in the table.
    assert contact_distance(surface_cell(substrate("TiO2(110)"), 2), {"C", "N"}) == pytest.approx(1.52 + 1.55)


def test_kpoints_of_metals_follow_the_spacing() -> None:
    small = supercell(surface_cell(substrate("Cu(111)"), 3), ((2, 0), (0, 2))).cell.array
    # b = 2 pi / (2 a/sqrt(2) sin 60°) = 1.419 1/Å; over 0.25 that is 5.7.
    assert kpoint_mesh(small, metal=True) == [6, 6, 1]
    wide = supercell(surface_cell(substrate("Cu(111)"), 3), cell_matrix(True, "orthogonal", (5, 3), "")).cell.array
    assert kpoint_mesh(wide, metal=True) == [2, 2, 1]
    assert kpoint_mesh(small, metal=True, spacing=0.9) == [2, 2, 1]
    assert kpoint_mesh(small, metal=False, spacing=0.9) == [1, 1, 1]


def test_unknown_substrate_is_refused_with_the_names() -> None:
    with pytest.raises(InterfaceError, match=r"no substrate 'Ag\(111\)'.*Cu\(111\)"):
        substrate("Ag(111)")

"""Films on substrates: held layers, contact, density, vacuum, no overlap across any edge, and what info says of it."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from aiida_falsemetal.interfaces.adsorbed import AdsorbedParameters, AdsorbedRecipe
from aiida_falsemetal.interfaces.measure import OVERLAP, problems
from aiida_falsemetal.interfaces.recipe import BuiltInterface, InterfaceError
from aiida_falsemetal.interfaces.solvents import salt, solvent
from aiida_falsemetal.interfaces.substrates import SUBSTRATES, substrate

RECIPE = AdsorbedRecipe()
EXAMPLES = AdsorbedRecipe.examples()
SHORTEST = {"rocksalt100": 0.5, "rutile110": 0.42, "honeycomb": 1.0 / np.sqrt(3.0)}
"""Shortest bond over the lattice constant; 1/sqrt(2) in fcc. Rutile's is 1.948/4.594."""

SLACK = OVERLAP + 0.01
"""Å by which packing may miss a wall or a contact, see ``measure``."""


def built(given: dict) -> tuple[AdsorbedParameters, BuiltInterface]:
    parameters = AdsorbedParameters(**given)
    return parameters, RECIPE.build(parameters)


@cache
def example(number: int) -> tuple[AdsorbedParameters, BuiltInterface]:
    return built(EXAMPLES[number])


def owners(atoms: Atoms, info: dict) -> np.ndarray:
    """The molecule of each atom; the substrate is -1."""
    owner = np.full(len(atoms), -1)
    for number, members in enumerate(info["molecules"]):
        owner[members] = number
    return owner


def contacts(atoms: Atoms, info: dict, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of atoms of different molecules or of molecule and substrate, every periodic copy counted, also a
    molecule's own; both indices and the distance."""
    i, j, d, shift = neighbor_list("ijdS", atoms, cutoff)
    owner = owners(atoms, info)
    foreign = (owner[i] != owner[j]) | ((owner[i] >= 0) & np.any(shift != 0, axis=1))
    return i[foreign], j[foreign], d[foreign]


EVERY = pytest.mark.parametrize(
    "number",
    range(len(EXAMPLES)),
    ids=[f"{given['substrate']}-{given.get('cell', 'orthogonal')}" for given in EXAMPLES],
)


@EVERY
def test_film_on_a_substrate_is_what_was_asked_for(number: int) -> None:
    parameters, interface = example(number)
    atoms, info = interface.atoms, interface.info
    kind = solvent(parameters.solvent)
    below, liquid = info["substrate_indices"], info["solvent_indices"]
    assert below == list(range(len(below))) and liquid == list(range(len(below), len(atoms)))
    assert len(atoms) == RECIPE.size(parameters)
    assert set(atoms.get_chemical_symbols()) == RECIPE.elements(parameters)
    pairs = sum((parameters.salt or {}).values())
    molecules = len(info["molecules"]) - 2 * pairs
    expected = [*kind.symbols] * molecules + [ion for name in parameters.salt or {} for ion in salt(name).ions]
    assert atoms[liquid].get_chemical_symbols() == expected
    assert sorted(index for members in info["molecules"] for index in members) == liquid
    # Cell: third vector along z, everything inside along z, the vacuum as wide as asked for.
    cell, z = atoms.cell.array, atoms.positions[:, 2]
    assert np.allclose(cell[2, :2], 0.0) and np.allclose(cell[:2, 2], 0.0)
    assert z.min() > 0.0 and z.max() < cell[2, 2]
    vacuum = cell[2, 2] - np.ptp(z)
    assert parameters.vacuum - 1e-6 <= vacuum <= parameters.vacuum + 3.0  # the film's surface is not flat
    # The film: on top of the substrate, no closer than the gap, of the liquid's density.
    assert z[liquid].min() >= z[below].max() + info["gaps"][0] - SLACK
    area = np.linalg.norm(np.cross(cell[0], cell[1]))
    assert info["area"] == pytest.approx(area)
    volume = molecules * kind.volume + sum(n * salt(name).volume for name, n in (parameters.salt or {}).items())
    assert info["thickness"] == pytest.approx(volume / area)
    # Half a contact on both sides belongs to the film's nominal volume, as at a free surface.
    assert np.ptp(z[liquid]) <= info["thickness"] - 2.0 + 2.0 * SLACK
    assert not len(contacts(atoms, info, 1.6 - SLACK)[2])  # 1.6 Å is twice hydrogen's radius, the smallest
    assert problems(interface) == []


@EVERY
def test_substrate_is_whole_and_its_bottom_is_held(number: int) -> None:
    parameters, interface = example(number)
    atoms, info = interface.atoms, interface.info
    entry = substrate(parameters.substrate)
    plate = atoms[info["substrate_indices"]]
    bond = SHORTEST.get(entry.kind, 1.0 / np.sqrt(2.0)) * entry.a
    assert neighbor_list("d", plate, 2.0 * bond).min() == pytest.approx(bond, rel=0.01)
    layers = parameters.layers or entry.layers
    held = (layers + 1) // 2 if parameters.fixed_layers is None else parameters.fixed_layers
    assert len(info["fixed_indices"]) == held * len(plate) // layers
    free = sorted(set(info["substrate_indices"]) - set(info["fixed_indices"]))
    if free and held:
        assert plate.positions[info["fixed_indices"], 2].max() < plate.positions[free, 2].min() - 0.3
    assert RECIPE.has_metal(parameters) == entry.metal
    assert info.get("metal_indices", []) == (info["substrate_indices"] if entry.metal else [])
    assert all(charge == 0.0 for charge in info["charges"][: len(plate)])
    assert sum(info["charges"]) == pytest.approx(0.0, abs=1e-9)
    assert len(info["charges"]) == len(atoms)
    assert info["kpoints"][2] == 1 and (entry.metal or info["kpoints"] == [1, 1, 1])
    lengths = atoms.cell.lengths()
    assert info["lattice"]["lengths"] == pytest.approx(lengths[:2].tolist())
    assert info["lattice"]["angle"] == pytest.approx(atoms.cell.angles()[2])
    assert info["lattice"]["source"] == entry.source
    assert json.loads(json.dumps(info)) == info  # plain Python: it becomes a node


def test_every_substrate_and_both_cells_are_among_the_examples() -> None:
    assert {given["substrate"] for given in EXAMPLES} == set(SUBSTRATES)
    assert {given.get("cell", "orthogonal") for given in EXAMPLES} == {"orthogonal", "hexagonal"}


def test_the_papers_copper_has_four_layers_of_thirty() -> None:
    parameters = AdsorbedParameters(substrate="Cu(111)", repeat=(5, 3), thickness=32.0)
    interface = RECIPE.build(parameters)
    info = interface.info
    copper = interface.atoms[info["metal_indices"]]
    heights, counts = np.unique(copper.positions[:, 2].round(3), return_counts=True)
    assert counts.tolist() == [30, 30, 30, 30]
    assert np.diff(heights) == pytest.approx(3.615 / np.sqrt(3.0), abs=2e-3)
    assert info["lattice"]["lengths"] == pytest.approx([12.781, 13.282], abs=1e-3)
    assert info["kpoints"] == [2, 2, 1]
    assert info["thickness"] == pytest.approx(32.0, abs=0.1)
    assert len(info["fixed_indices"]) == 60
    # Packed atoms keep 1 Å from the nominal faces: in between, the liquid is denser by d/(d - 2). 10 % for the noise of
    # about 110 molecules in 20 Å and the layers that the faces make.
    oxygen = interface.atoms.positions[info["solvent_indices"][::3], 2]
    middle = oxygen.min() + 0.5 * np.ptp(oxygen)
    inside = np.sum(np.abs(oxygen - middle) < 10.0) / (20.0 * info["area"])
    dense = info["thickness"] / (info["thickness"] - 2.0)
    assert inside * solvent("water").volume == pytest.approx(dense, rel=0.1)


# Without shrinking, which would pack for minutes.
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
@given(
    name=st.sampled_from(["Cu(111)", "graphene", "MgO(100)", "TiO2(110)"]),
    size=st.tuples(st.floats(7.0, 13.0), st.floats(7.0, 13.0)),
    thickness=st.floats(7.0, 14.0),
    gap=st.floats(2.0, 4.0),
    vacuum=st.floats(10.0, 30.0),
    seed=st.integers(1, 10**6),
)
def test_any_size_has_the_liquids_density_and_no_overlap(
    name: str, size: tuple[float, float], thickness: float, gap: float, vacuum: float, seed: int
) -> None:
    parameters, interface = built(
        {
            "substrate": name,
            "layers": 2,
            "lateral": size,
            "thickness": thickness,
            "gap": gap,
            "vacuum": vacuum,
            "seed": seed,
        }
    )
    atoms, info = interface.atoms, interface.info
    # A whole number of molecules: off by half a molecule at most.
    assert abs(info["thickness"] - thickness) <= 0.5 * solvent("water").volume / info["area"] + 1e-9
    z = atoms.positions[:, 2]
    assert z[info["solvent_indices"]].min() - z[info["substrate_indices"]].max() >= gap - SLACK
    assert atoms.cell[2, 2] - np.ptp(z) >= vacuum - 1e-6
    assert not len(contacts(atoms, info, 1.6 - SLACK)[2])
    lattice = info["lattice"]
    for target, found, repeat in zip(size, lattice["lengths"], lattice["repeats"], strict=True):
        assert abs(found - target) <= 0.5 * found / repeat + 1e-6


def test_same_parameters_give_the_same_atoms() -> None:
    given = {"substrate": "Cu(111)", "cell": "hexagonal", "repeat": [3, 3], "layers": 3, "molecules": 10, "seed": 5}
    first, second = (built(given)[1] for _ in range(2))
    assert np.array_equal(first.atoms.positions, second.atoms.positions) and first.info == second.info
    other = built({**given, "seed": 6})[1]
    below = first.info["substrate_indices"]
    assert np.array_equal(first.atoms.positions[below], other.atoms.positions[below])
    assert not np.allclose(first.atoms.positions, other.atoms.positions)


GOOD = {"substrate": "Cu(111)", "repeat": [3, 2], "molecules": 16}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"substrate": "Ag(111)"}, r"there is no substrate 'Ag\(111\)'; substrates: .*Cu\(111\)"),
        ({"lateral": 9.0}, "`repeat` or by `lateral`; give exactly one"),
        ({"repeat": None}, "`repeat` or by `lateral`; give exactly one"),
        ({"thickness": 10.0}, "`molecules` or by `thickness`; give exactly one"),
        ({"molecules": None}, "`molecules` or by `thickness`; give exactly one"),
        ({"substrate": "MgO(100)", "cell": "hexagonal"}, r"MgO\(100\) has no hexagonal cell; use `cell: orthogonal`"),
        ({"fixed_layers": 5}, "fixed_layers 5 is more than the 4 layers there are; lower it"),
        ({"vacuum": 5.0}, "vacuum"),
        ({"repeat": [0, 2]}, "repeat"),
        ({"lattice_constant": 0.3}, "lattice_constant"),
        ({"colour": "blue"}, "colour"),
        ({"solvent": "mercury"}, "mercury"),
    ],
)
def test_bad_parameters_are_refused_with_a_remedy(change: dict, message: str) -> None:
    given = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(ValidationError, match=message):
        AdsorbedParameters(**given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"repeat": [1, 1]}, r"the cell is 2\.6 Å wide, a molecule of water needs 3\.5 Å; use a larger"),
        ({"molecules": 1}, "use more molecules"),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_remedy(change: dict, message: str) -> None:
    with pytest.raises(InterfaceError, match=message):
        RECIPE.build(AdsorbedParameters(**{**GOOD, **change}))


def test_lattice_constant_of_the_recipe_is_used_and_named() -> None:
    info = built({**GOOD, "lattice_constant": 3.66, "layers": 2})[1].info
    assert info["lattice"]["lengths"][0] == pytest.approx(3 * 3.66 / np.sqrt(2.0))
    assert info["lattice"]["source"] == "given in the recipe"

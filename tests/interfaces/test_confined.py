"""Liquids between plates: alike and different, matched, mirrored, held outside, and apart from their images."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from pydantic import ValidationError

from aiida_falsemetal.interfaces.confined import ConfinedParameters, ConfinedRecipe, mirrored
from aiida_falsemetal.interfaces.measure import OVERLAP, problems
from aiida_falsemetal.interfaces.recipe import BuiltInterface, InterfaceError
from aiida_falsemetal.interfaces.solvents import solvent
from aiida_falsemetal.interfaces.substrates import substrate, surface_cell
from aiida_falsemetal.physics.expected import pair_width

RECIPE = ConfinedRecipe()
EXAMPLES = ConfinedRecipe.examples()
SLACK = OVERLAP + 0.01
"""Å by which packing may miss a wall or a contact, see ``measure``."""


def built(given: dict) -> tuple[ConfinedParameters, BuiltInterface]:
    parameters = ConfinedParameters(**given)
    return parameters, RECIPE.build(parameters)


@pytest.mark.parametrize(
    "given", EXAMPLES, ids=lambda given: f"{given['substrate']}-{given.get('second', given['substrate'])}"
)
def test_liquid_lies_between_two_plates(given: dict) -> None:
    parameters, interface = built(given)
    atoms, info = interface.atoms, interface.info
    kind = solvent(parameters.solvent)
    plates, liquid = info["substrate_indices"], info["solvent_indices"]
    assert len(atoms) == RECIPE.size(parameters) and sorted(plates + liquid) == list(range(len(atoms)))
    assert set(atoms.get_chemical_symbols()) == RECIPE.elements(parameters)
    z = atoms.positions[:, 2]
    lower = [index for index in plates if z[index] < z[liquid].min()]
    upper = [index for index in plates if z[index] > z[liquid].max()]
    assert sorted(lower + upper) == plates and lower and upper
    assert z[liquid].min() - z[lower].max() >= info["gaps"][0] - SLACK
    assert z[upper].min() - z[liquid].max() >= info["gaps"][1] - SLACK
    # The plates are as far apart as the liquid's nominal thickness, less its margins, and the two contacts.
    distance = z[upper].min() - z[lower].max()
    assert distance == pytest.approx(info["thickness"] - 2.0 + sum(info["gaps"]), abs=1e-6)
    assert info["thickness"] * info["area"] == pytest.approx(len(info["molecules"]) * kind.volume)
    assert atoms.cell[2, 2] - np.ptp(z) == pytest.approx(parameters.vacuum)
    # Held are the layers that are furthest from the liquid, on both sides.
    held = info["fixed_indices"]
    assert min(z[lower]) in z[held] and max(z[upper]) in z[held]
    below, above = (set(held) & set(lower)), (set(held) & set(upper))
    assert not set(lower) - below or z[sorted(below)].max() < z[sorted(set(lower) - below)].min()
    assert not set(upper) - above or z[sorted(above)].min() > z[sorted(set(upper) - above)].max()
    owner = np.full(len(atoms), -1)
    for number, members in enumerate(info["molecules"]):
        owner[members] = number
    i, j, shift = neighbor_list("ijS", atoms, 1.6 - SLACK)
    assert not np.any((owner[i] != owner[j]) | ((owner[i] >= 0) & np.any(shift != 0, axis=1)))
    assert problems(interface) == [] and json.loads(json.dumps(info)) == info
    assert RECIPE.has_metal(parameters) == ("metal_indices" in info)
    assert sum(info["charges"]) == pytest.approx(0.0, abs=1e-9) and len(info["charges"]) == len(atoms)


def test_equal_plates_are_mirror_images_without_strain() -> None:
    _, interface = built({"substrate": "TiO2(110)", "layers": 2, "repeat": [3, 1], "molecules": 20})
    info, atoms = interface.info, interface.atoms
    assert info["lattice"]["second"]["strain"] == pytest.approx([0.0, 0.0, 0.0])
    half = len(info["substrate_indices"]) // 2
    lower, upper = atoms.positions[:half], atoms.positions[half : 2 * half]
    assert lower[:, 2].max() - lower[:, 2][::-1] == pytest.approx(upper[:, 2] - upper[:, 2].min(), abs=1e-6)
    symbols = atoms.get_chemical_symbols()
    assert symbols[:half] == symbols[half : 2 * half][::-1]
    assert "metal_indices" not in info and info["kpoints"] == [1, 1, 1]


def test_second_plate_is_matched_and_reported() -> None:
    """h-BN on 4 x 4 Cu(111): one to one, stretched by 2.556/2.504 - 1 = 2.084 %."""
    given = {
        "substrate": "Cu(111)",
        "layers": 3,
        "cell": "hexagonal",
        "repeat": [4, 4],
        "second": "h-BN",
        "molecules": 25,
    }
    _, interface = built(given)
    info, atoms = interface.info, interface.atoms
    second = info["lattice"]["second"]
    strain = 100.0 * (3.615 / np.sqrt(2.0) / 2.504 - 1.0)
    assert second["substrate"] == "h-BN" and second["strain"] == pytest.approx([strain, strain, 0.0], abs=1e-6)
    assert info["lattice"]["strain"] == [0.0, 0.0, 0.0]
    sheet = atoms[[index for index in info["substrate_indices"] if atoms.symbols[index] != "Cu"]]
    assert sheet.get_chemical_formula() == "B16N16"
    bonds = neighbor_list("d", sheet, 1.8)
    assert bonds == pytest.approx(1.02084 * 2.504 / np.sqrt(3.0), abs=1e-4) and len(bonds) == 3 * len(sheet)
    assert info["metal_indices"] == [index for index, symbol in enumerate(atoms.symbols) if symbol == "Cu"]


def test_what_does_not_match_is_refused_with_a_cell_that_does() -> None:
    given = {"substrate": "Cu(111)", "layers": 2, "cell": "hexagonal", "second": "Pt(111)", "molecules": 10}
    with pytest.raises(InterfaceError, match=r"Pt\(111\) must be strained by 6\.4 % .*use `repeat: \[4, 4\]`"):
        RECIPE.build(ConfinedParameters(**given, repeat=(2, 2)))
    with pytest.raises(InterfaceError, match="or a larger max_strain"):
        RECIPE.size(ConfinedParameters(**given, repeat=(2, 2)))
    info = RECIPE.build(ConfinedParameters(**{**given, "molecules": 30}, repeat=(4, 4))).info
    assert abs(info["lattice"]["second"]["principal_strain"][0]) < 3.0


def test_vacuum_outside_is_required() -> None:
    with pytest.raises(ValidationError, match="vacuum"):
        ConfinedParameters(substrate="graphene", repeat=(4, 2), molecules=20, vacuum=0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"second": "Ag(111)"}, "there is no substrate"),
        ({"second": "h-BN", "fixed_layers": 2}, "more than the second plate's 1; lower it"),
    ],
)
def test_bad_parameters_are_refused_with_a_remedy(change: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ConfinedParameters(**{"substrate": "Cu(111)", "repeat": (3, 2), "molecules": 20, **change})


def test_same_parameters_give_the_same_atoms() -> None:
    first, second = (built(EXAMPLES[0])[1] for _ in range(2))
    assert np.array_equal(first.atoms.positions, second.atoms.positions) and first.info == second.info


def test_mirrored_keeps_distances() -> None:
    plate = surface_cell(substrate("Cu(111)"), 4)
    turned = mirrored(plate)
    assert np.all(np.diff(turned.positions[:, 2]) > 0) and turned.positions[0, 2] == 0.0
    ours, theirs = (np.sort(neighbor_list("d", atoms, 4.0)) for atoms in (plate, turned))
    assert np.allclose(ours, theirs)


def test_two_metals_and_one() -> None:
    """Between two metals the dipole is short-circuited, and no width is expected; with one it is a film on a metal."""
    given = {"substrate": "Cu(111)", "layers": 3, "cell": "hexagonal", "repeat": (4, 4), "molecules": 25}
    both, one = (RECIPE.build(ConfinedParameters(**given, **more)).info for more in ({}, {"second": "h-BN"}))
    layer = 3.615 / 3**0.5
    assert (both["between_metals"], one["between_metals"]) == (True, False)
    assert both["metal_thickness"] == pytest.approx(2 * one["metal_thickness"]) == pytest.approx(4 * layer, rel=2e-3)
    assert pair_width(both, None, 300.0).ratio is None
    assert pair_width(one, {"boundary": "isolated"}, 300.0).ratio == pytest.approx(1 / 1.78 - 1 / 78)
    # Of an older version, which did not say so.
    assert pair_width({key: both[key] for key in both if key != "between_metals"}, None, 300.0).ratio is None

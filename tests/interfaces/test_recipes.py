"""Every recipe there is, at the sizes of its examples and at drawn ones: a new one is tested by being there."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from aiida_falsemetal.interfaces.measure import OVERLAP, problems
from aiida_falsemetal.interfaces.packing import TOLERANCE
from aiida_falsemetal.interfaces.recipe import BuiltInterface, InterfaceError, Recipe, StructureRecipe
from aiida_falsemetal.interfaces.registry import (
    build_recipe,
    recipe_elements,
    recipe_has_metal,
    recipe_size,
    recipes,
    takes_structure,
)
from aiida_falsemetal.interfaces.solvents import AVOGADRO, SALTS, SOLVENTS, by_formula
from aiida_falsemetal.physics.molecules import find_molecules, make_whole

Case = tuple[str, dict[str, Any], Atoms | None]


def cases(recipe: Recipe) -> list[Case]:
    """Parameters of a recipe's examples, and the structures they are for."""
    examples = recipe.examples()
    atoms: list[Atoms | None] = [None] * len(examples)
    if isinstance(recipe, StructureRecipe):
        atoms = list(recipe.structures())
    return [(recipe.name, given, each) for given, each in zip(examples, atoms, strict=True)]


CASES = [
    pytest.param(case, id=f"{name}-{number}")
    for name, recipe in recipes().items()
    for number, case in enumerate(cases(recipe))
]

COUNT, SEED = st.integers(1, 3), st.integers(1, 10**6)
LIQUID = st.fixed_dictionaries(
    {"solvent": st.sampled_from(sorted(SOLVENTS)), "thickness": st.floats(8.0, 14.0), "seed": SEED},
    optional={"salt": st.just({"NaCl": 1}), "vacuum": st.floats(10.0, 40.0)},
)
EDGE = st.floats(8.5, 12.0)
SIZE = st.one_of(
    st.fixed_dictionaries({"lateral": st.tuples(EDGE, EDGE)}),
    st.fixed_dictionaries({"repeat": st.tuples(st.integers(3, 4), st.integers(3, 4))}),
)
FLAT = st.sampled_from(["Cu(111)", "Cu(100)", "graphene", "h-BN", "NaCl(100)", "MgO(100)"])
PLATE = st.fixed_dictionaries({"substrate": FLAT, "layers": st.integers(1, 3)})


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda drawn: {key: item for part in drawn for key, item in part.items()})


DRAWN: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "film": merged(LIQUID, st.fixed_dictionaries({"lateral": st.tuples(EDGE, EDGE)})),
    "ice": st.fixed_dictionaries(
        {"bilayers": st.integers(2, 5), "repeat": st.tuples(st.integers(2, 3), COUNT), "seed": SEED}
    ),
    "adsorbed": merged(LIQUID, PLATE, SIZE),
    "confined": merged(LIQUID, PLATE, SIZE),
    # The structures are its own; the sizes are not those of the examples.
    "file": merged(LIQUID, st.fixed_dictionaries({"repeat": st.tuples(st.integers(3, 4), st.integers(3, 4))})),
}


def plain(given: dict[str, Any]) -> dict[str, Any]:
    """Parameters as a campaign keeps them."""
    return dict(json.loads(json.dumps(given)))


@cache
def _built(name: str, given: str, number: int | None) -> BuiltInterface:
    recipe = recipes()[name]
    atoms = recipe.structures()[number] if isinstance(recipe, StructureRecipe) and number is not None else None
    return build_recipe(name, json.loads(given), atoms)


def built(case: Case) -> BuiltInterface:
    """An example's interface, built once."""
    name, given, atoms = case
    number = None if atoms is None else recipes()[name].examples().index(given)
    return _built(name, json.dumps(given), number)


def free_of_walls(interface: BuiltInterface) -> float:
    """Å that the liquid's atoms keep from the faces of its nominal volume: half a contact, as packed, at each."""
    return 0.0 if interface.info["eps"] is None else 0.5 * TOLERANCE


def assert_sound(case: Case, interface: BuiltInterface) -> None:
    """What holds for every interface: cell, vacuum, distances, composition, whole molecules, density."""
    name, given, source = case
    parameters = plain(given)
    assert problems(interface) == []
    atoms, info = interface.atoms, interface.info
    assert len(atoms) == recipe_size(name, parameters, source)
    assert set(atoms.get_chemical_symbols()) == recipe_elements(name, parameters, source)
    assert bool(info.get("metal_indices")) == recipe_has_metal(name, parameters, source)
    json.dumps(info)  # what a campaign's graph keeps must be plain
    # Cell and vacuum.
    cell, z = atoms.cell.array, atoms.positions[:, 2]
    assert info["axis"] == 2 and all(atoms.pbc)
    assert np.abs(cell[2, :2]).max() == np.abs(cell[:2, 2]).max() == 0.0
    assert info["area"] == pytest.approx(np.linalg.det(cell[:2, :2]))
    assert z.min() >= 0.0 and z.max() <= cell[2, 2]
    assert cell[2, 2] - np.ptp(z) >= info["vacuum"] - 1e-6 and info["vacuum"] >= 10.0
    assert info["height"] == pytest.approx(cell[2, 2])
    # Metals: how thick, and whether the liquid is between two of them.
    metals, middle = info.get("metal_indices", []), z[info["solvent_indices"]].mean()
    assert ("metal_thickness" in info) == ("between_metals" in info) == bool(metals)
    if metals:
        below, above = (z[metals][z[metals] < middle], z[metals][z[metals] > middle])
        assert info["between_metals"] == bool(len(below) and len(above))
        assert info["metal_thickness"] == pytest.approx(sum(np.ptp(part) for part in (below, above) if len(part)))
    # Order: substrate, solvent in the order of its symbols, ions; every atom is of one of them.
    substrate, liquid = info["substrate_indices"], info["solvent_indices"]
    assert substrate + liquid == list(range(len(atoms)))
    assert [index for molecule in info["molecules"] for index in molecule] == liquid
    solvent = SOLVENTS[info["solvent"]]
    pairs = info.get("molality", {})
    for molecule in info["molecules"]:
        symbols = tuple(atoms.get_chemical_symbols()[index] for index in molecule)
        assert symbols == solvent.symbols or (pairs and len(symbols) == 1)
    # By distance alone the same molecules are found, whole, whatever the cell.
    own = atoms[liquid]
    formulas = {own[molecule].get_chemical_formula() for molecule in find_molecules(own)}
    ions = {symbol for salt in SALTS.values() for symbol in salt.ions}
    assert formulas - ions == {solvent.atoms().get_chemical_formula()}
    assert bool(formulas & ions) == bool(pairs)
    assert by_formula()[solvent.atoms().get_chemical_formula()] is solvent
    assert make_whole(atoms.positions, info["molecules"], cell) == pytest.approx(atoms.positions, abs=1e-6)
    # Charges: those of the solvent in the order of its atoms, and none altogether.
    assert info["charges"][len(substrate) : len(substrate) + len(solvent.symbols)] == pytest.approx(solvent.charges())
    assert sum(info["charges"]) == pytest.approx(0.0, abs=1e-9)
    assert not any(info["charges"][: len(substrate)])
    assert_density(interface)


def assert_density(interface: BuiltInterface) -> None:
    """The liquid lies in its nominal volume, fills it, and is as heavy there as that liquid is."""
    atoms, info = interface.atoms, interface.info
    solvent, liquid = SOLVENTS[info["solvent"]], info["solvent_indices"]
    grams = atoms.get_masses()[liquid].sum() / (AVOGADRO * info["area"] * info["thickness"])
    if info["eps"] is None:  # ice
        assert grams == pytest.approx(0.920, abs=0.002)
    elif info.get("molality"):
        assert grams > solvent.grams_per_cm3()
    else:
        assert grams == pytest.approx(solvent.grams_per_cm3(), rel=1e-6)
    if info.get("packed", True):
        spread = float(np.ptp(atoms.positions[liquid, 2]))
        assert spread <= info["thickness"] - 2.0 * free_of_walls(interface) + 2.0 * OVERLAP
        assert spread >= info["thickness"] - 2.0 * free_of_walls(interface) - 3.0


def test_every_recipe_is_drawn() -> None:
    assert set(DRAWN) == set(recipes())


def test_recipes_know_what_they_start_from() -> None:
    assert [name for name in recipes() if takes_structure(name)] == ["file"]
    with pytest.raises(InterfaceError, match="needs a structure"):
        build_recipe("file", {})
    with pytest.raises(InterfaceError, match="takes no structure"):
        build_recipe("film", {"molecules": 24, "lateral": 7.0}, Atoms("H"))


@pytest.mark.parametrize("case", CASES)
def test_interface_is_sound(case: Case) -> None:
    name, given, _ = case
    recipe = recipes()[name]
    recipe.parameters.model_validate_json(json.dumps(given), strict=True)  # as a campaign file's
    assert_sound(case, built(case))


@pytest.mark.parametrize("case", CASES)
def test_same_parameters_give_the_same_bits(case: Case) -> None:
    name, given, atoms = case
    first, second = built(case), build_recipe(name, plain(given), atoms)
    assert first.atoms.positions.tobytes() == second.atoms.positions.tobytes()
    assert first.info == second.info


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_interface_of_any_size_is_sound(name: str) -> None:
    recipe, made = recipes()[name], []

    @settings(
        max_examples=6,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        drawn = data.draw(DRAWN[name])
        atoms = data.draw(st.sampled_from(recipe.structures()[:3])) if isinstance(recipe, StructureRecipe) else None
        try:
            interface = build_recipe(name, plain(drawn), atoms)
        except InterfaceError as error:
            # Chance may ask for what there is no room for; then it must be said, not built.
            assert "; " in str(error) and str(error).endswith(".")
            return
        assert_sound((name, drawn, atoms), interface)
        made.append(drawn)

    check()
    assert len(made) >= 3

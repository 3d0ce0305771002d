"""Every recipe there is, at the sizes of its examples and around them: a new one is tested by being there."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from aiida_falsemetal.interfaces.measure import measure, problems
from aiida_falsemetal.interfaces.recipe import Recipe
from aiida_falsemetal.interfaces.registry import recipes
from aiida_falsemetal.interfaces.solvents import SALTS, SOLVENTS, by_formula
from aiida_falsemetal.physics.molecules import find_molecules

CASES = [
    pytest.param(recipe, given, id=f"{name}-{number}")
    for name, recipe in recipes().items()
    if not recipe.takes_structure
    for number, given in enumerate(recipe.examples())
]


def parameters_of(recipe: Recipe, given: dict[str, Any]) -> Any:
    """As a campaign file's."""
    return recipe.parameters.model_validate_json(json.dumps(given), strict=True)


def test_every_recipe_has_examples() -> None:
    assert {case.values[0].name for case in CASES} >= {"film", "ice"}  # type: ignore[union-attr]


@pytest.mark.parametrize(("recipe", "given"), CASES)
def test_interface_is_sound(recipe: Recipe, given: dict[str, Any]) -> None:
    parameters = parameters_of(recipe, given)
    built = recipe.build(parameters)
    assert problems(built) == []
    atoms, info, found = built.atoms, built.info, measure(built)
    assert len(atoms) == recipe.size(parameters)
    assert set(atoms.get_chemical_symbols()) == recipe.elements(parameters)
    # What a campaign's graph keeps must be plain.
    json.dumps(info)
    cell = atoms.cell.array
    assert info["axis"] == 2
    assert np.abs(cell[2, :2]).max() == 0.0
    assert np.abs(cell[:2, 2]).max() == 0.0
    assert info["area"] == pytest.approx(abs(np.linalg.det(cell[:2, :2])))
    assert atoms.positions[:, 2].min() >= 0.0
    assert atoms.positions[:, 2].max() <= cell[2, 2]
    assert found["vacuum"] >= info["vacuum"] - 1e-6
    assert bool(info.get("metal_indices")) == recipe.has_metal(parameters)


@pytest.mark.parametrize(("recipe", "given"), CASES)
def test_composition_and_density(recipe: Recipe, given: dict[str, Any]) -> None:
    built = recipe.build(parameters_of(recipe, given))
    atoms, info = built.atoms, built.info
    substrate = set(info["substrate_indices"])
    members = [index for molecule in info["molecules"] for index in molecule]
    assert sorted(members) == sorted(info["solvent_indices"])
    assert set(members).isdisjoint(substrate)
    assert len(members) + len(substrate) == len(atoms)
    # By distance alone the same molecules are found, whole, whatever the cell.
    liquid = atoms[info["solvent_indices"]]
    formulas = {liquid[molecule].get_chemical_formula() for molecule in find_molecules(liquid)}
    ions = {symbol for salt in SALTS.values() for symbol in salt.ions}
    solvent = SOLVENTS[info["solvent"]]
    assert formulas - ions == {solvent.atoms().get_chemical_formula()}
    assert by_formula()[solvent.atoms().get_chemical_formula()] is solvent
    # The nominal volume holds the molecules at the liquid's density: ions add their own, ice is lighter.
    density = measure(built)["density"]
    if info["eps"] is None:
        assert density == pytest.approx(0.920, abs=0.002)
    elif info.get("molality"):
        assert density > solvent.grams_per_cm3()
    else:
        assert density == pytest.approx(solvent.grams_per_cm3(), rel=1e-6)


@pytest.mark.parametrize(("recipe", "given"), CASES)
def test_same_parameters_give_the_same_bits(recipe: Recipe, given: dict[str, Any]) -> None:
    first, second = (recipe.build(parameters_of(recipe, given)) for _ in range(2))
    assert first.atoms.positions.tobytes() == second.atoms.positions.tobytes()
    assert first.info == second.info

"""A recipe becomes nodes, and twice the same recipe twice the same nodes."""

from __future__ import annotations

import pytest
from aiida import orm
from pydantic import ValidationError

from aiida_falsemetal.calculations.interface import build_interface
from aiida_falsemetal.interfaces.recipe import InterfaceError
from aiida_falsemetal.physics.molecules import find_molecules
from tests.data import nodes

RECIPE = {"recipe": "film", "parameters": {"molecules": 8, "lateral": 6.5, "vacuum": 20.0, "seed": 3}}


def test_structure_and_info() -> None:
    built = build_interface(orm.Dict(RECIPE))
    atoms, info = nodes.film()
    made = built["structure"].get_ase()
    assert made.get_positions() == pytest.approx(atoms.get_positions(), abs=1e-9)
    assert all(made.pbc)
    stored = built["info"].get_dict()
    # AiiDA keeps 14 digits of a float.
    for key in ("thickness", "height"):
        assert stored.pop(key) == pytest.approx(info[key], rel=1e-12)
    assert stored == {key: value for key, value in info.items() if key not in ("thickness", "height")}
    assert find_molecules(made) == info["molecules"]


def test_same_recipe_gives_same_nodes() -> None:
    first, second = build_interface(orm.Dict(RECIPE)), build_interface(orm.Dict(RECIPE))
    for key in ("structure", "info"):
        assert first[key].base.caching.compute_hash() == second[key].base.caching.compute_hash()


def test_unknown_recipe_and_bad_parameters_are_refused() -> None:
    with pytest.raises(InterfaceError, match="film"):
        build_interface(orm.Dict({**RECIPE, "recipe": "flim"}))
    with pytest.raises(ValidationError, match="lateral"):
        build_interface(orm.Dict({**RECIPE, "parameters": {"molecules": 8, "lateral": 1.0}}))

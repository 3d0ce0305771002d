"""Calcfunction that builds an interface from its recipe."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from ..interfaces.registry import load_recipe


@calcfunction
def build_interface(recipe: orm.Dict) -> dict[str, Any]:
    """Build the interface that ``recipe`` describes.

    :param recipe: ``recipe`` (its name) and ``parameters`` (validated by the recipe again).
    :return: ``structure`` (StructureData, molecules whole) and ``info`` (Dict, see
        :class:`aiida_falsemetal.interfaces.recipe.BuiltInterface`).
    :raises InterfaceError: if it cannot be built.
    """
    given = recipe.get_dict()
    maker = load_recipe(given["recipe"])
    built = maker.build(maker.parameters(**given["parameters"]))
    return {"structure": orm.StructureData(ase=built.atoms), "info": orm.Dict(built.info)}

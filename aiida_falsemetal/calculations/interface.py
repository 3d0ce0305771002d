"""Calcfunction that builds an interface from its recipe."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from ..interfaces.registry import build_recipe


@calcfunction
def build_interface(recipe: orm.Dict, structure: orm.StructureData | None = None) -> dict[str, Any]:
    """Build the interface that ``recipe`` describes.

    :param recipe: ``recipe`` (its name) and ``parameters`` (validated by the recipe again).
    :param structure: what a recipe like ``file`` starts from; other recipes take none.
    :return: ``structure`` (StructureData, molecules whole) and ``info`` (Dict, see
        :class:`aiida_falsemetal.interfaces.recipe.BuiltInterface`).
    :raises InterfaceError: if it cannot be built.
    """
    given = recipe.get_dict()
    built = build_recipe(given["recipe"], given["parameters"], None if structure is None else structure.get_ase())
    return {"structure": orm.StructureData(ase=built.atoms), "info": orm.Dict(built.info)}

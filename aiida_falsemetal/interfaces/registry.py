"""Finds the recipes: every module of this package that defines ``RECIPE``."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from ase import Atoms

from .. import interfaces
from .recipe import BuiltInterface, InterfaceError, Recipe, StructureRecipe


def recipes() -> dict[str, Recipe]:
    """All recipes by name, sorted."""
    found: dict[str, Recipe] = {}
    for info in pkgutil.iter_modules(interfaces.__path__):
        module = importlib.import_module(f"{interfaces.__name__}.{info.name}")
        if hasattr(module, "RECIPE"):
            found[module.RECIPE.name] = module.RECIPE
    return dict(sorted(found.items()))


def recipe_elements(name: str, parameters: dict[str, Any], atoms: Atoms | None = None) -> set[str]:
    """Chemical symbols that an interface will hold.

    :param parameters: of the recipe called ``name``.
    :param atoms: the structure, for a recipe that starts from one.
    :raises InterfaceError: if there is no such recipe, or a structure is missing or one too many.
    """
    recipe, given = load_recipe(name), _needed(name, atoms)
    return set(recipe.elements(recipe.parameters(**parameters), *given))


def build_recipe(name: str, parameters: dict[str, Any], atoms: Atoms | None = None) -> BuiltInterface:
    """The interface of a recipe; arguments and errors as of :func:`recipe_elements`.

    :raises InterfaceError: also if it cannot be built.
    """
    recipe, given = load_recipe(name), _needed(name, atoms)
    return recipe.build(recipe.parameters(**parameters), *given)


def recipe_has_metal(name: str, parameters: dict[str, Any], atoms: Atoms | None = None) -> bool:
    """Whether an interface will hold a metal; arguments and errors as of :func:`recipe_elements`."""
    recipe, given = load_recipe(name), _needed(name, atoms)
    return recipe.has_metal(recipe.parameters(**parameters), *given)


def recipe_size(name: str, parameters: dict[str, Any], atoms: Atoms | None = None) -> int:
    """Number of atoms an interface will have; arguments and errors as of :func:`recipe_elements`."""
    recipe, given = load_recipe(name), _needed(name, atoms)
    return recipe.size(recipe.parameters(**parameters), *given)


def takes_structure(name: str) -> bool:
    """Whether the recipe called ``name`` starts from a structure.

    :raises InterfaceError: if there is no such recipe.
    """
    return isinstance(load_recipe(name), StructureRecipe)


def _needed(name: str, atoms: Atoms | None) -> tuple[Atoms, ...]:
    """What a recipe's methods take besides its parameters."""
    if takes_structure(name) == (atoms is None):
        problem = "needs a structure" if atoms is None else "takes no structure"
        raise InterfaceError(f"the recipe {name} {problem}; use `file` for structures, other recipes without.")
    return () if atoms is None else (atoms,)


def load_recipe(name: str) -> Recipe:
    """The recipe called ``name``.

    :raises InterfaceError: if there is none.
    """
    known = recipes()
    if name not in known:
        raise InterfaceError(f"there is no interface recipe {name!r}; recipes: {', '.join(known)}.")
    return known[name]

"""Finds the recipes: every module of this package that defines ``RECIPE``."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from .. import interfaces
from .recipe import InterfaceError, Recipe


def recipes() -> dict[str, Recipe]:
    """All recipes by name, sorted."""
    found: dict[str, Recipe] = {}
    for info in pkgutil.iter_modules(interfaces.__path__):
        module = importlib.import_module(f"{interfaces.__name__}.{info.name}")
        if hasattr(module, "RECIPE"):
            found[module.RECIPE.name] = module.RECIPE
    return dict(sorted(found.items()))


def recipe_elements(name: str, parameters: dict[str, Any]) -> set[str]:
    """Chemical symbols that an interface will hold.

    :param parameters: of the recipe called ``name``.
    :raises InterfaceError: if there is no such recipe.
    """
    recipe = load_recipe(name)
    return set(recipe.elements(recipe.parameters(**parameters)))


def load_recipe(name: str) -> Recipe:
    """The recipe called ``name``.

    :raises InterfaceError: if there is none.
    """
    known = recipes()
    if name not in known:
        raise InterfaceError(f"there is no interface recipe {name!r}; recipes: {', '.join(known)}.")
    return known[name]

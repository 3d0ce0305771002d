"""Finds the families: every module in ``families/`` defines ``FAMILY``, but for those with a leading underscore."""

from __future__ import annotations

import importlib
import pkgutil

from . import families
from .family import Family, ModelError


def family_names() -> list[str]:
    """Names of all families, sorted. Imports no model package."""
    return sorted(info.name for info in pkgutil.iter_modules(families.__path__) if not info.name.startswith("_"))


def load_family(name: str) -> Family:
    """The family called ``name``.

    :raises ModelError: if there is none.
    """
    if name not in family_names():
        raise ModelError(f"there is no MLIP family {name!r}; families: {', '.join(family_names())}.")
    family: Family = importlib.import_module(f"{families.__name__}.{name}").FAMILY
    return family

"""A model by name or by file, as a node, for the launchers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..mlips.catalogue import model_path, presets
from ..mlips.family import ModelError
from ..mlips.registry import load_family


def mlip_node(name: str, family: str | None, kwargs: dict[str, Any], elements: set[str]) -> Any:
    """The stored MlipData of a shipped model (``family`` None) or of the file at ``name``.

    :param kwargs: keyword arguments of the calculator; with a shipped model, empty means the model's own.
    :param elements: chemical symbols that the model must know.
    :raises ModelError: if there is no such model, the file cannot be used, or an element is not known to it.
    """
    from ..data.mlip import MlipData

    if family is None:
        if name not in presets():
            raise ModelError(f"there is no shipped model {name!r}; there are {', '.join(presets())}, or give --family.")
        entry = presets()[name]
        path, family, kwargs, label = model_path(entry), entry.family, kwargs or entry.kwargs, name
    else:
        path, label = Path(name), Path(name).stem
    if not path.is_file():
        raise ModelError(f"{path}: there is no such model file.")
    facts = load_family(family).inspect(path, kwargs)
    missing = sorted(elements - set(facts.elements))
    if missing:
        raise ModelError(f"{label} was not made for {', '.join(missing)}; it knows {', '.join(facts.elements)}.")
    return MlipData.get_or_create(path, family, kwargs, facts.as_dict(), label)

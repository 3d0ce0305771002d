"""A model by name or by file, as a node, for the launchers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..campaign.origin import Origin, find_origin
from ..campaign.schema import MlipSpec, known_models
from ..mlips.family import ModelError
from ..mlips.registry import load_family


def mlip_node(
    name: str, family: str | None, kwargs: dict[str, Any], elements: set[str], accepted: str | None = None
) -> tuple[Any, str | None]:
    """The stored MlipData of a model known by name (``family`` None) or of the file at ``name``; the label of its code.

    :param kwargs: keyword arguments of the calculator; with a model known by name, in the place of its own.
    :param elements: chemical symbols that the model must know.
    :param accepted: why a file is loaded although the scan refuses it.
    :return: the node, and the code that its environment needs, None for the default.
    :raises ModelError: if there is no such model, the file cannot be used, or an element is not known to it.
    """
    from ..data.mlip import MlipData

    origin = _origin(name, family, kwargs, accepted)
    if not origin.path.is_file():
        raise ModelError(f"{origin.path}: there is no such model file.")
    facts = origin.facts()
    missing = sorted(elements - set(facts.elements))
    if missing:
        raise ModelError(f"{origin.name} was not made for {', '.join(missing)}; it knows {', '.join(facts.elements)}.")
    node = MlipData.get_or_create(
        origin.path, origin.family, origin.kwargs, facts.as_dict(), origin.name, accepted=origin.accepted
    )
    return node, origin.code


def _origin(name: str, family: str | None, kwargs: dict[str, Any], accepted: str | None) -> Origin:
    if family is None:
        if name not in known_models():
            raise ModelError(f"there is no model {name!r}; there are {', '.join(known_models())}, or give --family.")
        return find_origin(name, MlipSpec(preset=name, kwargs=kwargs), Path.cwd())
    load_family(family)  # says so where there is none
    spec = MlipSpec(family=family, file=name, kwargs=kwargs, accept_unsafe=accepted)
    return find_origin(Path(name).stem, spec, Path.cwd())

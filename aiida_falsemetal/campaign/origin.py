"""Where a campaign's model comes from: this package, the user's shelf, or a file; and which Python can load it."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..mlips.catalogue import ModelEntry, model_path, presets
from ..mlips.family import Family, ModelError, ModelFacts
from ..mlips.registry import load_family
from ..mlips.scan import require_safe
from ..mlips.shelf import Shelf, ShelfModel, code_label, home, load_shelf
from ..runner import elsewhere
from .schema import MlipSpec


@dataclass(frozen=True)
class Origin:
    """An MLIP whose file is known but not yet understood.

    :param name: its name in the campaign.
    :param path: absolute path of its file.
    :param kwargs: keyword arguments of the calculator, the preset's with the campaign's in their place.
    :param environment: name of the Python environment that loads it, None for this one.
    :param python: of that environment.
    :param known: what the shelf has of it, facts included.
    :param accepted: why a file that the scan refuses is loaded all the same.
    """

    name: str
    spec: MlipSpec
    family: str
    path: Path
    kwargs: dict[str, Any]
    licence: str = ""
    reference: str = ""
    environment: str | None = None
    python: Path | None = None
    known: ShelfModel | None = None
    accepted: str | None = None

    @property
    def code(self) -> str | None:
        """Label of the AiiDA code for its MD, or None for the default."""
        return self.spec.code or (code_label(self.environment) if self.environment else None)

    def facts(self) -> ModelFacts:
        """What the file says, as the model's own package reads it; scanned before.

        :raises ModelError: if it cannot be used, the scan's refusal included.
        :raises ImportError: if the package is not installed here.
        """
        if self.known is not None and self.known.kwargs == self.kwargs:
            return self.known.model_facts()
        require_safe(self.path, self.accepted)
        if self.python is not None:
            return elsewhere.inspect(self.python, self.family, self.path, self.kwargs)
        return load_family(self.family).inspect(self.path, self.kwargs)


def find_origin(name: str, spec: MlipSpec, folder: Path) -> Origin:
    """Find a model's file and its environment; nothing is loaded.

    :param folder: where relative files are looked up.
    :raises ModelError: if the model or its environment must be added first; the message names the command.
    """
    shelf = load_shelf()
    if spec.preset is None:
        return _from_file(name, spec, folder, shelf)
    if spec.preset in shelf.models:
        return _from_shelf(name, spec, shelf)
    entry = presets()[spec.preset]
    path = model_path(entry) if entry.shipped else _located(entry)
    kwargs = {**entry.kwargs, **spec.kwargs}
    return Origin(name, spec, entry.family, path, kwargs, entry.licence, entry.reference)


def is_installed(family: Family) -> bool:
    """Whether the family's packages can be found in this environment; none is imported."""
    return all(importlib.util.find_spec(package) is not None for package in family.requires)


def _from_shelf(name: str, spec: MlipSpec, shelf: Shelf) -> Origin:
    known = shelf.models[str(spec.preset)]
    return Origin(
        name,
        spec,
        known.family,
        Path(known.path),
        {**known.kwargs, **spec.kwargs},
        known.licence,
        known.reference,
        known.environment,
        _python(known.environment, shelf) if known.environment else None,
        known,
        known.accepted or None,
    )


def _from_file(name: str, spec: MlipSpec, folder: Path, shelf: Shelf) -> Origin:
    # MlipSpec has seen to it that there is a family, and a file where the family needs one.
    family = load_family(str(spec.family))
    path = stand_in_file(family, spec.kwargs) if spec.file is None else folder / spec.file
    environment = spec.environment
    if environment is None and not is_installed(family):
        environment = family.environment
    return Origin(
        name,
        spec,
        family.name,
        path,
        dict(spec.kwargs),
        spec.licence,
        spec.reference,
        environment,
        _python(environment, shelf) if environment else None,
        accepted=spec.accept_unsafe,
    )


def stand_in_file(family: Family, kwargs: dict[str, Any]) -> Path:
    """The file that stands for a model without one, see :meth:`Family.stand_in`; kept in the user's :func:`home`."""
    text = family.stand_in(kwargs)
    path = home() / "stand-ins" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _located(entry: ModelEntry) -> Path:
    """Weights that a package in this environment has."""
    family = load_family(entry.family)
    if not is_installed(family):
        raise ModelError(
            f"the model {entry.name} needs the Python environment `{entry.environment}`, which was not added; "
            + (
                f"run `falsemetal model env {entry.environment}`, which makes and adds it"
                if entry.offline
                else f"run `falsemetal model env {entry.environment}`, then `falsemetal model add {entry.name}`"
            )
        )
    return family.locate(str(entry.source))


def _python(environment: str, shelf: Shelf) -> Path:
    """Python of an environment on the shelf."""
    if environment not in shelf.environments:
        raise ModelError(
            f"there is no Python environment `{environment}` here; make it with `falsemetal model env {environment}`, "
            f"or add one of your own with `falsemetal model env {environment} --path FOLDER`"
        )
    python = Path(shelf.environments[environment])
    if not python.exists():
        raise ModelError(f"{python} of the environment `{environment}` is gone; run `falsemetal model env` again")
    return python

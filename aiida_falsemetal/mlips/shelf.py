"""Models and Python environments that a user has added: ``models.yaml`` in :func:`home`.

An MLIP's package often cannot share an environment with another's. Each environment has a name and a Python; a model
added from it is kept with what was asked of its file there (:class:`ShelfModel`), so that a campaign can be checked
without importing that package again.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .family import ModelError, ModelFacts

VARIABLE = "FALSEMETAL_HOME"
FILE = "models.yaml"


class ShelfModel(BaseModel):
    """A model that was added, with what its file says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: str
    path: str = Field(description="absolute path of the model's file")
    sha256: str
    kwargs: dict[str, Any] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(description="see ModelFacts.as_dict")
    environment: str | None = Field(default=None, description="name of a Python environment, None for this one")
    licence: str = ""
    reference: str = ""
    accepted: str = Field(default="", description="why a file that the scan refuses is loaded all the same")

    def model_facts(self) -> ModelFacts:
        """The facts, with licence and reference."""
        given = {key: value for key, value in self.facts.items() if key != "receptive_field"}
        given.update(elements=tuple(given["elements"]), licence=self.licence, reference=self.reference)
        return ModelFacts(**given)


class Shelf(BaseModel):
    """All that was added: Pythons by the name of their environment, and models by name."""

    model_config = ConfigDict(extra="forbid")

    environments: dict[str, str] = Field(default_factory=dict)
    models: dict[str, ShelfModel] = Field(default_factory=dict)


def home() -> Path:
    """``$FALSEMETAL_HOME``, or ``aiida-falsemetal`` in ``$XDG_DATA_HOME`` or ``~/.local/share``."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given).expanduser().absolute()
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "aiida-falsemetal"


def load_shelf() -> Shelf:
    """What was added so far.

    :raises ModelError: if the file cannot be understood.
    """
    path = home() / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Shelf()
    try:
        return Shelf.model_validate(yaml.safe_load(text) or {})
    except (yaml.YAMLError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise ModelError(f"{path} cannot be read ({first}); correct it, or remove it and add all again.") from error


def save_shelf(shelf: Shelf) -> None:
    """Write the file anew, whole or not at all."""
    path = home() / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8") as part:
        yaml.safe_dump(shelf.model_dump(), part, sort_keys=True, allow_unicode=True)
    os.replace(part.name, path)


def code_label(environment: str) -> str:
    """Label of the AiiDA code that is an environment's Python, on the computer ``localhost``."""
    return f"python-{environment}@localhost"

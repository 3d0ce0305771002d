"""The models known by name: ``models/catalogue.yaml`` and the files beside it.

An entry either has a ``file``, which ships with this package, or a ``source``, a name that its family's ``locate``
turns into a file in the environment where the model's own package is installed.
"""

from __future__ import annotations

import importlib.resources
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from .family import ModelError


class ModelEntry(BaseModel):
    """One model. Use :func:`model_path` to find the file of a shipped one, ``Family.locate`` for the others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="name of the preset in a campaign file")
    family: str = Field(description="name of an MLIP family")
    file: str | None = Field(default=None, description="file name inside the package's models folder, where it ships")
    source: str | None = Field(default=None, description="name by which the family's `locate` finds the weights")
    kwargs: dict[str, Any] = Field(default_factory=dict, description="keyword arguments of the family")
    environment: str | None = Field(default=None, description="name of the pinned requirements, environments/NAME.txt")
    offline: bool = Field(default=True, description="whether the weights come with a package, without a download")
    download: str = Field(default="", description="where the weights are, for those that must be downloaded")
    licence: str = Field(description="SPDX identifier of the weights, or a short text where there is none")
    reference: str = Field(description="the method, or the data that the model was trained on")
    summary: str = Field(description="one line for people")

    @property
    def shipped(self) -> bool:
        """Whether the model's file lies inside this package."""
        return self.file is not None

    @model_validator(mode="after")
    def _one_origin(self) -> ModelEntry:
        if (self.file is None) == (self.source is None):
            raise ValueError(f"{self.name}: give either `file` or `source`")
        if not self.offline and not self.download:
            raise ValueError(f"{self.name}: say with `download` where the weights are")
        return self


def presets() -> dict[str, ModelEntry]:
    """All models by name, in the catalogue's order; those that ship with this package come first."""
    return dict(_entries())


def model_path(entry: ModelEntry) -> Path:
    """Path of a shipped model's file inside the installed package. Whether it exists is for the caller to check.

    :raises ModelError: if the model does not ship with this package.
    """
    if entry.file is None:
        place = f"an environment made from {entry.environment}.txt" if entry.environment else "what is installed"
        raise ModelError(
            f"{entry.name} does not ship with this package; its family `{entry.family}` locates {entry.source!r} in "
            f"{place}."
        )
    return Path(str(_folder("models"))) / entry.file


def environments() -> dict[str, Path]:
    """Files of pinned requirements by the name of the environment, sorted."""
    folder = Path(str(_folder("environments")))
    return {path.stem: path for path in sorted(folder.glob("*.txt"))}


def pip_arguments(requirements: str) -> list[str]:
    """Arguments that ``pip install`` needs for a file of requirements: those of its line ``# pip: ...``."""
    lines = [line.removeprefix("# pip:") for line in requirements.splitlines() if line.startswith("# pip:")]
    return [argument for line in lines for argument in line.split()]


@cache
def _entries() -> MappingProxyType[str, ModelEntry]:
    text = (Path(str(_folder("models"))) / "catalogue.yaml").read_text(encoding="utf-8")
    entries = [ModelEntry.model_validate(item) for item in yaml.safe_load(text)]
    return MappingProxyType({entry.name: entry for entry in entries})


def _folder(name: str) -> Any:
    return importlib.resources.files("aiida_falsemetal.mlips").joinpath(name)

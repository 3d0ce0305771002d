"""The models that ship with the package: ``models/catalogue.yaml`` and the files beside it."""

from __future__ import annotations

import importlib.resources
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field


class ModelEntry(BaseModel):
    """One shipped model. Use :func:`model_path` to find its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="name of the preset in a campaign file")
    family: str = Field(description="name of an MLIP family")
    file: str = Field(description="file name inside the package's models folder")
    kwargs: dict[str, Any] = Field(default_factory=dict, description="keyword arguments of the family")
    licence: str = Field(description="SPDX identifier")
    reference: str = Field(description="the method, or the data that the model was trained on")
    summary: str = Field(description="one line for people")


def presets() -> dict[str, ModelEntry]:
    """All shipped models by name, in the catalogue's order."""
    return dict(_entries())


def model_path(entry: ModelEntry) -> Path:
    """Path of the model's file inside the installed package. Whether it exists is for the caller to check."""
    return Path(str(_folder())) / entry.file


@cache
def _entries() -> MappingProxyType[str, ModelEntry]:
    text = (Path(str(_folder())) / "catalogue.yaml").read_text(encoding="utf-8")
    entries = [ModelEntry.model_validate(item) for item in yaml.safe_load(text)]
    return MappingProxyType({entry.name: entry for entry in entries})


def _folder() -> Any:
    return importlib.resources.files("aiida_falsemetal.mlips").joinpath("models")

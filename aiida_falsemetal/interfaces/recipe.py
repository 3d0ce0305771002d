"""What an interface recipe has to offer. A new recipe is one module in this package that ends in ``RECIPE = ...``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from ase import Atoms
from pydantic import BaseModel, ConfigDict

MINIMUM_VACUUM = 10.0
"""Å of vacuum below which a film would touch its periodic image during MD."""


class InterfaceError(ValueError):
    """An interface cannot be built as asked; the message names the remedy."""


class Parameters(BaseModel):
    """Base of all recipes' parameters: unknown keys are refused, values are not changed after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class BuiltInterface:
    """Atoms and what the later steps must know of them.

    ``info`` holds ``area`` (Å^2), ``axis`` (0, 1 or 2, the normal), ``thickness`` (Å, nominal), ``vacuum`` (Å),
    ``solvent`` (name), ``solvent_indices``, ``molecules`` (lists of indices) and ``fixed_indices``; where there is a
    metal, ``metal_indices`` too: the gap of a frame is then that of the other atoms, the whole having none.
    """

    atoms: Atoms
    info: dict[str, Any]


class Recipe(ABC):
    """One kind of interface."""

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[type[Parameters]]

    @abstractmethod
    def elements(self, parameters: Any) -> set[str]:
        """Chemical symbols the interface will hold, known without building it."""

    @abstractmethod
    def size(self, parameters: Any) -> int:
        """Number of atoms the interface will have, known without building it."""

    @abstractmethod
    def build(self, parameters: Any) -> BuiltInterface:
        """Build the interface; the same parameters give the same atoms to the last bit.

        :raises InterfaceError: if it cannot be built.
        """

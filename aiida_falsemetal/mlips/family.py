"""What an MLIP family has to offer. A new family is one file in ``families/`` that ends in ``FAMILY = ...``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


class ModelError(ValueError):
    """A model's file or its keyword arguments cannot be used; the message names the remedy."""


@dataclass(frozen=True)
class ModelFacts:
    """What a model is, read from its file wherever the file says so.

    :param elements: chemical symbols the model was made for.
    :param cutoff: radius in Å within which atoms see each other directly.
    :param layers: number of message-passing layers; 1 for a pair potential.
    :param long_ranged: whether explicit long-ranged electrostatics is part of the energy.
    :param precision: ``float32``, ``float64`` or ``mixed``.
    :param licence: SPDX identifier, or an empty string where the file does not say.
    :param reference: the data or method that the model was trained on.
    """

    elements: tuple[str, ...]
    cutoff: float
    layers: int
    long_ranged: bool
    precision: str
    licence: str = ""
    reference: str = ""

    @property
    def receptive_field(self) -> float:
        """Distance in Å over which short-ranged messages carry information: cutoff times layers."""
        return self.cutoff * self.layers

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain types, with the receptive field."""
        return {**asdict(self), "elements": list(self.elements), "receptive_field": self.receptive_field}


class Family(ABC):
    """One kind of model file and how its ASE calculator is made."""

    name: str
    requires: tuple[str, ...]
    """Names of the Python modules that the family's calculator imports."""

    @abstractmethod
    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """Read a model's file.

        :raises ModelError: if the file is not one of this family or ``kwargs`` has a key that is not known.
        """

    @abstractmethod
    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """An ASE calculator for ``atoms``; molecules in ``atoms`` are whole.

        :raises ModelError: as :meth:`inspect`.
        """

    def check_keys(self, kwargs: dict[str, Any], known: set[str]) -> None:
        """Refuse keyword arguments that are not in ``known``."""
        unknown = sorted(set(kwargs) - known)
        if unknown:
            raise ModelError(
                f"family `{self.name}` does not know the keyword {unknown[0]!r}; it knows {', '.join(sorted(known))}."
            )

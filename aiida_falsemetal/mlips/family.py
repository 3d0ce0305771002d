"""What an MLIP family has to offer. A new family is one file in ``families/`` that ends in ``FAMILY = ...``."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

Boundary = Literal["isolated", "tin-foil"]


class ModelError(ValueError):
    """A model's file or its keyword arguments cannot be used; the message names the remedy."""


@dataclass(frozen=True)
class ModelFacts:
    """What a model is, read from its file wherever the file says so.

    :param elements: chemical symbols the model was made for.
    :param cutoff: radius in Å within which atoms see each other directly.
    :param layers: number of message-passing layers; 1 for a pair potential.
    :param long_ranged: whether explicit electrostatics without a cutoff is part of the energy. False for a Coulomb
        term that is truncated: such a model looks long-ranged and is not.
    :param precision: ``float32``, ``float64`` or ``mixed``.
    :param licence: SPDX identifier, or an empty string where the file does not say.
    :param reference: the data or method that the model was trained on.
    :param coulomb_cutoff: radius in Å at which an explicit Coulomb term is truncated; None where there is no such
        term, or where it is summed in full.
    :param boundary: the condition at infinity that the electrostatics of a *film* has, in the cells of this package,
        periodic in all directions: ``tin-foil`` for a plain 3D Ewald sum, ``isolated`` for one with slab correction,
        for a 2D sum and for models without an Ewald sum. It decides how wide the dipole may be
        (:mod:`..physics.expected`).
    :param charges: fixed charges in e by element, of a classical model whose own charges make its dipole; None where
        the dipole has electrons in it.
    """

    elements: tuple[str, ...]
    cutoff: float
    layers: int
    long_ranged: bool
    precision: str
    licence: str = ""
    reference: str = ""
    coulomb_cutoff: float | None = None
    boundary: Boundary = "isolated"
    charges: dict[str, float] | None = None

    @property
    def receptive_field(self) -> float:
        """Distance in Å from an atom beyond which nothing enters its energy, a full Coulomb sum left aside.

        Cutoff times layers. A truncated Coulomb term adds its cutoff, because the charges are what the layers have
        found; with one layer the charges are fixed, and the larger of the two counts.
        """
        local = self.cutoff * self.layers
        if self.coulomb_cutoff is None:
            return local
        return max(local, self.coulomb_cutoff) if self.layers == 1 else local + self.coulomb_cutoff

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain types, with the receptive field."""
        return {**asdict(self), "elements": list(self.elements), "receptive_field": self.receptive_field}


class Family(ABC):
    """One kind of model file and how its ASE calculator is made.

    A family module is imported without its model package, and travels to machines that lack it: it imports the package
    inside its methods only.
    """

    name: str
    requires: tuple[str, ...]
    """Names of the Python modules that the family's calculator imports."""
    needs_file: bool = True
    """Whether the model is a file. Where it need not be one, :meth:`stand_in` is what is stored in its place."""
    batches: bool = False
    """Whether :meth:`batch` computes several systems at once."""
    environment: str | None = None
    """Name of the pinned requirements in ``environments/NAME.txt`` with which ``requires`` can be imported. None where
    only the user knows (:mod:`.families.ase`), or where an extra of this package has them (:mod:`.families.openmm`)."""

    @property
    def gpu(self) -> bool:
        """Whether its calculator runs on a GPU where torch finds one."""
        return "torch" in self.requires

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

    def batch(self, path: Path, kwargs: dict[str, Any], systems: Sequence[Atoms]) -> tuple[Any, list[Calculator]]:
        """What serves several systems that move side by side (``families/_lockstep.py``), and their calculators.

        :raises ModelError: as :meth:`inspect`, or if this family computes one system at a time.
        """
        raise ModelError(f"family `{self.name}` computes one system at a time; leave `batch` out.")

    def locate(self, source: str) -> Path:
        """The file with the weights called ``source``, as a package in *this* environment ships or has fetched it.

        :raises ModelError: if there are none of this name, or if they must be downloaded and cannot be.
        :raises ImportError: if the package is not installed here.
        """
        raise ModelError(
            f"family `{self.name}` ships no weights, so there is no {source!r}; give a model with `file:`."
        )

    def stand_in(self, kwargs: dict[str, Any]) -> str:
        """Text of the file that is stored where there is no model file: JSON, the same for the same ``kwargs``.

        :raises ModelError: if this family needs a file.
        """
        if self.needs_file:
            raise ModelError(f"family `{self.name}` needs a model file; give one with `file:`.")
        return json.dumps({"calculator": kwargs.get("calculator"), "kwargs": kwargs.get("kwargs", {})}, sort_keys=True)

    def check_keys(self, kwargs: dict[str, Any], known: set[str]) -> None:
        """Refuse keyword arguments that are not in ``known``."""
        unknown = sorted(set(kwargs) - known)
        if unknown:
            knows = f"it knows {', '.join(sorted(known))}" if known else "it takes none"
            raise ModelError(f"family `{self.name}` does not know the keyword {unknown[0]!r}; {knows}.")

    def check_elements(self, atoms: Atoms, known: Iterable[str]) -> None:
        """Refuse ``atoms`` with an element the model was not trained on: some models answer all the same."""
        known = sorted(known)
        missing = sorted(set(atoms.get_chemical_symbols()) - set(known))
        if missing:
            raise ModelError(
                f"this `{self.name}` model was not trained on {', '.join(missing)} (it knows {', '.join(known)}); "
                f"use a model made for {missing[0]}."
            )

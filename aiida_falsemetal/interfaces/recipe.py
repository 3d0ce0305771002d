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

    Atoms are in the order substrate, solvent molecules, ions; the normal is z. ``info`` holds

    - ``area`` (Å^2), ``axis`` (2), ``thickness`` (Å of liquid, nominal), ``vacuum`` (Å), ``height`` (Å, of the cell);
    - ``solvent`` (name), ``solvent_indices``, ``molecules`` (lists of indices; an ion is one of its own);
    - ``substrate_indices``, ``fixed_indices`` (held in the MD), and where there is a metal ``metal_indices``: the gap
      of a frame is then that of the other atoms, the whole having none; with them ``metal_thickness`` (Å between the
      nuclei of its lowest and highest atoms, of two metals the sum) and ``between_metals`` (whether the liquid is);
    - ``charges`` (e, one an atom): screened ones, see :mod:`.solvents`; 0 for a substrate;
    - ``eps``, ``eps_inf``: permittivities of the liquid at 298 K, ``eps`` None where its dipoles cannot turn;
    - ``kpoints``: a mesh for DFT; ``lattice``: how the substrate was matched, None without one;
    - ``packed``: False where the liquid was not packed here but came with a structure.
    """

    atoms: Atoms
    info: dict[str, Any]


class Recipe(ABC):
    """One kind of interface."""

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[type[Parameters]]

    @classmethod
    @abstractmethod
    def examples(cls) -> list[dict[str, Any]]:
        """Parameters, quick to build, that show the recipe's range; the first is the one for documentation."""

    def has_metal(self, parameters: Any) -> bool:
        """Whether the interface holds a metal, known without building it."""
        return False

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


class StructureRecipe(Recipe):
    """A recipe that starts from a structure that someone has. Its methods take ``atoms`` besides and need them.

    ``atoms`` is periodic, in the cell and the order of its file; it is not changed.
    """

    @classmethod
    @abstractmethod
    def structures(cls) -> list[Atoms]:
        """A structure for each of ``examples``."""

    @abstractmethod
    def has_metal(self, parameters: Any, atoms: Atoms | None = None) -> bool:
        """See :meth:`Recipe.has_metal`."""

    @abstractmethod
    def elements(self, parameters: Any, atoms: Atoms | None = None) -> set[str]:
        """See :meth:`Recipe.elements`."""

    @abstractmethod
    def size(self, parameters: Any, atoms: Atoms | None = None) -> int:
        """See :meth:`Recipe.size`."""

    @abstractmethod
    def check(self, parameters: Any, atoms: Atoms) -> None:
        """Refuse what cannot be built, as far as it is known without packing.

        :raises InterfaceError: naming the fault and the remedy.
        """

    @abstractmethod
    def build(self, parameters: Any, atoms: Atoms | None = None) -> BuiltInterface:
        """See :meth:`Recipe.build`."""

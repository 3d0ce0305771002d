"""A film of water, vacuum on both sides: the smallest interface that shows false metallization."""

from __future__ import annotations

from typing import ClassVar, Literal

from ase import Atoms
from ase.build import molecule
from pydantic import Field

from .packing import pack
from .recipe import MINIMUM_VACUUM, BuiltInterface, Parameters, Recipe

WATER_VOLUME = 29.97
"""Å^3 a molecule: 0.997 g/cm^3 (25 °C, IAPWS-95) and 18.015 g/mol."""


class FilmParameters(Parameters):
    """A film of ``molecules`` waters on ``lateral`` x ``lateral`` Å, ``vacuum`` Å between it and its image."""

    molecules: int = Field(ge=8, le=20000)
    lateral: float = Field(ge=6.0, le=200.0, description="lateral edge in Å")
    vacuum: float = Field(default=25.0, ge=MINIMUM_VACUUM, le=500.0, description="vacuum in Å")
    seed: int = Field(default=1, ge=1, lt=2**31)
    solvent: Literal["water"] = "water"


class FilmRecipe(Recipe):
    """See the module."""

    name: ClassVar[str] = "film"
    summary: ClassVar[str] = "a film of water with vacuum on both sides"
    parameters: ClassVar[type[Parameters]] = FilmParameters

    def elements(self, parameters: FilmParameters) -> set[str]:
        """See :meth:`Recipe.elements`."""
        return {"H", "O"}

    def size(self, parameters: FilmParameters) -> int:
        """See :meth:`Recipe.size`."""
        return 3 * parameters.molecules

    def build(self, parameters: FilmParameters) -> BuiltInterface:
        """Pack the film at the liquid's density and centre it in the vacuum. See :meth:`Recipe.build`."""
        p = parameters
        thickness = p.molecules * WATER_VOLUME / p.lateral**2
        atoms = pack(water(), p.molecules, (p.lateral, p.lateral, thickness), p.seed)
        atoms.set_cell([p.lateral, p.lateral, thickness + p.vacuum])
        atoms.positions[:, 2] += 0.5 * p.vacuum
        indices = list(range(len(atoms)))
        return BuiltInterface(
            atoms,
            {
                "area": p.lateral**2,
                "axis": 2,
                "thickness": thickness,
                "vacuum": p.vacuum,
                "solvent": p.solvent,
                "solvent_indices": indices,
                "molecules": [indices[i : i + 3] for i in indices[::3]],
                "fixed_indices": [],
            },
        )


def water() -> Atoms:
    """One water molecule in the order O H H (G2 geometry)."""
    atoms = molecule("H2O")
    return atoms[[atoms.symbols == "O"][0].nonzero()[0].tolist() + (atoms.symbols == "H").nonzero()[0].tolist()]


RECIPE = FilmRecipe()

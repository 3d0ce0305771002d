"""A film of a liquid, vacuum on both sides: the smallest interface that shows false metallization."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

import numpy as np
from ase import Atoms
from pydantic import Field, field_validator, model_validator

from .liquid import Liquid, cell_info, check_room, film_info, make_liquid
from .packing import pack_slab
from .recipe import MINIMUM_VACUUM, BuiltInterface, Parameters, Recipe
from .solvents import SOLVENTS, salt, solvent

WATER_VOLUME = SOLVENTS["water"].volume
"""Å^3 a molecule."""
Edge = Annotated[float, Field(ge=6.0, le=200.0)]


class FilmParameters(Parameters):
    """A film on ``lateral`` x ``lateral`` Å, ``vacuum`` Å between it and its image; salt makes it a solution."""

    molecules: int | None = Field(default=None, ge=8, le=20000, description="of the solvent; or give `thickness`")
    thickness: float | None = Field(
        default=None, ge=5.0, le=500.0, description="Å at the liquid's density; or give `molecules`"
    )
    lateral: Edge | tuple[Edge, Edge] = Field(description="lateral edge in Å, or the two edges")
    vacuum: float = Field(default=25.0, ge=MINIMUM_VACUUM, le=500.0, description="vacuum in Å")
    seed: int = Field(default=1, ge=1, lt=2**31, description="of the packing")
    solvent: str = Field(default="water", description=f"one of {', '.join(SOLVENTS)}")
    salt: dict[str, Annotated[int, Field(ge=1, le=10000)]] | None = Field(
        default=None, description="pairs of ions by salt, as {NaCl: 2}"
    )

    @field_validator("solvent")
    @classmethod
    def _is_solvent(cls, name: str) -> str:
        solvent(name)
        return name

    @field_validator("salt")
    @classmethod
    def _is_salt(cls, pairs: dict[str, int] | None) -> dict[str, int] | None:
        for name in pairs or {}:
            salt(name)
        return pairs

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if (self.molecules is None) == (self.thickness is None):
            raise ValueError("the amount of liquid is given by `molecules` or by `thickness`; give exactly one of them")
        return self

    @property
    def edges(self) -> tuple[float, float]:
        """Both lateral edges in Å."""
        return self.lateral if isinstance(self.lateral, tuple) else (self.lateral, self.lateral)

    def liquid(self) -> Liquid:
        """What the film holds."""
        return make_liquid(self.solvent, self.edges[0] * self.edges[1], self.molecules, self.thickness, self.salt)


class FilmRecipe(Recipe):
    """See the module."""

    name: ClassVar[str] = "film"
    summary: ClassVar[str] = "a film of a liquid or of a salt solution, with vacuum on both sides"
    parameters: ClassVar[type[Parameters]] = FilmParameters

    @classmethod
    def examples(cls) -> list[dict[str, Any]]:
        """See :meth:`Recipe.examples`."""
        return [
            {"molecules": 24, "lateral": 7.0},
            {"molecules": 64, "lateral": [9.0, 10.0], "vacuum": 15.0, "seed": 4},
            {"thickness": 20.0, "lateral": 8.0, "seed": 2},
            {"solvent": "methanol", "molecules": 16, "lateral": 9.0},
            {"solvent": "acetonitrile", "thickness": 15.0, "lateral": 10.0},
            {"molecules": 40, "lateral": 9.0, "salt": {"NaCl": 1}},
            {"molecules": 50, "lateral": 10.0, "salt": {"NaCl": 1, "KCl": 1}},
        ]

    def elements(self, parameters: FilmParameters) -> set[str]:
        """See :meth:`Recipe.elements`."""
        return parameters.liquid().elements

    def size(self, parameters: FilmParameters) -> int:
        """See :meth:`Recipe.size`."""
        return parameters.liquid().count

    def build(self, parameters: FilmParameters) -> BuiltInterface:
        """Pack the film at the liquid's density and centre it in the vacuum. See :meth:`Recipe.build`."""
        p, liquid = parameters, parameters.liquid()
        x, y = p.edges
        check_room(np.diag([x, y]), liquid)
        cell = np.diag([x, y, liquid.thickness + p.vacuum])
        atoms = pack_slab(cell, 0.0, liquid.thickness, liquid.contents, p.seed)
        atoms.positions[:, 2] += 0.5 * p.vacuum
        info = film_info(liquid, p.vacuum)
        return BuiltInterface(atoms, {**info, **cell_info(atoms, [], info["solvent_indices"])})


def water() -> Atoms:
    """One water molecule in the order O H H (G2 geometry)."""
    return SOLVENTS["water"].atoms()


RECIPE = FilmRecipe()

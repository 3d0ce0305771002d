"""A liquid on a substrate, or between two: where it is packed, and what is known of the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
from ase import Atoms
from pydantic import Field, field_validator, model_validator

from .liquid import Liquid, cell_info, check_room, film_info, make_liquid
from .matching import Floats
from .packing import TOLERANCE, pack_slab
from .plates import Plate, PlateParameters
from .recipe import MINIMUM_VACUUM, BuiltInterface
from .solvents import SOLVENTS, salt, solvent
from .substrates import contact_distance, kpoint_mesh, substrate

MARGIN = TOLERANCE / 2.0
"""Å between the liquid's nominal surface and its outermost atoms: half a contact, as packmol keeps it from a wall."""

Gap = Annotated[float, Field(ge=1.5, le=10.0)]
Pairs = Annotated[int, Field(ge=1, le=10000)]


class LiquidParameters(PlateParameters):
    """A substrate and a liquid on it, its amount given in molecules or as thickness at the liquid's density."""

    solvent: str = Field(default="water", description=f"one of {', '.join(SOLVENTS)}")
    molecules: int | None = Field(default=None, ge=1, le=20000, description="of the solvent; or give `thickness`")
    thickness: float | None = Field(
        default=None, ge=3.5, le=500.0, description="Å at the liquid's density; or give `molecules`"
    )
    salt: dict[str, Pairs] | None = Field(default=None, description="pairs of ions by salt, as {NaCl: 2}")
    gap: Gap | None = Field(
        default=None,
        description="Å between the substrate's outermost atoms and the liquid's; by default the sum of Bondi radii",
    )
    vacuum: float = Field(default=25.0, ge=MINIMUM_VACUUM, le=500.0, description="Å, outside of everything")
    seed: int = Field(default=1, ge=1, lt=2**31, description="of the packing")

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

    def elements(self) -> set[str]:
        """Chemical symbols of substrate and liquid."""
        return {*substrate(self.substrate).species, *self.liquid(1000.0).elements}

    def liquid(self, area: float) -> Liquid:
        """The liquid on ``area`` Å^2."""
        return make_liquid(self.solvent, area, self.molecules, self.thickness, self.salt)


@dataclass(frozen=True)
class Wall:
    """A solid below or above the liquid.

    :param atoms: its atoms; the surface that the liquid sees is the upper one, of a wall above the liquid the lower.
    :param fixed: indices into ``atoms`` that the MD holds.
    :param metal: whether it is one.
    :param gap: Å between its surface and the liquid's atoms.
    """

    atoms: Atoms
    fixed: list[int]
    metal: bool
    gap: float


def contact(parameters: LiquidParameters, plate: Atoms) -> float:
    """Default ``gap`` of a plate whose surface looks up, Å."""
    return contact_distance(plate, set(solvent(parameters.solvent).symbols) - {"H"})


def assemble(
    parameters: LiquidParameters, below: Plate, fixed: list[int], lattice: dict[str, Any], roof: Wall | None = None
) -> BuiltInterface:
    """The interface of a plate, its liquid and perhaps a second plate, see :func:`stack`.

    :param fixed: indices of ``below`` that the MD holds.
    :param lattice: ``info['lattice']``.
    """
    p = parameters
    gap = p.gap if p.gap is not None else contact(p, below.atoms)
    ground = Wall(below.atoms, fixed, below.entry.metal, gap)
    return stack(below.lateral, ground, p.liquid(below.area), p.vacuum, p.seed, lattice, roof)


def stack(
    lateral: Floats,
    ground: Wall,
    liquid: Liquid,
    vacuum: float,
    seed: int,
    lattice: dict[str, Any],
    roof: Wall | None = None,
) -> BuiltInterface:
    """Stack vacuum, substrate, liquid and perhaps a second solid, and say what is where.

    :param lateral: shape (2, 2), Å: the cell of all of them.
    :param ground: the substrate, its lowest atom at z = 0.
    :param vacuum: Å, half of it below and half above.
    :param seed: of the packing.
    :param lattice: ``info['lattice']``.
    :return: ``info`` has, besides what every recipe gives, ``gaps``: of each solid, Å.
    :raises InterfaceError: if there is no room for the liquid.
    """
    check_room(lateral, liquid)
    gaps, fixed = [ground.gap], ground.fixed
    plates = ground.atoms.copy()
    count = len(plates)
    plates.positions[:, 2] += 0.5 * vacuum
    low = float(plates.positions[:, 2].max()) + ground.gap - MARGIN
    high = low + liquid.thickness
    top, metals = high, list(range(count)) if ground.metal else []
    if roof is not None:
        upper = roof.atoms.copy()
        upper.positions[:, 2] += high - MARGIN + roof.gap - upper.positions[:, 2].min()
        top = float(upper.positions[:, 2].max())
        fixed = [*fixed, *(count + index for index in roof.fixed)]
        metals += [count + index for index in range(len(upper))] if roof.metal else []
        gaps.append(roof.gap)
        plates += upper
    cell = np.zeros((3, 3))
    cell[:2, :2], cell[2, 2] = lateral, top + 0.5 * vacuum
    plates.set_cell(cell)
    plates.pbc = True
    packed = pack_slab(cell, low, high, liquid.contents, seed, obstacles=plates)
    atoms, info = plates + packed, film_info(liquid, vacuum, len(plates))
    info = {
        **info,
        **cell_info(atoms, metals, info["solvent_indices"]),
        "fixed_indices": fixed,
        "kpoints": kpoint_mesh(cell, bool(metals)),
        "lattice": lattice,
        "gaps": gaps,
    }
    return BuiltInterface(atoms, info)

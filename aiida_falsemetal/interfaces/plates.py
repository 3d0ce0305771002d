"""A substrate of the size that is asked for: what films on a substrate and liquids between plates have in common."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from ase import Atoms
from pydantic import Field, field_validator, model_validator

from .matching import Floats, cell_matrix, match, nearest_repeat, report, strained, supercell
from .recipe import Parameters
from .substrates import SUBSTRATES, Substrate, layer_indices, substrate, surface_cell

Count = Annotated[int, Field(ge=1, le=100)]
Length = Annotated[float, Field(ge=4.0, le=200.0)]
Constant = Annotated[float, Field(gt=2.0, lt=10.0)]
Layers = Annotated[int, Field(ge=1, le=12)]


class PlateParameters(Parameters):
    """A substrate, its lateral size, and how much of it is held."""

    substrate: str = Field(description=f"one of {', '.join(SUBSTRATES)}")
    lattice_constant: Constant | None = Field(default=None, description="Å, instead of the experimental one")
    layers: Layers | None = Field(default=None, description="layers of the substrate; by default its own number")
    cell: Literal["orthogonal", "hexagonal"] = Field(default="orthogonal", description="what is repeated")
    repeat: tuple[Count, Count] | None = Field(default=None, description="of the cell; or give `lateral`")
    lateral: tuple[Length, Length] | Length | None = Field(
        default=None, description="Å, target lengths of the edges: the nearest repeats are taken and reported"
    )
    fixed_layers: int | None = Field(
        default=None, ge=0, le=12, description="layers furthest from the liquid that the MD holds; by default half"
    )

    @field_validator("substrate")
    @classmethod
    def _known(cls, name: str) -> str:
        substrate(name)
        return name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.repeat is None) == (self.lateral is None):
            raise ValueError("the lateral size is given by `repeat` or by `lateral`; give exactly one of them")
        cell_matrix(substrate(self.substrate).hexagonal, self.cell, (1, 1), self.substrate)
        most = self.layers or substrate(self.substrate).layers
        if self.fixed_layers is not None and self.fixed_layers > most:
            raise ValueError(f"fixed_layers {self.fixed_layers} is more than the {most} layers there are; lower it")
        return self


@dataclass(frozen=True)
class Plate:
    """One substrate with its supercell.

    :param name: a key of ``SUBSTRATES``.
    :param layers: how many.
    :param small: its smallest periodic piece, that many layers thick.
    :param edge: shape (2, 2), Å: the cell that is repeated.
    :param repeat: how often.
    :param cell: ``orthogonal`` or ``hexagonal``.
    """

    name: str
    layers: int
    small: Atoms
    edge: Floats
    repeat: tuple[int, int]
    cell: str
    lattice_constant: float

    @property
    def entry(self) -> Substrate:
        """Its data."""
        return SUBSTRATES[self.name]

    @property
    def lateral(self) -> Floats:
        """The supercell's vectors, shape (2, 2), Å."""
        return np.diag(self.repeat) @ self.edge

    @property
    def area(self) -> float:
        """Å^2."""
        return float(np.linalg.det(self.lateral))

    @property
    def count(self) -> int:
        """Number of atoms, known without building them."""
        return len(self.small) * round(self.area / float(np.linalg.det(self.small.cell.array[:2, :2])))

    @cached_property
    def atoms(self) -> Atoms:
        """The atoms, from bottom to top, the lowest at z = 0."""
        return supercell(self.small, cell_matrix(self.entry.hexagonal, self.cell, self.repeat, self.name))

    def report(self) -> dict[str, Any]:
        """``info['lattice']``."""
        return report(self.name, self.source, self.lattice_constant, self.cell, self.repeat, self.lateral)

    @property
    def source(self) -> str:
        """Of the lattice constant."""
        return self.entry.source if self.lattice_constant == self.entry.a else "given in the recipe"


def plate(parameters: PlateParameters) -> Plate:
    """The substrate of the parameters; of ``lateral``, the repeats that come nearest."""
    p = parameters
    entry = substrate(p.substrate)
    constant = entry.a if p.lattice_constant is None else p.lattice_constant
    layers = p.layers or entry.layers
    small = surface_cell(entry, layers, constant)
    edge = np.array(cell_matrix(entry.hexagonal, p.cell, (1, 1), p.substrate)) @ small.cell.array[:2, :2]
    repeat = p.repeat
    if repeat is None:
        assert p.lateral is not None
        lateral = p.lateral if isinstance(p.lateral, tuple) else (p.lateral, p.lateral)
        first, second = np.linalg.norm(edge, axis=1)
        repeat = nearest_repeat((float(first), float(second)), lateral)
    return Plate(p.substrate, layers, small, edge, repeat, p.cell, constant)


def matched_plate(
    name: str, layers: int | None, lattice_constant: float | None, below: Plate, max_strain: float
) -> tuple[Atoms, dict[str, Any]]:
    """A second substrate, turned and strained onto the first one's cell, the surface looking up.

    :return: its atoms, the lowest at z = 0, and what to report of it.
    :raises InterfaceError: if it does not fit within ``max_strain`` %.
    """
    entry = substrate(name)
    constant = entry.a if lattice_constant is None else lattice_constant
    small = surface_cell(entry, layers or entry.layers, constant)
    lattice = small.cell.array[:2, :2]
    found = match(below.lateral, lattice, max_strain, (below.name, name), below.edge, below.repeat)
    atoms = strained(supercell(small, found.matrix), below.lateral)
    return atoms, {
        "substrate": name,
        "lattice_constant": constant,
        "source": entry.source if constant == entry.a else "given in the recipe",
        "matrix": [list(row) for row in found.matrix],
        "strain": list(found.strain),
        "principal_strain": list(found.principal),
        "rotation": found.rotation,
    }


def held(count: int, layers: int, fixed_layers: int | None, top: bool = False) -> list[int]:
    """Indices of the atoms that the MD holds, of ``count`` sorted from bottom to top: half of the layers, rounded up.

    Rounded up, so that a single sheet is held: a substrate that drifts or turns would carry the liquid along.

    :param top: the uppermost ones, for a plate above the liquid.
    """
    number = (layers + 1) // 2 if fixed_layers is None else fixed_layers
    parts = layer_indices(count, layers)
    chosen = parts[layers - number :] if top else parts[:number]
    return [index for part in chosen for index in part]

"""How much of a liquid there is, what it takes up, and what the later steps must know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from .packing import TOLERANCE, molecules_of
from .recipe import InterfaceError
from .solvents import AVOGADRO, Salt, Solvent, ion_charge, salt, solvent

THINNEST = 3.5
"""Å: a nominal film below this has no room for a molecule between packmol's walls."""


@dataclass(frozen=True)
class Liquid:
    """``number`` molecules of ``kind``, and pairs of ions, at the liquid's density on ``area`` Å^2."""

    kind: Solvent
    number: int
    area: float
    salts: tuple[tuple[Salt, int], ...] = ()

    @property
    def thickness(self) -> float:
        """Å, nominal: the volume of what there is over the area."""
        volume = self.number * self.kind.volume + sum(pairs * kind.volume for kind, pairs in self.salts)
        return float(volume / self.area)

    @property
    def contents(self) -> list[tuple[Atoms, int]]:
        """For :func:`.packing.pack_slab`: the molecules, then each salt's cations and anions."""
        ions = [(Atoms(symbol), pairs) for kind, pairs in self.salts for symbol in kind.ions]
        return [(self.kind.atoms(), self.number), *ions]

    @property
    def elements(self) -> set[str]:
        """Chemical symbols."""
        return {*self.kind.symbols, *(symbol for kind, _ in self.salts for symbol in kind.ions)}

    @property
    def count(self) -> int:
        """Number of atoms."""
        return self.number * len(self.kind.symbols) + 2 * sum(pairs for _, pairs in self.salts)

    @property
    def charges(self) -> list[float]:
        """Screened charges in e, in the order of ``contents``."""
        ions = [
            ion_charge(charge, self.kind.eps_inf)
            for kind, pairs in self.salts
            for charge in kind.charges
            for _ in range(pairs)
        ]
        return [*(self.kind.charges() * self.number), *ions]

    @property
    def molality(self) -> dict[str, float]:
        """mol of each salt a kg of solvent."""
        kilograms = self.number * self.kind.grams_per_cm3() * self.kind.volume * AVOGADRO * 1e-3
        return {kind.name: pairs / kilograms for kind, pairs in self.salts}


def make_liquid(
    name: str,
    area: float,
    molecules: int | None = None,
    thickness: float | None = None,
    salts: Mapping[str, int] | None = None,
) -> Liquid:
    """A liquid of so many molecules, or of so many that it is that thick (Å) on ``area`` Å^2, ions counted in.

    :param salts: pairs of ions by salt.
    :raises InterfaceError: if there is no such solvent or salt, or the ions leave no room for it.
    """
    kind = solvent(name)
    given = tuple((salt(key), pairs) for key, pairs in (salts or {}).items())
    if molecules is None:
        assert thickness is not None
        left = thickness * area - sum(pairs * each.volume for each, pairs in given)
        molecules = max(1, round(left / kind.volume))
    return Liquid(kind, molecules, area, given)


def check_room(lateral: ArrayLike, liquid: Liquid) -> None:
    """The liquid must be thick enough for its margins, and a molecule must not touch its own periodic copy.

    :param lateral: shape (2, 2), Å.
    :raises InterfaceError: if the film is too thin, or the cell's smaller height less than a molecule and a contact.
    """
    if liquid.thickness < THINNEST:
        raise InterfaceError(
            f"{liquid.number} molecules are a film of {liquid.thickness:.1f} Å, at least {THINNEST:.1f} Å are needed; "
            "use more molecules, more thickness or a smaller area."
        )
    check_width(lateral, liquid)


def check_width(lateral: ArrayLike, liquid: Liquid) -> None:
    """A molecule must not touch its own periodic copy, see :func:`check_room`."""
    width = liquid.area / float(np.linalg.norm(np.asarray(lateral, dtype=float), axis=1).max())
    needed = float(liquid.kind.atoms().get_all_distances().max()) + TOLERANCE
    if width < needed:
        raise InterfaceError(
            f"the cell is {width:.1f} Å wide, a molecule of {liquid.kind.name} needs {needed:.1f} Å; use a larger "
            "repeat or lateral size."
        )


def cell_info(atoms: Atoms, metals: Sequence[int], liquid: Sequence[int]) -> dict[str, Any]:
    """``height`` of ``info``, and where there is a metal what is said of it, see :class:`.recipe.BuiltInterface`.

    :param metals: indices of a metal's atoms, perhaps none.
    :param liquid: of the liquid's atoms.
    """
    info: dict[str, Any] = {"height": float(atoms.cell.array[2, 2])}
    if len(metals):
        z, middle = atoms.positions[list(metals), 2], float(atoms.positions[list(liquid), 2].mean())
        sides = [side for side in (z[z < middle], z[z >= middle]) if len(side)]
        info["metal_indices"] = list(metals)
        info["metal_thickness"] = float(sum(np.ptp(side) for side in sides))
        info["between_metals"] = len(sides) == 2
    return info


def film_info(liquid: Liquid, vacuum: float, first: int = 0) -> dict[str, Any]:
    """``info`` of a liquid without a substrate, see :class:`.recipe.BuiltInterface`.

    :param first: number of atoms before the liquid's.
    """
    indices = list(range(first, first + liquid.count))
    info: dict[str, Any] = {
        "area": liquid.area,
        "axis": 2,
        "thickness": liquid.thickness,
        "vacuum": vacuum,
        "solvent": liquid.kind.name,
        "solvent_indices": indices,
        "molecules": molecules_of(liquid.contents, first),
        "fixed_indices": [],
        "substrate_indices": list(range(first)),
        "charges": [0.0] * first + liquid.charges,
        "eps": liquid.kind.eps,
        "eps_inf": liquid.kind.eps_inf,
        "kpoints": [1, 1, 1],
        "lattice": None,
    }
    if liquid.salts:
        info["molality"] = liquid.molality
    return info

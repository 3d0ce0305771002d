"""An interface from a structure that someone has: a slab on which a liquid is packed, or the whole of it.

With ``molecules`` or ``thickness`` the structure is a slab, and the liquid is packed on its upper surface. Without, it
is a whole interface: molecules of a known solvent are found by their bonds, ions of known salts by their having no
crystal around them, and the rest is the substrate, below the liquid, above it or both. Atoms are put into the order
that later steps rely on, molecules made whole; no position changes otherwise.

Charges are 0 on the substrate, as in :mod:`.adsorbed`. A liquid that is not packed counts as one at 298 K: ice from a
file does not, use the recipe ``ice``.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

import numpy as np
from ase import Atoms
from pydantic import Field, field_validator, model_validator

from ..physics.molecules import make_whole
from .adsorbed import AdsorbedParameters, AdsorbedRecipe
from .film import FilmParameters, FilmRecipe
from .liquid import Liquid, cell_info, check_room, check_width, film_info, make_liquid
from .matching import Floats
from .recipe import MINIMUM_VACUUM, BuiltInterface, InterfaceError, Parameters, StructureRecipe
from .recognize import Recognized, find_solvents, recognize
from .solvents import SOLVENTS, salt, solvent
from .substrates import PLANE, contact_distance, kpoint_mesh, substrate, surface_cell
from .upright import Upright, upright
from .wetting import Gap, Pairs, Wall, stack

PACKED_VACUUM = 25.0
"""Å, where the liquid is packed and nothing else is said."""
NOT_METALS = frozenset("H He B C N O F Ne Si P S Cl Ar Ge As Se Br Kr Te I Xe At Rn".split())
"""Elements that do not make a substrate a metal by themselves."""
Count = Annotated[int, Field(ge=1, le=100)]


class FileParameters(Parameters):
    """What is done with the structure, which is named by ``file`` and ``index``, or by ``structure``."""

    solvent: str | None = Field(
        default=None, description=f"one of {', '.join(SOLVENTS)}; water is packed, any is found, unless it is named"
    )
    molecules: int | None = Field(
        default=None, ge=1, le=20000, description="of the solvent, packed on the structure; or give `thickness`"
    )
    thickness: float | None = Field(
        default=None, ge=3.5, le=500.0, description="Å at the liquid's density, packed on it; or give `molecules`"
    )
    salt: dict[str, Pairs] | None = Field(default=None, description="pairs of ions by salt, packed, as {NaCl: 2}")
    gap: Gap | None = Field(
        default=None, description="Å between the slab's highest atoms and the packed liquid's; by default Bondi radii"
    )
    vacuum: float | None = Field(
        default=None,
        ge=MINIMUM_VACUUM,
        le=500.0,
        description=f"Å; by default {PACKED_VACUUM:g} with a packed liquid, else the structure's own",
    )
    repeat: tuple[Count, Count] = Field(default=(1, 1), description="copies of the structure along its two vectors")
    metal: bool | None = Field(
        default=None, description="whether the substrate is one; by default whether it holds metallic elements only"
    )
    fixed_layers: int | None = Field(
        default=None, ge=0, le=1000, description="atomic planes furthest from the liquid that the MD holds; or half"
    )
    fixed_below: float | None = Field(
        default=None, ge=0.0, le=500.0, description="Å above the lowest atom below which the MD holds the substrate"
    )
    seed: int = Field(default=1, ge=1, lt=2**31, description="of the packing")

    @field_validator("solvent")
    @classmethod
    def _is_solvent(cls, name: str | None) -> str | None:
        if name is not None:
            solvent(name)
        return name

    @field_validator("salt")
    @classmethod
    def _is_salt(cls, pairs: dict[str, int] | None) -> dict[str, int] | None:
        for name in pairs or {}:
            salt(name)
        return pairs

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.molecules is not None and self.thickness is not None:
            raise ValueError("the amount of liquid is given by `molecules` or by `thickness`; give one of them")
        for name in ("salt", "gap"):
            if not self.packs and getattr(self, name) is not None:
                raise ValueError(
                    f"`{name}` is for a liquid that is packed; give `molecules` or `thickness`, or no {name}"
                )
        if self.fixed_layers is not None and self.fixed_below is not None:
            raise ValueError("what is held is given by `fixed_layers` or by `fixed_below`; give one of them")
        return self

    @property
    def packs(self) -> bool:
        """Whether a liquid is packed on the structure."""
        return self.molecules is not None or self.thickness is not None

    def liquid(self, area: float) -> Liquid:
        """The liquid that is packed on ``area`` Å^2."""
        return make_liquid(self.solvent or "water", area, self.molecules, self.thickness, self.salt)


class FileRecipe(StructureRecipe):
    """See the module."""

    name: ClassVar[str] = "file"
    summary: ClassVar[str] = "a liquid packed on a slab from a file, or a whole interface from a file"
    parameters: ClassVar[type[Parameters]] = FileParameters

    @classmethod
    def examples(cls) -> list[dict[str, Any]]:
        """See :meth:`Recipe.examples`."""
        return [
            {"solvent": "water", "thickness": 12.0, "repeat": [3, 3], "fixed_layers": 2},
            {"molecules": 16, "repeat": [4, 4], "metal": True, "vacuum": 15.0},
            {"molecules": 30, "repeat": [2, 2], "salt": {"NaCl": 1}, "fixed_below": 1.0, "seed": 2},
            {},
            {"vacuum": 20.0},
            {"solvent": "water", "fixed_layers": 1},
        ]

    @classmethod
    def structures(cls) -> list[Atoms]:
        """Three slabs, three whole interfaces. See :meth:`StructureRecipe.structures`."""
        slabs = [surface_cell(substrate(name), layers) for name, layers in (("Cu(111)", 4), ("graphene", 1))]
        slabs.append(surface_cell(substrate("NaCl(100)"), 2))
        film, adsorbed = FilmRecipe(), AdsorbedRecipe()
        wholes = [
            film.build(FilmParameters(solvent="methanol", molecules=16, lateral=9.0)),
            film.build(FilmParameters(molecules=50, lateral=10.0, salt={"NaCl": 1, "KCl": 1})),
            adsorbed.build(AdsorbedParameters(substrate="MgO(100)", layers=2, repeat=(3, 3), molecules=16, seed=3)),
        ]
        return slabs + [_cut(built.atoms) for built in wholes]

    def has_metal(self, parameters: FileParameters, atoms: Atoms | None = None) -> bool:
        """See :meth:`Recipe.has_metal`."""
        given = _upright(parameters, atoms)
        return _is_metal(parameters, given.atoms if parameters.packs else given.atoms[recognize(given.atoms).rest])

    def elements(self, parameters: FileParameters, atoms: Atoms | None = None) -> set[str]:
        """See :meth:`Recipe.elements`."""
        own = set(_needed(atoms).get_chemical_symbols())
        return own | parameters.liquid(1000.0).elements if parameters.packs else own

    def size(self, parameters: FileParameters, atoms: Atoms | None = None) -> int:
        """See :meth:`Recipe.size`."""
        given = _upright(parameters, atoms)
        return len(given.atoms) + (parameters.liquid(given.area).count if parameters.packs else 0)

    def check(self, parameters: FileParameters, atoms: Atoms) -> None:
        """See :meth:`StructureRecipe.check`."""
        given = _upright(parameters, atoms)
        if parameters.packs:
            check_room(given.lateral, parameters.liquid(given.area))
            _ground(parameters, given)
        else:
            whole(parameters, given)

    def build(self, parameters: FileParameters, atoms: Atoms | None = None) -> BuiltInterface:
        """Pack the liquid on the slab, or sort the whole. See :meth:`Recipe.build`."""
        given = _upright(parameters, atoms)
        return packed(parameters, given) if parameters.packs else whole(parameters, given)


def packed(parameters: FileParameters, slab: Upright) -> BuiltInterface:
    """A liquid on a slab.

    :raises InterfaceError: if there is no room for it, or the slab has the solvent already.
    """
    p = parameters
    vacuum = PACKED_VACUUM if p.vacuum is None else p.vacuum
    ground = _ground(p, slab)
    return stack(slab.lateral, ground, p.liquid(slab.area), vacuum, p.seed, _lattice(p, slab, slab.atoms))


def whole(parameters: FileParameters, given: Upright) -> BuiltInterface:
    """A structure that has its liquid already.

    :raises InterfaceError: if it has none that is known, too little vacuum, or a metal is asked for and missing.
    """
    p, parts = parameters, recognize(given.atoms)
    if parts.kind is None or p.solvent not in (None, parts.kind.name):
        raise InterfaceError(
            f"the structure holds no molecule of {p.solvent or ' or '.join(SOLVENTS)}; to pack a liquid on it, give "
            "`molecules` or `thickness`."
        )
    atoms, vacuum = _sorted(given, parts), p.vacuum
    if vacuum is None:
        vacuum = given.vacuum
        if vacuum < MINIMUM_VACUUM:
            raise InterfaceError(
                f"the structure has {vacuum:.1f} Å of vacuum, {MINIMUM_VACUUM:g} are needed; give `vacuum`, and it is "
                "put into a longer cell."
            )
    z = atoms.positions[:, 2]
    cell = given.atoms.cell.array
    cell[2, 2] = np.ptp(z) + vacuum
    atoms.positions[:, 2] += 0.5 * vacuum - z.min()
    atoms.set_cell(cell)
    count = len(parts.rest)
    below = atoms[:count]
    metal = _is_metal(p, below)
    if p.metal and not count:
        raise InterfaceError("the structure is its solvent alone, without a metal; leave `metal` out.")
    liquid = make_liquid(parts.kind.name, given.area, len(parts.molecules), salts=parts.salts)
    check_width(given.lateral, liquid)
    info = film_info(liquid, vacuum, count)
    info = {
        **info,
        **cell_info(atoms, range(count) if metal else (), info["solvent_indices"]),
        "fixed_indices": _held(p, below.positions[:, 2], float(atoms.positions[count:, 2].mean())),
        "kpoints": kpoint_mesh(cell, metal),
        "lattice": _lattice(p, given, below) if count else None,
        "packed": False,
    }
    return BuiltInterface(atoms, info)


def planes(z: Floats) -> list[list[int]]:
    """Indices of atoms in planes from bottom to top: a plane ends where the next atom is more than ``PLANE`` higher.

    :param z: heights in Å, shape (n,).
    """
    if not len(z):
        return []
    order = np.argsort(z, kind="stable")
    ends = np.flatnonzero(np.diff(z[order]) > PLANE) + 1
    return [[int(index) for index in part] for part in np.split(order, ends)]


def _ground(p: FileParameters, slab: Upright) -> Wall:
    """The slab as the wall below a liquid."""
    there = find_solvents(slab.atoms)
    for name, molecules in there.items():
        raise InterfaceError(
            f"the structure has {len(molecules)} molecules of {name} already; leave `molecules` and `thickness` out to "
            "take it as it is, or remove them from it."
        )
    heavy = set(solvent(p.solvent or "water").symbols) - {"H"}
    gap = contact_distance(slab.atoms, heavy) if p.gap is None else p.gap
    fixed = _held(p, slab.atoms.positions[:, 2], np.inf)
    return Wall(slab.atoms, fixed, _is_metal(p, slab.atoms), gap)


def _held(p: FileParameters, z: Floats, middle: float) -> list[int]:
    """Indices of the substrate's atoms that the MD holds: of its part below the liquid, and of that above.

    :param z: heights of the substrate's atoms, Å.
    :param middle: of the liquid, Å.
    """
    if p.fixed_below is not None:
        return [int(index) for index in np.flatnonzero(z < z.min(initial=0.0) + p.fixed_below)] if len(z) else []
    held: list[int] = []
    for side in (np.flatnonzero(z < middle), np.flatnonzero(z >= middle)):
        layers = planes(z[side])
        number = (len(layers) + 1) // 2 if p.fixed_layers is None else p.fixed_layers
        if layers and number > len(layers):
            raise InterfaceError(f"fixed_layers {number} is more than the {len(layers)} planes there are; lower it.")
        chosen = layers[:number] if side.size and z[side].max() < middle else layers[len(layers) - number :]
        held += [int(side[index]) for plane in chosen for index in plane]
    return sorted(held)


def _sorted(given: Upright, parts: Recognized) -> Atoms:
    """Substrate, solvent, ions; molecules whole."""
    atoms = given.atoms[parts.order]
    count, first = len(parts.rest), len(parts.molecules[0])
    members = [list(range(at, at + first)) for at in range(count, count + first * len(parts.molecules), first)]
    cell = atoms.cell.array
    cell[2, 2] = max(cell[2, 2], np.ptp(atoms.positions[:, 2]) + MINIMUM_VACUUM)  # nothing is wrapped along z
    atoms.positions = make_whole(atoms.get_positions(), members, cell)
    return atoms


def _is_metal(p: FileParameters, below: Atoms) -> bool:
    symbols = set(below.get_chemical_symbols())
    return bool(symbols) and (not symbols & NOT_METALS if p.metal is None else p.metal)


def _lattice(p: FileParameters, given: Upright, below: Atoms) -> dict[str, Any]:
    """``info['lattice']``: a structure's own cell, unstrained."""
    lengths = np.linalg.norm(given.lateral, axis=1)
    cosine = float(given.lateral[0] @ given.lateral[1] / np.prod(lengths))
    return {
        "substrate": below.get_chemical_formula(),
        "source": "the structure given",
        "repeats": list(p.repeat),
        "lengths": [float(length) for length in lengths],
        "angle": float(np.degrees(np.arccos(cosine))),
        "strain": [0.0, 0.0, 0.0],
    }


def _needed(atoms: Atoms | None) -> Atoms:
    if atoms is None:
        raise InterfaceError("the recipe file needs a structure; name one.")
    return atoms


def _upright(p: FileParameters, atoms: Atoms | None) -> Upright:
    return upright(_needed(atoms), p.repeat)


def _cut(atoms: Atoms) -> Atoms:
    """The same periodic structure as a file may have it: shuffled, wrapped atom by atom, cut by the face in z."""
    moved = atoms[np.random.default_rng(1).permutation(len(atoms))]
    moved.positions += 0.5 * moved.cell.array.sum(axis=0)
    moved.wrap()
    return moved


RECIPE = FileRecipe()

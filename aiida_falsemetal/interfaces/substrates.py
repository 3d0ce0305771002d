"""Substrates: crystals cut along a plane. A new one is an entry in ``SUBSTRATES`` where its kind of surface exists.

Surfaces are ideal cuts of the bulk; the driver relaxes the atoms that it does not hold before the MD. Lattice constants
are experimental, near room temperature; an MLIP or a functional may prefer others (PBE metals are 0.5 to 2 % larger),
and every recipe takes another ``lattice_constant``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from ase import Atoms
from ase.build import fcc100, fcc111, graphene, make_supercell
from ase.cell import Cell
from ase.data import atomic_numbers
from ase.data.vdw import vdw_radii
from numpy.typing import NDArray

from .recipe import InterfaceError

KPOINT_SPACING = 0.25
"""1/Å between k-points of a metal, 2 pi included: 6 x 6 for 2 x 2 Cu(111), 2 x 2 for the paper's 12.8 x 13.3 Å."""
UNKNOWN_RADIUS = 1.6
"""Å: van der Waals radius of a surface of elements that Bondi has none for; his metals have 1.4 to 1.75."""
PLANE = 0.3
"""Å: atoms within this of the highest one are the outermost plane."""


@dataclass(frozen=True)
class Substrate:
    """One surface.

    :param kind: a key of ``KINDS``: how it is built.
    :param species: one element, or two: cation and anion, or the two sublattices of a honeycomb.
    :param a: lattice constant of the bulk in Å; of a honeycomb, that of the sheet.
    :param source: of the lattice constants.
    :param metal: whether states of the substrate cross the Fermi level; the gap is then that of the other atoms.
    :param layers: default number of layers.
    :param c: second lattice constant in Å (rutile), or the distance of two sheets (honeycomb).
    :param u: internal coordinate of rutile's oxygen.
    """

    kind: str
    species: tuple[str, ...]
    a: float
    source: str
    metal: bool = False
    layers: int = 4
    c: float | None = None
    u: float | None = None

    @property
    def hexagonal(self) -> bool:
        """Whether the surface's lattice is hexagonal; otherwise it is square or rectangular."""
        return self.kind in ("fcc111", "honeycomb")


WYCKOFF = "experiment, 298 K: R. W. G. Wyckoff, Crystal Structures, vol. 1, 2nd ed., Interscience (1963)"
SUBSTRATES: dict[str, Substrate] = {
    "Al(111)": Substrate("fcc111", ("Al",), 4.0496, WYCKOFF, metal=True),
    "Cu(111)": Substrate("fcc111", ("Cu",), 3.615, WYCKOFF, metal=True),
    "Cu(100)": Substrate("fcc100", ("Cu",), 3.615, WYCKOFF, metal=True),
    "Pt(111)": Substrate("fcc111", ("Pt",), 3.924, WYCKOFF, metal=True),
    "Au(111)": Substrate("fcc111", ("Au",), 4.078, WYCKOFF, metal=True),
    "graphene": Substrate(
        "honeycomb",
        ("C", "C"),
        2.462,
        "experiment, graphite, 298 K: P. Trucano and R. Chen, Nature 258, 136 (1975)",
        metal=True,
        layers=1,
        c=3.354,
    ),
    "h-BN": Substrate(
        "honeycomb",
        ("B", "N"),
        2.504,
        "experiment, 308 K: R. S. Pease, Acta Crystallogr. 5, 356 (1952)",
        layers=1,
        c=3.331,
    ),
    "NaCl(100)": Substrate("rocksalt100", ("Na", "Cl"), 5.640, WYCKOFF),
    "MgO(100)": Substrate("rocksalt100", ("Mg", "O"), 4.212, WYCKOFF),
    "TiO2(110)": Substrate(
        "rutile110",
        ("Ti", "O"),
        4.594,
        "experiment, rutile, 298 K: S. C. Abrahams and J. L. Bernstein, J. Chem. Phys. 55, 3206 (1971)",
        layers=3,
        c=2.959,
        u=0.305,
    ),
}
"""By name. Graphene counts as a metal: its bands cross at the Fermi level."""


def substrate(name: str) -> Substrate:
    """The substrate called ``name``.

    :raises InterfaceError: if there is none.
    """
    if name not in SUBSTRATES:
        raise InterfaceError(f"there is no substrate {name!r}; substrates: {', '.join(SUBSTRATES)}.")
    return SUBSTRATES[name]


def surface_cell(entry: Substrate, layers: int, lattice_constant: float | None = None) -> Atoms:
    """The smallest periodic piece of a surface, ``layers`` layers thick.

    :param layers: atomic planes of a metal or a rock salt, sheets of a honeycomb, O-Ti2O2-O trilayers of rutile: each
        layer is stoichiometric, and the slab is non-polar.
    :param lattice_constant: instead of ``entry.a``, Å. A second lattice constant scales with it, the distance between
        sheets does not.
    :return: atoms sorted from bottom to top, the lowest at z = 0, and each layer the same number of atoms; the cell's
        first vector along x, a hexagonal one with 120°, the third along z (its length says nothing).
    """
    return _surface_cell(entry, layers, lattice_constant).copy()


@cache
def _surface_cell(entry: Substrate, layers: int, lattice_constant: float | None) -> Atoms:
    atoms = KINDS[entry.kind](entry, layers, entry.a if lattice_constant is None else lattice_constant)
    atoms = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)  # without constraints and tags
    atoms.positions[:, 2] -= atoms.positions[:, 2].min()
    atoms.cell[2] = [0.0, 0.0, atoms.positions[:, 2].max() + 20.0]
    return bottom_up(atoms)


def bottom_up(atoms: Atoms) -> Atoms:
    """Atoms in the cell, sorted by height, then y, then x: one order for the same atoms, however they were made."""
    fractional = atoms.get_scaled_positions(wrap=False)
    lateral = fractional[:, :2] % 1.0
    lateral[lateral > 1.0 - 1e-7] = 0.0  # rounding must not decide on which side of the cell an atom lies
    fractional[:, :2] = lateral
    atoms.set_scaled_positions(fractional)
    keys = np.round(atoms.positions, 5)
    return atoms[np.lexsort((keys[:, 0], keys[:, 1], keys[:, 2]))]


def layer_indices(count: int, layers: int) -> list[list[int]]:
    """Indices of each layer, bottom to top, of ``count`` atoms that are sorted from bottom to top."""
    return [[int(i) for i in part] for part in np.split(np.arange(count), layers)]


def contact_distance(plate: Atoms, heavy: set[str]) -> float:
    """Å from the outermost plane to a liquid's atoms: the smallest sum of van der Waals radii.

    Radii of A. Bondi, J. Phys. Chem. 68, 441 (1964), as in ``ase.data.vdw``; elements without one are left out, and
    ``UNKNOWN_RADIUS`` is taken where that leaves none. For water on graphene it is 3.22 Å. Chemisorbed waters come
    closer than this in the MD; a start should not.

    :param plate: the surface looks up.
    :param heavy: the liquid's elements other than hydrogen.
    """
    z = plate.positions[:, 2]
    top = {symbol for symbol, high in zip(plate.get_chemical_symbols(), z > z.max() - PLANE, strict=True) if high}
    return _smallest_radius(top) + _smallest_radius(heavy)


def _smallest_radius(symbols: set[str]) -> float:
    radii = [float(vdw_radii[atomic_numbers[symbol]]) for symbol in symbols]
    return min((radius for radius in radii if np.isfinite(radius)), default=UNKNOWN_RADIUS)


def kpoint_mesh(cell: NDArray[np.float64], metal: bool, spacing: float = KPOINT_SPACING) -> list[int]:
    """Monkhorst-Pack mesh for DFT: for a metal, points no further apart than ``spacing``; otherwise Gamma.

    Insulating substrates get Gamma like films: their bands are folded into a cell that is wide enough for a liquid.

    :param cell: shape (3, 3), Å, third vector along z.
    :param spacing: 1/Å, 2 pi included.
    """
    if not metal:
        return [1, 1, 1]
    reciprocal = 2.0 * np.pi * np.linalg.norm(np.linalg.inv(cell).T, axis=1)
    # The hair keeps rounding from adding a point where the ratio is a whole number.
    return [*(max(1, int(np.ceil(length / spacing - 1e-6))) for length in reciprocal[:2]), 1]


def _fcc111(entry: Substrate, layers: int, a: float) -> Atoms:
    atoms = fcc111(entry.species[0], (1, 1, layers), a=a, vacuum=10.0)
    return make_supercell(atoms, [[1, 0, 0], [-1, 1, 0], [0, 0, 1]])  # ase's cell has 60°


def _fcc100(entry: Substrate, layers: int, a: float) -> Atoms:
    return fcc100(entry.species[0], (1, 1, layers), a=a, vacuum=10.0)


def _rocksalt100(entry: Substrate, layers: int, a: float) -> Atoms:
    """Two interpenetrating fcc lattices, each plane with both kinds of ion."""
    cations, anions = (fcc100(symbol, (1, 1, layers), a=a, vacuum=10.0) for symbol in entry.species)
    anions.positions += 0.5 * (anions.cell[0] + anions.cell[1])
    return cations + anions


def _honeycomb(entry: Substrate, layers: int, a: float) -> Atoms:
    """Sheets of one element in AB stacking (graphite), of two in AA' (each above the other kind)."""
    assert entry.c is not None
    stack = Atoms()
    for number in range(layers):
        sheet = graphene(formula="".join(entry.species), a=a, vacuum=10.0)
        if number % 2 and len(set(entry.species)) == 1:
            sheet.positions += (sheet.cell[0] + 2.0 * sheet.cell[1]) / 3.0
        elif number % 2:
            sheet.symbols = sheet.get_chemical_symbols()[::-1]
        sheet.positions[:, 2] = number * entry.c
        stack = sheet if not number else stack + sheet
    return stack


def _rutile110(entry: Substrate, layers: int, a: float) -> Atoms:
    """Whole O-Ti2O2-O trilayers, bridging oxygens outside, the rows along x: pymatgen's only symmetric cut."""
    from pymatgen.core import Lattice, Structure
    from pymatgen.core.surface import SlabGenerator

    assert entry.c is not None and entry.u is not None
    lattice = Lattice.tetragonal(a, entry.c * a / entry.a)
    cation, anion = entry.species
    bulk = Structure.from_spacegroup("P4_2/mnm", lattice, [cation, anion], [[0, 0, 0], [entry.u, entry.u, 0]])
    maker = SlabGenerator(bulk, (1, 1, 0), layers, 4, in_unit_planes=True, center_slab=True, primitive=False)
    (slab,) = [
        slab.get_orthogonal_c_slab() for slab in maker.get_slabs() if slab.is_symmetric() and not slab.is_polar()
    ]
    cell, _ = Cell(slab.lattice.matrix).standard_form()  # pymatgen's third vector is not along z
    return Atoms([site.specie.symbol for site in slab], cell=cell, scaled_positions=slab.frac_coords)


KINDS: dict[str, Callable[[Substrate, int, float], Atoms]] = {
    "fcc111": _fcc111,
    "fcc100": _fcc100,
    "rocksalt100": _rocksalt100,
    "honeycomb": _honeycomb,
    "rutile110": _rutile110,
}
"""How a kind of surface is built, from its entry, the number of layers and the lattice constant."""

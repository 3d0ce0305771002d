"""Finds what a structure is made of: molecules of a known solvent by their bonds, ions of known salts, and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import networkx as nx
import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from networkx.algorithms.isomorphism import GraphMatcher, categorical_node_match

from ..physics.molecules import COVALENT_RADII, bonded_pairs
from .recipe import InterfaceError
from .solvents import SALTS, SOLVENTS, Solvent, by_formula, solvent

SHELL = 3.3
"""Å: neighbours of an ion in its crystal are closer than this: 2.82 in NaCl, 3.15 in KCl, 2.77 in AgCl."""
CRYSTAL = 5
"""An atom of an ion's element with so many neighbours that are no solvent belongs to a crystal: 5 at a (100) face of
rock salt, 3 or 4 where it is adsorbed in a hollow of a metal, 1 in a pair in solution."""


@dataclass(frozen=True)
class Recognized:
    """Indices of a structure's parts.

    :param kind: the solvent, None without a molecule of one.
    :param molecules: of the solvent, each in the order of ``kind.symbols``.
    :param salts: pairs of ions by salt.
    :param ions: each salt's cations and anions, in the order of ``salts``.
    :param rest: everything else, in the order of the structure.
    """

    kind: Solvent | None
    molecules: list[list[int]]
    salts: dict[str, int]
    ions: list[int]
    rest: list[int]

    @property
    def order(self) -> list[int]:
        """All indices in the order that interfaces have: substrate, solvent, ions."""
        return [*self.rest, *(index for molecule in self.molecules for index in molecule), *self.ions]


def recognize(atoms: Atoms) -> Recognized:
    """The parts of a periodic structure.

    :raises InterfaceError: if there are molecules of two solvents, or the ions are not neutral.
    """
    found = find_solvents(atoms)
    if len(found) > 1:
        raise InterfaceError(
            f"the structure holds molecules of {' and '.join(found)}, and one solvent is known to everything that "
            "follows; remove the others."
        )
    if not found:
        return Recognized(None, [], {}, [], list(range(len(atoms))))
    ((name, molecules),) = found.items()
    members = {index for molecule in molecules for index in molecule}
    rest = [index for index in range(len(atoms)) if index not in members]
    salts, ions = _ions(atoms, rest)
    return Recognized(solvent(name), molecules, salts, ions, [index for index in rest if index not in set(ions)])


def find_solvents(atoms: Atoms) -> dict[str, list[list[int]]]:
    """Molecules of every known solvent in a periodic structure, each in its solvent's order, first atoms rising."""
    symbols = atoms.get_chemical_symbols()
    light = [index for index, symbol in enumerate(symbols) if symbol in COVALENT_RADII]
    graph = nx.Graph()
    graph.add_nodes_from((index, {"symbol": symbols[index]}) for index in light)
    pairs = bonded_pairs(atoms.get_positions()[light], [symbols[index] for index in light], atoms.cell.array)
    graph.add_edges_from((light[i], light[j]) for i, j in pairs)
    found: dict[str, list[list[int]]] = {}
    for members in sorted(sorted(component) for component in nx.connected_components(graph)):
        kind = by_formula().get(Atoms([symbols[index] for index in members]).get_chemical_formula())
        order = None if kind is None else _ordered(kind.name, graph.subgraph(members))
        if kind is not None and order is not None:
            found.setdefault(kind.name, []).append(order)
    return found


def _ordered(name: str, graph: nx.Graph) -> list[int] | None:
    """A molecule's atoms in the solvent's order, the first of equivalent ones first; None if its bonds are others."""
    matcher = GraphMatcher(_template(name), graph, node_match=categorical_node_match("symbol", ""))
    orders = [[found[place] for place in sorted(found)] for found in matcher.isomorphisms_iter()]
    return min(orders, default=None)


@cache
def _template(name: str) -> nx.Graph:
    """Bonds of a solvent's molecule."""
    atoms = SOLVENTS[name].atoms()
    graph = nx.Graph()
    graph.add_nodes_from((index, {"symbol": symbol}) for index, symbol in enumerate(SOLVENTS[name].symbols))
    graph.add_edges_from(bonded_pairs(atoms.get_positions(), atoms.get_chemical_symbols(), 50.0 * np.eye(3)))
    return graph


def _ions(atoms: Atoms, rest: list[int]) -> tuple[dict[str, int], list[int]]:
    """Pairs by salt and the ions among ``rest``, see :class:`Recognized`."""
    symbols = atoms.get_chemical_symbols()
    species = {symbol for salt in SALTS.values() for symbol in salt.ions}
    if not species & {symbols[index] for index in rest}:
        return {}, []
    neighbours = np.bincount(neighbor_list("i", atoms[rest], SHELL), minlength=len(rest))
    free: dict[str, list[int]] = {symbol: [] for symbol in species}
    for index, count in zip(rest, neighbours, strict=True):
        if symbols[index] in species and count < CRYSTAL:
            free[symbols[index]].append(index)
    salts, ions, anions = {}, [], {symbol: iter(indices) for symbol, indices in free.items()}
    used: dict[str, int] = dict.fromkeys(species, 0)
    for name, salt in SALTS.items():
        cation, anion = salt.ions
        if pairs := len(free[cation]):
            salts[name] = pairs
            ions += [*free[cation], *(index for _, index in zip(range(pairs), anions[anion], strict=False))]
            used[cation] += pairs
            used[anion] += pairs
    if any(used[symbol] != len(free[symbol]) for symbol in species):
        have = ", ".join(f"{len(free[symbol])} {symbol}" for symbol in sorted(species) if free[symbol])
        raise InterfaceError(f"the ions in the structure ({have}) are not neutral together; add or remove ions.")
    return salts, ions

"""A film of ice Ih, its basal faces to the vacuum, its protons disordered by the ice rules.

The oxygens are those of the hexagonal crystal: puckered bilayers, alternating in two lateral places. Every oxygen has
four bonds; at a face the fourth points into the vacuum. A bond's direction says whose hydrogen is on it, and the ice
rules (Bernal and Fowler, J. Chem. Phys. 1, 515 (1933)) ask for two bonds out of every oxygen and two into it: an
Eulerian orientation. One vertex for all dangling bonds of a face joins the graph, so that each face has as many free
hydrogens as free lone pairs, and no plane across the film has a net flux: its dipole along the normal vanishes. Loops
are then turned around at random (Rahman and Stillinger, J. Chem. Phys. 57, 4009 (1972)).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import networkx as nx
import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from pydantic import Field

from .liquid import cell_info
from .recipe import MINIMUM_VACUUM, BuiltInterface, InterfaceError, Parameters, Recipe
from .solvents import SOLVENTS

LATTICE_A, LATTICE_C = 4.518, 7.356
"""Å at 250 K (Röttger et al., Acta Cryst. B 50, 644 (1994))."""
PUCKER = 0.0622
"""Height of an oxygen above its bilayer's middle, in c (Peterson and Levy, Acta Cryst. 10, 70 (1957))."""
OH = 0.985
"""Å (Kuhs and Lehmann, J. Phys. Chem. 87, 4312 (1983))."""
EPS_INF = 1.31**2
"""Square of the refractive index."""
TOP, BOTTOM = -1, -2
"""Vertices of the dangling bonds."""
Bond = tuple[int, int, tuple[float, float, float]]
"""Two oxygens (or an oxygen and a face), and the vector from the first to the second in Å."""


class IceParameters(Parameters):
    """``bilayers`` of ``repeat`` orthorhombic cells of 4.518 x 7.825 Å, four molecules each."""

    bilayers: int = Field(default=4, ge=2, le=40, description="double layers of molecules, 3.68 Å each")
    repeat: tuple[Annotated[int, Field(ge=1, le=20)], Annotated[int, Field(ge=1, le=20)]] = Field(
        default=(2, 1), description="of the cell of 4.518 x 7.825 Å"
    )
    vacuum: float = Field(default=25.0, ge=MINIMUM_VACUUM, le=500.0, description="vacuum in Å")
    seed: int = Field(default=1, ge=1, lt=2**31, description="of the protons")


class IceRecipe(Recipe):
    """See the module."""

    name: ClassVar[str] = "ice"
    summary: ClassVar[str] = "a film of ice Ih, basal faces, protons disordered, without a dipole"
    parameters: ClassVar[type[Parameters]] = IceParameters

    @classmethod
    def examples(cls) -> list[dict[str, Any]]:
        """See :meth:`Recipe.examples`."""
        return [
            {"bilayers": 4, "repeat": [2, 1]},
            {"bilayers": 2, "repeat": [2, 2], "seed": 3},
            {"bilayers": 5, "repeat": [3, 2], "vacuum": 15.0, "seed": 2},
        ]

    def elements(self, parameters: IceParameters) -> set[str]:
        """See :meth:`Recipe.elements`."""
        return {"H", "O"}

    def size(self, parameters: IceParameters) -> int:
        """See :meth:`Recipe.size`."""
        return 12 * parameters.bilayers * parameters.repeat[0] * parameters.repeat[1]

    def build(self, parameters: IceParameters) -> BuiltInterface:
        """Place oxygens, draw the protons. See :meth:`Recipe.build`."""
        p = parameters
        thickness = 0.5 * p.bilayers * LATTICE_C
        edges = np.array([p.repeat[0] * LATTICE_A, p.repeat[1] * LATTICE_A * 3**0.5])
        cell = np.diag([*edges, thickness + p.vacuum])
        oxygens = oxygen_sites(p.bilayers, p.repeat)
        oxygens[:, 2] += 0.5 * p.vacuum + 0.25 * LATTICE_C
        donors = draw_protons(hydrogen_bonds(oxygens, cell, p.bilayers), len(oxygens), p.seed)
        positions, symbols = [], []
        for site, vectors in zip(oxygens, donors, strict=True):
            unit = np.array(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)
            positions += [site, *(site + OH * unit)]
            symbols += ["O", "H", "H"]
        atoms = Atoms(symbols, np.array(positions), cell=cell, pbc=True)
        indices = list(range(len(atoms)))
        water = SOLVENTS["water"]
        return BuiltInterface(
            atoms,
            {
                "area": float(edges.prod()),
                "axis": 2,
                "thickness": thickness,
                "vacuum": p.vacuum,
                **cell_info(atoms, [], indices),
                "solvent": water.name,
                "solvent_indices": indices,
                "molecules": [indices[i : i + 3] for i in indices[::3]],
                "fixed_indices": [],
                "substrate_indices": [],
                "charges": list(water.charges()) * len(oxygens),
                # Protons of ice do not move in picoseconds: what linear response says of a liquid does not hold.
                "eps": None,
                "eps_inf": EPS_INF,
                "kpoints": [1, 1, 1],
                "lattice": None,
            },
        )


def oxygen_sites(bilayers: int, repeat: tuple[int, int]) -> NDArray[np.float64]:
    """Oxygens of a film whose lowest bilayer is at z = 0, shape (4 bilayers n m, 3) in Å, from bottom to top."""
    b = LATTICE_A * 3**0.5
    # Two places of a hexagonal lattice, each twice in the orthorhombic cell.
    places = np.array([[[0.0, 1 / 3], [0.5, 5 / 6]], [[0.0, 2 / 3], [0.5, 1 / 6]]]) * [LATTICE_A, b]
    shifts = np.array([[i * LATTICE_A, j * b] for i in range(repeat[0]) for j in range(repeat[1])])
    sites = []
    for number in range(bilayers):
        for side, height in ((0, -PUCKER), (1, PUCKER)):
            place = places[(number + side) % 2]
            flat = (place[None] + shifts[:, None]).reshape(-1, 2)
            sites.append(np.column_stack([flat, np.full(len(flat), (0.5 * number + height) * LATTICE_C)]))
    return np.concatenate(sites)


def hydrogen_bonds(oxygens: NDArray[np.float64], cell: NDArray[np.float64], bilayers: int) -> list[Bond]:
    """All bonds of a film, dangling ones along the normal included.

    :param oxygens: as :func:`oxygen_sites` orders them, shifted along z.
    """
    layer = len(oxygens) // (2 * bilayers)
    bonds: list[Bond] = []
    shifts = np.array([[i, j, 0] for i in (-1, 0, 1) for j in (-1, 0, 1)]) @ cell
    for first in range(len(oxygens)):
        # Of small cells an oxygen may be bonded to several copies of the same neighbour.
        for shift in shifts:
            away = oxygens[first + 1 :] - oxygens[first] + shift
            for offset in np.flatnonzero(np.linalg.norm(away, axis=1) < 3.0):
                bonds.append((first, first + 1 + int(offset), tuple(away[offset])))
    up = (0.0, 0.0, 1.0)
    bonds += [(number, TOP, up) for number in range(len(oxygens) - layer, len(oxygens))]
    bonds += [(number, BOTTOM, (0.0, 0.0, -1.0)) for number in range(layer)]
    degree = np.zeros(len(oxygens), dtype=int)
    for first, second, _ in bonds:
        degree[first] += 1
        if second >= 0:
            degree[second] += 1
    if not (degree == 4).all():
        raise InterfaceError("this cell is too small for ice: an oxygen would be its own neighbour; use repeat [2, 1].")
    return bonds


def draw_protons(bonds: list[Bond], count: int, seed: int) -> list[list[tuple[float, float, float]]]:
    """The two bond vectors on which each oxygen has its hydrogens.

    :param count: number of oxygens.
    :param seed: of the order of bonds and of the loops that are turned around.
    """
    rng = np.random.default_rng(seed)
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(count))
    for number in rng.permutation(len(bonds)):
        graph.add_edge(bonds[number][0], bonds[number][1], key=int(number))
    direction: dict[int, tuple[int, int]] = {}
    for component in sorted(nx.connected_components(graph), key=min):
        for start, end, number in nx.eulerian_circuit(graph.subgraph(component), source=max(component), keys=True):
            direction[number] = (start, end)
    _turn_loops(direction, count, rng)
    donors: list[list[tuple[float, float, float]]] = [[] for _ in range(count)]
    for number, (start, _) in sorted(direction.items()):
        first, _, (x, y, z) = bonds[number]
        if start >= 0:
            donors[start].append((x, y, z) if start == first else (-x, -y, -z))
    return donors


def _turn_loops(direction: dict[int, tuple[int, int]], count: int, rng: np.random.Generator) -> None:
    """Walk along bonds at random until a vertex comes up again, turn the loop around; as often as there are oxygens."""
    for _ in range(count):
        out: dict[int, list[int]] = {}
        for number, (start, _end) in sorted(direction.items()):
            out.setdefault(start, []).append(number)
        path: list[int] = []
        seen = {int(rng.integers(count)): 0}
        place = next(iter(seen))
        while True:
            number = out[place][int(rng.integers(len(out[place])))]
            path.append(number)
            place = direction[number][1]
            if place in seen:
                break
            seen[place] = len(path)
        for number in path[seen[place] :]:
            start, end = direction[number]
            direction[number] = (end, start)


RECIPE = IceRecipe()

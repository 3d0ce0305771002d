"""Where states sit along the normal: layer-resolved density of states, local band edges, the tilt of the bands.

All of it is made from the projections p[k, n, a] of the states on the atoms, each atom's orbitals added up (projwfc.x;
Sanchez-Portal, Artacho and Soler, Solid State Commun. 95, 685 (1995)). What a state has outside of the atomic orbitals
(the spilling) has no place in this picture: little for occupied states (1 to 2 %), much for empty ones, which in a
film reach into the vacuum. The centre of an empty state is therefore that of its part on the molecules. Against the
centres of |psi|^2 on the grid (two polarised films of four waters, 40 Ry), the VBM's is off by 0.03 and 0.06 Å, the
CBM's by 0.25 and 0.8 Å, inwards: the face is right, the height is that of the molecules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .constants import BOLTZMANN

Floats = NDArray[np.float64]

THERMAL = BOLTZMANN * 300.0
"""Energy in eV over which states next to an edge share it: kT at 300 K. Two degenerate states on two faces have no
eigenvectors of their own; with sharing, an edge's place moves smoothly from one to the other."""
EDGE_SHARE = 0.05
"""Share of a layer's occupied weight that must lie beyond a local edge: a fifth of one orbital of water, which has
four. Less is a tail of states that sit elsewhere."""
CONTENT_SHARE = 0.2
"""Layers with less occupied weight than this share of the fullest one have no edges: they are the film's rim."""


@dataclass(frozen=True)
class States:
    """States of one spin-unpolarised run.

    :param energies: shape (kpoints, states), eV.
    :param weights: shape (kpoints,), summing to 1.
    :param projections: shape (kpoints, states, atoms): share of each state on each atom, between 0 and 1.
    :param heights: shape (atoms,), Å along the normal.
    """

    energies: Floats
    weights: Floats
    projections: Floats
    heights: Floats

    def __post_init__(self) -> None:
        """Check shapes.

        :raises ValueError: if they do not belong together.
        """
        kpoints, states = self.energies.shape
        wanted = (kpoints, states, len(self.heights))
        if self.projections.shape != wanted or self.weights.shape != (kpoints,):
            raise ValueError(
                f"projections of shape {self.projections.shape} and {self.weights.shape} weights do not belong to "
                f"{kpoints} k-points, {states} states and {len(self.heights)} atoms."
            )

    @property
    def shares(self) -> Floats:
        """Projections divided by each state's sum over the atoms, same shape; 0 where there is nothing."""
        total = self.projections.sum(axis=-1, keepdims=True)
        shares: Floats = np.divide(self.projections, total, out=np.zeros_like(self.projections), where=total > 0.0)
        return shares


@dataclass(frozen=True)
class EdgePlace:
    """Where an edge sits.

    :param height: Å, on the scale of ``States.heights``.
    :param projected: share of the edge's states inside the atomic orbitals.
    """

    height: float
    projected: float


def edge_place(states: States, edge: float, occupied: bool, chosen: NDArray[np.bool_], atoms: Floats) -> EdgePlace:
    """Weight centre of the states at an edge: where a thermal hole or electron sits.

    z = sum_n b_n sum_a p_na z_a / sum_n b_n sum_a p_na, with b_n = w_k exp(-|e_n - edge| / kT) at 300 K over the
    chosen states at the edge or behind it.

    :param edge: energy of the edge, eV.
    :param occupied: True for a valence edge (states behind it are lower), False for a conduction edge.
    :param chosen: shape (kpoints, states): which states belong to the edge's side.
    :param atoms: shape (atoms,): 1 for the atoms that count, 0 for others.
    :raises ValueError: if no chosen state with any projection is at the edge or behind it.
    """
    depth = (edge - states.energies) if occupied else (states.energies - edge)
    boltzmann = np.where(chosen & (depth > -1e-6), np.exp(-np.maximum(depth, 0.0) / THERMAL), 0.0)
    boltzmann = boltzmann * states.weights[:, None]
    per_atom = np.einsum("kn,kna->a", boltzmann, states.projections) * atoms
    total = float(per_atom.sum())
    if total <= 0.0:
        raise ValueError(f"no state at {edge:.3f} eV has a projection on the atoms.")
    return EdgePlace(float(per_atom @ states.heights) / total, total / float(boltzmann.sum()))


def layer_weights(states: States, grid: Floats, width: float) -> Floats:
    """Weight of each state at each height, 1/Å; its integral over z is the state's projection on all atoms.

    :param grid: shape (layers,), Å.
    :param width: standard deviation of the Gaussian that an atom's weight is spread with, Å.
    :return: shape (kpoints, states, layers).
    """
    spread = np.exp(-0.5 * ((grid[None, :] - states.heights[:, None]) / width) ** 2) / (width * np.sqrt(2.0 * np.pi))
    weights: Floats = np.einsum("kna,az->knz", states.projections, spread)
    return weights


def layer_dos(states: States, grid: Floats, energies: Floats, width: float, broadening: float) -> Floats:
    """Layer-resolved density of states, both spins, in states/(eV Å): what of it the atomic orbitals hold.

    D(z, E) = 2 sum_kn w_k g(E - e_kn; broadening) sum_a p_kna g(z - z_a; width), g a normalised Gaussian.

    :param grid: shape (layers,), Å.
    :param energies: shape (m,), eV.
    :param width: standard deviation in z, Å.
    :param broadening: standard deviation in energy, eV.
    :return: shape (layers, m).
    """
    distance = (energies[None, None, :] - states.energies[:, :, None]) / broadening
    lines = np.exp(-0.5 * distance**2) / (broadening * np.sqrt(2.0 * np.pi)) * states.weights[:, None, None]
    density: Floats = 2.0 * np.einsum("knz,kne->ze", layer_weights(states, grid, width), lines)
    return density


@dataclass(frozen=True)
class LocalEdges:
    """Band edges by height, NaN where there are none. Shapes (layers,), eV.

    :param vbm: the local valence band's upper edge.
    :param cbm: the local conduction band's lower edge.
    :param centre: mean energy of the local occupied states.
    :param content: local occupied weight in states per Å.
    """

    vbm: Floats
    cbm: Floats
    centre: Floats
    content: Floats


def local_edges(states: States, occupied: NDArray[np.bool_], grid: Floats, width: float) -> LocalEdges:
    """Band edges of every layer.

    The local VBM is the energy above which ``EDGE_SHARE`` of the layer's occupied weight lies, the local CBM the
    energy below which as much empty weight lies. Both count from the edge of the whole film inwards, occupied states
    only and empty states only, so that the edges stay apart where, in a tilted film, one face's valence band reaches
    the other face's conduction band. Both amounts refer to the *occupied* weight, because how many empty states there
    are is a matter of the run's settings. Where the run has too few of them, the local CBM is NaN.

    For levels that follow a linear potential, ``vbm`` and ``cbm`` are shifted against the levels by the same amount in
    every full layer, since neighbours within ``width`` count in part; their slope is that of the potential.

    :param occupied: shape (kpoints, states).
    :param grid: shape (layers,), Å.
    :param width: standard deviation in z, Å.
    """
    weights = layer_weights(states, grid, width) * states.weights[:, None, None]
    flat = weights.reshape(-1, len(grid))
    energies, filled = states.energies.ravel(), occupied.ravel()
    content = flat[filled].sum(axis=0)
    full = content > CONTENT_SHARE * content.max()
    centre = np.full(len(grid), np.nan)
    centre[full] = (energies[filled] @ flat[filled])[full] / content[full]
    needed = np.where(full, EDGE_SHARE * content, np.inf)
    vbm = -_reached(-energies[filled], flat[filled], needed)
    cbm = _reached(energies[~filled], flat[~filled], needed)
    return LocalEdges(vbm, cbm, centre, content)


def _reached(energies: Floats, weights: Floats, needed: Floats) -> Floats:
    """Lowest energy at which the weight summed from below reaches ``needed``, for every column; NaN where never.

    :param energies: shape (states,).
    :param weights: shape (states, layers).
    :param needed: shape (layers,).
    """
    order = np.argsort(energies, kind="stable")
    levels, running = energies[order], np.cumsum(weights[order], axis=0)
    found = np.full(weights.shape[1], np.nan)
    for layer in range(weights.shape[1]):
        index = int(np.searchsorted(running[:, layer], needed[layer]))
        if index < len(levels):
            found[layer] = levels[index]
    return found


def band_tilt(grid: Floats, edges: LocalEdges) -> float | None:
    """Slope of the bands in eV/Å: least squares through the mean energy of the local occupied states.

    The mean, and not an edge, because it averages over all of a molecule's orbitals and so follows the electrostatic
    potential like a core level; an edge also follows hydrogen bonds. Positive: electrons are lower in energy at the
    lower face. Each layer counts by its content. None where less than two layers are full.

    :param grid: shape (layers,), Å.
    """
    full = np.isfinite(edges.centre)
    if full.sum() < 2:
        return None
    weight = edges.content[full]
    height = grid[full] - np.average(grid[full], weights=weight)
    energy = edges.centre[full] - np.average(edges.centre[full], weights=weight)
    return float((weight * height) @ energy / ((weight * height) @ height))


def spilling(states: States, occupied: NDArray[np.bool_]) -> float:
    """Share of the occupied states outside of the atomic orbitals (Sanchez-Portal et al., eq. 3).

    :param occupied: shape (kpoints, states).
    """
    filled = occupied * states.weights[:, None]
    return float(1.0 - (filled * states.projections.sum(axis=-1)).sum() / filled.sum())

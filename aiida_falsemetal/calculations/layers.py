"""Calcfunctions on projwfc.x's projections: the states of a film by layer, and the edges of a solvent on a metal."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from numpy.typing import NDArray

from ..physics.layers import (
    States,
    band_tilt,
    edge_place,
    layer_dos,
    local_edges,
    spilling,
)
from ..physics.solvent import is_metallized, solvent_edges
from .bands import film_edges, kpoint_weights

LAYER_KEYS = ("vbm_z", "cbm_z", "edge_separation", "tilt", "vbm_projected", "cbm_projected", "spilling")
"""What :func:`layers_of_film` adds to a frame's result."""
SOLVENT_KEYS = ("solvent_vbm", "solvent_cbm", "solvent_gap")
"""What it adds besides where there is a substrate; energies relative to the Fermi energy."""
REACH = 3.0
"""How many of their widths the layers reach beyond the outermost atoms: all but a thousandth of these atoms' weight."""
DOS_DIGITS = 5
"""Decimals in states/(eV Å) of the density of states, which is stored in single precision; it reaches some 10."""
SAME_PLACE = 0.01
"""Distance in Å below which an orbital sits on an atom."""


@calcfunction
def layers_of_film(
    projections: orm.ProjectionData,
    bands: orm.BandsData,
    output: orm.Dict,
    structure: orm.StructureData,
    parameters: orm.Dict,
) -> dict[str, orm.Data]:
    """Layer-resolved density of states, local edges, and where the film's (or the solvent's) edges sit.

    :param projections: projwfc.x's.
    :param bands: pw.x's eigenvalues (eV), occupations and k-point weights.
    :param output: pw.x's ``output_parameters``.
    :param structure: the structure that pw.x was given; the normal is z.
    :param parameters: ``spacing`` and ``width`` (Å), ``broadening`` (eV), ``substrate`` (indices, empty without one),
        ``solvent_electrons``, ``metallic_gap`` (eV).
    :return: ``layers``, an ArrayData: ``z`` (layers,) in Å from the middle of the film, substrate included;
        ``energies`` (m,) in eV on pw.x's scale, which is that of vbm, cbm and fermi in the result;
        ``dos`` (layers, m) in states/(eV Å), both spins; ``vbm``, ``cbm``, ``centre`` (layers,) in eV, NaN where a
        layer has none; ``content`` (layers,), occupied states per Å. And ``scalars``, a Dict of ``LAYER_KEYS``, with a
        substrate also ``SOLVENT_KEYS``, ``gap``, ``metallic`` and ``gap_of``.
    :raises ValueError: if the projections do not belong to the bands, or the edges cannot be counted.
    """
    given, parsed = parameters.get_dict(), output.get_dict()
    fermi = float(parsed["fermi_energy"])
    substrate = given["substrate"]
    atoms = np.ones(len(structure.sites))
    atoms[substrate] = 0.0
    states = read_states(projections, bands, structure)
    scalars: dict[str, Any] = {}
    if substrate:
        scalars, vbm, cbm, valence, conduction = _solvent(states, atoms, fermi, given)
        occupied = states.energies <= fermi
    else:
        electrons = round(parsed["number_of_electrons"])
        edges = film_edges(bands, electrons)
        vbm, cbm = edges.vbm, edges.cbm
        occupied = np.argsort(np.argsort(states.energies, axis=1, kind="stable"), axis=1) < electrons // 2
        valence, conduction = occupied, ~occupied
    scalars.update(_places(states, vbm, cbm, valence, conduction, atoms))
    scalars["spilling"] = spilling(states, occupied)
    layers, tilt = _layers(states, occupied, atoms, given)
    return {"layers": layers, "scalars": orm.Dict({**scalars, "tilt": tilt})}


def read_states(projections: orm.ProjectionData, bands: orm.BandsData, structure: orm.StructureData) -> States:
    """Energies, weights and projections by atom; heights from the middle between the outermost atoms.

    :raises ValueError: if projections and bands do not belong together.
    """
    energies = np.atleast_2d(np.squeeze(bands.get_bands()))
    weights = kpoint_weights(bands)
    positions = np.array([site.position for site in structure.sites])
    by_atom = np.zeros((*energies.shape, len(positions)))
    for orbital, values in projections.get_projections():
        if np.shape(values) != energies.shape:
            raise ValueError(f"projections of shape {np.shape(values)} do not belong to bands of {energies.shape}.")
        by_atom[:, :, _atom_at(np.array(orbital.get_orbital_dict()["position"]), positions)] += values
    heights = positions[:, 2] - 0.5 * (positions[:, 2].min() + positions[:, 2].max())
    return States(energies, weights, by_atom, heights)


def _atom_at(place: NDArray[np.float64], positions: NDArray[np.float64]) -> int:
    distance = np.linalg.norm(positions - place, axis=1)
    nearest = int(np.argmin(distance))
    if distance[nearest] > SAME_PLACE:
        raise ValueError(f"projwfc.x has an orbital at {place}, {distance[nearest]:.3f} Å from any atom of the film.")
    return nearest


def _solvent(states: States, atoms: NDArray[np.float64], fermi: float, given: dict[str, Any]) -> tuple[Any, ...]:
    """Scalars, edges and the states on either side, for a solvent on a substrate."""
    shares = states.shares @ atoms
    edges = solvent_edges(states.energies, states.weights, shares, given["solvent_electrons"])
    if edges.cbm is None:
        raise ValueError("there are too few empty states for the solvent's conduction edge; raise `substrate_bands`.")
    scalars = {
        "solvent_vbm": edges.vbm - fermi,
        "solvent_cbm": edges.cbm - fermi,
        "solvent_gap": edges.cbm - edges.vbm,
        "gap": edges.cbm - edges.vbm,
        "vbm": edges.vbm,
        "cbm": edges.cbm,
        "metallic": is_metallized(edges.vbm, edges.cbm, fermi, 0.5 * given["metallic_gap"]),
        "gap_of": "solvent",
    }
    own = edges.counts > 0.0
    return scalars, edges.vbm, edges.cbm, edges.occupied & own, ~edges.occupied & own


def _places(
    states: States,
    vbm: float,
    cbm: float,
    valence: NDArray[np.bool_],
    conduction: NDArray[np.bool_],
    atoms: NDArray[np.float64],
) -> dict[str, float]:
    upper, lower = (
        edge_place(states, cbm, False, conduction, atoms),
        edge_place(states, vbm, True, valence, atoms),
    )
    return {
        "vbm_z": lower.height,
        "cbm_z": upper.height,
        "edge_separation": upper.height - lower.height,
        "vbm_projected": lower.projected,
        "cbm_projected": upper.projected,
    }


def _layers(
    states: States, occupied: NDArray[np.bool_], atoms: NDArray[np.float64], given: dict[str, Any]
) -> tuple[orm.ArrayData, float | None]:
    """The node ``layers``, and the bands' tilt over the film or the solvent."""
    spacing, width, broadening = given["spacing"], given["width"], given["broadening"]
    # A layer at 0, the middle, and as many to either side as the atoms need.
    reach = np.ceil((np.abs(states.heights).max() + REACH * width) / spacing)
    grid = spacing * np.arange(-reach, reach + 1.0)
    grid = grid[(grid >= states.heights.min() - REACH * width) & (grid <= states.heights.max() + REACH * width)]
    energies = np.arange(
        states.energies.min() - 4.0 * broadening, states.energies.max() + 4.0 * broadening, 0.5 * broadening
    )
    edges = local_edges(states, occupied, grid, width)
    node = orm.ArrayData()
    for name, values in {
        "z": grid,
        "energies": energies,
        # Nine tenths of the bytes of a film's layers would be digits that nobody looks at.
        "dos": np.round(layer_dos(states, grid, energies, width, broadening), DOS_DIGITS).astype(np.float32),
        "vbm": edges.vbm,
        "cbm": edges.cbm,
        "centre": edges.centre,
        "content": edges.content,
    }.items():
        node.set_array(name, values)
    node.base.attributes.set_many({"width": width, "broadening": broadening, "units": "Å, eV, states/(eV Å)"})
    own = States(states.energies, states.weights, states.projections[:, :, atoms > 0.0], states.heights[atoms > 0.0])
    return node, band_tilt(grid, local_edges(own, occupied, grid, width))


@calcfunction
def strip_substrate(structure: orm.StructureData, substrate: orm.List) -> orm.StructureData:
    """The solvent of a film on a substrate: same positions, same cell, the substrate's atoms left out.

    :param substrate: indices of its atoms.
    """
    atoms = structure.get_ase()
    del atoms[[int(index) for index in substrate.get_list()]]
    return orm.StructureData(ase=atoms)

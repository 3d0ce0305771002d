"""Calcfunctions that turn a pw.x run, finished or failed, into the result of a frame."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from ..physics.constants import BOHR, EPS0
from .bands import film_edges
from .layers import LAYER_KEYS, SOLVENT_KEYS
from .potential import POTENTIAL_KEYS

STRIPPED_KEYS = ("stripped_vbm", "stripped_cbm", "stripped_gap", "stripped_drop", "stripped_metallic")
"""What the run of the solvent without its substrate adds; energies in eV on that run's own scale."""
PROPERTY_KEYS = ("gap_of", *LAYER_KEYS, *SOLVENT_KEYS, *STRIPPED_KEYS, *POTENTIAL_KEYS)
"""Keys of the properties: None where they were not asked for, or failed."""
NO_SOLVENT_EDGES = 402
"""Exit code of a frame whose gap was lost with the projections: that of a solvent on a metal."""
COUNTED = ("gap", "vbm", "cbm", "witness", "metallic")
"""Keys that counting all electrons gives."""
UNKNOWN = (*COUNTED, "fermi", "dipole", "drop", *PROPERTY_KEYS)
"""Keys of a result that a failed run leaves empty."""


@calcfunction
def frame_result(
    bands: orm.BandsData,
    output: orm.Dict,
    retrieved: orm.FolderData,
    structure: orm.StructureData,
    record: orm.Dict,
    parameters: orm.Dict,
    **properties: orm.Dict,
) -> orm.Dict:
    """Gap, edges, witness and dipole of a converged frame, and what was made of it besides.

    With a substrate (``gap_of`` is ``solvent``) the count of all electrons means nothing: gap and edges are those of
    ``layers``; without them, None.

    :param bands: pw.x's eigenvalues (eV), occupations and k-point weights.
    :param output: pw.x's ``output_parameters``.
    :param retrieved: pw.x's files: its XML has the dipole, which aiida-quantumespresso 5.1 does not find in an scf run.
    :param structure: the structure that pw.x was given; the normal is z.
    :param record: what the MD knows of the frame; copied into the result.
    :param parameters: ``metallic_gap`` (eV), ``metallic_witness`` (e), what all runs of the frame took
        (``scf_iterations``, ``wall_seconds``, ``attempt``: their number), ``degauss`` (Ry) of the last one, ``gap_of``
        (``film`` unless given) and ``property_message``.
    :param properties: scalars of the properties that were made: ``layers``, ``potential``, and ``stripped``, the result
        of the solvent without its substrate.
    """
    given, parsed = parameters.get_dict(), output.get_dict()
    electrons = round(parsed["number_of_electrons"])
    gap_of = given.get("gap_of", "film")
    counted = _counted(bands, electrons, given) if gap_of == "film" else dict.fromkeys(COUNTED)
    cell = structure.get_ase().cell.array
    area = float(np.linalg.norm(np.cross(cell[0], cell[1])))
    dipole = read_dipole(retrieved.base.repository.get_object_content("data-file-schema.xml"))
    found: dict[str, Any] = {
        **record.get_dict(),
        **dict.fromkeys(PROPERTY_KEYS),
        **counted,
        "fermi": float(parsed["fermi_energy"]),
        "dipole": dipole,
        "drop": dipole / (EPS0 * area),
        "energy": float(parsed["energy"]),
        **{key: given[key] for key in ("scf_iterations", "wall_seconds", "attempt", "degauss")},
        "gap_bound": None,
        "functional": given.get("functional"),
        "gap_of": gap_of,
        "property_message": given.get("property_message", ""),
        **_scalars(properties),
    }
    # A solvent whose projections failed has no gap: not a success, and counted by a code of its own.
    lost = found["gap"] is None
    message = f"the solvent has no edges: {found['property_message']}" if lost else ""
    return orm.Dict({**found, "exit_code": NO_SOLVENT_EDGES if lost else 0, "exit_message": message})


def _counted(bands: orm.BandsData, electrons: int, given: dict[str, Any]) -> dict[str, Any]:
    """Gap, edges and witness of a film, by counting its electrons."""
    edges = film_edges(bands, electrons)
    metallic = edges.gap < given["metallic_gap"] or edges.witness > given["metallic_witness"]
    return dict(zip(COUNTED, (edges.gap, edges.vbm, edges.cbm, edges.witness, bool(metallic)), strict=True))


def _scalars(properties: dict[str, orm.Dict]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, node in properties.items():
        content = node.get_dict()
        if name == "stripped":
            content = {key: content[key.removeprefix("stripped_")] for key in STRIPPED_KEYS}
        found.update(content)
    return found


def read_dipole(xml: str) -> float:
    """Dipole along ``edir`` in e Å from pw.x's XML, which has it in e bohr.

    :raises ValueError: if the run had no dipole correction.
    """
    node = ElementTree.fromstring(xml).find(".//dipoleInfo/dipole")
    if node is None or node.text is None:
        raise ValueError("pw.x's XML has no dipole: was the run made without dipfield?")
    return float(node.text) * BOHR


@calcfunction
def failed_result(record: orm.Dict, failure: orm.Dict) -> orm.Dict:
    """The result of a frame whose pw.x failed: it stays in the counts.

    :param failure: ``exit_code``, ``exit_message``, ``wall_seconds``, ``scf_iterations``, ``attempt`` (how many runs),
        ``degauss`` (Ry, of the last one) and ``gap_bound``: the gap, eV, at the smallest smearing that did converge, an
        upper bound, or None. Also ``functional``.
    """
    empty: dict[str, Any] = dict.fromkeys(UNKNOWN)
    return orm.Dict(
        {**record.get_dict(), **empty, "energy": None, "functional": None, "property_message": "", **failure.get_dict()}
    )

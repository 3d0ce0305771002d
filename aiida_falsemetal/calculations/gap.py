"""Calcfunctions that turn a pw.x run, finished or failed, into the result of a frame."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from ..physics.constants import BOHR, EPS0
from ..physics.edges import band_edges

UNKNOWN = ("gap", "vbm", "cbm", "fermi", "witness", "metallic", "dipole", "drop", "scf_iterations")
"""Keys of a result that a failed run leaves empty."""


@calcfunction
def frame_result(
    bands: orm.BandsData,
    output: orm.Dict,
    retrieved: orm.FolderData,
    structure: orm.StructureData,
    record: orm.Dict,
    parameters: orm.Dict,
) -> orm.Dict:
    """Gap, edges, witness and dipole of a converged frame.

    :param bands: pw.x's eigenvalues (eV) and occupations at Gamma.
    :param output: pw.x's ``output_parameters``.
    :param retrieved: pw.x's files: its XML has the dipole, which aiida-quantumespresso 5.1 does not find in an scf run.
    :param structure: the structure that pw.x was given; the normal is z.
    :param record: what the MD knows of the frame; copied into the result.
    :param parameters: ``metallic_gap`` (eV), ``metallic_witness`` (e), ``attempt`` and
        ``wall_seconds_before`` (of failed attempts).
    """
    given, parsed = parameters.get_dict(), output.get_dict()
    electrons = round(parsed["number_of_electrons"])
    energies, occupations = bands.get_bands(also_occupations=True)
    edges = band_edges(np.ravel(energies), np.ravel(occupations), electrons)
    cell = structure.get_ase().cell.array
    area = float(np.linalg.norm(np.cross(cell[0], cell[1])))
    dipole = read_dipole(retrieved.base.repository.get_object_content("data-file-schema.xml"))
    return orm.Dict(
        {
            **record.get_dict(),
            "gap": edges.gap,
            "vbm": edges.vbm,
            "cbm": edges.cbm,
            "fermi": float(parsed["fermi_energy"]),
            "witness": edges.witness,
            "metallic": bool(edges.gap < given["metallic_gap"] or edges.witness > given["metallic_witness"]),
            "dipole": dipole,
            "drop": dipole / (EPS0 * area),
            "energy": float(parsed["energy"]),
            "scf_iterations": int(parsed["total_number_of_scf_iterations"]),
            "wall_seconds": float(parsed["wall_time_seconds"]) + given.get("wall_seconds_before", 0.0),
            "attempt": given.get("attempt", 0),
            "exit_code": 0,
            "exit_message": "",
        }
    )


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

    :param failure: ``exit_code``, ``exit_message``, ``wall_seconds``, ``attempt``.
    """
    empty: dict[str, Any] = dict.fromkeys(UNKNOWN)
    return orm.Dict({**record.get_dict(), **empty, "energy": None, **failure.get_dict()})

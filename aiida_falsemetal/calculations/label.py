"""Calcfunctions that turn a pw.x run with forces into a training label, and the fingerprint by which one is found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms

from ..physics.configurations import empty_height
from ..physics.constants import EPS0
from ..physics.molecules import find_molecules, make_whole
from ..physics.slab import FILM_VACUUM
from .bands import film_edges
from .film import centred_film
from .gap import read_dipole

FINGERPRINT_VERSION = 1
"""Raised when the meaning of a setting changes, so that old labels are not taken for new ones."""
DIGITS = 8
"""Decimals in Å to which two configurations are the same."""
DETERMINING = ("functional", "ecutwfc", "ecutrho", "conv_thr", "degauss", "vacuum", "sawtooth")
"""Settings that decide a label's numbers. How the SCF cycle is mixed and how many ranks it has do not."""
NO_LABEL = ("energy", "dipole", "drop", "gap", "witness", "metallic", "net_force", "largest_force")
"""Keys that a failed label leaves empty."""


def label_fingerprint(structure: orm.StructureData, settings: Mapping[str, Any], pseudos: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) of what determines a label: the configuration's content, pseudopotentials, settings.

    :param settings: of :func:`..workflows.label.label_settings`.
    :param pseudos: UPF nodes by kind; their content counts and not their family's name.
    """
    atoms = structure.get_ase()
    content = {
        "version": FINGERPRINT_VERSION,
        "symbols": atoms.get_chemical_symbols(),
        "positions": _rounded(atoms.get_positions()),
        "cell": _rounded(atoms.cell.array),
        "settings": {key: settings[key] for key in DETERMINING},
        "pseudos": {kind: pseudo.md5 for kind, pseudo in pseudos.items()},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode("ascii")).hexdigest()


def _rounded(vectors: Any) -> list[list[float]]:
    rows: list[list[float]] = (np.round(np.asarray(vectors, dtype=float), DIGITS) + 0.0).tolist()  # no -0.0
    return rows


def is_bulk(structure: orm.StructureData) -> bool:
    """Whether a configuration is periodic along z too: it has no vacuum."""
    atoms = structure.get_ase()
    return empty_height(atoms.get_positions(), float(atoms.cell.array[2, 2])) < FILM_VACUUM


def one_piece(frame: Atoms, bulk: bool, vacuum: float) -> Atoms:
    """A configuration with whole molecules: a film centred in its vacuum, a bulk liquid in its own cell.

    The order of the atoms is kept, so that forces fit.
    """
    if not bulk:
        return centred_film(frame, vacuum)
    atoms = frame.copy()
    atoms.set_positions(make_whole(atoms.get_positions(), find_molecules(atoms), atoms.cell.array))
    return atoms


@calcfunction
def prepare_configuration(structure: orm.StructureData, parameters: orm.Dict) -> orm.StructureData:
    """What pw.x is given.

    :param parameters: ``vacuum`` (Å, of a film) and ``bulk``.
    """
    given = parameters.get_dict()
    return orm.StructureData(ase=one_piece(structure.get_ase(), given["bulk"], given["vacuum"]))


@calcfunction
def label_result(
    bands: orm.BandsData,
    output: orm.Dict,
    trajectory: orm.TrajectoryData,
    retrieved: orm.FolderData,
    structure: orm.StructureData,
    record: orm.Dict,
    parameters: orm.Dict,
) -> dict[str, Any]:
    """The label of a converged configuration.

    :param bands: pw.x's eigenvalues and occupations.
    :param output: pw.x's ``output_parameters``.
    :param trajectory: pw.x's ``output_trajectory``, which has the forces.
    :param retrieved: pw.x's files; its XML has a film's dipole.
    :param structure: what pw.x was given, in the configuration's order of atoms.
    :param record: what is known of the configuration; copied into the label.
    :param parameters: settings of the labels, ``bulk``, ``fingerprint`` and the cost: ``scf_iterations``,
        ``wall_seconds``, ``attempt``.
    :return: ``label`` and ``forces`` (ArrayData, ``forces`` of shape (n, 3) in eV/Å). With smearing, pw.x's energy is
        the free energy, whose derivatives the forces are. ``usable`` is false where the frame is metallic: charge has
        crossed the film, and the label would teach that.
    """
    given, parsed = parameters.get_dict(), output.get_dict()
    edges = film_edges(bands, round(parsed["number_of_electrons"]))
    forces = np.asarray(trajectory.get_array("forces"), dtype=float)[-1]
    atoms = structure.get_ase()
    metallic = bool(edges.gap < given["metallic_gap_eV"] or edges.witness > given["metallic_witness"])
    dipole = drop = None
    if not given["bulk"]:
        dipole = read_dipole(retrieved.base.repository.get_object_content("data-file-schema.xml"))
        cell = atoms.cell.array
        drop = dipole / (EPS0 * float(np.linalg.norm(np.cross(cell[0], cell[1]))))
    node = orm.ArrayData()
    node.set_array("forces", forces)
    label = {
        **_common(record, given, len(atoms)),
        "converged": True,
        "usable": not metallic,
        "energy": float(parsed["energy"]),
        "dipole": dipole,
        "drop": drop,
        "gap": edges.gap,
        "witness": edges.witness,
        "metallic": metallic,
        "net_force": float(np.linalg.norm(forces.sum(axis=0))),
        "largest_force": float(np.linalg.norm(forces, axis=1).max()),
        "exit_code": 0,
        "exit_message": "the gap is closed: charge has crossed the film" if metallic else "",
    }
    return {"label": orm.Dict(label), "forces": node}


@calcfunction
def failed_label(structure: orm.StructureData, record: orm.Dict, parameters: orm.Dict) -> orm.Dict:
    """The label of a configuration whose pw.x failed: it stays in the counts.

    :param parameters: as of :func:`label_result`, with ``exit_code`` and ``exit_message``.
    """
    given = parameters.get_dict()
    return orm.Dict(
        {
            **_common(record, given, len(structure.sites)),
            **dict.fromkeys(NO_LABEL),
            "converged": False,
            "usable": False,
            "exit_code": given["exit_code"],
            "exit_message": given["exit_message"],
        }
    )


def _common(record: orm.Dict, given: Mapping[str, Any], atoms: int) -> dict[str, Any]:
    keys = (*DETERMINING, "bulk", "fingerprint", "pseudo_family", "scf_iterations", "wall_seconds", "attempt")
    return {**record.get_dict(), "atoms": atoms, **{key: given[key] for key in keys}}

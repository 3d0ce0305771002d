"""Outputs of a pw.x run with forces, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.common.links import LinkType

from tests.calculations.test_gap import xml
from tests.data import nodes


def pw_outputs(structure: orm.StructureData, gap: float = 4.0, moved: float = 0.0, dipole: float | None = 0.5) -> Any:
    """Of ``structure``; the force on atom i is (i, -i, 0) in meV/Å."""
    atoms = structure.get_ase()
    electrons = int(sum(6 if s == "O" else 1 for s in atoms.get_chemical_symbols()))
    half = electrons // 2
    energies = np.concatenate([np.linspace(-20.0, -2.0, half), -2.0 + gap + np.arange(4)])
    occupations = np.concatenate([np.full(half, 2.0), np.zeros(4)])
    occupations[half - 1 : half + 1] = 2.0 - moved, moved
    bands = orm.BandsData()
    bands.set_kpoints([[0.0, 0.0, 0.0]])
    bands.set_bands(energies[None, :], units="eV", occupations=occupations[None, :])
    retrieved = orm.FolderData()
    retrieved.base.repository.put_object_from_bytes(xml(dipole).encode(), "data-file-schema.xml")
    trajectory = orm.TrajectoryData()
    trajectory.set_trajectory(atoms.get_chemical_symbols(), atoms.get_positions()[None])
    index = np.arange(len(atoms), dtype=float)
    trajectory.set_array("forces", 1e-3 * np.column_stack([index, -index, 0 * index])[None])
    parsed = {
        "number_of_electrons": float(electrons),
        "energy": -3750.25,
        "total_number_of_scf_iterations": 9,
        "wall_time_seconds": 30.0,
    }
    return {
        "output_band": bands,
        "output_parameters": orm.Dict(parsed),
        "output_trajectory": trajectory,
        "retrieved": retrieved,
    }


def pw_chain(structure: orm.StructureData, exit_status: int = 0, **given: Any) -> orm.WorkChainNode:
    """A PwBaseWorkChain over one PwCalculation, finished or failed. One with 305 was killed in its first iteration."""
    outputs = pw_outputs(structure, **given) if exit_status == 0 else {}
    chain = nodes.workchain("quantumespresso.pw.base", exit_status=exit_status, exit_message="SCF not converged")
    parsed = outputs.get("output_parameters", orm.Dict({"wall_time_seconds": 10.0}))
    made: dict[str, orm.Data] = {"output_parameters": parsed}
    if exit_status == 305:
        made = {"retrieved": orm.FolderData()}
        made["retrieved"].base.repository.put_object_from_bytes(b"     iteration #  1", "aiida.out")
    nodes.calculation("quantumespresso.pw", None, {}, made, chain, exit_status, "SCF not converged")
    for name, node in outputs.items():
        if not node.is_stored:
            node.store()
        node.base.links.add_incoming(chain, LinkType.RETURN, name)
    return chain

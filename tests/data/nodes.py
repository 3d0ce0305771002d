"""Nodes made by hand: what a test needs of the graph without running anything for it."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.links import LinkType
from aiida.plugins import DataFactory
from ase import Atoms
from plumpy.process_states import ProcessState

from aiida_falsemetal.data.mlip import MlipData
from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.registry import load_family
from aiida_falsemetal.physics.dipoles import SCREENED_CHARGES, charges_for


@cache
def film(molecules: int = 8, lateral: float = 6.5, vacuum: float = 20.0, seed: int = 3) -> tuple[Atoms, dict[str, Any]]:
    """A packed film and its info. Shared: copy before changing it."""
    built = FilmRecipe().build(FilmParameters(molecules=molecules, lateral=lateral, vacuum=vacuum, seed=seed))
    return built.atoms, built.info


def film_nodes() -> tuple[orm.StructureData, orm.Dict]:
    """Unstored nodes of :func:`film`."""
    atoms, info = film()
    return orm.StructureData(ase=atoms), orm.Dict(info)


def mlip(preset: str = "spcfw-truncated", label: str | None = None) -> MlipData:
    """An unstored node of a shipped model."""
    entry = presets()[preset]
    facts = load_family(entry.family).inspect(model_path(entry), entry.kwargs).as_dict()
    return MlipData.from_model(model_path(entry), entry.family, entry.kwargs, facts, label or preset)


def pseudos(family: str = "", structure: orm.StructureData | None = None) -> dict[str, Any]:
    """Heads of norm-conserving pseudopotentials for the structure's elements, in place of a family's."""
    found = {}
    for element in sorted(structure.get_symbols_set()) if structure is not None else ("H", "O"):
        valence = {"H": 1.0, "O": 6.0}.get(element, 11.0)
        text = (
            f'<UPF version="2.0.1"><PP_HEADER element="{element}" pseudo_type="NC" z_valence="{valence}"/>'
            '<PP_BETA.1 angular_momentum="0"/><PP_CHI.1 l="0"/></UPF>'
        )
        found[element] = DataFactory("pseudo.upf")(io.BytesIO(text.encode()), filename=f"{element}.upf")
    return found


def polarised(steps: list[int], moments: np.ndarray) -> orm.TrajectoryData:
    """Frames of :func:`trajectory` with these dipoles (e Å), by hydrogens moved along z."""
    plain = trajectory(steps)
    charges = charges_for(plain.symbols, SCREENED_CHARGES)
    hydrogen = np.array(plain.symbols) == "H"
    positions = plain.get_positions()
    positions[:, hydrogen, 2] += ((moments - positions[:, :, 2] @ charges) / charges[hydrogen].sum())[:, None]
    return trajectory(steps, positions=positions)


def trajectory(steps: list[int], timestep: float = 1.0, positions: np.ndarray | None = None) -> orm.TrajectoryData:
    """Frames of the film, each moved along x by its step in mÅ, so that every frame tells which one it is."""
    atoms, _ = film()
    if positions is None:
        positions = np.array([atoms.get_positions() + [step * 1e-3, 0.0, 0.0] for step in steps])
    node = orm.TrajectoryData()
    node.set_trajectory(
        symbols=atoms.get_chemical_symbols(),
        positions=positions,
        stepids=np.array(steps),
        cells=np.repeat(atoms.cell.array[None], len(steps), axis=0),
        times=np.array(steps) * timestep * 1e-3,
        pbc=[True] * 3,
    )
    return node


def series(steps: list[int], dipole: np.ndarray | None = None, timestep: float = 1.0) -> orm.ArrayData:
    """A time series whose dipole is white noise unless given."""
    if dipole is None:
        dipole = np.random.default_rng(1).normal(size=len(steps))
    node = orm.ArrayData()
    for name, values in {
        "step": np.array(steps),
        "time_ps": np.array(steps) * timestep * 1e-3,
        "dipole_z": np.asarray(dipole, dtype=float),
        "temperature": np.full(len(steps), 300.0),
    }.items():
        node.set_array(name, values)
    return node


def finish(node: orm.ProcessNode, exit_status: int = 0, exit_message: str = "") -> None:
    """End a stored process node."""
    node.set_process_state(ProcessState.FINISHED)
    node.set_exit_status(exit_status)
    if exit_message:
        node.set_exit_message(exit_message)


def calculation(
    process_type: str,
    computer: orm.Computer | None = None,
    inputs: dict[str, orm.Data] | None = None,
    outputs: dict[str, orm.Data] | None = None,
    caller: orm.WorkChainNode | None = None,
    exit_status: int | None = 0,
    exit_message: str = "",
    options: dict[str, Any] | None = None,
) -> orm.CalcJobNode:
    """A CalcJob, over unless ``exit_status`` is None. ``process_type`` is an entry point of aiida.calculations."""
    node = orm.CalcJobNode(computer=computer, process_type=f"aiida.calculations:{process_type}")
    node.set_options({"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}, **(options or {})})
    node.set_process_label(process_type)
    for label, data in (inputs or {}).items():
        node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, label)
    if caller is not None:
        node.base.links.add_incoming(caller, LinkType.CALL_CALC, "job")
    node.store()
    for label, data in (outputs or {}).items():
        data.base.links.add_incoming(node, LinkType.CREATE, label)
        data.store()
    if exit_status is None:
        node.set_process_state(ProcessState.WAITING)
    else:
        finish(node, exit_status, exit_message)
    return node


def workchain(
    process_type: str,
    inputs: dict[str, orm.Data] | None = None,
    outputs: dict[str, orm.Data] | None = None,
    caller: orm.WorkChainNode | None = None,
    label: str = "call",
    exit_status: int | None = 0,
    exit_message: str = "",
) -> orm.WorkChainNode:
    """A WorkChain, over unless ``exit_status`` is None. ``process_type`` is an entry point of aiida.workflows."""
    node = orm.WorkChainNode(process_type=f"aiida.workflows:{process_type}")
    for name, data in (inputs or {}).items():
        node.base.links.add_incoming(data.store(), LinkType.INPUT_WORK, name)
    if caller is not None:
        node.base.links.add_incoming(caller, LinkType.CALL_WORK, label)
    node.store()
    for name, data in (outputs or {}).items():
        data.store().base.links.add_incoming(node, LinkType.RETURN, name)
    if exit_status is None:
        node.set_process_state(ProcessState.WAITING)
    else:
        finish(node, exit_status, exit_message)
    return node

"""Imported trajectories as nodes: stored once, and found again by PK or UUID."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from .structures import CONTENT, ORIGIN

DESCRIBED_BY = "describe_trajectory"
"""Label of the process that ties the nodes of a trajectory together."""


@dataclass(frozen=True)
class Imported:
    """Nodes of a trajectory.

    :param trajectory: TrajectoryData, with the extras ``falsemetal_origin`` and ``falsemetal_content``.
    :param parameters: Dict, see :func:`..calculations.imported.describe_trajectory`.
    :param series: ArrayData.
    :param interface: StructureData.
    :param interface_info: Dict.
    :param mlip: the model that made it, or None.
    """

    trajectory: Any
    parameters: Any
    series: Any
    interface: Any
    interface_info: Any
    mlip: Any = None


def store_trajectory(read: Any, parameters: dict[str, Any], mlip: Any = None, label: str = "") -> tuple[Imported, bool]:
    """The nodes of a trajectory, those that are there already where all is the same; and whether they are new.

    :param read: an ``interfaces.trajectory.Trajectory``.
    :param parameters: see :func:`..calculations.imported.describe_trajectory`.
    :param mlip: the stored node of the model that made it, or None.
    :param label: of the TrajectoryData, by default the file's name.
    """
    from aiida import orm

    from ..calculations.imported import describe_trajectory

    content = _content(read, parameters, mlip)
    known = _known(content)
    if known is not None:
        return known, False
    node = _node(read, label)
    # Before it is stored, so that no trajectory is ever without.
    node.base.extras.set_many({CONTENT: content, ORIGIN: read.origin})
    inputs = {"trajectory": node.store(), "parameters": orm.Dict(parameters)}
    if read.recorded:
        inputs["recorded"] = orm.ArrayData(read.recorded)
    if mlip is not None:
        inputs["mlip"] = mlip
    describe_trajectory(**inputs)
    found = _known(content)
    assert found is not None
    return found, True


def load_trajectory(identifier: str) -> Imported:
    """The nodes of a trajectory by PK or UUID of its TrajectoryData; the profile is loaded for it.

    :raises LookupError: saying what is wrong, and after a semicolon what to do.
    :raises click.ClickException: if there is no profile.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    from .common import load_profile

    load_profile()
    remedy = "name a trajectory that `falsemetal trajectory import` has stored, by its PK or UUID"
    try:
        node = orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        many = isinstance(error, MultipleObjectsError)
        fault = "several nodes begin with" if many else "the profile has no node"
        raise LookupError(f"{fault} {identifier}; {remedy}.") from error
    if not isinstance(node, orm.TrajectoryData):
        raise LookupError(f"node {identifier} is a {type(node).__name__}; {remedy}.")
    found = _described(node)
    if found is None or CONTENT not in node.base.extras.all:
        raise LookupError(f"the trajectory {identifier} was not imported, so its interface is not known; {remedy}.")
    return found


def find_trajectory(identifier: str) -> Any:
    """What a campaign must know of an imported trajectory, a ``campaign.trajectories.ResolvedTrajectory``.

    :raises LookupError: as :func:`load_trajectory`.
    """
    from ..campaign.trajectories import ResolvedTrajectory

    found = load_trajectory(identifier)
    given, info, time = found.parameters.get_dict(), found.interface_info.get_dict(), found.trajectory.get_times()
    step = found.trajectory.get_stepids()
    return ResolvedTrajectory(
        node=str(found.trajectory.uuid),
        content=str(found.trajectory.base.extras.get(CONTENT)),
        made_by=str(given["made_by"]),
        elements=frozenset(found.trajectory.symbols),
        metal=bool(info.get("metal_indices")),
        temperature=float(given["temperature"]),
        timestep=float(given["timestep"]),
        steps=int(step[-1] - step[0]),
        times=tuple(float(value) for value in time),
    )


def _content(read: Any, parameters: dict[str, Any], mlip: Any) -> str:
    """SHA-256 of all that is in the nodes of a trajectory; where the file lies is not."""
    from ..campaign.expand import canonical

    model = None if mlip is None else {"sha256": mlip.sha256, "family": mlip.family, "kwargs": mlip.kwargs}
    said = {"trajectory": read.content, "parameters": parameters, "mlip": model}
    return hashlib.sha256(canonical(said).encode("ascii")).hexdigest()


def _known(content: str) -> Imported | None:
    from aiida import orm

    query = orm.QueryBuilder().append(orm.TrajectoryData, filters={f"extras.{CONTENT}": content}, tag="node")
    for node in query.order_by({"node": "id"}).all(flat=True):
        found = _described(node)
        if found is not None:
            return found
    return None


def _described(node: Any) -> Imported | None:
    """The nodes that go with a TrajectoryData; None where it was not imported, or its description failed."""
    for link in node.base.links.get_outgoing(link_label_filter="trajectory").all():
        process = link.node
        if process.process_label == DESCRIBED_BY and process.is_finished_ok:
            inputs, outputs = process.inputs, process.outputs
            mlip = inputs.mlip if "mlip" in inputs else None
            return Imported(node, inputs.parameters, outputs.series, outputs.interface, outputs.interface_info, mlip)
    return None


def _node(read: Any, label: str) -> Any:
    """An unstored TrajectoryData."""
    from pathlib import Path

    from aiida import orm

    from ..interfaces.trajectory import PERIODIC

    node = orm.TrajectoryData(label=label or Path(read.origin["path"]).name)
    node.set_trajectory(
        symbols=read.symbols,
        positions=read.positions,
        stepids=read.step,
        cells=np.repeat(read.built.atoms.cell.array[None], len(read.step), axis=0),
        times=read.time,
        pbc=PERIODIC,
    )
    return node

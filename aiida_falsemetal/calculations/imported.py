"""Calcfunction that says of a trajectory from a file what the MD says of its own: interface and series."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from ..data.mlip import MlipData
from ..interfaces.reading import checked
from ..interfaces.trajectory import sorted_interface
from ..physics.dipoles import atom_charges, evaporated

RECORDED = ("potential_energy", "temperature")
"""Series that only the program which made the trajectory can know."""


@calcfunction
def describe_trajectory(
    trajectory: orm.TrajectoryData,
    parameters: orm.Dict,
    recorded: orm.ArrayData | None = None,
    mlip: MlipData | None = None,
) -> dict[str, Any]:
    """Interface and time series of an imported trajectory, with the names of :mod:`..parsers.md`.

    :param trajectory: in the form of :mod:`..interfaces.trajectory`.
    :param parameters: ``temperature`` (K), ``timestep`` (fs between frames of the file), ``made_by`` (a label), and
        ``solvent`` and ``metal``, see :func:`..interfaces.trajectory.sorted_interface`.
    :param recorded: ``potential_energy`` (eV) and ``temperature`` (K), shape (frames,), where known.
    :param mlip: the model that made the trajectory, where it was one. Not used: the link says it.
    :return: ``interface`` (StructureData, the first frame), ``interface_info`` (Dict, see
        :class:`..interfaces.recipe.BuiltInterface`) and ``series`` (ArrayData: ``step``, ``time_ps``, ``dipole_z`` in
        e Å, ``evaporated`` and what was recorded).
    :raises InterfaceError: if the first frame is no interface.
    """
    given = parameters.get_dict()
    first = trajectory.get_step_structure(0).get_ase()
    built, order = sorted_interface(checked(first), given["solvent"], given["metal"])
    assert order == list(range(len(order))), "the trajectory was not sorted before it was stored"
    positions, info = trajectory.get_positions(), built.info
    charges = atom_charges(trajectory.symbols, info["charges"], None)
    series = orm.ArrayData()
    series.set_array("step", trajectory.get_stepids())
    series.set_array("time_ps", trajectory.get_times())
    for name in RECORDED:
        if recorded is not None and name in recorded.get_arraynames():
            series.set_array(name, recorded.get_array(name))
    series.set_array("dipole_z", positions[:, :, info["axis"]] @ charges)
    left = [evaporated(frame, info["molecules"], info["axis"], info["substrate_indices"]) for frame in positions]
    series.set_array("evaporated", np.array(left))
    # The frame itself, to the bit: what is built from it is moved along z by rounding.
    interface = orm.StructureData(ase=first)
    return {"interface": interface, "interface_info": orm.Dict(info), "series": series}

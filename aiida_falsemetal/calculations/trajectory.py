"""Calcfunctions on trajectories: joining their pieces, and how much more of one is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from ..physics import series as pooling
from .evidence import equilibrated


@calcfunction
def join_trajectories(**pieces: Any) -> dict[str, Any]:
    """Join the pieces of a run that was restarted; ``trajectory_0``, ``series_0``, ``trajectory_1`` and so on.

    :return: ``trajectory`` and ``series`` of the whole run, as one uninterrupted run would have given them.
    """
    count = len([key for key in pieces if key.startswith("series_")])
    series = orm.ArrayData()
    for name in pieces["series_0"].get_arraynames():
        series.set_array(name, np.concatenate([pieces[f"series_{i}"].get_array(name) for i in range(count)]))
    parts = [pieces[f"trajectory_{i}"] for i in range(count) if f"trajectory_{i}" in pieces]
    trajectory = orm.TrajectoryData()
    trajectory.set_trajectory(
        symbols=parts[0].symbols,
        positions=np.concatenate([part.get_positions() for part in parts]),
        stepids=np.concatenate([part.get_stepids() for part in parts]),
        cells=np.concatenate([part.get_cells() for part in parts]),
        times=np.concatenate([part.get_times() for part in parts]),
        pbc=list(parts[0].base.attributes.get("pbc")),
    )
    return {"trajectory": trajectory, "series": series}


def joined(pieces: Sequence[Any]) -> dict[str, Any]:
    """Trajectory and series of a run, of one piece or several; what no piece has is missing.

    :param pieces: outputs of the processes that made them, in their order; each has a ``series``.
    """
    made = [{key: piece[key] for key in ("trajectory", "series") if key in piece} for piece in pieces]
    if len(made) < 2:
        return dict(*made)
    inputs = {f"{key}_{number}": node for number, piece in enumerate(made) for key, node in piece.items()}
    return dict(join_trajectories(**inputs, metadata={"call_link_label": "join"}))


LONGEST = 10
"""Without ``max_steps`` a run is extended to this many times its ``steps`` at most."""


@calcfunction
def plan_md(parameters: orm.Dict, **series: orm.ArrayData) -> orm.Dict:
    """How many steps the MD needs in all until the dipole's spread is known as well as asked for.

    At most twice what there is: a correlation time from a short run is known badly, and the next look knows more.

    :param parameters: ``steps`` so far, ``first_steps`` that the run began with, ``precision`` (relative half-width of
        the 95 % interval of sd(M_z)), ``max_steps``, ``timestep`` (fs), ``frame_stride`` and ``equilibration`` (ps or
        ``auto``).
    :param series: ``series_0``, ``series_1`` and so on, of the run's pieces.
    :return: ``steps`` (a multiple of ``frame_stride``; 0 where no more are needed or allowed), ``reason``,
        ``half_width`` (relative; None where the dipole does not vary) and ``more_ps`` (None where it cannot be told).
    """
    given = parameters.get_dict()
    steps, stride = given["steps"], given["frame_stride"]
    most = given.get("max_steps") or LONGEST * given.get("first_steps", steps)
    pieces = [series[f"series_{number}"] for number in range(len(series))]
    time, whole = (np.concatenate([piece.get_array(name) for piece in pieces]) for name in ("time_ps", "dipole_z"))
    dipole = equilibrated(time, whole, given["equilibration"])
    more_ps, half_width, reason = None, None, "too short to say anything."
    if len(dipole) >= 4:
        pooled = pooling.pool([dipole])
        more = pooling.more_for_sd(pooled, given["precision"], float(time[1] - time[0]))
        more_ps, reason = more.amount, more.reason
        if pooled.spread.value > 0.0:
            half_width = (pooled.spread.high - pooled.spread.low) / (2.0 * pooled.spread.value)
    found = {"more_ps": more_ps, "half_width": half_width}
    if more_ps == 0.0:
        return orm.Dict({"steps": 0, "reason": reason, **found})
    if steps >= most:
        return orm.Dict({"steps": 0, "reason": f"{reason} The limit of {most} steps is reached.", **found})
    wanted = 2 * steps if more_ps is None else steps + more_ps / (given["timestep"] * 1e-3)
    wanted = min(wanted, 2 * steps, most)
    # A whole number of stored frames, so that the samples stay evenly spaced where the runs are joined.
    rounded = min(int(np.ceil(wanted / stride)), most // stride) * stride
    if rounded <= steps:
        return orm.Dict({"steps": 0, "reason": f"{reason} The limit of {most} steps is reached.", **found})
    return orm.Dict({"steps": rounded, "reason": f"{reason} Going on to {rounded} steps.", **found})

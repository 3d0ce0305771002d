"""Calcfunctions on trajectories: joining the pieces of a restarted run, selecting frames for DFT."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from ..physics.constants import EPS0
from ..physics.selection import select_frames as choose
from ..physics.statistics import correlation_samples


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


@calcfunction
def select_frames(
    trajectory: orm.TrajectoryData, series: orm.ArrayData, info: orm.Dict, parameters: orm.Dict
) -> dict[str, Any]:
    """Choose the frames whose gap will be computed.

    :param parameters: ``stratified``, ``uniform``, ``strata`` (numbers), ``start`` (ps) and ``seed``.
    :return: ``selection`` (Dict) and, for each frame, ``frame_NNNNNNNN`` (StructureData) and ``record_NNNNNNNN``
        (Dict: step, time_ps, Mz, Mz_per_area, expected_drop, energy_mlip in eV or None, stratum, probability), where
        N is the MD step.
    """
    given = parameters.get_dict()
    area = info.get_dict()["area"]
    steps, times = trajectory.get_stepids(), trajectory.get_times()
    usable = np.flatnonzero(times >= given["start"])
    moments = dict(zip(series.get_array("step").tolist(), series.get_array("dipole_z").tolist(), strict=True))
    moment = np.array([moments[step] for step in steps[usable].tolist()])
    energies = _energies(series)
    outputs: dict[str, Any] = {}
    records = []
    if usable.size:
        spacing = float(times[1] - times[0]) if len(times) > 1 else 1.0
        separation = _separation(series, given["start"], spacing)
        chosen = choose(
            np.abs(moment) / area,
            given["stratified"],
            given["uniform"],
            separation=separation,
            seed=given["seed"],
            n_strata=given["strata"],
        )
        for pick in chosen.frames:
            frame = int(usable[pick.index])
            record = {
                "step": int(steps[frame]),
                "time_ps": float(times[frame]),
                "Mz": float(moment[pick.index]),
                "Mz_per_area": float(moment[pick.index] / area),
                "expected_drop": float(moment[pick.index] / (EPS0 * area)),
                "energy_mlip": energies.get(int(steps[frame])),
                "stratum": pick.stratum,
                "probability": float(pick.probability),
            }
            key = f"{record['step']:08d}"
            outputs[f"frame_{key}"] = trajectory.get_step_structure(frame)
            outputs[f"record_{key}"] = orm.Dict(record)
            records.append(record)
    selection = {**given, "candidates": int(usable.size), "selected": len(records), "frames": records}
    return {**outputs, "selection": orm.Dict(selection)}


def _energies(series: orm.ArrayData) -> dict[int, float]:
    """The MLIP's potential energy (eV) by MD step; empty for a series that has none."""
    if "potential_energy" not in series.get_arraynames():
        return {}
    pairs = zip(series.get_array("step").tolist(), series.get_array("potential_energy").tolist(), strict=True)
    return {int(step): float(energy) for step, energy in pairs}


def _separation(series: orm.ArrayData, start: float, spacing: float) -> int:
    """One correlation time of the dipole, in stored frames, at least 1."""
    time = series.get_array("time_ps")
    dipole = series.get_array("dipole_z")[time >= start]
    if len(dipole) < 4:
        return 1
    picoseconds = correlation_samples(dipole) * float(time[1] - time[0])
    return max(1, int(np.ceil(picoseconds / spacing)))

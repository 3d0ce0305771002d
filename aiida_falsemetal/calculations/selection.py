"""Calcfunctions that choose which frames get a gap: the first ones, and batch by batch those that tell most.

Frames are drawn from a *population*: every stored frame from ``start`` on, or a grid of them. Each batch has the
probabilities with which it was drawn, so that the population's mean can be estimated from it without bias
(:mod:`..physics.estimation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from numpy.typing import NDArray

from ..physics.bound import fraction_bound
from ..physics.constants import EPS0
from ..physics.design import Batch, draw_batch
from ..physics.gapmodel import Prior, from_prior
from ..physics.selection import UNIFORM, Selection, split_evenly
from ..physics.selection import select_frames as choose
from ..physics.series import pool
from ..physics.statistics import correlation_samples
from .evidence import LEAST_SAMPLES, equilibrated
from .sampling import Sample, batch_node, stop_reason

DEFAULTS: dict[str, Any] = {
    "stratified": 3,
    "uniform": 1,
    "strata": 3,
    "start": 1.0,
    "equilibration": "auto",
    "most": None,
    "batch": 8,
    "half_width": 0.05,
    "acceptable": 0.01,
    "confidence": 0.95,
}
"""Settings that an input may leave out; ``seed`` has no default."""


@calcfunction
def select_frames(
    trajectory: orm.TrajectoryData, series: orm.ArrayData, info: orm.Dict, parameters: orm.Dict
) -> dict[str, Any]:
    """Choose the first frames whose gap will be computed.

    :param parameters: ``stratified``, ``uniform``, ``strata`` (numbers), ``start`` (ps), ``seed``, and ``most``, the
        number of frames that later batches may bring them to.
    :return: ``selection`` (Dict); ``population`` (ArrayData: ``step``, ``time_ps``, ``Mz`` in e Å, ``drop`` in V of
        every frame that could have been chosen); ``batch_00`` and so on (ArrayData, see :func:`.sampling.batch_node`);
        and for each frame ``frame_NNNNNNNN`` (StructureData) and ``record_NNNNNNNN`` (Dict: step, time_ps, Mz,
        Mz_per_area, expected_drop, energy_mlip in eV or None, stratum, probability), where N is the MD step.
    """
    given = {**DEFAULTS, **parameters.get_dict()}
    area = info.get_dict()["area"]
    times = trajectory.get_times()
    usable = np.flatnonzero(times >= given["start"])
    if not usable.size:
        return {"selection": orm.Dict({**given, "candidates": 0, "selected": 0, "frames": []})}
    moment = _moments(trajectory, series, usable)
    spacing = float(times[1] - times[0]) if len(times) > 1 else 1.0
    # Later batches look for the rare frame, and the mean over the trajectory does not mind neighbours.
    more = given["most"] is not None and given["most"] > given["stratified"] + given["uniform"]
    chosen = choose(
        np.abs(moment) / area,
        given["stratified"],
        given["uniform"],
        separation=1 if more else _separation(series, given["start"], spacing),
        seed=given["seed"],
        n_strata=given["strata"],
    )
    grid = usable[chosen.offset :: chosen.separation]
    population = _population(trajectory, grid, moment[chosen.offset :: chosen.separation], area)
    outputs: dict[str, Any] = {"population": population}
    for number, batch in enumerate(first_batches(chosen, population.get_array("drop"))):
        outputs[f"batch_{number:02d}"] = batch_node(batch)
    picks = {int(usable[pick.index]): (pick.stratum, pick.probability) for pick in chosen.frames}
    records = _add_frames(outputs, trajectory, series, picks, moment, usable, area)
    counts = {"candidates": int(usable.size), "population": int(grid.size), "selected": len(records)}
    where = {"offset": chosen.offset, "separation": chosen.separation}
    return {**outputs, "selection": orm.Dict({**given, **counts, **where, "frames": records})}


@calcfunction
def draw_frames(
    trajectory: orm.TrajectoryData,
    series: orm.ArrayData,
    info: orm.Dict,
    parameters: orm.Dict,
    population: orm.ArrayData,
    **nodes: Any,
) -> dict[str, Any]:
    """Draw the next batch of frames, or say why no more are needed.

    :param parameters: ``seed``, ``most``, ``batch``, ``half_width`` (of the metallized fraction's interval over the
        trajectory, which is enough), ``acceptable`` (a fraction: an interval on one side of it is enough).
    :param population: as :func:`select_frames` gives it.
    :param nodes: ``batch_NN`` of all earlier batches, ``result_NNNNNNNN`` (Dict) of every frame computed.
    :return: ``selection`` (Dict: ``reason``, empty where frames were drawn, and ``frames``), and where frames were
        drawn ``batch_NN`` and ``frame_...`` and ``record_...`` as :func:`select_frames`.
    """
    given = {**DEFAULTS, **parameters.get_dict()}
    sample = Sample.of(population, nodes)
    area = info.get_dict()["area"]
    reason = stop_reason(sample, given) or _settled_by_law(sample, series, area, given)
    left = min(given["batch"], given["most"] - sample.drawn, sample.left)
    if reason is None and left < 2:
        reason = f"{sample.drawn} frames are drawn; the next batch would hold less than two."
    if reason is not None:
        return {"selection": orm.Dict({"reason": reason, "frames": [], "drawn": sample.drawn})}
    earlier = sample.batches
    rng = np.random.default_rng([given["seed"], len(earlier)])
    batch = draw_batch(sample.prediction, earlier, left, rng)
    steps, drawn = population.get_array("step"), batch.index.tolist()
    frames = np.flatnonzero(np.isin(trajectory.get_stepids(), steps))
    picks = {
        int(frames[index]): (int(stratum), float(share))
        for index, stratum, share in zip(drawn, batch.stratum, batch.probability, strict=True)
    }
    outputs: dict[str, Any] = {f"batch_{len(earlier):02d}": batch_node(batch)}
    records = _add_frames(outputs, trajectory, series, picks, population.get_array("Mz"), frames, area)
    return {**outputs, "selection": orm.Dict({"reason": "", "frames": records, "drawn": sample.drawn + len(records)})}


def _settled_by_law(sample: Sample, series: orm.ArrayData, area: float, given: Mapping[str, Any]) -> str | None:
    """The reason to stop where the gap law shows of all frames what computed ones never could, or None."""
    if sample.failed or len(sample.known) < 2 or sample.model.metallic:
        return None
    moment = equilibrated(series.get_array("time_ps"), series.get_array("dipole_z") / area, given["equilibration"])
    if len(moment) < LEAST_SAMPLES:
        return None
    bound = fraction_bound(pool([moment], given["confidence"]), sample.model, given["confidence"]).high
    if bound > given["acceptable"]:
        return None
    return f"By the gap law at most {100.0 * bound:.2g} % of the frames are metallic."


def first_batches(chosen: Selection, drop: NDArray[np.float64]) -> list[Batch]:
    """The first frames as batches: the control set, drawn from everything, then the strata, drawn from the rest.

    :param drop: shape (N,), V, of the grid that they were chosen from.
    """
    last = chosen.offset + chosen.separation * len(drop)
    place = {index: k for k, index in enumerate(range(chosen.offset, last, chosen.separation))}
    guess = from_prior(Prior()).predict(drop)
    control = sorted(place[pick.index] for pick in chosen.frames if pick.stratum == UNIFORM)
    rest = [(place[pick.index], pick.stratum, pick.probability) for pick in chosen.frames if pick.stratum != UNIFORM]
    batches = []
    if control:
        index = np.array(control)
        share = np.full(len(index), len(index) / len(drop))
        label = np.zeros(len(drop), int)
        batches.append(Batch(index, np.zeros(len(index), int), share, label, guess.metallic, guess.gap))
    if rest:
        batches.append(_strata_batch(rest, control, drop, guess.metallic, guess.gap))
    return batches


def _strata_batch(
    rest: list[tuple[int, Any, float]],
    control: list[int],
    drop: NDArray[np.float64],
    metallic: NDArray[np.float64],
    gap: NDArray[np.float64],
) -> Batch:
    """The stratified frames. Which stratum every other frame was in follows from the ranks, as it did when drawn."""
    rest = sorted(rest)
    index = np.array([place for place, _, _ in rest])
    stratum = np.array([int(number) for _, number, _ in rest])
    share = np.array([probability for _, _, probability in rest])
    others = np.setdiff1d(np.arange(len(drop)), control)
    ranked = others[np.argsort(np.abs(drop[others]), kind="stable")]
    count = int(stratum.max()) + 1
    label = np.full(len(drop), -1)
    label[ranked] = np.repeat(np.arange(count), split_evenly(len(ranked), count))
    return Batch(index, stratum, share, label, metallic, gap)


def _moments(trajectory: orm.TrajectoryData, series: orm.ArrayData, frames: NDArray[np.int_]) -> NDArray[np.float64]:
    """M_z in e Å of stored frames, shape (len(frames),)."""
    known = dict(zip(series.get_array("step").tolist(), series.get_array("dipole_z").tolist(), strict=True))
    return np.array([known[step] for step in trajectory.get_stepids()[frames].tolist()])


def _population(
    trajectory: orm.TrajectoryData, frames: NDArray[np.int_], moment: NDArray[np.float64], area: float
) -> orm.ArrayData:
    node = orm.ArrayData()
    node.set_array("step", trajectory.get_stepids()[frames])
    node.set_array("time_ps", trajectory.get_times()[frames])
    node.set_array("Mz", moment)
    node.set_array("drop", moment / (EPS0 * area))
    return node


def _add_frames(
    outputs: dict[str, Any],
    trajectory: orm.TrajectoryData,
    series: orm.ArrayData,
    picks: Mapping[int, tuple[Any, float]],
    moment: NDArray[np.float64],
    known: NDArray[np.int_],
    area: float,
) -> list[dict[str, Any]]:
    """Put structure and record of every pick into ``outputs``; return the records.

    :param picks: stratum and probability by the frame's index in the trajectory.
    :param moment: M_z in e Å of the frames ``known``.
    """
    energies, dipoles = _energies(series), dict(zip(known.tolist(), moment.tolist(), strict=True))
    steps, times, records = trajectory.get_stepids(), trajectory.get_times(), []
    for frame, (stratum, probability) in sorted(picks.items()):
        step = int(steps[frame])
        record = {
            "step": step,
            "time_ps": float(times[frame]),
            "Mz": dipoles[frame],
            "Mz_per_area": dipoles[frame] / area,
            "expected_drop": dipoles[frame] / (EPS0 * area),
            "energy_mlip": energies.get(step),
            "stratum": stratum,
            "probability": float(probability),
        }
        outputs[f"frame_{step:08d}"] = trajectory.get_step_structure(frame)
        outputs[f"record_{step:08d}"] = orm.Dict(record)
        records.append(record)
    return records


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

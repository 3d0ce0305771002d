"""Calcfunctions that choose which frames get a gap: the first ones, and batch by batch those that tell most.

Frames are drawn from a *population*: every stored frame from ``start`` on, or a grid of them. Each batch has the
probabilities with which it was drawn, so that the population's mean can be estimated from it without bias
(:mod:`..physics.estimation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from numpy.typing import NDArray

from ..physics.bound import fraction_bound
from ..physics.constants import EPS0
from ..physics.design import Batch, draw_batch
from ..physics.dipoles import atom_charges
from ..physics.gapmodel import Prior, from_prior
from ..physics.inside import potential_range
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
    trajectory: orm.TrajectoryData,
    series: orm.ArrayData,
    info: orm.Dict,
    parameters: orm.Dict,
    md: orm.Dict | None = None,
) -> dict[str, Any]:
    """Choose the first frames whose gap will be computed.

    :param parameters: ``stratified``, ``uniform``, ``strata`` (numbers), ``start`` (ps), ``seed``, and ``most``, the
        number of frames that later batches may bring them to.
    :param md: ``dipole_charges`` (e, by element), where the MD's series of M_z is not that of the interface's charges.
    :return: ``selection`` (Dict); ``population`` (ArrayData: ``step``, ``time_ps``, ``Mz`` in e Å, ``drop`` and
        ``potential_range`` in V of every frame that could have been chosen); ``batch_00`` and so on (ArrayData, see
        :func:`.sampling.batch_node`); and for each frame ``frame_NNNNNNNN`` (StructureData) and ``record_NNNNNNNN``
        (Dict: step, time_ps, Mz, Mz_per_area, expected_drop, potential_range, energy_mlip in eV or None, stratum,
        probability), where N is the MD step. Strata are those of ``potential_range`` (:mod:`..physics.inside`).
    """
    given = {**DEFAULTS, **parameters.get_dict()}
    times = trajectory.get_times()
    usable = np.flatnonzero(times >= given["start"])
    if not usable.size:
        return {"selection": orm.Dict({**given, "candidates": 0, "selected": 0, "frames": []})}
    every = _Frames.of(trajectory, series, _charged(info, md), usable)
    spacing = float(times[1] - times[0]) if len(times) > 1 else 1.0
    # Later batches look for the rare frame, and the mean over the trajectory does not mind neighbours.
    more = given["most"] is not None and given["most"] > given["stratified"] + given["uniform"]
    chosen = choose(
        every.potential_range,
        given["stratified"],
        given["uniform"],
        separation=1 if more else _separation(series, given["start"], spacing),
        seed=given["seed"],
        n_strata=given["strata"],
    )
    grid = every.part(slice(chosen.offset, None, chosen.separation))
    outputs: dict[str, Any] = {"population": _population(trajectory, grid)}
    for number, batch in enumerate(first_batches(chosen, grid.potential_range)):
        outputs[f"batch_{number:02d}"] = batch_node(batch)
    picks = {int(usable[pick.index]): (pick.stratum, pick.probability) for pick in chosen.frames}
    records = _add_frames(outputs, trajectory, series, picks, every)
    counts = {"candidates": int(usable.size), "population": len(grid.index), "selected": len(records)}
    where = {"offset": chosen.offset, "separation": chosen.separation}
    return {**outputs, "selection": orm.Dict({**given, **counts, **where, "frames": records})}


@calcfunction
def draw_frames(
    trajectory: orm.TrajectoryData,
    series: orm.ArrayData,
    info: orm.Dict,
    parameters: orm.Dict,
    population: orm.ArrayData,
    md: orm.Dict | None = None,
    **nodes: Any,
) -> dict[str, Any]:
    """Draw the next batch of frames, or say why no more are needed.

    :param parameters: ``seed``, ``most``, ``batch``, ``half_width`` (of the metallized fraction's interval over the
        trajectory, which is enough), ``acceptable`` (a fraction: an interval on one side of it is enough).
    :param population: as :func:`select_frames` gives it.
    :param md: as there.
    :param nodes: ``batch_NN`` of all earlier batches, ``result_NNNNNNNN`` (Dict) of every frame computed.
    :return: ``selection`` (Dict: ``reason``, empty where frames were drawn, and ``frames``), and where frames were
        drawn ``batch_NN`` and ``frame_...`` and ``record_...`` as :func:`select_frames`.
    """
    given = {**DEFAULTS, **parameters.get_dict()}
    sample = Sample.of(population, nodes)
    reason = stop_reason(sample, given) or _settled_by_law(sample, series, info.get_dict()["area"], given)
    left = min(given["batch"], given["most"] - sample.drawn, sample.left)
    if reason is None and left < 2:
        reason = f"{sample.drawn} frames are drawn; the next batch would hold less than two."
    if reason is not None:
        return {"selection": orm.Dict({"reason": reason, "frames": [], "drawn": sample.drawn})}
    earlier = sample.batches
    rng = np.random.default_rng([given["seed"], len(earlier)])
    batch = draw_batch(sample.prediction, earlier, left, rng)
    index = np.flatnonzero(np.isin(trajectory.get_stepids(), population.get_array("step")))[batch.index]
    shares = zip(batch.stratum.tolist(), batch.probability.tolist(), strict=True)
    outputs: dict[str, Any] = {f"batch_{len(earlier):02d}": batch_node(batch)}
    drawn = _Frames.of(trajectory, series, _charged(info, md), index)
    records = _add_frames(outputs, trajectory, series, dict(zip(index.tolist(), shares, strict=True)), drawn)
    return {**outputs, "selection": orm.Dict({"reason": "", "frames": records, "drawn": sample.drawn + len(records)})}


def _settled_by_law(sample: Sample, series: orm.ArrayData, area: float, given: Mapping[str, Any]) -> str | None:
    """The reason to stop where the gap law shows of all frames what computed ones never could, or None."""
    if sample.failed or len(sample.known) < 2 or sample.law.metallic:
        return None
    moment = equilibrated(series.get_array("time_ps"), series.get_array("dipole_z") / area, given["equilibration"])
    if len(moment) < LEAST_SAMPLES:
        return None
    bound = fraction_bound(pool([moment], given["confidence"]), sample.law, given["confidence"]).high
    if bound > given["acceptable"]:
        return None
    return f"By the gap law at most {100.0 * bound:.2g} % of the frames are metallic."


def first_batches(chosen: Selection, value: NDArray[np.float64]) -> list[Batch]:
    """The first frames as batches: the control set, drawn from everything, then the strata, drawn from the rest.

    :param value: shape (N,), V, what the strata are of, of the grid that they were chosen from.
    """
    last = chosen.offset + chosen.separation * len(value)
    place = {index: k for k, index in enumerate(range(chosen.offset, last, chosen.separation))}
    guess = from_prior(Prior()).predict(value)
    control = sorted(place[pick.index] for pick in chosen.frames if pick.stratum == UNIFORM)
    rest = [(place[pick.index], pick.stratum, pick.probability) for pick in chosen.frames if pick.stratum != UNIFORM]
    batches = []
    if control:
        index = np.array(control)
        share = np.full(len(index), len(index) / len(value))
        label = np.zeros(len(value), int)
        batches.append(Batch(index, np.zeros(len(index), int), share, label, guess.metallic, guess.gap))
    if rest:
        batches.append(_strata_batch(rest, control, value, guess.metallic, guess.gap))
    return batches


def _strata_batch(
    rest: list[tuple[int, Any, float]],
    control: list[int],
    value: NDArray[np.float64],
    metallic: NDArray[np.float64],
    gap: NDArray[np.float64],
) -> Batch:
    """The stratified frames. Which stratum every other frame was in follows from the ranks, as it did when drawn."""
    rest = sorted(rest)
    index = np.array([place for place, _, _ in rest])
    stratum = np.array([int(number) for _, number, _ in rest])
    share = np.array([probability for _, _, probability in rest])
    others = np.setdiff1d(np.arange(len(value)), control)
    ranked = others[np.argsort(value[others], kind="stable")]
    count = int(stratum.max()) + 1
    label = np.full(len(value), -1)
    label[ranked] = np.repeat(np.arange(count), split_evenly(len(ranked), count))
    return Batch(index, stratum, share, label, metallic, gap)


@dataclass(frozen=True)
class _Frames:
    """What the point charges say of stored frames.

    :param index: shape (n,), into the trajectory.
    :param moment: shape (n,), M_z in e Å, as the MD's series has it.
    :param potential_range: shape (n,), V.
    :param area: Å^2.
    """

    index: NDArray[np.int_]
    moment: NDArray[np.float64]
    potential_range: NDArray[np.float64]
    area: float

    @classmethod
    def of(
        cls, trajectory: orm.TrajectoryData, series: orm.ArrayData, info: Mapping[str, Any], index: NDArray[np.int_]
    ) -> _Frames:
        """Of the frames ``index``; ``info`` is the interface's, with ``dipole_charges``."""
        known = dict(zip(series.get_array("step").tolist(), series.get_array("dipole_z").tolist(), strict=True))
        moment = np.array([known[step] for step in trajectory.get_stepids()[index].tolist()])
        heights = trajectory.get_positions()[index, :, info.get("axis", 2)]
        charges = atom_charges(trajectory.symbols, info.get("charges"), info["dipole_charges"])
        found = potential_range(heights, charges, info["molecules"], info["area"])
        return cls(index, moment, found, info["area"])

    @property
    def drop(self) -> NDArray[np.float64]:
        """V, of either sign; shape (n,)."""
        return self.moment / (EPS0 * self.area)

    def part(self, which: slice) -> _Frames:
        """Some of these frames."""
        return _Frames(self.index[which], self.moment[which], self.potential_range[which], self.area)


def _charged(info: orm.Dict, md: orm.Dict | None) -> dict[str, Any]:
    return {**info.get_dict(), "dipole_charges": None if md is None else md.get_dict().get("dipole_charges")}


def _population(trajectory: orm.TrajectoryData, frames: _Frames) -> orm.ArrayData:
    node = orm.ArrayData()
    node.set_array("step", trajectory.get_stepids()[frames.index])
    node.set_array("time_ps", trajectory.get_times()[frames.index])
    node.set_array("Mz", frames.moment)
    node.set_array("drop", frames.drop)
    node.set_array("potential_range", frames.potential_range)
    return node


def _add_frames(
    outputs: dict[str, Any],
    trajectory: orm.TrajectoryData,
    series: orm.ArrayData,
    picks: Mapping[int, tuple[Any, float]],
    known: _Frames,
) -> list[dict[str, Any]]:
    """Put structure and record of every pick into ``outputs``; return the records.

    :param picks: stratum and probability by the frame's index in the trajectory.
    :param known: the picks are among these.
    """
    energies, place = _energies(series), {frame: k for k, frame in enumerate(known.index.tolist())}
    steps, times, records = trajectory.get_stepids(), trajectory.get_times(), []
    for frame, (stratum, probability) in sorted(picks.items()):
        step, k = int(steps[frame]), place[frame]
        record = {
            "step": step,
            "time_ps": float(times[frame]),
            "Mz": float(known.moment[k]),
            "Mz_per_area": float(known.moment[k]) / known.area,
            "expected_drop": float(known.drop[k]),
            "potential_range": float(known.potential_range[k]),
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

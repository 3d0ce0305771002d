"""Calcfunctions that build what a sampling run starts from, and choose training configurations from its trajectory."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms
from numpy.typing import NDArray

from ..interfaces.bulk import BulkParameters, build_bulk
from ..interfaces.registry import build_recipe
from ..physics.configurations import Choice, choose, choose_disputed, closest_contact
from ..physics.constants import EPS0
from ..physics.dipoles import dipole_z
from ..physics.inside import potential_range
from ..physics.statistics import correlation_samples
from .committee import kept_frames

Array = NDArray[np.float64]


@calcfunction
def build_source(source: orm.Dict) -> dict[str, Any]:
    """The film or the bulk liquid that a sampling run starts from.

    :param source: ``recipe`` (``bulk``, or a recipe's name) and its ``parameters``.
    :return: ``structure`` and ``info``, see :class:`aiida_falsemetal.interfaces.recipe.BuiltInterface`; ``info`` of a
        bulk liquid has ``bulk``.
    :raises InterfaceError: if it cannot be built.
    """
    given = source.get_dict()
    if given["recipe"] == "bulk":
        built = build_bulk(BulkParameters(**given["parameters"]))
    else:
        built = build_recipe(given["recipe"], given["parameters"])
    return {"structure": orm.StructureData(ase=built.atoms), "info": orm.Dict(built.info)}


@calcfunction
def select_configurations(
    trajectory: orm.TrajectoryData,
    series: orm.ArrayData,
    info: orm.Dict,
    source: orm.Dict,
    committee: orm.ArrayData | None = None,
) -> dict[str, Any]:
    """Choose configurations, see :mod:`aiida_falsemetal.physics.configurations`.

    :param trajectory: whole molecules.
    :param series: ``step``, ``time_ps``, ``dipole_z``, ``potential_energy``.
    :param info: of the interface.
    :param source: ``source``, ``sampler``, ``md`` (with ``temperature``) and ``selection``: ``frames``, ``close``,
        ``start`` (ps), ``max_drop`` (V), ``seed``; of an active round ``round``, and of its ``selection`` ``frames``,
        ``start``, ``max_drop``, ``apart`` (ps), ``least`` and ``most`` (eV/Å).
    :param committee: of :class:`.committee.CommitteeCalculation` on the frames from ``start`` on; with it, the frames
        are those on which it disagrees.
    :return: ``selection`` (Dict: counts, spacing, why there are fewer than asked for), and of each chosen frame
        ``frame_NNNNNNNN`` (StructureData) and ``record_NNNNNNNN`` (Dict), by its step.
    """
    given, interface = source.get_dict(), info.get_dict()
    wanted = given["selection"]
    times, steps, positions = trajectory.get_times(), trajectory.get_stepids(), trajectory.get_positions()
    kept = kept_frames(trajectory, wanted["start"])
    bulk = bool(interface.get("bulk"))
    charges = np.array(interface["charges"], dtype=float)
    cell = trajectory.get_cells()[0]
    moments = np.array([0.0 if bulk else dipole_z(positions[k], charges) for k in kept])
    contacts = np.array([closest_contact(positions[k], interface["molecules"], cell) for k in kept])
    drops = moments / (EPS0 * interface["area"])
    inside = np.zeros(len(kept)) if bulk else _ranges(positions[kept], interface, charges)
    polarity = np.maximum(np.abs(drops), inside)
    if committee is None:
        spacing = _spacing(series, wanted["start"], "potential_energy" if bulk else "dipole_z", times[kept])
    else:
        spacing = _frames_in(wanted["apart"], times[kept])
    choice = _choice(polarity, contacts, wanted, spacing, committee)
    symbols = trajectory.symbols
    outputs: dict[str, Any] = {}
    for k in choice.frames:
        step = int(steps[kept[k]])
        atoms = Atoms(symbols, positions[kept[k]], cell=cell, pbc=True)
        outputs[f"frame_{step:08d}"] = orm.StructureData(ase=atoms)
        outputs[f"record_{step:08d}"] = orm.Dict(
            {
                "source": given["source"],
                "sampler": given["sampler"],
                "temperature": given["md"]["temperature"],
                "bulk": bulk,
                "step": step,
                "time_ps": float(times[kept[k]]),
                "Mz": None if bulk else float(moments[k]),
                "expected_drop": None if bulk else float(drops[k]),
                "potential_range": None if bulk else float(inside[k]),
                "contact": float(contacts[k]),
                "chosen_for": choice.reason(k),
                **_disputed(given, committee, k),
                "area": float(interface["area"]),
                "thickness": float(interface["thickness"]),
                "eps_inf": float(interface["eps_inf"]),
            }
        )
    outputs["selection"] = orm.Dict(_account(choice, wanted))
    return outputs


@calcfunction
def outlier_record(structure: orm.StructureData, result: orm.Dict, info: orm.Dict, parameters: orm.Dict) -> orm.Dict:
    """The record of a campaign's frame, as :func:`select_configurations` gives one.

    :param structure: the frame.
    :param result: of its gap.
    :param info: of its interface.
    :param parameters: ``source``, ``sampler``, ``residual`` (eV), ``temperature`` (K).
    """
    given, found, interface = parameters.get_dict(), result.get_dict(), info.get_dict()
    atoms = structure.get_ase()
    contact = closest_contact(atoms.positions, interface["molecules"], atoms.cell.array)
    kept = {key: found.get(key) for key in ("step", "time_ps", "Mz", "expected_drop", "potential_range")}
    more = {key: float(interface[key]) for key in ("area", "thickness", "eps_inf")}
    return orm.Dict({**given, **kept, **more, "bulk": False, "contact": contact, "chosen_for": "missing energy"})


def _ranges(positions: Array, interface: dict[str, Any], charges: Array) -> Array:
    """Range of the potential inside of every frame, V."""
    return potential_range(positions[:, :, 2], charges, interface["molecules"], float(interface["area"]))


def _choice(
    polarity: Array, contacts: Array, wanted: dict[str, Any], spacing: int, committee: orm.ArrayData | None
) -> Choice:
    """By the committee where there is one, else by polarity and contact."""
    if committee is None:
        return choose(
            polarity,
            contacts,
            count=wanted["frames"],
            close=wanted["close"],
            spacing=spacing,
            most_polar=wanted["max_drop"],
            seed=wanted["seed"],
        )
    return choose_disputed(
        polarity,
        committee.get_array("disagreement"),
        count=wanted["frames"],
        spacing=spacing,
        most_polar=wanted["max_drop"],
        least=wanted["least"],
        most=wanted["most"],
    )


def _disputed(given: dict[str, Any], committee: orm.ArrayData | None, frame: int) -> dict[str, Any]:
    """What a record of an active round has besides."""
    if committee is None:
        return {}
    return {"round": given["round"], "disagreement": float(committee.get_array("disagreement")[frame])}


def _spacing(series: orm.ArrayData, start: float, key: str, frame_times: Array) -> int:
    """One correlation time of a series in stored frames, rounded up; 1 where nothing varies or little is there."""
    time, values = series.get_array("time_ps"), series.get_array(key)
    values = values[time >= start - 1e-9]
    if len(values) < 4 or len(frame_times) < 2 or np.ptp(values) == 0.0:
        return 1
    return _frames_in(correlation_samples(values) * float(time[1] - time[0]), frame_times)


def _frames_in(picoseconds: float, frame_times: Array) -> int:
    """Stored frames in a time, rounded up; 1 at least."""
    if len(frame_times) < 2:
        return 1
    return max(1, int(np.ceil(picoseconds / float(frame_times[1] - frame_times[0]) - 1e-9)))


def _account(choice: Choice, wanted: dict[str, Any]) -> dict[str, Any]:
    asked = wanted["frames"]
    found = {
        "chosen": len(choice.frames),
        "asked": asked,
        "close": len(choice.close),
        "spacing": choice.spacing,
        "candidates": choice.candidates,
        "too_polar": choice.too_polar,
        "agreed": choice.agreed,
        "wild": choice.wild,
    }
    if len(choice.frames) == asked:
        return {**found, "reason": ""}
    notes = [(choice.too_polar, f"beyond {wanted['max_drop']:g} V")]
    if "least" in wanted:
        notes.append((choice.agreed, f"on which the committee agrees within {wanted['least']:g} eV/Å"))
        notes.append((choice.wild, f"on which it disagrees by more than {wanted['most']:g} eV/Å"))
        left = f"of {choice.candidates} frames"
    else:
        left = f"{choice.candidates} frames are a correlation time apart"
    said = "".join(f", {count} of them {words}" for count, words in notes if count)
    more = "" if choice.agreed and not (choice.wild or choice.too_polar) else "; give more steps"
    return {**found, "reason": f"{len(choice.frames)} of {asked}: {left}{said}{more}."}

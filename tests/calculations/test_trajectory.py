"""Frames are chosen with what the series knows of them, and the pieces of a run join to the run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_falsemetal.calculations.trajectory import join_trajectories, select_frames
from aiida_falsemetal.physics.constants import EPS0
from tests.data import nodes

AREA = 6.5**2
PARAMETERS = {"stratified": 4, "uniform": 2, "strata": 2, "start": 0.2, "seed": 11}


def run(count: int = 60) -> tuple[orm.TrajectoryData, orm.ArrayData]:
    """Frames every 20 steps, samples every 10."""
    last = 20 * (count - 1)
    return nodes.trajectory(list(range(0, last + 1, 20))), nodes.series(list(range(0, last + 1, 10)))


def select(trajectory: orm.TrajectoryData, series: orm.ArrayData, **changes: Any) -> dict[str, Any]:
    info = orm.Dict({"area": AREA})
    chosen: dict[str, Any] = select_frames(trajectory, series, info, orm.Dict({**PARAMETERS, **changes}))
    return chosen


def records(chosen: dict[str, Any]) -> list[dict[str, Any]]:
    return [chosen[key].get_dict() for key in sorted(chosen) if key.startswith("record_")]


def test_records_are_those_of_the_series() -> None:
    trajectory, series = run()
    chosen = select(trajectory, series)
    moments = dict(zip(series.get_array("step"), series.get_array("dipole_z"), strict=True))
    found = records(chosen)
    assert len(found) == 6
    assert chosen["selection"]["frames"] == found
    for record in found:
        assert record["time_ps"] == pytest.approx(record["step"] * 1e-3)
        assert record["time_ps"] >= 0.2
        assert record["Mz"] == pytest.approx(moments[record["step"]])
        assert record["Mz_per_area"] == pytest.approx(record["Mz"] / AREA)
        assert record["expected_drop"] == pytest.approx(record["Mz"] / (EPS0 * AREA))


def test_records_have_the_energy_of_their_frame() -> None:
    trajectory, series = run()
    series.set_array("potential_energy", -100.0 - 1e-3 * series.get_array("step"))
    for record in records(select(trajectory, series)):
        assert record["energy_mlip"] == pytest.approx(-100.0 - 1e-3 * record["step"], abs=1e-12)


def test_a_series_without_energies_gives_none() -> None:
    trajectory, series = run()
    bare = orm.ArrayData({name: series.get_array(name) for name in ("step", "time_ps", "dipole_z")})
    assert {record["energy_mlip"] for record in records(select(trajectory, bare))} == {None}


def test_structures_are_the_frames_of_their_records() -> None:
    chosen = select(*run())
    atoms, _ = nodes.film()
    for record in records(chosen):
        frame = chosen[f"frame_{record['step']:08d}"].get_ase()
        assert frame.get_positions()[:, 0] == pytest.approx(atoms.get_positions()[:, 0] + 1e-3 * record["step"])
        assert frame.get_chemical_symbols() == atoms.get_chemical_symbols()
        assert frame.cell.array == pytest.approx(atoms.cell.array)
        assert all(frame.pbc)


def test_probabilities_count_the_candidates() -> None:
    # White noise: one correlation time is one sample, so every frame from 0.2 ps on is a candidate.
    trajectory, series = run()
    chosen = select(trajectory, series)
    size = chosen["selection"]["candidates"]
    assert size == 50
    found = records(chosen)
    uniform = [record for record in found if record["stratum"] == "uniform"]
    assert [record["probability"] for record in uniform] == pytest.approx([2 / size] * 2)
    strata = [record for record in found if record["stratum"] != "uniform"]
    assert sorted(record["stratum"] for record in strata) == [0, 0, 1, 1]
    # Horvitz and Thompson: the weights of the drawn ones add up to all they stand for.
    assert sum(1 / record["probability"] for record in strata) == pytest.approx(size - 2)


def test_same_seed_same_frames() -> None:
    steps = [[r["step"] for r in records(select(*run(), seed=seed))] for seed in (1, 1, 2)]
    assert steps[0] == steps[1] != steps[2]


def test_frames_keep_a_correlation_time_apart() -> None:
    trajectory, _ = run()
    steps = list(range(0, 1181, 10))
    # A period of 400 steps: correlated over many frames, which lie 20 steps apart.
    series = nodes.series(steps, np.sin(2 * np.pi * np.array(steps) / 400))
    found = records(select(trajectory, series))
    assert found
    assert all(b["step"] - a["step"] > 20 for a, b in zip(found, found[1:], strict=False))


def test_start_beyond_the_end_selects_nothing() -> None:
    chosen = select(*run(), start=5.0)
    assert set(chosen) == {"selection"}
    assert (chosen["selection"]["candidates"], chosen["selection"]["selected"]) == (0, 0)


def test_short_run_gives_all_its_frames() -> None:
    trajectory, series = run(4)
    chosen = select(trajectory, series, start=0.0)
    assert {record["probability"] for record in records(chosen)} == {1.0}


def piece(steps: list[int], stride: int = 20) -> dict[str, Any]:
    """Samples at ``steps``, frames where they are multiples of ``stride``."""
    values = np.sin(np.array(steps))
    return {
        "series": nodes.series(steps, values),
        "trajectory": nodes.trajectory([step for step in steps if step % stride == 0]),
    }


def same(first: Any, second: Any) -> bool:
    names = sorted(first.get_arraynames())
    return names == sorted(second.get_arraynames()) and all(
        np.array_equal(first.get_array(name), second.get_array(name)) for name in names
    )


def test_joined_pieces_equal_the_whole() -> None:
    steps = list(range(0, 301, 10))
    whole = piece(steps)
    pieces = {}
    for number, part in enumerate((steps[:7], steps[7:20], steps[20:])):
        pieces.update({f"{key}_{number}": node for key, node in piece(part).items()})
    joined = join_trajectories(**pieces)
    for key in ("series", "trajectory"):
        assert same(joined[key], whole[key])
    assert joined["trajectory"].symbols == whole["trajectory"].symbols
    assert list(joined["trajectory"].pbc) == list(whole["trajectory"].pbc)


def test_more_than_ten_pieces_keep_their_order() -> None:
    pieces = {}
    for number in range(12):
        part = piece([20 * number, 20 * number + 10])
        pieces.update({f"{key}_{number}": node for key, node in part.items()})
    joined = join_trajectories(**pieces)
    assert np.array_equal(joined["series"].get_array("step"), np.arange(0, 240, 10))
    assert np.array_equal(joined["trajectory"].get_stepids(), np.arange(0, 240, 20))


def test_piece_too_short_for_a_frame_joins() -> None:
    pieces = {f"{key}_0": node for key, node in piece([0, 10]).items()}
    pieces["series_1"] = nodes.series([11, 12, 13], np.zeros(3))
    joined = join_trajectories(**pieces)
    assert joined["series"].get_array("step").tolist() == [0, 10, 11, 12, 13]
    assert joined["trajectory"].get_stepids().tolist() == [0]

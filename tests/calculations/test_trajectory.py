"""The pieces of a run join to the run, and how far a run has to go on for a precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_falsemetal.calculations.trajectory import join_trajectories, plan_md
from tests.data import nodes

from ..physics.test_statistics import ar1


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


PLAN = {"steps": 4000, "precision": 0.1, "max_steps": None, "timestep": 1.0, "frame_stride": 50, "equilibration": 0.0}


def plan(count: int, times: float = 20.0, **changes: Any) -> dict[str, Any]:
    """Of a series with samples every 10 fs and a correlation time (both sides) of ``times`` samples."""
    values = ar1(np.random.default_rng(1), count, times)
    series = nodes.series(list(range(0, 10 * count, 10)), values)
    found: dict[str, Any] = plan_md(orm.Dict({**PLAN, **changes}), series_0=series).get_dict()
    return found


def test_md_goes_on_by_what_is_missing_and_doubles_at_most() -> None:
    """10 % take some 200 independent samples of the squares, and with g = 20 (AR(1): 10 for the squares) these are 2000
    samples, 20 ps: 4 ps are doubled. 8 % take 31 ps: 25 ps are not doubled."""
    few = plan(400)
    assert few["steps"] == 8000 and few["more_ps"] > 4.0 and few["half_width"] > 0.1
    more = plan(2500, steps=25000, precision=0.08)
    assert 25000 < more["steps"] < 50000 and more["steps"] % 50 == 0
    assert more["steps"] == pytest.approx(25000 + 1000 * more["more_ps"], abs=50)
    enough = plan(6000, steps=60000)
    assert (enough["steps"], enough["more_ps"]) == (0, 0.0) and enough["half_width"] <= 0.1


def test_md_does_not_go_on_beyond_its_limit() -> None:
    assert plan(400, max_steps=5020)["steps"] == 5000  # a whole number of frames
    at_end = plan(400, steps=4000, max_steps=4000)
    assert at_end["steps"] == 0 and "limit of 4000 steps" in at_end["reason"]
    assert plan(400, max_steps=4030)["steps"] == 0
    ten = plan(400, steps=400)["steps"]
    assert ten == 800  # ten times `steps` is the limit unless given; doubling comes first
    # Ten times what the run began with, however long it has become.
    assert plan(400, steps=3900, first_steps=400)["steps"] == 4000
    over = plan(400, steps=4000, first_steps=400)
    assert over["steps"] == 0 and "limit of 4000 steps" in over["reason"]


@pytest.mark.parametrize("count", [2, 60])
def test_short_series_are_doubled(count: int) -> None:
    found = plan(count, times=100.0)
    assert found["steps"] == 8000 and found["more_ps"] is None


def test_a_dipole_that_does_not_move_is_given_up_at_the_limit() -> None:
    series = nodes.series(list(range(0, 4000, 10)), np.ones(400))
    found = plan_md(orm.Dict({**PLAN, "max_steps": 8000}), series_0=series).get_dict()
    assert found["steps"] == 8000 and found["half_width"] is None
    found = plan_md(orm.Dict({**PLAN, "steps": 8000, "max_steps": 8000}), series_0=series).get_dict()
    assert found["steps"] == 0

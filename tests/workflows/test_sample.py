"""A sampling run chooses by drop and contact, with a committee by disagreement; a model that fails is no fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_falsemetal.calculations.configurations import select_configurations
from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.physics.dipoles import dipole_z
from aiida_falsemetal.physics.inside import potential_range
from aiida_falsemetal.workflows.sample import SampleWorkChain
from tests.data import nodes

from .conftest import Driven

STEPS = list(range(0, 1000, 100))
RUN: dict[str, Any] = {
    "source": "film8",
    "sampler": "mine-r1-sr",
    "recipe": "film",
    "parameters": {"molecules": 8, "lateral": 6.5, "vacuum": 20.0, "seed": 3},
    "md": {"steps": 900, "seed": 1, "threads": 1, "temperature": 300.0},
    "selection": {"frames": 3, "close": 1, "start": 0.2, "max_drop": 50.0, "seed": 1},
}
ACTIVE = {**RUN, "round": 1, "selection": {**RUN["selection"], "apart": 0.2, "least": 0.05, "most": 1.0}}
DISAGREEMENT = [0.01, 0.3, 0.2, 5.0, 0.4, 0.1, 0.6, 0.01]
"""Of the frames from 0.2 ps on, steps 200 to 900."""


@pytest.fixture
def sample(drive: Callable[..., Driven], aiida_code_installed: Any, aiida_localhost: Any) -> Callable[..., Driven]:
    """``sample(committee=..., md=..., whole=...)``: exit status of the MD, and whether it left a trajectory;
    ``asked``: of the committee, the first ``times``."""

    def run(committee: bool = False, md: int = 0, whole: bool = True, asked: int = 0, times: int = 99) -> Driven:
        def answer(number: int, given: dict[str, Any]) -> orm.ProcessNode:
            if number == 0:
                series = nodes.series(STEPS)
                series.set_array("potential_energy", np.arange(len(STEPS)) % 3.0)
                outputs = {"trajectory": nodes.trajectory(STEPS), "series": series} if whole else {}
                return nodes.workchain(
                    "falsemetal.md", {}, outputs, exit_status=md, exit_message="It exploded." * (md > 0)
                )
            found = orm.ArrayData()
            found.set_array("disagreement", np.array(DISAGREEMENT))
            status = asked if number <= times else 0
            made = {"committee": found} if not status else {}
            return nodes.calculation(
                "falsemetal.committee", aiida_localhost, {}, made, exit_status=status, exit_message="No memory."
            )

        code = aiida_code_installed(default_calc_job_plugin="falsemetal.md")
        members = {"m00": nodes.mlip("spcfw-ewald").store(), "m01": nodes.mlip().store()}
        more = {"committee": members, "committee_code": code} if committee else {}
        return drive(
            SampleWorkChain,
            answer,
            run=orm.Dict(ACTIVE if committee else RUN),
            mlip=nodes.mlip().store(),
            code=code,
            options=orm.Dict({"slots": 2}),
            fingerprint=orm.Str("f00"),
            twins=orm.Str("mine"),
            **more,
        )

    return run


def steps(driven: Driven) -> list[int]:
    return sorted(int(name[1:]) for name in driven.outputs["frames"])


def test_without_a_committee_only_the_md_is_run(sample: Callable[..., Driven]) -> None:
    driven = sample()
    assert driven.node.is_finished_ok and len(driven.submitted) == 1 and len(steps(driven)) == 3
    assert {node["chosen_for"] for node in driven.outputs["records"].values()} == {"contact", "spread"}
    assert driven.node.base.extras.get("falsemetal_round", None) is None


def test_a_committee_is_asked_and_its_disagreement_chooses(sample: Callable[..., Driven]) -> None:
    driven = sample(committee=True)
    driven.check_inputs()
    given = driven.submitted[1][1]
    assert sorted(given["members"]) == ["m00", "m01"] and given["parameters"]["start"] == 0.2
    # 0.6 at 800, 0.4 at 600, 0.3 at 300; 5.0 is no physics.
    assert steps(driven) == [300, 600, 800]
    assert driven.outputs["records"]["s00000800"]["disagreement"] == 0.6
    assert driven.node.base.extras.get("falsemetal_round") == 1


def test_a_committee_that_gives_no_answer_is_a_failure(sample: Callable[..., Driven]) -> None:
    driven = sample(committee=True, asked=300)
    assert driven.node.exit_status == 320 and "No memory" in driven.node.exit_message
    assert len(driven.submitted) == 1 + 3


def test_a_committee_that_was_cut_off_is_asked_again(sample: Callable[..., Driven]) -> None:
    """The MD that it is about took the time; it is not made again."""
    driven = sample(committee=True, asked=300, times=2)
    assert driven.node.is_finished_ok and len(driven.submitted) == 1 + 3 and steps(driven) == [300, 600, 800]


def test_what_a_failing_model_reached_is_chosen_from(sample: Callable[..., Driven]) -> None:
    driven = sample(committee=True, md=400)
    assert driven.node.is_finished_ok and steps(driven) == [300, 600, 800]


def test_a_model_that_reached_nothing_gives_nothing(sample: Callable[..., Driven]) -> None:
    """It would do so again: not a run to repeat."""
    driven = sample(committee=True, md=400, whole=False)
    assert driven.node.is_finished_ok and "frames" not in driven.outputs and "exploded" in driven.report()
    assert sample(md=310, whole=False).node.exit_status == 310


def test_layers_against_each_other_are_too_polar_at_any_drop(sample: Callable[..., Driven]) -> None:
    """Half of a film's molecules point up and the others down: no drop, and a potential in the middle. In the other
    frame all lie flat."""
    atoms, info = nodes.film()
    heights = atoms.get_positions()[:, 2]
    flat, layered = atoms.get_positions(), atoms.get_positions()
    for members in info["molecules"]:
        oxygen, *hydrogens = sorted(members, key=lambda k: atoms[k].symbol != "O")
        up = 1.0 if heights[oxygen] > np.median(heights) else -1.0
        flat[hydrogens] = flat[oxygen] + np.array([[0.76, 0.59, 0.0], [-0.76, 0.59, 0.0]])
        layered[hydrogens] = layered[oxygen] + np.array([[0.76, 0.0, 0.59 * up], [-0.76, 0.0, 0.59 * up]])
    charges, area = np.array(info["charges"]), info["area"]
    drop = abs(dipole_z(layered, charges)) / (EPS0 * area)
    inside = potential_range(layered[None, :, 2], charges, info["molecules"], area)[0]
    assert drop < 0.01 and inside > 1.0
    trajectory = orm.TrajectoryData()
    trajectory.set_trajectory(
        symbols=atoms.get_chemical_symbols(),
        positions=np.array([flat, layered]),
        stepids=np.array([0, 100]),
        cells=np.array([atoms.cell.array] * 2),
        times=np.array([0.0, 1.0]),
    )
    run = {**RUN, "selection": {**RUN["selection"], "frames": 2, "close": 0, "start": 0.0, "max_drop": inside - 0.1}}
    chosen = select_configurations(trajectory, nodes.series([0, 100]), orm.Dict(info), orm.Dict(run))
    assert chosen["selection"]["too_polar"] == 1 and "record_00000100" not in chosen
    assert chosen["record_00000000"]["potential_range"] < inside

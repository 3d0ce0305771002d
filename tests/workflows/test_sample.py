"""A sampling run chooses by drop and contact, with a committee by disagreement; a model that fails is no fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm

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
    """``sample(committee=..., md=..., whole=...)``: exit status of the MD, and whether it left a trajectory."""

    def run(committee: bool = False, md: int = 0, whole: bool = True, asked: int = 0) -> Driven:
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
            made = {"committee": found} if not asked else {}
            return nodes.calculation(
                "falsemetal.committee", aiida_localhost, {}, made, exit_status=asked, exit_message="No memory."
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


def test_what_a_failing_model_reached_is_chosen_from(sample: Callable[..., Driven]) -> None:
    driven = sample(committee=True, md=400)
    assert driven.node.is_finished_ok and steps(driven) == [300, 600, 800]


def test_a_model_that_reached_nothing_gives_nothing(sample: Callable[..., Driven]) -> None:
    """It would do so again: not a run to repeat."""
    driven = sample(committee=True, md=400, whole=False)
    assert driven.node.is_finished_ok and "frames" not in driven.outputs and "exploded" in driven.report()
    assert sample(md=310, whole=False).node.exit_status == 310

"""The restarts of the MD: on through wall times and kills, and no further than makes sense."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_falsemetal.calculations.md import MlipMdCalculation
from aiida_falsemetal.workflows.md import MlipMdWorkChain
from aiida_falsemetal.workflows.options import md_options
from tests.data import nodes

from .conftest import Driven

CODES = MlipMdCalculation.exit_codes
Job = dict[str, Any]
Go = Callable[..., Driven]


@pytest.fixture
def jobs(aiida_localhost: orm.Computer) -> Callable[..., orm.CalcJobNode]:
    """Makes finished MD jobs: from step ``first`` to ``last``, both sampled, with ``code`` an exit code's name."""

    def make(first: int, last: int, code: str | None = None, checkpoint: bool = True) -> orm.CalcJobNode:
        steps = list(range(first, last + 1, 10))
        outputs: dict[str, Any] = {}
        if steps:
            stored = [step for step in steps if step % 20 == 0]
            outputs = {
                "series": nodes.series(steps, np.sin(np.array(steps))),
                "results": orm.Dict({"status": code or "finished", "last_step": last}),
                **({"trajectory": nodes.trajectory(stored)} if stored else {}),
            }
        if checkpoint and steps:
            outputs["checkpoint"] = orm.SinglefileData(io.BytesIO(str(last).encode()), filename="checkpoint.npz")
        exit_code = CODES[code].format(step=last, reason="some reason") if code else None
        return nodes.calculation(
            "falsemetal.md",
            aiida_localhost,
            outputs=outputs,
            exit_status=exit_code.status if exit_code else 0,
            exit_message=exit_code.message if exit_code else "",
        )

    return make


@pytest.fixture
def go(drive: Callable[..., Driven], jobs: Callable[..., orm.CalcJobNode], aiida_code_installed: Any) -> Go:
    """Runs the workchain; each argument is what one job made."""

    def go(*made: tuple[Any, ...], **inputs: Any) -> Driven:
        structure, info = nodes.film_nodes()
        code = aiida_code_installed(default_calc_job_plugin="falsemetal.md")
        builder = MlipMdWorkChain.get_builder_from_protocol(
            code, structure, info, nodes.mlip(), steps=100, seed=1, options={"slots": 2, "max_wallclock_seconds": 50}
        )

        def answer(number: int, _: Any) -> orm.CalcJobNode:
            assert number < len(made), f"job {number + 1} was not expected"
            return jobs(*made[number])

        return drive(MlipMdWorkChain, answer, **builder._inputs(prune=True), **inputs)

    return go


def steps(driven: Driven) -> list[int]:
    return list(driven.outputs["series"].get_array("step"))


def test_one_job_is_passed_on(go: Go) -> None:
    driven = go((0, 100))
    assert driven.node.is_finished_ok
    assert set(driven.outputs) == {"trajectory", "series", "results", "checkpoint"}
    assert steps(driven) == list(range(0, 101, 10))
    driven.check_inputs()
    process, inputs = driven.submitted[0]
    assert process is MlipMdCalculation
    options = inputs["metadata"]["options"]
    assert "wait for 1 of 2 slots" in options["prepend_text"]
    assert options["max_wallclock_seconds"] == 50
    assert "checkpoint" not in inputs


def test_wall_times_and_kills_are_gone_through(go: Go) -> None:
    driven = go((0, 40, "ERROR_WALLTIME"), (50, 70, "ERROR_INTERRUPTED"), (80, 100))
    assert driven.node.is_finished_ok
    assert steps(driven) == list(range(0, 101, 10))
    assert list(driven.outputs["trajectory"].get_stepids()) == list(range(0, 101, 20))
    assert driven.outputs["results"]["last_step"] == 100
    starts = [inputs.get("checkpoint") for _, inputs in driven.submitted]
    assert starts[0] is None
    assert [node.get_content() for node in starts[1:]] == ["40", "70"]
    driven.check_inputs()


def test_no_progress_ends_the_run(go: Go) -> None:
    driven = go((0, 40, "ERROR_WALLTIME"), (40, 40, "ERROR_WALLTIME"))
    assert driven.node.exit_status == 310
    assert "raise the walltime" in driven.node.exit_message
    assert len(driven.submitted) == 2


def test_kills_without_progress_are_counted_in_a_row(go: Go) -> None:
    """A kill says nothing of the run: only the third in a row ends it, and what gets further begins the count anew."""
    nothing, killed = (0, -1, "ERROR_NO_OUTPUT"), (40, 40, "ERROR_INTERRUPTED")
    begun = (0, 40, "ERROR_INTERRUPTED")
    driven = go(nothing, nothing, begun, killed, nothing, (50, 60, "ERROR_INTERRUPTED"), nothing, nothing, (70, 100))
    assert driven.node.is_finished_ok
    assert steps(driven)[-1] == 100
    driven = go(begun, killed, nothing, killed)
    assert driven.node.exit_status == 310
    assert set(driven.outputs) == {"trajectory", "series", "results", "checkpoint"}


def test_third_job_without_a_frame_ends_the_run(go: Go) -> None:
    driven = go(*3 * [(0, -1, "ERROR_NO_OUTPUT")])
    assert driven.node.exit_status == 310
    assert not driven.outputs


def test_job_without_a_frame_does_not_lose_the_checkpoint(go: Go) -> None:
    driven = go((0, 40, "ERROR_WALLTIME"), (0, -1, "ERROR_NO_OUTPUT"), (50, 100))
    assert driven.node.is_finished_ok
    assert driven.submitted[2][1]["checkpoint"].get_content() == "40"
    assert steps(driven) == list(range(0, 101, 10))


@pytest.mark.parametrize("code", ["ERROR_NOT_A_NUMBER", "ERROR_EXPLODED", "ERROR_DISSOCIATED", "ERROR_EVAPORATED"])
def test_failed_physics_is_not_tried_again_and_keeps_what_there_is(go: Go, code: str) -> None:
    driven = go((0, 40, "ERROR_WALLTIME"), (50, 60, code))
    assert driven.node.exit_status == 400
    assert driven.node.exit_message == CODES[code].format(reason="some reason").message
    assert steps(driven) == list(range(0, 61, 10))
    assert "trajectory" in driven.outputs
    assert driven.outputs["results"]["status"] == code


def test_iterations_are_bounded(go: Go) -> None:
    made = [(10 * n, 10 * n + 10, "ERROR_WALLTIME") for n in range(3)]
    driven = go(*made, max_iterations=orm.Int(3))
    assert driven.node.exit_status == 401
    assert len(driven.submitted) == 3


def test_options_wait_for_as_many_slots_as_threads() -> None:
    assert "wait for 2 of 4 slots" in md_options({"slots": 4}, 2)["prepend_text"]
    assert md_options({}, 2)["prepend_text"] == ""
    assert md_options({"queue_name": "long", "nonsense": 1}, 1).get("queue_name") == "long"
    assert "nonsense" not in md_options({"nonsense": 1}, 1)
    with pytest.raises(ValueError, match="3 ranks x threads cannot run in 2 slots"):
        md_options({"slots": 2}, 3)

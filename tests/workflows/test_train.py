"""A training goes on from its checkpoints, and ends where it gets no further."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm

from aiida_falsemetal.workflows.known import known_checkpoint, known_training
from aiida_falsemetal.workflows.train import MaceTrainWorkChain, training_fingerprint, training_parameters
from tests.data import nodes

from .conftest import Driven

GIVEN: dict[str, Any] = {
    **{"channels": 8, "max_L": 0, "r_max": 4.5, "layers": 2, "correlation": 2, "max_ell": 2, "batch_size": 4},
    **{"lr": 0.01, "energy_weight": 10.0, "forces_weight": 100.0, "dtype": "float32", "seed": 1, "epochs": 60},
    "threads": 1,
}
BASELINE = {"charges": {"O": -0.742, "H": 0.371}, "smearing": 1.4}


def labels(text: str = "labels") -> orm.SinglefileData:
    return orm.SinglefileData(io.BytesIO(text.encode()), filename="labels.xyz")


def test_twins_differ_in_their_range_alone() -> None:
    short, long = training_parameters(GIVEN, None), training_parameters(GIVEN, BASELINE)
    assert short["options"] == long["options"] and short["options"]["max_num_epochs"] == 60
    assert (short["family"], short["kwargs"]) == ("mace", {})
    assert (long["family"], long["kwargs"], long["baseline"]) == ("mace_ewald", BASELINE, BASELINE)
    # Fifty-fold over the epochs.
    assert short["options"]["lr_scheduler_gamma"] ** 60 == pytest.approx(0.02, rel=1e-3)


def test_fingerprint_is_of_labels_and_settings_and_not_of_threads() -> None:
    short = training_parameters(GIVEN, None)
    first = training_fingerprint(labels(), short)
    assert training_fingerprint(labels(), {**short, "threads": 2}) == first
    others = [
        training_fingerprint(labels("others"), short),
        training_fingerprint(labels(), training_parameters(GIVEN, BASELINE)),
        training_fingerprint(labels(), training_parameters({**GIVEN, "seed": 2}, None)),
    ]
    assert len({first, *others}) == 4


@pytest.fixture
def run(drive: Callable[..., Driven], aiida_code_installed: Any, aiida_localhost: Any) -> Callable[..., Driven]:
    """``run(text, (exit status, epoch of its checkpoint), ...)``."""

    def start(text: str, *ends: tuple[int, int | None]) -> Driven:
        def answer(number: int, given: dict[str, Any]) -> orm.ProcessNode:
            status, epoch = ends[number]
            outputs: dict[str, orm.Data] = {}
            if epoch is not None:
                name = f"mace_run-1_epoch-{epoch}.pt"
                outputs["checkpoint"] = orm.SinglefileData(io.BytesIO(b"state"), filename=name)
            if status == 0:
                outputs["model"] = orm.SinglefileData(io.BytesIO(b"model"), filename="twin.model")
            node = nodes.calculation("falsemetal.train", aiida_localhost, outputs=outputs, exit_status=status)
            return node

        inputs = {
            "code": aiida_code_installed(default_calc_job_plugin="falsemetal.train", label=f"python-{text}"),
            "labels": labels(text),
            "parameters": orm.Dict(training_parameters(GIVEN, None)),
        }
        return drive(MaceTrainWorkChain, answer, train=inputs)

    return start


def test_it_goes_on_from_checkpoints_to_its_end(run: Callable[..., Driven]) -> None:
    driven = run("on", (302, 7), (301, 20), (0, 59))
    assert driven.node.is_finished_ok and driven.outputs["model"].get_content() == "model"
    given = [inputs["checkpoint"].filename if "checkpoint" in inputs else None for _, inputs in driven.submitted]
    assert given == [None, "mace_run-1_epoch-7.pt", "mace_run-1_epoch-20.pt"]
    digest = training_fingerprint(labels("on"), training_parameters(GIVEN, None))
    assert known_training(digest) == driven.node.pk


@pytest.mark.parametrize("ends", [[(302, 7), (302, 7)], [(300, None), (300, None)]])
def test_no_progress_ends_it(run: Callable[..., Driven], ends: list[Any]) -> None:
    assert run(f"stuck{ends[0][0]}", *ends).node.exit_status == 310


def test_a_program_that_fails_is_not_run_again(run: Callable[..., Driven]) -> None:
    driven = run("bad", (410, None))
    assert driven.node.exit_status == 410 and len(driven.submitted) == 1


def test_another_workchain_goes_on_from_where_one_was_stopped(aiida_localhost: Any) -> None:
    chain = nodes.workchain("falsemetal.train", exit_status=410)
    chain.base.extras.set("falsemetal_training", "stopped")
    for epoch in (7, 12):
        state = orm.SinglefileData(io.BytesIO(b"state"), filename=f"mace_run-1_epoch-{epoch}.pt")
        nodes.calculation("falsemetal.train", aiida_localhost, {}, {"checkpoint": state}, chain, 302)
    found = known_checkpoint("stopped")
    assert known_training("stopped") is None and found is not None and found.filename == "mace_run-1_epoch-12.pt"
    assert known_checkpoint("nothing") is None

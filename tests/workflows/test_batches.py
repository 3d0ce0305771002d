"""Seeds that run their MD in one process: who goes with whom, what each pair is given, and the real driver."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from plumpy import ProcessState

from aiida_falsemetal.calculations.md import DEFAULTS
from aiida_falsemetal.calculations.md_batch import MlipMdBatchCalculation, port_of, validate_seeds
from aiida_falsemetal.cli.screen import read_campaign
from aiida_falsemetal.cli.submit import screen_builder
from aiida_falsemetal.runner import files
from aiida_falsemetal.workflows.batches import batches_of, seed_of
from aiida_falsemetal.workflows.md import MlipMdWorkChain
from aiida_falsemetal.workflows.pair import PairWorkChain
from tests.cli.test_submit import FILM, campaign, ready  # noqa: F401  (a fixture)
from tests.data import nodes
from tests.faults.test_quick import made

STEPS = 10


@pytest.fixture
def code(aiida_code_installed: Callable[..., Any]) -> Any:
    """This Python."""
    return aiida_code_installed(default_calc_job_plugin="falsemetal.md", filepath_executable=sys.executable)


def driver_inputs(code: Any, **changes: Any) -> dict[str, Any]:
    """Of a batch of a tiny film; a few steps from configurations that are not even relaxed."""
    structure, info = nodes.film_nodes()
    parameters = {**DEFAULTS, "steps": STEPS, "seed": 1, "stride": 5, "frame_stride": 5, "max_evaporated": 1.0}
    return {
        **{"code": code, "structure": structure, "info": info, "mlip": nodes.mlip("twin-sr")},
        "parameters": orm.Dict({**parameters, **changes}),
    }


def alone(inputs: dict[str, Any], seed: int, batch: orm.RemoteData) -> Any:
    """Run the MD of one seed, given its folder."""
    parameters = {key: value for key, value in inputs["parameters"].get_dict().items() if key not in ("steps", "seed")}
    arguments = (inputs[name] for name in ("code", "structure", "info", "mlip"))
    builder = MlipMdWorkChain.get_builder_from_protocol(
        *arguments, steps=STEPS, seed=seed, overrides=parameters, batch=batch
    )
    return run_get_node(builder)


def test_what_a_batch_has_run_needs_no_job(code: Any) -> None:
    """The real driver. Each seed has the nodes that it would have had, and its folder leads to the batch."""
    inputs = driver_inputs(code)
    outputs, batch = run_get_node(MlipMdBatchCalculation, **inputs, seeds=orm.List([3, 4]))
    assert batch.is_finished_ok, batch.exit_message
    assert outputs["results"].get_dict() == {"statuses": {"3": "finished", "4": "finished"}}
    dipoles = []
    for seed in (3, 4):
        found, node = alone(inputs, seed, batch.outputs.seeds[port_of(seed)])
        assert node.is_finished_ok, node.exit_message
        (job,) = node.called
        assert job.get_job_id() is None and job.inputs.batch.creator.pk == batch.pk
        assert list(found["series"].get_array("step")) == [0, 5, 10]
        assert found["trajectory"].numsteps == 3
        assert found["results"]["batch"] == 2
        dipoles.append(found["series"].get_array("dipole_z")[-1])
        assert files.LOG in job.outputs.retrieved.base.repository.list_object_names()
    assert dipoles[0] != dipoles[1]


def test_a_seed_that_the_batch_has_lost_is_run_alone(code: Any, aiida_localhost: orm.Computer, tmp_path: Path) -> None:
    """The real driver: nothing is in the folder, or there is no folder."""
    inputs = driver_inputs(code)
    for path in (tmp_path, tmp_path / "none"):
        _, node = alone(inputs, 3, orm.RemoteData(computer=aiida_localhost, remote_path=str(path)).store())
        assert node.is_finished_ok, node.exit_message
        assert [job.exit_status for job in node.called] == [300, 0]
        assert "batch" not in node.called[1].inputs and node.called[1].get_job_id() is not None


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1], [1.5], [True]])
def test_seeds_that_are_none(seeds: list[Any]) -> None:
    assert "seeds" in str(validate_seeds(orm.List(seeds), None))


def campaign_process(folder: Path, seeds: list[int], **md: Any) -> Any:
    """The process of a campaign with two MLIPs, one of which runs seeds together."""
    changes = {
        **{"interfaces": {"film": FILM}, "seeds": seeds, "md": {"steps": 5000, **md}},
        "mlips": {"twin-sr": {"md": {"batch": 3}}, "spcfw-ewald": None},
    }
    return made(screen_builder(*read_campaign(campaign(folder, **changes))))


def seeds_of(process: Any) -> list[list[int]]:
    """Seeds of the process's batches."""
    process.setup()
    pairs = process._next_pairs()
    return [[seed_of(pairs[key]) for key in keys] for keys in batches_of(pairs)]


@pytest.mark.parametrize(
    ("seeds", "batches"),
    [([1, 2], [[1, 2]]), ([1, 2, 3, 4, 5], [[1, 2, 3], [4, 5]]), ([1, 2, 3, 4], [[1, 2, 3]]), ([1], [])],
)
def test_seeds_of_one_mlip_go_together(
    seeds: list[int],
    batches: list[list[int]],
    ready: None,  # noqa: F811
    tmp_path: Path,
) -> None:
    """As many as it says; one that is left over has a job of its own, as have those of an MLIP that says nothing."""
    assert seeds_of(campaign_process(tmp_path, seeds)) == batches


def test_each_pair_is_given_its_folder(
    ready: None,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batch runs first. Its folder is emptied when the pairs have ended."""
    process = campaign_process(tmp_path, [1, 2])
    submitted: list[tuple[Any, dict[str, Any]]] = []

    def submit(what: Any, inputs: Any = None, **more: Any) -> orm.ProcessNode:
        submitted.append((what, more))
        if what is PairWorkChain:
            return orm.WorkChainNode().store()
        return nodes.calculation(
            "falsemetal.md_batch",
            orm.load_computer("localhost"),
            outputs={f"seeds__{port_of(seed)}": folder(seed) for seed in (1, 2)},
        )

    def folder(seed: int) -> orm.RemoteData:
        return orm.RemoteData(computer=orm.load_computer("localhost"), remote_path=f"/none/seed-{seed}")

    monkeypatch.setattr(process.runner, "submit", submit)
    with process._process_scope():
        process.setup()
        assert process.has_more() and process.has_batches()
        for name, node in process.run_batches().items():
            process.ctx[name] = node
        (builder,) = [what for what, _ in submitted]
        assert builder.process_class is MlipMdBatchCalculation
        assert (builder.seeds.get_list(), builder.mlip.label) == ([1, 2], "twin-sr")
        assert builder.structure.creator.process_label == "build_interface"
        for name, node in process.run_some().items():
            node.set_exit_status(0)
            node.set_process_state(ProcessState.FINISHED)
            process.ctx[name] = node
        given = {
            (pair["labels"]["mlip"], pair["labels"]["seed"]): pair.get("md_batch")
            for what, pair in submitted
            if what is PairWorkChain
        }
        assert {key: node and node.get_remote_path() for key, node in given.items()} == {
            **{("twin-sr", seed): f"/none/seed-{seed}" for seed in (1, 2)},
            **{("spcfw-ewald", seed): None for seed in (1, 2)},
        }
        process.inspect()
        assert not [name for name in vars(process.ctx) if name.startswith(("pair_", "batch_"))]
        assert not process.has_more()


def test_a_batch_that_cannot_be_made_leaves_the_pairs_alone(
    ready: None,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = campaign_process(tmp_path, [1, 2])

    def fail(*_: Any, **__: Any) -> Any:
        raise ValueError("no such film")

    monkeypatch.setattr("aiida_falsemetal.workflows.batches.build_interface", fail)
    monkeypatch.setattr(process.runner, "submit", lambda *_, **__: orm.WorkChainNode().store())
    with process._process_scope():
        process.setup()
        assert process.has_batches()
        assert process.run_batches() == {}
        assert len(process.run_some()) == 4
    assert "no such film" in "".join(log.message for log in orm.Log.collection.get_logs_for(process.node))

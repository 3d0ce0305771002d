"""Active rounds: a committee is trained on the labels so far, and what it disagrees on is labelled, once."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from ase.io import read

from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.query.cards import twin_card
from aiida_falsemetal.query.twins import label_rows, sample_rows, trained_twins, twins_progress
from aiida_falsemetal.report.card import model_card
from aiida_falsemetal.workflows.label import LabelWorkChain
from aiida_falsemetal.workflows.rounds import active_run, committee
from aiida_falsemetal.workflows.sample import SampleWorkChain
from aiida_falsemetal.workflows.train import MaceTrainWorkChain, training_fingerprint
from tests.data import nodes

from .conftest import Driven
from .test_train import BASELINE, GIVEN
from .test_twin import FRAMES, World, run  # noqa: F401  the fixture

TRAINING = {**GIVEN, "walltime": 600, "max_jobs": 3}
ROUNDS = {"number": 1, "committee": 2, "training": {"epochs": 5}}
FACTS = {"elements": ["H", "O"], "cutoff": 4.5, "layers": 2, "long_ranged": False, "licence": "", "reference": ""}


def content(**changes: Any) -> dict[str, Any]:
    """Of a file of twins, as far as the workchain looks at it."""
    return {
        **{"name": World.name, "training": TRAINING, "baseline": BASELINE, "licence": "MIT", "slots": 2},
        **{"split": {"test": 0.2, "valid": 0.2, "seed": 1}, "rounds": ROUNDS, "label": {"most": None, "max_drop": 2.5}},
        **changes,
    }


def active_runs(rounds: int = 1) -> orm.List:
    """One run a round, another one in every test."""
    runs = [
        {
            "round": number,
            "source": "film",
            "recipe": "film",
            "parameters": {"molecules": 8},
            "md": {"steps": 100, "seed": number, "threads": 1, "temperature": 300.0},
            "selection": {"frames": FRAMES, "start": 0.0, "test": World.name},
            "walltime": 60,
        }
        for number in range(1, rounds + 1)
    ]
    return orm.List(runs)


class Trainer(World):
    """Trains, too.

    :param trained: fingerprints of the trainings it was asked for, in order.
    """

    def __init__(self, computer: orm.Computer) -> None:
        super().__init__()
        self.trained: list[str] = []
        self.labels_seen: list[int] = []
        self.fails: str | None = None
        self.computer = computer

    def answer(self, number: int, given: dict[str, Any]) -> orm.ProcessNode:
        return self.train(given) if "train" in given else super().answer(number, given)

    def sample(self, given: dict[str, Any]) -> orm.ProcessNode:
        node = super().sample(given)
        number = given["run"].get_dict().get("round")
        if number is not None:
            node.base.extras.set("falsemetal_round", number)
        return node

    def train(self, given: dict[str, Any]) -> orm.ProcessNode:
        labels, parameters = given["train"]["labels"], given["train"]["parameters"].get_dict()
        digest = training_fingerprint(labels, parameters)
        self.trained.append(digest)
        frames = read(io.StringIO(labels.get_content()), ":", format="extxyz")
        self.labels_seen.append(len(frames))
        if self.fails is not None:
            return nodes.workchain("falsemetal.train", exit_status=410, exit_message=self.fails)
        predictions = orm.ArrayData()
        predictions.set_array("energy", np.array([frame.info["label_energy"] for frame in frames]))
        predictions.set_array("forces", np.concatenate([frame.arrays["label_forces"] for frame in frames]))
        model = orm.SinglefileData(model_path(presets()["twin-sr"]), filename="twin.model")
        results = orm.Dict({"facts": FACTS, "threads": 1, "wall_seconds": 7200.0, "versions": {"mace-torch": "0.3"}})
        outputs = {"model": model, "predictions": predictions, "results": results}
        chain = nodes.workchain("falsemetal.train")
        nodes.calculation("falsemetal.train", self.computer, {"labels": labels}, outputs, chain)
        for name, node in outputs.items():
            node.base.links.add_incoming(chain, LinkType.RETURN, name)
        chain.base.extras.set("falsemetal_training", digest)
        return chain


@pytest.fixture
def active(
    run: Callable[..., Driven],  # noqa: F811
    aiida_code_installed: Any,
    aiida_localhost: orm.Computer,
) -> Callable[..., Driven]:
    """``active(world, ...)`` runs the twins with a round to their end, or to ``stop_after``."""

    def start(world: Trainer, **changes: Any) -> Driven:
        given: dict[str, Any] = {
            "twins": orm.Dict(content()),
            "active_runs": active_runs(),
            "stop_after": orm.Str("training"),
            "train_code": aiida_code_installed(default_calc_job_plugin="falsemetal.train", label="python-rounds"),
        }
        return run(world, **{**given, **changes})

    return start


def test_members_differ_in_range_and_seed() -> None:
    members = committee(content(rounds={"number": 1, "committee": 4, "training": {}}), 1)
    assert [member.label for member in members] == [f"{World.name}-r1-{end}" for end in ("sr", "lr", "sr2", "lr2")]
    assert [member.parameters["family"] for member in members] == ["mace", "mace_ewald"] * 2
    assert [member.parameters["options"]["seed"] for member in members] == [1, 1, 2, 2]
    assert {member.parameters["epochs"] for member in members} == {GIVEN["epochs"]}
    assert committee(content(), 1)[0].parameters["options"]["max_num_epochs"] == 5


def test_a_run_is_found_by_who_moves_it_and_who_judges() -> None:
    models = {"m00": nodes.mlip("spcfw-ewald"), "m01": nodes.mlip("spcfw-truncated")}
    (given,) = active_runs().get_list()
    first = active_run(given, "m00", models, 2)
    digests = {
        first["fingerprint"],
        active_run(given, "m01", models, 2)["fingerprint"],
        active_run(given, "m00", {"m00": models["m00"]}, 2)["fingerprint"],
        active_run({**given, "md": {**given["md"], "seed": 7}}, "m00", models, 2)["fingerprint"],
    }
    assert len(digests) == 4 and first["sampler"] == "spcfw-ewald"
    same = {**given, "source": "renamed", "walltime": 9, "md": {**given["md"], "threads": 2}}
    assert active_run(same, "m00", models, 1)["fingerprint"] == first["fingerprint"]


def test_rounds_train_sample_and_label_what_was_chosen(
    active: Callable[..., Driven], aiida_localhost: orm.Computer
) -> None:
    world = Trainer(aiida_localhost)
    three = content(rounds={"number": 2, "committee": 3, "training": {"epochs": 5}})
    driven = active(world, twins=orm.Dict(three), active_runs=active_runs(2))
    assert driven.node.is_finished_ok
    whats = [what if isinstance(what, type) else MaceTrainWorkChain for what, _ in driven.submitted]
    labels = [LabelWorkChain] * (2 * FRAMES)
    # Sources; twice a committee of three, the two models that move, their frames; then the twins.
    one = [MaceTrainWorkChain] * 3 + [SampleWorkChain] * 2 + labels
    assert whats == [SampleWorkChain] * 2 + labels + one * 2 + [MaceTrainWorkChain] * 2
    assert len(set(world.labels)) == len(world.labels) == 6 * FRAMES
    assert world.labels_seen == [10] * 3 + [20] * 3 + [30] * 2
    moved = [given for what, given in driven.submitted if what is SampleWorkChain][2:]
    assert [sorted(given["committee"]) for given in moved] == [["m00", "m01", "m02"]] * 4
    assert [given["mlip"].label.rpartition("-")[2] for given in moved] == ["sr", "lr"] * 2
    made = trained_twins(World.name)
    assert made is not None and made.labels == 30 and made.models["long_ranged"].label == f"{World.name}-lr"
    assert [row["round"] for row in sample_rows(World.name)] == [None, None, 1, 1, 2, 2]
    card = twin_card(made, "long_ranged")
    assert (card["label"], card["twin"]) == (f"{World.name}-lr", f"{World.name}-sr")
    assert [(source["round"], source["labels"]) for source in card["sources"]] == [(0, 10), (1, 10), (2, 10)]
    assert card["training_seconds"] == 7200.0 and card["nodes"]["MlipData"] == made.models["long_ranged"].uuid
    held = card["by_sampler"]
    (tested,) = [row for row in card["errors"] if row["part"] == "test" and row["source"] == "all"]
    assert sum(row["test_frames"] for row in held) == tested["frames"]
    assert {row["sampler"] for row in held} <= {
        "None",
        *(f"{World.name}-r{k}-{twin}" for k in (1, 2) for twin in ("sr", "lr")),
    }
    squares = sum(
        row["test_frames"] * row["test_rmse"] ** 2 for row in held if row["test_frames"]
    )  # all have as many atoms
    assert squares / tested["frames"] == pytest.approx(tested["force_rmse"] ** 2, rel=1e-9)
    said = model_card(card)
    assert said.startswith(f"# {World.name}-lr\n") and "30 labels of PBE" in said and "7200" not in said
    found = twins_progress(World.name, {}, 24, None, [FRAMES] * 4)
    assert (found.active.runs, found.active.asked) == (4, 4 * FRAMES)


def test_rounds_are_a_stage_of_their_own(active: Callable[..., Driven], aiida_localhost: orm.Computer) -> None:
    first, second = Trainer(aiida_localhost), Trainer(aiida_localhost)
    assert active(first, stop_after=orm.Str("labels")).node.is_finished_ok
    assert len(first.labels) == 10 and not first.trained
    assert active(second, stop_after=orm.Str("rounds")).node.is_finished_ok
    assert len(second.labels) == 10 and len(second.trained) == 2
    assert trained_twins(World.name) is None
    # A second time nothing is computed that is there: only the twins themselves.
    third = Trainer(aiida_localhost)
    assert active(third).node.is_finished_ok and trained_twins(World.name) is not None
    assert not third.samples and not third.labels and len(third.trained) == 2


def test_a_member_that_cannot_be_trained_ends_it(active: Callable[..., Driven], aiida_localhost: orm.Computer) -> None:
    world = Trainer(aiida_localhost)
    world.fails = "no memory"
    driven = active(world)
    assert driven.node.exit_status == 410 and "no memory" in driven.node.exit_message
    assert len(label_rows(World.name)) == 10


def test_no_more_labels_of_the_sources_than_asked(active: Callable[..., Driven], aiida_localhost: orm.Computer) -> None:
    """The first frame of each run before the second of any."""
    world = Trainer(aiida_localhost)
    driven = active(world, twins=orm.Dict(content(label={"most": 6, "max_drop": 2.5})), stop_after=orm.Str("labels"))
    assert driven.node.is_finished_ok and len(world.labels) == 6
    assert sorted(row["step"] for row in label_rows(World.name)) == [0, 0, 1, 1, 2, 2]


def test_nothing_is_trained_on_less_than_was_asked_for(
    active: Callable[..., Driven], aiida_localhost: orm.Computer
) -> None:
    """A machine's failure must not decide what a committee knows."""
    world = Trainer(aiida_localhost)
    sample, tried = world.sample, []

    def fails_once(given: dict[str, Any]) -> orm.ProcessNode:
        tried.append(given["run"].get_dict().get("round"))
        if tried.count(1) == 1 and tried[-1] == 1:
            return nodes.workchain("falsemetal.sample", exit_status=310, exit_message="No disk.")
        return sample(given)

    world.sample = fails_once  # type: ignore[method-assign]
    driven = active(world)
    assert driven.node.exit_status == 404 and "film: No disk" in driven.node.exit_message
    assert len(world.labels) == 15 and len(world.trained) == 2
    again = Trainer(aiida_localhost)
    assert active(again).node.is_finished_ok
    assert len(again.samples) == 1 and len(again.labels) == 5 and again.labels_seen == [20] * 2

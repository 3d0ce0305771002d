"""Twins up to their labels: what is missing is computed, a bounded number at once, and nothing twice."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_falsemetal.calculations.label import label_fingerprint
from aiida_falsemetal.query.twins import is_active, label_rows, twins_progress
from aiida_falsemetal.workflows import asked, twin
from aiida_falsemetal.workflows.asked import in_turn, labels_of
from aiida_falsemetal.workflows.known import known_samples
from aiida_falsemetal.workflows.label import LabelWorkChain
from aiida_falsemetal.workflows.sample import SampleWorkChain
from tests.data import nodes

from .conftest import Driven
from .test_label import SETTINGS, film, pseudos

FRAMES = 5
NUMBERS = itertools.count(1)


def digests() -> list[str]:
    """Fingerprints of the two sampling runs of a test."""
    return [f"a-{World.name}", f"bb-{World.name}"]


class World:
    """Answers a TwinWorkChain's submissions with nodes like those that the real workchains leave.

    :param bad: fingerprints of labels that fail.
    """

    name = ""
    """Of the twins, another one in every test, for they share a profile."""

    def __init__(self) -> None:
        self.samples: list[str] = []
        self.labels: list[str] = []
        self.bad: set[str] = set()
        self.status = 401

    def answer(self, _: int, given: dict[str, Any]) -> orm.ProcessNode:
        return self.sample(given) if "run" in given else self.label(given)

    def sample(self, given: dict[str, Any]) -> orm.ProcessNode:
        digest = given["fingerprint"].value
        self.samples.append(digest)
        outputs: dict[str, Any] = {"selection": orm.Dict({"chosen": FRAMES, "asked": FRAMES, "reason": ""})}
        for step in range(FRAMES):
            atoms = film().get_ase()
            atoms.positions[0, 0] += 0.01 * step + 0.3 * zlib.crc32(digest.encode()) / 2**32
            atoms.cell[0, 0] += 1e-4 * int(self.name[4:])
            outputs[f"frames__s{step:08d}"] = orm.StructureData(ase=atoms)
            outputs[f"records__s{step:08d}"] = orm.Dict(
                {"source": "film", "step": step, "temperature": 300.0, "round": given["run"].get_dict().get("round")}
            )
        node = nodes.workchain("falsemetal.sample", {}, outputs)
        node.base.extras.set_many({"falsemetal_twins": given["twins"].value, "falsemetal_fingerprint": digest})
        orm.Group.collection.get_or_create("falsemetal/twins/" + given["twins"].value)[0].add_nodes(node)
        return node

    def label(self, given: dict[str, Any]) -> orm.ProcessNode:
        digest = label_fingerprint(given["structure"], given["parameters"].get_dict(), given["pseudos"])
        self.labels.append(digest)
        failed = digest in self.bad
        code = 410 if failed else 0
        content = {
            **given["record"].get_dict(),
            "fingerprint": digest,
            "exit_code": code,
            "usable": not failed,
            "wall_seconds": 30.0,
            "drop": None,
            "gap": None,
            "metallic": False,
            "bulk": False,
            "energy": None if failed else -100.0,
            "ecutwfc": given["parameters"]["ecutwfc"],
        }
        outputs: dict[str, Any] = {"label": orm.Dict(content)}
        if not failed:
            outputs["forces"] = orm.ArrayData()
            outputs["forces"].set_array("forces", np.zeros((24, 3)))
        node = nodes.workchain("falsemetal.label", {}, outputs, exit_status=self.status if failed else 0)
        node.base.extras.set("falsemetal_label", digest)
        orm.Group.collection.get_or_create("falsemetal/twins/" + given["twins"].value)[0].add_nodes(node)
        return node


@pytest.fixture
def run(
    drive: Callable[..., Driven], aiida_code_installed: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Driven]:
    """``run(world, ...)`` runs the twins ``mine`` of two sampling runs."""
    own = {key: node.store() for key, node in pseudos().items()}
    for module in (twin, asked):
        monkeypatch.setattr(module, "pseudos_of", lambda *_: own)
    code = aiida_code_installed(default_calc_job_plugin="quantumespresso.pw")
    monkeypatch.setattr(World, "name", f"mine{next(NUMBERS)}")

    def start(world: World, **changes: Any) -> Driven:
        runs = {
            f"r{number}": orm.Dict(
                {"fingerprint": digest, "sampler_number": "s0", "slots": 2, "walltime": 60, "source": "film"}
            )
            for number, digest in enumerate(digests())
        }
        given: dict[str, Any] = {
            "twins": orm.Dict({"name": World.name}),
            "runs": runs,
            "samplers": {"s0": nodes.mlip()},
            "sampler_codes": {"s0": code},
            "label": orm.Dict(SETTINGS),
            "pw_code": code,
            "pw_options": orm.Dict({"slots": 2}),
            "at_once": orm.Int(4),
            "stop_after": orm.Str("labels"),
        }
        return drive(twin.TwinWorkChain, world.answer, **{**given, **changes})

    return start


def test_everything_is_sampled_and_labelled_once(run: Callable[..., Driven]) -> None:
    world = World()
    driven = run(world)
    assert driven.node.is_finished_ok and world.samples == digests()
    assert len(world.labels) == len(set(world.labels)) == 2 * FRAMES
    assert [what for what, _ in driven.submitted] == [SampleWorkChain] * 2 + [LabelWorkChain] * 10
    rows = label_rows(World.name)
    assert len(rows) == 10 and not is_active(World.name)
    found = twins_progress(World.name, {**dict.fromkeys(digests(), FRAMES), "not yet": 7}, 72)
    sources = found.sources
    assert (sources.runs, sources.asked, sources.labels, sources.missing, found.missing) == (2, 17, 10, 7, 7)
    assert found.seconds == pytest.approx(7 * 30.0)


def test_labels_at_other_settings_are_missing(run: Callable[..., Driven]) -> None:
    """A file whose cutoff is raised is not done because the labels of before are as many."""
    run(World())
    frames = [frame for _, frame, _ in in_turn(known_samples(digests()))]
    found = labels_of(frames, SETTINGS)
    assert len(found["done"]) == 2 * FRAMES and not found["missing"] and not found["failed"]
    other = {**SETTINGS, "ecutwfc": 99.0}
    assert len(labels_of(frames, other)["missing"]) == 2 * FRAMES
    assert len(label_rows(World.name, {"ecutwfc": SETTINGS["ecutwfc"]})) == 2 * FRAMES
    assert not label_rows(World.name, {"ecutwfc": 99.0})
    assert len(in_turn(known_samples(digests()), most=3)) == 3


def test_what_is_labelled_is_balanced_from_the_first_on(run: Callable[..., Driven]) -> None:
    """The first four labels are of both runs: a sitting that ends early leaves no source out."""
    driven = run(World())
    first = [inputs["record"].get_dict()["step"] for what, inputs in driven.submitted if what is LabelWorkChain][:4]
    assert first == [0, 0, 1, 1]


def test_a_second_time_computes_nothing(run: Callable[..., Driven]) -> None:
    run(World())
    again = World()
    assert run(again).node.is_finished_ok
    assert not again.samples and not again.labels


def test_failed_labels_are_left_alone_unless_asked(run: Callable[..., Driven]) -> None:
    lost = World()
    lost.label, original = (lambda given: _lost(original, lost, given)), lost.label  # type: ignore[method-assign]
    driven = run(lost)
    assert driven.node.is_finished_ok and len(lost.labels) == 10 and len(lost.bad) == 1
    quiet = World()
    run(quiet)
    assert not quiet.labels
    retried = World()
    run(retried, retry=orm.Bool(True))
    assert sorted(retried.labels) == sorted(lost.bad)
    assert sum(row["exit_code"] == 0 for row in label_rows(World.name)) == 10


def test_a_label_that_was_lost_is_said_and_made_again(run: Callable[..., Driven]) -> None:
    broken = World()
    broken.status = 310
    broken.label, original = (lambda given: _lost(original, broken, given)), broken.label  # type: ignore[method-assign]
    driven = run(broken)
    assert driven.node.exit_status == 402 and "the same command" in driven.node.exit_message
    mended = World()
    assert run(mended).node.is_finished_ok
    assert len(mended.labels) == 1


def _lost(original: Any, world: World, given: dict[str, Any]) -> orm.ProcessNode:
    """The first label is lost, the others are not."""
    if not world.labels:
        digest = label_fingerprint(given["structure"], given["parameters"].get_dict(), given["pseudos"])
        world.bad.add(digest)
    node: orm.ProcessNode = original(given)
    return node


def test_frames_of_a_campaign_are_labelled_too(run: Callable[..., Driven]) -> None:
    atoms, info = nodes.film()[0].copy(), nodes.film()[1]
    atoms.positions[:, 2] += 0.01 * int(World.name[4:])
    result = {"step": 70, "time_ps": 0.7, "Mz": 0.4, "expected_drop": 1.7}
    said = {"source": "polar", "sampler": "sr", "residual": 0.8, "temperature": 300.0}
    outlier = {"structure": orm.StructureData(ase=atoms), "result": orm.Dict(result), "info": orm.Dict(info)}
    stored = {key: node.store() for key, node in outlier.items()}
    world = World()
    driven = run(world, outliers={"o0000": {**stored, "parameters": orm.Dict(said).store()}})
    assert driven.node.is_finished_ok and len(world.labels) == 2 * FRAMES + 1
    (row,) = (row for row in label_rows(World.name) if row["source"] == "polar")
    assert (row["residual"], row["chosen_for"], row["round"]) == (0.8, "missing energy", None)
    assert run(World(), outliers={"o0000": {**stored, "parameters": orm.Dict(said)}}).node.is_finished_ok


def test_without_configurations_there_is_nothing_to_label(run: Callable[..., Driven]) -> None:
    world = World()
    world.sample = lambda given: nodes.workchain("falsemetal.sample", exit_status=310)  # type: ignore[method-assign]
    assert run(world).node.exit_status == 401

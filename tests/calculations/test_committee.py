"""What a committee's job is given, what its parser makes of it, and which frames are chosen by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.folders import SandboxFolder
from aiida.common.links import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import CalculationFactory

from aiida_falsemetal.calculations.configurations import select_configurations
from aiida_falsemetal.parsers.committee import CommitteeParser
from aiida_falsemetal.runner import committee, files
from tests.data import nodes

STEPS = [0, 100, 200, 300, 400, 500]


@pytest.fixture
def inputs(aiida_code_installed: Any) -> dict[str, Any]:
    return {
        "code": aiida_code_installed(default_calc_job_plugin="falsemetal.committee"),
        "trajectory": nodes.trajectory(STEPS),
        "members": {"m00": nodes.mlip("spcfw-truncated"), "m01": nodes.mlip("spcfw-ewald")},
        "parameters": orm.Dict({"start": 0.2}),
    }


def started(inputs: dict[str, Any]) -> Any:
    return instantiate_process(get_manager().get_runner(), CalculationFactory("falsemetal.committee"), **inputs)


def test_frames_from_the_start_on_and_every_model_travel(inputs: dict[str, Any], tmp_path: Path) -> None:
    with SandboxFolder(tmp_path / "sandbox") as folder:
        info = started(inputs).prepare_for_submission(folder)
        assert sorted(folder.get_content_list()) == sorted([files.ARCHIVE, committee.FRAMES, committee.INPUT])
        with folder.open(committee.FRAMES, "rb") as handle, np.load(handle) as arrays:
            assert arrays["positions"].shape == (4, 24, 3)
            assert arrays["positions"] == pytest.approx(inputs["trajectory"].get_positions()[2:])
        with folder.open(committee.INPUT) as handle:
            given = json.load(handle)
    names = [member["model"] for member in given["members"]]
    assert names == [copied for _, _, copied in info.local_copy_list] and len(set(names)) == 2
    assert info.codes_info[0].cmdline_params == [files.ARCHIVE, committee.FLAG]
    assert info.provenance_exclude_list == [committee.FRAMES]  # the trajectory is in the graph already


@pytest.mark.parametrize(
    ("change", "says"),
    [({"members": 1}, "two at least"), ({"parameters": {"start": -1.0}}, "time in ps"), ({"parameters": {}}, "start")],
)
def test_what_makes_no_committee_is_refused(inputs: dict[str, Any], change: dict[str, Any], says: str) -> None:
    if "members" in change:
        given: dict[str, Any] = {"members": {"m00": nodes.mlip()}}
    else:
        given = {"parameters": orm.Dict(change["parameters"])}
    with pytest.raises(ValueError, match=says):
        started({**inputs, **given})


@pytest.fixture
def parse(inputs: dict[str, Any], tmp_path: Path, aiida_localhost: Any) -> Callable[..., Any]:
    """``parse(disagreement)``: exit code and outputs; None where the job left nothing."""

    def run(found: list[float] | None) -> Any:
        linked = {key: inputs[key] for key in ("trajectory", "parameters")}
        linked |= {f"members__{key}": node for key, node in inputs["members"].items()}
        node = nodes.calculation("falsemetal.committee", aiida_localhost, linked, exit_status=None)
        retrieved = orm.FolderData()
        retrieved.base.repository.put_object_from_bytes(b"Traceback\nMemoryError\n", "_scheduler-stderr.txt")
        if found is not None:
            np.savez(tmp_path / committee.OUTPUT, disagreement=np.array(found), energy=np.zeros((2, len(found))))
            retrieved.base.repository.put_object_from_bytes(b'{"wall_seconds": 1.0}', committee.RESULT)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, "retrieved")
        retrieved.store()
        parser = CommitteeParser(node)
        return parser.parse(retrieved_temporary_folder=str(tmp_path)), parser.outputs

    return run


def test_parser_keeps_the_frames_steps(parse: Callable[..., Any]) -> None:
    code, outputs = parse([0.1, 0.2, 0.3, float("inf")])
    assert code is None
    assert outputs["committee"].get_array("step").tolist() == STEPS[2:]
    assert outputs["committee"].get_array("disagreement")[3] == float("inf")
    assert outputs["results"].get_dict() == {"wall_seconds": 1.0, "frames": 4, "members": ["m00", "m01"]}


def test_a_job_that_left_nothing_says_what_it_said_last(parse: Callable[..., Any]) -> None:
    code, outputs = parse(None)
    assert code.status == 300 and "MemoryError" in code.message and not outputs


def test_an_answer_about_other_frames_is_none(parse: Callable[..., Any]) -> None:
    code, _ = parse([0.1])
    assert code.status == 300 and "other frames" in code.message


def chosen(disagreement: list[float], **changes: Any) -> dict[str, Any]:
    _, info = nodes.film_nodes()
    found = orm.ArrayData()
    found.set_array("disagreement", np.array(disagreement))
    selection = {"frames": 2, "start": 0.2, "max_drop": 50.0, "apart": 0.2, "least": 0.05, "most": 1.0, **changes}
    run = {"source": "film", "sampler": "r1-sr", "round": 1, "md": {"temperature": 300.0}, "selection": selection}
    made: dict[str, Any] = select_configurations(
        nodes.trajectory(STEPS), nodes.series(STEPS), info, orm.Dict(run), committee=found
    )
    return made


def test_disputed_frames_become_configurations_that_say_so() -> None:
    made = chosen([0.3, 0.5, 0.4, 0.2])
    # 0.5 at step 300; 0.4 and 0.3 lie 0.1 ps beside it, 0.2 ps are asked for.
    assert sorted(key for key in made if key.startswith("frame_")) == ["frame_00000300", "frame_00000500"]
    record = made["record_00000300"].get_dict()
    assert (record["chosen_for"], record["round"], record["disagreement"]) == ("disagreement", 1, 0.5)
    assert made["selection"].get_dict()["reason"] == ""


def test_fewer_are_said_with_their_reason() -> None:
    found = chosen([0.01, 0.02, 0.4, 9.0])["selection"].get_dict()
    assert (found["chosen"], found["agreed"], found["wild"]) == (1, 2, 1)
    assert found["reason"] == (
        "1 of 2: of 4 frames, 2 of them on which the committee agrees within 0.05 eV/Å, 1 of them on which it "
        "disagrees by more than 1 eV/Å; give more steps."
    )

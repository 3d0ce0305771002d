"""What a training left, whole or cut short, becomes outputs and an exit code."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_falsemetal.parsers.train import MaceTrainParser, is_whole
from aiida_falsemetal.runner import training
from tests.data import nodes

RESULT = {
    "status": "finished",
    "epoch": 1,
    "history": [[0, 2.0, 9.0, 700.0], [1, 1.0, 8.0, 600.0]],
    "facts": {"layers": 1},
}


def checkpoint(path: Path, cut: bool = False) -> None:
    """A zip file with checksums, as torch writes it; perhaps cut short."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", b"x" * 5000)
    path.write_bytes(buffer.getvalue()[: 3000 if cut else None])


@pytest.fixture
def parse(tmp_path: Path, aiida_localhost: Any) -> Callable[..., Any]:
    """``parse(files=..., result=...)``: exit code's status and outputs."""

    def run(result: Any, *names: str, cut: tuple[str, ...] = (), log: str = "", stderr: str = "") -> Any:
        retrieved = orm.FolderData()
        for name, text in ((training.LOG, log), ("_scheduler-stderr.txt", stderr)):
            retrieved.base.repository.put_object_from_bytes(text.encode(), name)
        if result is not None:
            text = result if isinstance(result, str) else json.dumps(result)
            retrieved.base.repository.put_object_from_bytes(text.encode(), training.RESULT)
        for name in names:
            if name.endswith(".pt"):
                checkpoint(tmp_path / name, name in cut)
            elif name == training.MODEL:
                (tmp_path / name).write_bytes(b"model")
            else:
                np.savez(tmp_path / name, energy=np.zeros(2), forces=np.zeros((6, 3)))
        node = nodes.calculation("falsemetal.train", aiida_localhost, exit_status=None)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, "retrieved")
        retrieved.store()
        parser = MaceTrainParser(node)
        code = parser.parse(retrieved_temporary_folder=str(tmp_path))
        return code, parser.outputs

    return run


def test_a_whole_training_has_model_predictions_and_history(parse: Callable[..., Any]) -> None:
    code, outputs = parse(RESULT, training.MODEL, training.PREDICTIONS, "mace_run-1_epoch-1.pt")
    assert code is None
    assert outputs["model"].get_content(mode="rb") == b"model"
    assert outputs["predictions"].get_array("forces").shape == (6, 3)
    assert outputs["history"].get_array("force_rmse").tolist() == [700.0, 600.0]
    assert outputs["results"].get_dict()["facts"] == {"layers": 1} and "history" not in outputs["results"].get_dict()


def test_a_killed_one_has_its_newest_whole_checkpoint(parse: Callable[..., Any]) -> None:
    names = ("mace_run-1_epoch-9.pt", "mace_run-1_epoch-10.pt", "mace_run-1_epoch-11.pt")
    code, outputs = parse(None, *names, cut=names[2:])
    assert code.status == 301 and "epoch 10" in code.message
    assert outputs["checkpoint"].filename == names[1]


@pytest.mark.parametrize(("status", "number"), [("walltime", 302), ("signal", 301)])
def test_one_that_ended_itself_says_why(parse: Callable[..., Any], status: str, number: int) -> None:
    code, outputs = parse({**RESULT, "status": status}, "mace_run-1_epoch-3.pt")
    assert code.status == number and "checkpoint" in outputs and "history" in outputs


def test_a_program_that_fails_is_quoted(parse: Callable[..., Any]) -> None:
    code, _ = parse({**RESULT, "status": "failed"}, log="epoch\nValueError: no atoms\n")
    assert code.status == 410 and "ValueError: no atoms" in code.message
    code, _ = parse({**RESULT, "status": "failed", "message": "ModelError: bad"}, log="Done\n")
    assert "ModelError: bad" in code.message


@pytest.mark.parametrize("result", [None, "{", '{"status": "fin'])
def test_nothing_is_nothing(parse: Callable[..., Any], result: str | None) -> None:
    code, outputs = parse(result, stderr="Traceback\nImportError: mace\n")
    assert code.status == 300 and "ImportError: mace" in code.message and not outputs


def test_a_model_without_predictions_is_no_success(parse: Callable[..., Any]) -> None:
    assert parse(RESULT, training.MODEL)[0].status == 300


def test_a_checkpoint_that_is_cut_is_found_out(tmp_path: Path) -> None:
    checkpoint(tmp_path / "a.pt")
    checkpoint(tmp_path / "b.pt", cut=True)
    assert is_whole(tmp_path / "a.pt") and not is_whole(tmp_path / "b.pt") and not is_whole(tmp_path / "none.pt")

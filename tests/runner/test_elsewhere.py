"""Another Python is asked what a model is: the answers, and every way in which there is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.family import ModelError
from aiida_falsemetal.mlips.registry import load_family
from aiida_falsemetal.runner import elsewhere
from aiida_falsemetal.runner.question import answered
from tests.mlips.lonely import arguments, make_environment

HERE = Path(sys.executable)


def test_answer_is_what_the_family_says_here() -> None:
    entry = presets()["spcfw-truncated"]
    path = model_path(entry)
    asked = elsewhere.inspect(HERE, entry.family, path, entry.kwargs)
    assert asked == load_family(entry.family).inspect(path, entry.kwargs)


def test_package_that_only_the_other_environment_has(tmp_path: Path) -> None:
    kwargs = json.loads(arguments("scale"))
    with pytest.raises(elsewhere.MissingPackageError, match="lonelywells"):
        elsewhere.inspect(HERE, "ase", tmp_path / "none", kwargs)
    folder = make_environment(tmp_path / "env", "scale", 4.0)
    assert elsewhere.inspect(folder / "bin" / "python", "ase", tmp_path / "none", kwargs).cutoff == 5.0


def test_refusal_of_the_family_arrives_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<nothing/>")
    with pytest.raises(ModelError, match="a.xml is not an OpenMM ForceField"):
        elsewhere.inspect(HERE, "openmm", tmp_path / "a.xml", {})
    with pytest.raises(ModelError, match="ships no weights"):
        elsewhere.locate(HERE, "openmm", "7net-0")


def test_value_that_the_family_did_not_expect_is_a_sentence() -> None:
    entry = presets()["spcfw-ewald"]
    said = answered({"family": "openmm", "path": str(model_path(entry)), "kwargs": {"cutoff": []}})
    assert said["missing"] is False and "TypeError" in said["error"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\nexit 3\n", "gave no answer"),
        ("#!/bin/sh\necho broken >&2; exit 1\n", "broken"),
        ("no program", "cannot be run"),
    ],
)
def test_python_that_is_none(tmp_path: Path, script: str, words: str) -> None:
    python = tmp_path / "python"
    python.write_text(script)
    python.chmod(0o755)
    with pytest.raises(ModelError, match=words):
        elsewhere.locate(python, "openmm", "x")


def test_python_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be run"):
        elsewhere.locate(tmp_path / "python", "openmm", "x")

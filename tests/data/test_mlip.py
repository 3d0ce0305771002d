"""The node of a model: its file and facts can be queried, the same model is stored once, half of one never."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.exceptions import ModificationNotAllowed, ValidationError

from aiida_falsemetal.data.mlip import MlipData

FACTS: dict[str, Any] = {"elements": ["H", "O"], "cutoff": 4.5, "layers": 2, "long_ranged": False}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "some.model"
    path.write_bytes(b"weights " + uuid.uuid4().bytes)
    return path


def test_attributes_come_from_the_file_and_can_be_queried(model: Path) -> None:
    node = MlipData.from_model(model, "mace", {"head": "a"}, FACTS, label="mine").store()
    assert (node.family, node.kwargs, node.facts, node.label) == ("mace", {"head": "a"}, FACTS, "mine")
    assert node.sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    assert node.filename == "some.model"
    assert node.get_content("rb") == model.read_bytes()
    query = orm.QueryBuilder().append(
        MlipData, filters={"attributes.sha256": node.sha256, "attributes.facts.cutoff": {"<": 5.0}}
    )
    assert query.all(flat=True) == [node]


def test_stored_node_cannot_be_changed(model: Path) -> None:
    node = MlipData.from_model(model, "mace", {}, FACTS).store()
    with pytest.raises(ModificationNotAllowed):
        node.base.attributes.set("facts", {})
    node.kwargs["head"] = "changed"
    assert node.kwargs == {}


def test_same_model_is_stored_once(model: Path, tmp_path: Path) -> None:
    first = MlipData.get_or_create(model, "mace", {}, FACTS, "mine")
    assert first.is_stored
    assert MlipData.get_or_create(model, "mace", {}, FACTS, "mine").pk == first.pk
    copy = tmp_path / "copied.model"
    copy.write_bytes(model.read_bytes())
    assert MlipData.get_or_create(copy, "mace", {}, FACTS, "mine").pk == first.pk


@pytest.mark.parametrize(
    "change",
    [{"family": "mace_ewald"}, {"kwargs": {"head": "b"}}, {"facts": {**FACTS, "cutoff": 6.0}}, {"label": "yours"}],
    ids=lambda change: next(iter(change)),
)
def test_any_difference_makes_another_node(model: Path, change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"family": "mace", "kwargs": {}, "facts": FACTS, "label": "mine"}
    first = MlipData.get_or_create(model, **given)
    assert MlipData.get_or_create(model, **{**given, **change}).pk != first.pk


def test_another_file_makes_another_node(model: Path) -> None:
    first = MlipData.get_or_create(model, "mace", {}, FACTS, "mine")
    model.write_bytes(model.read_bytes() + b"1")
    assert MlipData.get_or_create(model, "mace", {}, FACTS, "mine").pk != first.pk


@pytest.mark.parametrize("missing", ["family", "kwargs", "facts", "sha256"])
def test_node_without_its_attributes_is_not_stored(model: Path, missing: str) -> None:
    node = MlipData.from_model(model, "mace", {}, FACTS)
    node.base.attributes.delete(missing)
    with pytest.raises(ValidationError, match=missing):
        node.store()

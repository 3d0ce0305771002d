"""The node of a model: its file and facts can be queried, the same model is stored once, half of one never."""

from __future__ import annotations

import hashlib
import pickle
import uuid
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.exceptions import ModificationNotAllowed, ValidationError
from aiida.common.links import LinkType

from aiida_falsemetal.data.mlip import MlipData
from aiida_falsemetal.mlips.scan import UnsafeModelError

FACTS: dict[str, Any] = {"elements": ["H", "O"], "cutoff": 4.5, "layers": 2, "long_ranged": False}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "some.model"
    path.write_text(f"weights {uuid.uuid4()}")
    return path


def test_a_model_that_was_trained_here_keeps_its_history(model: Path) -> None:
    """Also where a catalogue gives it another name, licence and reference; and of two trainings one that ended well."""
    made = []
    for state in ("excepted", "finished"):
        chain = orm.WorkChainNode(process_type="aiida.workflows:falsemetal.twin").store()
        maker = orm.CalcFunctionNode()
        maker.base.links.add_incoming(chain, LinkType.CALL_CALC, "make")
        maker.store()
        node = MlipData.from_model(model, "mace", {}, {**FACTS, "reference": "labels of ours"}, "water-sr")
        node.base.links.add_incoming(maker, LinkType.CREATE, "result")
        made.append(node.store())
        chain.set_process_state(state)
        if state == "finished":
            chain.set_exit_status(0)
    facts = {**FACTS, "licence": "MIT", "reference": "the catalogue's"}
    assert MlipData.find_or_make(model, "mace", {}, facts, "mine").pk == made[1].pk
    # Of other settings it is another model.
    assert not MlipData.find_or_make(model, "mace", {"head": "a"}, facts, "mine").is_stored


class Foreign:
    """What no rule of the scan knows."""

    def __init__(self) -> None:
        self.weights = uuid.uuid4().hex


@pytest.fixture
def unsafe(tmp_path: Path) -> Path:
    path = tmp_path / "unsafe.model"
    path.write_bytes(pickle.dumps(Foreign()))
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


def test_report_of_the_scan_is_kept_and_can_be_queried(model: Path) -> None:
    node = MlipData.from_model(model, "mace", {}, FACTS, label="mine").store()
    assert node.scan is not None and set(node.scan) == {"scanner", "verdict", "findings"}
    assert (node.scan["verdict"], node.scan["findings"], node.accepted) == ("safe", [], None)
    query = orm.QueryBuilder().append(
        MlipData, filters={"attributes.sha256": node.sha256, "attributes.scan.verdict": "safe"}
    )
    assert query.all(flat=True) == [node]


def test_reason_to_accept_what_is_safe_anyway_is_not_kept(model: Path) -> None:
    assert MlipData.from_model(model, "mace", {}, FACTS, accepted="just so").accepted is None


@pytest.mark.parametrize("reason", [None, "", " "])
def test_unsafe_file_without_a_reason_makes_no_node(unsafe: Path, reason: str | None) -> None:
    for make in (MlipData.from_model, MlipData.get_or_create):
        with pytest.raises(UnsafeModelError, match="Foreign"):
            make(unsafe, "mace", {}, FACTS, "mine", accepted=reason)
    sha256 = hashlib.sha256(unsafe.read_bytes()).hexdigest()
    assert not orm.QueryBuilder().append(MlipData, filters={"attributes.sha256": sha256}).count()


def test_reason_of_the_user_is_recorded_and_each_has_its_node(unsafe: Path) -> None:
    first = MlipData.get_or_create(unsafe, "mace", {}, FACTS, "mine", accepted=" from my group ")
    assert first.accepted == "from my group"
    assert first.scan is not None and first.scan["verdict"] == "unknown"
    assert "Foreign" in first.scan["findings"][0]
    assert MlipData.get_or_create(unsafe, "mace", {}, FACTS, "mine", "from my group").pk == first.pk
    assert MlipData.get_or_create(unsafe, "mace", {}, FACTS, "mine", accepted="read it").pk != first.pk
    query = orm.QueryBuilder().append(
        MlipData, filters={"attributes.accepted": "from my group", "attributes.sha256": first.sha256}
    )
    assert query.all(flat=True) == [first]


def unscanned(path: Path) -> MlipData:
    """A stored node as they were before files were scanned."""
    node = MlipData.from_model(path, "mace", {}, FACTS, "mine", accepted="for the test")
    for key in ("scan", "accepted"):
        if key in node.base.attributes.all:
            node.base.attributes.delete(key)
    return node.store()


def test_node_from_before_the_scans_is_valid_and_used_again_if_its_file_is_safe(model: Path, unsafe: Path) -> None:
    old = unscanned(model)
    assert (old.scan, old.accepted) == (None, None)
    assert orm.load_node(old.pk).sha256 == old.sha256
    assert MlipData.get_or_create(model, "mace", {}, FACTS, "mine").pk == old.pk
    refused = unscanned(unsafe)
    with pytest.raises(UnsafeModelError):
        MlipData.get_or_create(unsafe, "mace", {}, FACTS, "mine")
    assert MlipData.get_or_create(unsafe, "mace", {}, FACTS, "mine", accepted="read it").pk != refused.pk

"""The user's shelf: kept whole, found where the variables say, and refused in a sentence where it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_falsemetal.mlips.family import ModelError, ModelFacts
from aiida_falsemetal.mlips.shelf import Shelf, ShelfModel, code_label, home, load_shelf, save_shelf

FACTS = ModelFacts(("H", "O"), 4.5, 3, False, "float32", coulomb_cutoff=12.0)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FALSEMETAL_HOME", str(tmp_path / "here"))
    return tmp_path / "here"


def model() -> ShelfModel:
    return ShelfModel(
        family="so3lr", path="/a/b.model", sha256="0" * 64, facts=FACTS.as_dict(), licence="MIT", reference="me"
    )


def test_nothing_was_added_yet() -> None:
    assert load_shelf() == Shelf()


def test_what_is_saved_comes_back_with_its_facts(place: Path) -> None:
    save_shelf(Shelf(environments={"so3lr": "/env/bin/python"}, models={"a": model()}))
    found = load_shelf()
    assert found.environments == {"so3lr": "/env/bin/python"}
    facts = found.models["a"].model_facts()
    assert (facts.elements, facts.receptive_field, facts.licence) == (("H", "O"), 25.5, "MIT")
    assert [path.name for path in place.iterdir()] == ["models.yaml"]


@pytest.mark.parametrize("text", ["models: {a: {family: 3}}", "colour: red", "a: [", "models: 5"])
def test_damaged_file_is_named_with_a_remedy(place: Path, text: str) -> None:
    place.mkdir()
    (place / "models.yaml").write_text(text)
    with pytest.raises(ModelError, match=r"models\.yaml cannot be read .*; correct it"):
        load_shelf()


def test_home_follows_the_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FALSEMETAL_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert home() == tmp_path / "aiida-falsemetal"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert home() == Path("/home/someone/.local/share/aiida-falsemetal")


def test_code_is_named_after_the_environment() -> None:
    assert code_label("sevennet") == "python-sevennet@localhost"

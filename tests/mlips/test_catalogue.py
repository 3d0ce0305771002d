"""The catalogue: every entry can be understood, and the environments it names are there and pinned."""

from __future__ import annotations

import re
from typing import Any

import pytest
from packaging.requirements import Requirement
from pydantic import ValidationError

from aiida_falsemetal.mlips.catalogue import ModelEntry, environments, model_path, presets
from aiida_falsemetal.mlips.family import ModelError
from aiida_falsemetal.mlips.registry import family_names, load_family

SHIPPED = ["spcfw-ewald", "spcfw-truncated", "twin-sr", "twin-lr", "water-sr", "water-lr"]
ENTRY: dict[str, Any] = {"name": "a", "family": "mace", "licence": "MIT", "reference": "x", "summary": "y"}


def test_shipped_models_come_first_and_are_there() -> None:
    assert [entry.name for entry in presets().values() if entry.shipped] == SHIPPED == list(presets())[: len(SHIPPED)]
    for name in SHIPPED:
        assert model_path(presets()[name]).is_file()


@pytest.mark.parametrize("entry", presets().values(), ids=lambda entry: entry.name)
def test_entry_is_complete(entry: ModelEntry) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", entry.name)
    assert entry.family in family_names()
    assert entry.licence and entry.reference and entry.summary
    assert "\n" not in entry.summary
    if not entry.shipped:
        assert entry.environment == load_family(entry.family).environment
        # CP2K is a program, and no environment of Python's has it.
        assert entry.environment in environments() or entry.family == "cp2k_nnp"
        with pytest.raises(ModelError, match=f"{entry.name} does not ship with this package"):
            model_path(entry)


@pytest.mark.parametrize("name", sorted({load_family(family).environment or "" for family in family_names()} - {""}))
def test_families_environments_are_there(name: str) -> None:
    assert name in environments()


@pytest.mark.parametrize("name", environments())
def test_requirements_are_pinned_and_torch_comes_first(name: str) -> None:
    lines = environments()[name].read_text().splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    # Installed alone and first; otherwise it would be the newest build, with gigabytes of CUDA.
    first = "torch" if "torch" in {requirement.name for requirement in wanted} else "tensorflow"
    assert lines[0].startswith(f"{first}==")
    assert len({requirement.name.lower() for requirement in wanted}) == len(wanted)
    for requirement in wanted:
        assert requirement.url is None
        assert str(requirement.specifier).startswith("==") or requirement.name == "setuptools", requirement
    assert "ase" in {requirement.name for requirement in wanted}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "give either `file` or `source`"),
        ({"file": "a", "source": "b"}, "give either `file` or `source`"),
        ({"source": "b", "offline": False}, "say with `download` where the weights are"),
        ({"file": "a", "colour": "red"}, "Extra inputs"),
    ],
)
def test_faulty_entries_are_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        ModelEntry.model_validate({**ENTRY, **change})

"""The page of interfaces: each line on it can be used, each has its picture, and nothing there is has been left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from aiida_falsemetal.campaign.schema import parse_interface
from aiida_falsemetal.interfaces.registry import recipes
from aiida_falsemetal.interfaces.solvents import SOLVENTS
from aiida_falsemetal.interfaces.substrates import SUBSTRATES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "interfaces.md").read_text()
ENTRIES: dict[str, dict[str, Any]] = {
    name: entry
    for line in PAGE.splitlines()
    if ": {recipe: " in line
    for name, entry in yaml.safe_load(line.strip()).items()
}


@pytest.mark.parametrize("name", ENTRIES)
def test_entry_can_be_used_and_has_its_picture(name: str) -> None:
    parse_interface(ENTRIES[name], "interfaces.md")
    if "structure" not in ENTRIES[name]:
        picture = DOCS / "images" / "interfaces" / f"{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size < 40_000
        assert f"](images/interfaces/{name}.png)" in PAGE


def test_every_picture_is_on_the_page_and_all_are_small() -> None:
    pictures = sorted((DOCS / "images" / "interfaces").iterdir())
    assert sorted(path.stem for path in pictures) == sorted(re.findall(r"\]\(images/interfaces/(.*)\.png\)", PAGE))
    assert sum(path.stat().st_size for path in pictures) < 600_000


def test_everything_that_there_is_has_an_entry() -> None:
    entries = ENTRIES.values()
    assert {entry["recipe"] for entry in entries} == set(recipes())
    assert {entry["substrate"] for entry in entries if entry["recipe"] == "adsorbed"} == set(SUBSTRATES)
    assert {entry.get("solvent", "water") for entry in entries if entry["recipe"] == "film"} == set(SOLVENTS)
    assert any(entry.get("salt") for entry in entries)

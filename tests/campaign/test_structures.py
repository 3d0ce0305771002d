"""Interfaces from files in a campaign: what is refused before anything is computed, and what makes a result new."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write

from aiida_falsemetal.campaign.check import check_campaign
from aiida_falsemetal.campaign.errors import CampaignError
from aiida_falsemetal.campaign.expand import FINGERPRINT_VERSION, Pair, expand
from aiida_falsemetal.campaign.schema import load_campaign
from aiida_falsemetal.campaign.structures import structure_content
from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.interfaces.from_file import FileRecipe
from aiida_falsemetal.interfaces.recipe import InterfaceError

Write = Callable[[Any], Path]
WHOLE = {"recipe": "file", "file": "film.extxyz"}


def film(molecules: int = 24) -> Atoms:
    return FilmRecipe().build(FilmParameters(molecules=molecules, lateral=7.0)).atoms


@pytest.fixture
def campaign(good: dict[str, Any], write: Write) -> Callable[..., Path]:
    """``campaign(interface)``: the campaign file with that interface, a film and a slab beside it."""

    def make(interface: dict[str, Any]) -> Path:
        path = write({**good, "interfaces": {"mine": interface}, "seeds": [1]})
        if not (path.parent / "film.extxyz").exists():
            save(path.parent / "film.extxyz", film())
            save(path.parent / "slab.cif", FileRecipe.structures()[0])
        return path

    return make


def save(path: Path, atoms: Any) -> None:
    write(path, atoms)


def only_pair(path: Path, find: Any = None) -> Pair:
    loaded = load_campaign(path, find)
    (pair,) = expand(loaded, check_campaign(loaded, path))
    return pair


def refusal(path: Path, find: Any = None) -> str:
    with pytest.raises(CampaignError) as raised:
        load_campaign(path, find)
    sentence = str(raised.value)
    assert "\n" not in sentence and sentence.startswith(f"{path}: ") and sentence.endswith(".")
    return sentence.removeprefix(f"{path}: ")


def test_file_beside_the_campaign_is_read_from_anywhere(
    campaign: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = only_pair(campaign(WHOLE))
    monkeypatch.chdir("/")
    assert pair.structure is not None and pair.structure.node is None
    assert pair.parameters == {"repeat": [1, 1], "seed": 1}
    assert len(pair.structure.atoms) == 72
    assert pair.structure.origin["format"] == "extxyz" and pair.structure.origin["index"] == -1
    assert len(pair.structure.origin["sha256"]) == 64
    assert Path(pair.structure.origin["path"]).is_absolute()


def test_elements_are_those_of_structure_and_liquid(campaign: Callable[..., Path]) -> None:
    path = campaign({"recipe": "file", "file": "slab.cif", "molecules": 20, "repeat": [3, 3]})
    loaded = load_campaign(path)
    assert loaded.interfaces["mine"].elements() == {"Cu", "H", "O"}
    # As with any interface: the model does not know copper.
    with pytest.raises(CampaignError, match="does not know Cu, which the interface `mine` holds"):
        check_campaign(loaded, path)


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "file missing": ({"file": "none.cif"}, "interfaces.mine.file: there is no file "),
    "a folder": ({"file": "."}, "interfaces.mine.file: there is no file "),
    "no structure file": ({"file": "wrong.yaml"}, "interfaces.mine.file: ase cannot read wrong.yaml"),
    "no such frame": ({"file": "film.extxyz", "index": 4}, "interfaces.mine.file: film.extxyz has no frame 4"),
    "no cell": ({"file": "nocell.xyz"}, "interfaces.mine.file: the structure has no cell"),
    "bulk": ({"file": "bulk.extxyz", "molecules": 20}, "interfaces.mine.file: the structure is nowhere empty along z"),
    "no solvent": ({"file": "slab.cif"}, "interfaces.mine.file: the structure holds no molecule of"),
    "too small": ({"file": "slab.cif", "molecules": 20}, "interfaces.mine.file: the cell is 2.2 Å wide"),
    "neither": ({}, "interfaces.mine.file: is missing; name a structure file"),
    "both": ({"file": "film.extxyz", "structure": 3}, "interfaces.mine.file: does not go with `structure`"),
    "index of a node": ({"structure": 3, "index": 0}, "interfaces.mine.index: does not go with `structure`"),
    "index is a text": (
        {"file": "film.extxyz", "index": "last"},
        "interfaces.mine.index: 'last' is not a whole number",
    ),
    "file is a number": ({"file": 3}, "interfaces.mine.file: 3 is not a text"),
    "structure is true": ({"structure": True}, "interfaces.mine.structure: true is not a text"),
    "unprintable": ({"file": "a\x07"}, "interfaces.mine.file: "),
    "unknown key": ({"file": "film.extxyz", "solvnt": "water"}, "interfaces.mine.solvnt: unknown key; did you mean"),
    "salt of a whole": ({"file": "film.extxyz", "salt": {"NaCl": 1}}, "interfaces.mine: `salt` is for a liquid"),
    "vacuum": ({"file": "film.extxyz", "vacuum": 3}, "interfaces.mine.vacuum: 3 is too small"),
    "no profile": ({"structure": 3}, "interfaces.mine.structure: nodes cannot be looked up here"),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_structure_is_refused(case: str, campaign: Callable[..., Path]) -> None:
    given, expected = CASES[case]
    path = campaign({"recipe": "file", **given})
    (path.parent / "nocell.xyz").write_text("1\n\nO 0 0 0\n")
    crystal = FileRecipe.structures()[0]
    crystal.cell[2, 2] = 4 * 3.615 / 3**0.5
    save(path.parent / "bulk.extxyz", crystal.repeat((4, 4, 1)))
    assert refusal(path).startswith(expected)


def test_other_recipes_have_no_file(campaign: Callable[..., Path]) -> None:
    path = campaign({"recipe": "film", "molecules": 24, "lateral": 7.0, "file": "film.extxyz"})
    assert refusal(path).startswith("interfaces.mine.file: unknown key")


def test_node_is_looked_up_by_whoever_can(campaign: Callable[..., Path]) -> None:
    asked: list[str] = []

    def find(identifier: str) -> Atoms:
        asked.append(identifier)
        return film()

    by_pk = only_pair(campaign({"recipe": "file", "structure": 12}), find)
    by_uuid = only_pair(campaign({"recipe": "file", "structure": "0a1b"}), find)
    assert asked == ["12", "0a1b"]
    assert by_pk.structure is not None and by_pk.structure.node == "12"
    # The same structure is the same pair, whatever it is called and wherever it is kept.
    assert by_pk.fingerprint == by_uuid.fingerprint == only_pair(campaign(WHOLE)).fingerprint

    def lost(identifier: str) -> Atoms:
        raise LookupError(f"the profile has no node {identifier}; name another.")

    sentence = refusal(campaign({"recipe": "file", "structure": 12}), lost)
    assert sentence == "interfaces.mine.structure: the profile has no node 12; name another."


def test_fingerprint_follows_the_content(campaign: Callable[..., Path]) -> None:
    path = campaign(WHOLE)
    before = only_pair(path).fingerprint
    place = path.parent / "film.extxyz"
    atoms = read(place)
    changes: list[Callable[[Atoms], Any]] = [
        lambda a: a.positions.__setitem__((5, 0), a.positions[5, 0] + 1e-6),
        lambda a: a.cell.__setitem__((2, 2), a.cell[2, 2] + 1e-6),
        lambda a: a.set_atomic_numbers(a.numbers),
    ]
    found = []
    for change in changes:
        moved = atoms.copy()
        change(moved)
        save(place, moved)
        found.append(only_pair(path).fingerprint)
    assert found[0] != before and found[1] != before and found[0] != found[1]
    assert found[2] == before
    # Elsewhere, in another format and with other frames beside it.
    save(path.parent / "other.traj", [film(30), atoms])
    assert only_pair(campaign({"recipe": "file", "file": "other.traj"})).fingerprint == before
    assert only_pair(campaign({"recipe": "file", "file": "other.traj", "index": 0})).fingerprint != before
    assert only_pair(campaign({**WHOLE, "vacuum": 30.0})).fingerprint != before


def test_content_is_rounded_and_has_no_negative_zero() -> None:
    one, other = film(), film()
    other.positions += 1e-10
    one.positions[0, 0], other.positions[0, 0] = 0.0, -1e-12
    assert structure_content(one) == structure_content(other)
    assert not any(np.signbit(value) for row in structure_content(other)["positions"][:1] for value in row[:1])
    assert structure_content(one) != structure_content(one[::-1])


def test_fingerprint_of_other_recipes_is_what_it_was() -> None:
    """That of a film before structures existed, of version 2: finished results stay in force."""
    film = Pair(
        interface="a",
        recipe="film",
        parameters={"molecules": 24, "lateral": 7.0},
        mlip="m",
        family="mace",
        path=Path("m.model"),
        sha256="0" * 64,
        kwargs={},
        md={"steps": 1000, "walltime": 60},
        selection={"uniform": 1},
        gap={"protocol": "fast", "ranks": 1},
        seed=1,
    )
    assert FINGERPRINT_VERSION == 2
    assert film.fingerprint == "18d9992247016bb0963131dd83d49cfac9dba9f17e0f5cbf3dea06702e180d29"


def test_elements_before_the_structure_is_there(good: dict[str, Any]) -> None:
    from aiida_falsemetal.campaign.schema import parse_campaign

    unresolved = parse_campaign({**good, "interfaces": {"mine": WHOLE}})
    with pytest.raises(InterfaceError, match="needs a structure"):
        unresolved.interfaces["mine"].elements()

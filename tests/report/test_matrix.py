"""The matrix in a terminal: the page's signs and words, readable without colour at any width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console

from aiida_falsemetal.report.matrix import fitted, matrix, squares
from aiida_falsemetal.report.text import SYMBOLS


@dataclass
class Item:
    """How far a pair is."""

    interface: str
    mlip: str
    seed: int | None
    stage: str
    detail: str

    @property
    def over(self) -> bool:
        return self.stage in ("done", "failed")


def pair(pk: int, interface: str, mlip: str, seed: int = 1, **more: Any) -> dict[str, Any]:
    state = "finished" if more.get("verdict") or more.get("exit_code") else "waiting"
    labels = {"interface": interface, "mlip": mlip, "seed": seed, "pair_pk": pk, "campaign": "c"}
    return {"state": state, "exit_code": None, "exit_message": "", **labels, **more}


def frame(pk: int, gap: float | None, code: int | None = 0, metallic: bool = False) -> dict[str, Any]:
    return {"pair_pk": pk, "gap": gap, "exit_code": code, "metallic": metallic, "probability": 0.5, "stratum": 1}


def text(view: Any, width: int) -> str:
    """What a terminal without colour shows."""
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(view)
    found = captured.get()
    assert all(len(line) <= width for line in found.splitlines())
    return found


def words(view: Any, width: int) -> str:
    return " ".join(text(view, width).split())


def example() -> list[Any]:
    pairs = [
        pair(1, "film", "a", verdict="false metallization", reason="Wide.", exit_code=0),
        pair(2, "film", "b"),
        pair(3, "film", "c", exit_code=310, exit_message="The MD could not be run."),
        pair(4, "film", "d", seed=1, verdict="undecided", exit_code=0),
        pair(5, "film", "d", seed=2),
    ]
    frames = [frame(1, 0.05, metallic=True), frame(1, 3.0), frame(1, None, 410), frame(2, 3.5), frame(2, None, None)]
    stages = [
        Item("film", "a", 1, "done", "false metallization"),
        Item("film", "b", 1, "gaps", "gaps 1/2"),
        Item("film", "c", 1, "failed", "failed [310]"),
        Item("film", "d", 1, "done", "undecided"),
        Item("film", "d", 2, "MD", "MD 43 %"),
        Item("film", "e", None, "waiting", "queued"),
    ]
    return squares(frames, pairs, [], stages)


def test_what_each_cell_says() -> None:
    said = {square.mlip: square.lines() for square in example()}
    assert said["a"] == ["■ false metallization", "1 / 2 / 3 (1 failed)", "min gap 0.05 eV"]
    assert said["b"] == ["… gaps 1/2", "0 / 1 / 2 (1 waiting)", "min gap 3.50 eV so far"]
    assert said["c"] == ["× failed"]
    assert said["d"] == ["… 1 of 2 seeds done", "seed 2: MD 43 %"]
    assert said["e"] == ["… queued"]


def test_seeds_of_a_batch() -> None:
    """They wait for their process, but not for their MD."""
    details = ["queued", "MD 43 %, batch of 2", "MD 43 %, batch of 2"]
    (square,) = squares([], [], [], [Item("film", "a", None, "waiting", detail) for detail in details])
    assert square.lines()[0] == "… MD 43 %, batch of 2"
    (square,) = squares([], [], [], [Item("film", "a", None, "waiting", "queued") for _ in range(3)])
    assert square.lines() == ["… queued, 3 seeds"]


def test_verdicts_of_all_seeds_together() -> None:
    cells = [{"interface": "film", "mlip": "a", "verdict": "safe", "seeds": 2, "selected": 6, "converged": 6}]
    cells[0].update(metallic=0, failed={}, min_gap=2.0, reason="")
    pairs = [pair(seed, "film", "a", seed, verdict="undecided", exit_code=0) for seed in (1, 2)]
    stages = [Item("film", "a", seed, "done", "undecided") for seed in (1, 2)]
    (square,) = squares([], pairs, cells, stages)
    assert square.lines() == ["□ safe", "2 seeds", "0 / 6 / 6", "min gap 2.00 eV"]
    stages.append(Item("film", "a", 3, "MD", "MD 7 %"))
    (square,) = squares([], [*pairs, pair(9, "film", "a", 3)], cells, stages)
    assert square.lines() == ["□ safe", "2 of 3 seeds", "seed 3: MD 7 %", "0 / 6 / 6", "min gap 2.00 eV so far"]


@pytest.mark.parametrize("width", [200, 100, 80, 60, 40, 24])
@pytest.mark.parametrize("short", [False, True])
def test_nothing_is_lost_at_any_width(width: int, short: bool) -> None:
    found = words(matrix(example(), width, short), width)
    for word in ("■", "…", "×", "gaps 1/2", "0.05"):
        assert word in found
    if not short:
        assert "■ false metallization" in found and "1 / 2 / 3 (1 failed)" in found


def many(count: int) -> list[Any]:
    names = [f"model-{number:02d}-with-a-name" for number in range(count)]
    pairs = [pair(number, "film", name, verdict="safe", exit_code=0) for number, name in enumerate(names[2:])]
    stages = [Item("film", names[0], 1, "MD", "MD 43 %"), Item("film", names[1], None, "waiting", "queued")]
    stages += [Item("film", name, 1, "done", "safe") for name in names[2:]]
    return squares([], pairs, [], stages)


@pytest.mark.parametrize("width", [80, 40])
def test_forty_models_follow_in_blocks(width: int) -> None:
    shown = text(matrix(many(40), width), width)
    assert shown.count("□ safe") == 38 and shown.count("MD 43 %") == 1
    assert "".join(shown.split()).count("model-39-with-a-name") == 1


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 24), (80, 8)])
def test_a_picture_fits_the_terminal(width: int, height: int) -> None:
    """Where not all cells have room, those under way have it, and the others are counted."""
    console = Console(width=width, color_system=None, force_terminal=False)
    view = fitted(many(40), console, height)
    shown = text(view, width)
    assert len(shown.splitlines()) <= height
    assert "MD 43 %" in shown or "MD 4…" in shown
    assert "38 □ safe" in shown


def test_labels_of_others_move_no_cursor() -> None:
    bad = "a\x1b[2J[red]b"
    (square,) = squares([], [], [], [Item(bad, bad, 1, "MD", f"MD {bad}")])
    for view in (matrix([square], 80), matrix([square], 20), matrix([square], 80, short=True)):
        shown = text(view, 80 if view is not None else 20)
        assert "\x1b" not in shown and "[red]" in "".join(shown.split())


def test_signs_are_those_of_the_page() -> None:
    from aiida_falsemetal.report import page

    assert page.SYMBOLS is SYMBOLS


def test_a_campaign_without_pairs() -> None:
    assert words(matrix([], 80), 80) == "no pairs yet"

"""What a page shows of a campaign that is too large for it, and that the files beside it have all."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_falsemetal.report import budget, embed
from aiida_falsemetal.report.budget import drawn_pairs, frames_of_page
from aiida_falsemetal.report.data import csv_text, json_text, plain
from aiida_falsemetal.report.summary import summarize

from .embedded import numbers_of
from .large import large_campaign

ROWS: list[dict[str, Any]] = [
    {"gap": 0.1 * (place % 50) if place % 7 else None, "metallic": place % 50 == 0 and place % 7 > 0}
    for place in range(400)
]


def test_half_are_the_most_telling_and_half_are_of_the_others() -> None:
    places = frames_of_page(ROWS, 40)
    assert len(places) == len(set(places)) == 40 and places == sorted(places)
    gaps = sorted(row["gap"] for row in ROWS if row["gap"] is not None)
    shown = sorted(ROWS[place]["gap"] for place in places if ROWS[place]["gap"] is not None)
    assert shown[:20] == gaps[:20]
    assert shown[-1] > 4.0 and any(ROWS[place]["gap"] is None for place in places)
    assert frames_of_page(ROWS, 400) == list(range(400)) and frames_of_page([], 40) == []


def test_a_page_that_cannot_hold_all_says_so_and_the_files_have_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = large_campaign(120, 6, samples=200)
    whole = campaign.write(tmp_path / "whole").read_text(encoding="utf-8")
    assert "This page marks and lists" not in whole and "Figures of" not in whole
    monkeypatch.setattr(budget, "FRAMES", 30)
    monkeypatch.setattr(budget, "PAIRS", 2)
    monkeypatch.setattr(embed, "LINKED", 20)
    page = campaign.write(tmp_path / "part").read_text(encoding="utf-8")
    assert page.count("This page marks and lists 30 of 120 frames") == 2
    assert page.count("Figures of 2 of 6 pairs") == 2
    assert page.count('<figure class="pair">') == page.count('<figure class="energy">') == 2
    held = set(numbers_of(page, "facts")["names"])
    assert numbers_of(page, "facts")["every"] == 120 and len(held) == 30
    assert numbers_of(page, "data")["frames"]["number"] == 30
    marked = {name for names in re.findall(r'data-frames="([^"]*)"', page) for name in names.split()}
    assert marked and marked <= held
    # Tables, sentences and counts are those of all frames.
    assert re.findall(r"<figure class=\"wide\">.*?<p>(.*?)</p>", page, re.DOTALL) == re.findall(
        r"<figure class=\"wide\">.*?<p>(.*?)</p>", whole, re.DOTALL
    )
    for name in ("results.json", "results.csv", "cells.csv"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert len(list(csv.DictReader((tmp_path / "part" / "results.csv").open()))) == 120


def test_pairs_are_drawn_by_verdict_then_by_gap() -> None:
    statuses = ["safe", "undecided", "false metallization", "safe", "undecided"]
    rows = [{"pair_pk": pk, "gap": gap} for pk, gap in enumerate((3.0, 2.0, 1.0, 0.5, 1.5))]
    pairs = [{"pair_pk": pk, "verdict": status, "reason": "", "exit_code": 0} for pk, status in enumerate(statuses)]
    found = summarize(rows, pairs)
    assert drawn_pairs(found, 1) == {2} and drawn_pairs(found, 2) == {2, 4} and drawn_pairs(found, 4) == {1, 2, 3, 4}


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3))
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_json_is_what_the_standard_library_writes(document: Any) -> None:
    assert json_text(document) == json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    assert plain(document) == document


def test_flat_rows_are_made_strict_too() -> None:
    assert plain({"a": float("nan"), 1: float("inf"), "b": True}) == {"a": None, "1": None, "b": True}
    rows = [{"a": 1, "b": [1, {"c": None}]}, {"z": "x,y", "a": None}]
    assert csv_text(rows, ("a", "q")) == 'a,q,b,z\n1,,"[1, {""c"": null}]",\n,,,"x,y"\n'

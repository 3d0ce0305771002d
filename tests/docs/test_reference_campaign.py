"""The page of the reference campaign says what its archive says, and shows all that is made of it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from ..report.embedded import numbers_of
from ..report.test_embed import rows_of
from .plan import ROOT

sys.path.insert(0, str(ROOT / "docs"))

import make_reference  # noqa: E402

IMAGE = re.compile(r"\(images/reference/(\w[\w-]*)\.svg\)")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the archive, without its drawings."""
    folder = tmp_path_factory.mktemp("report")
    make_reference.write_report(make_reference.ARCHIVE, folder, drawn="auto")
    return folder


def test_every_table_is_the_archives(report: Path) -> None:
    """Also none is missing and none has lost its place: `make reference` mends it."""
    made = make_reference.tables(make_reference.ARCHIVE, report)
    page = make_reference.PAGE.read_text()
    assert make_reference.with_tables(page, made) == page
    assert all(len(table.splitlines()) > 2 for table in made.values())


def test_the_report_beside_the_page_is_the_archives(report: Path) -> None:
    """All its numbers."""
    page = make_reference.REPORT.read_text()
    assert 'href="figures/' not in page, "it links to files that do not come with it"
    shown = numbers_of(page, "data")
    assert shown | {"frames": rows_of(shown["frames"])} == json.loads((report / "results.json").read_text())


def test_a_table_without_a_place_is_named() -> None:
    with pytest.raises(ValueError, match="has places for .*'a'.*, and there are tables .*'b'"):
        make_reference.with_tables("<!-- table: a -->\n\n\n<!-- end -->\n", {"b": "| x |\n"})


def test_every_image_is_shown_and_is_there() -> None:
    shown = set(IMAGE.findall(make_reference.PAGE.read_text()))
    assert shown == {path.stem for path in make_reference.IMAGES.iterdir()}


def test_there_are_edges_of_three_metallized_and_three_intact_frames(report: Path) -> None:
    found = make_reference.told.edges(report)
    assert {state: len(frames) for state, frames in found.items()} == {"metallized": 3, "intact": 3}

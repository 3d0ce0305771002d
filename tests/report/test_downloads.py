"""What the page hands out: all in one file as far as it fits, and a word where it does not."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from aiida_falsemetal.report import downloads
from aiida_falsemetal.report.build import build_report
from aiida_falsemetal.report.data import plain
from aiida_falsemetal.report.downloads import Downloads
from aiida_falsemetal.report.methods.citations import parse
from aiida_falsemetal.report.publication import Published, collect, publish
from aiida_falsemetal.report.publication.numbers import json_text

from .conftest import Campaign

SVG, PDF = b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4\n%%EOF\n"


class Links(HTMLParser):
    """Links that download, buttons for numbers, and the numbers that the page holds."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self.buttons: dict[str, str] = {}
        self.held: dict[str, str] = {}
        self._id = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        if tag == "a" and "download" in found:
            self.links[found["download"]] = found["href"]
        if tag == "button" and "data-from" in found:
            self.buttons[found["data-name"]] = found["data-from"]
        self._id = found.get("id", "") if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._id.startswith("numbers-"):
            self.held[self._id] = self.held.get(self._id, "") + data


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing is the subject of test_publication.py; here a figure is some bytes."""
    monkeypatch.setattr(collect, "_draw", lambda *_: (SVG, PDF))


def written(folder: Path, given: Campaign, figures: Any = "all", **more: Any) -> Links:
    arguments = (given.rows, given.pairs, given.series, given.settings, given.cells, given.laws)
    page = build_report(folder, "water", *arguments, figures=figures, **more)
    return Links(page.read_text(encoding="utf-8"))


def figures_of(given: Campaign) -> list[Published]:
    parts = {name: plain(getattr(given, name)) for name in ("pairs", "cells", "laws")}
    return publish({"frames": plain(given.rows), **parts}, given.series, {}, "all")


def test_every_figure_has_its_files_beside_the_page_and_in_it(tmp_path: Path, campaign: Campaign) -> None:
    found = written(tmp_path, campaign)
    figures = figures_of(campaign)
    names = {f"{figure.stem}.{end}" for figure in figures for end in ("csv", "json", "svg", "pdf")}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == names
    assert {path.name for path in tmp_path.iterdir()} == {
        *("figures", "report.html", "results.json", "results.csv", "cells.csv")
    }
    assert {*found.links, *found.buttons} - {"methods.bib"} == names
    for name, address in found.links.items():
        kind, data = re.fullmatch(r"data:([^;]+);base64,(.*)", address).groups()  # type: ignore[union-attr]
        wanted = {".svg": ("image/svg+xml", SVG), ".pdf": ("application/pdf", PDF)}.get(Path(name).suffix)
        if wanted:
            assert (kind, base64.b64decode(data)) == wanted == (kind, (tmp_path / "figures" / name).read_bytes())
    for name, place in found.buttons.items():
        held = gzip.decompress(base64.b64decode(found.held[place]))
        assert held == (tmp_path / "figures" / name).with_suffix(".json").read_bytes()


def test_the_page_is_the_same_every_time(tmp_path: Path, campaign: Campaign) -> None:
    for folder in ("one", "two"):
        written(tmp_path / folder, campaign)
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_without_figures_the_numbers_are_there_all_the_same(tmp_path: Path, campaign: Campaign) -> None:
    found = written(tmp_path, campaign, "none")
    assert not (tmp_path / "figures").exists()
    assert set(found.links) == {"methods.bib"}
    assert set(found.buttons) == {f"{figure.stem}.{end}" for figure in figures_of(campaign) for end in ("csv", "json")}


def test_what_does_not_fit_is_a_link_that_says_so(
    tmp_path: Path, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = figures_of(campaign)
    few = len(base64.b64encode(gzip.compress(json_text(figures[0].numbers).encode(), mtime=0)))
    monkeypatch.setattr(downloads, "NUMBERS", few)
    monkeypatch.setattr(downloads, "DRAWINGS", len(downloads.data_address("svg", SVG)))
    found = written(tmp_path, campaign)
    first, second = figures[0].stem, figures[1].stem
    assert set(found.buttons) == {f"{first}.csv", f"{first}.json"}
    assert found.links[f"{first}.svg"].startswith("data:image/svg+xml;base64,")
    for name in (f"{first}.pdf", *(f"{second}.{end}" for end in ("csv", "json", "svg", "pdf"))):
        assert found.links[name] == f"figures/{name}" and (tmp_path / "figures" / name).is_file()
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("needs the folder figures beside this page") == len(figures)
    # Without a folder there is nothing to link to.
    assert "figures/" not in "".join(written(tmp_path / "none", campaign, "none").links.values())
    assert "written with --figures auto" in (tmp_path / "none" / "report.html").read_text(encoding="utf-8")


def test_widths_have_a_section_where_films_differ_in_thickness(tmp_path: Path, campaign: Campaign) -> None:
    written(tmp_path, campaign)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<section id="widths"' in page
    assert f'<img class="drawn" src="data:image/svg+xml;base64,{base64.b64encode(SVG).decode()}" alt="">' in page
    written(tmp_path / "none", campaign, "none")
    assert 'class="drawn"' not in (tmp_path / "none" / "report.html").read_text(encoding="utf-8").partition("<main")[2]
    film = campaign.rows[0]["interface"]
    rows, pairs, cells = (
        [row for row in found if row["interface"] == film] for found in (campaign.rows, campaign.pairs, campaign.cells)
    )
    written(tmp_path / "one", Campaign(rows, pairs, campaign.series, campaign.settings, cells, campaign.laws[:1]))
    assert '<section id="widths"' not in (tmp_path / "one" / "report.html").read_text(encoding="utf-8")


def test_layers_have_a_section_where_they_were_computed(tmp_path: Path, campaign: Campaign) -> None:
    frame = next(row for row in campaign.rows if row["gap"] is not None)
    layers = {frame["gap_pk"]: dict.fromkeys(("z", "vbm", "cbm", "centre", "content"), [0.0, 1.0])}
    found = written(tmp_path, campaign, layers=layers)
    stem = f"layers_{frame['interface']}_{frame['mlip']}_seed{frame['seed']}_step{frame['step']}"
    assert f"{stem}.pdf" in found.links and f"{stem}.csv" in found.buttons
    assert '<section id="layer-figures"' in (tmp_path / "report.html").read_text(encoding="utf-8")
    written(tmp_path / "without", campaign)
    assert 'id="layer-figures"' not in (tmp_path / "without" / "report.html").read_text(encoding="utf-8")


def test_the_methods_are_on_the_page_with_their_works(tmp_path: Path, campaign: Campaign) -> None:
    found = written(tmp_path, campaign)
    kind, _, data = found.links["methods.bib"].partition(";base64,")
    assert kind == "data:application/x-bibtex" and "parker2026" in parse(base64.b64decode(data).decode())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Molecular dynamics was run in the NVT ensemble at 300 K." in page
    assert r"~\cite{parker2026}" in page and "[@parker2026]" in page


def test_what_is_recorded_is_in_the_json_and_not_in_the_list_of_settings(tmp_path: Path, campaign: Campaign) -> None:
    campaign.settings = {**campaign.settings, "recorded": {"pw_versions": ["7.4"]}}
    written(tmp_path, campaign, "none")
    assert json.loads((tmp_path / "results.json").read_text())["settings"]["recorded"] == {"pw_versions": ["7.4"]}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<dt>recorded" not in page and "Quantum ESPRESSO 7.4" in page


@pytest.mark.parametrize("label", ["</script><script>alert(1)</script>", '"><img src=x>', "../../x", "a&b"])
def test_a_label_stays_text(tmp_path: Path, campaign: Campaign, label: str) -> None:
    for row in [*campaign.rows, *campaign.pairs, *campaign.cells, *campaign.laws]:
        row["interface"] = label
    written(tmp_path / "report", campaign)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "<img" not in page
    names = [path.name for path in (tmp_path / "report" / "figures").iterdir()]
    assert names and all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in names)
    assert {path.name for path in tmp_path.iterdir()} == {"report"}


def test_no_figure_no_line() -> None:
    assert Downloads((), folder=True).line("gaps", "film") == ""

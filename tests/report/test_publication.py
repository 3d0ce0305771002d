"""Figures for papers: drawn from the numbers that are written beside them, the same every time, readable in print."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_falsemetal.physics import missing_energy
from aiida_falsemetal.physics.gaplaw import BREAKDOWN
from aiida_falsemetal.report.data import plain
from aiida_falsemetal.report.publication import MOST, Choice, Published, collect, gaps, publish
from aiida_falsemetal.report.publication.collect import named
from aiida_falsemetal.report.publication.numbers import (
    BEGINNING,
    LONGEST,
    Column,
    Numbers,
    Part,
    csv_text,
    json_text,
    stems,
)
from aiida_falsemetal.report.publication.style import COLOURS, MARKERS, WIDTH

from .conftest import Campaign, whole_campaign

SVG = "{http://www.w3.org/2000/svg}"
POINT = 1.0 / 72.0
AXES = {
    "verdicts": (),
    "widths": ("sd of Mz/(ε₀A) (V)", "observed / expected", "thickness (Å)"),
    "gaps": ("potential drop |Mz|/(ε₀A) (V)", "gap (eV)"),
    "dipoles": ("time (ps)", "Mz/A (10⁻³ e/Å)", "density (Å/e)"),
    "energies": ("ε∞Mz²/(2ε₀Ad) (eV)", "E(DFT) − E(MLIP) − const. (eV)"),
    "layers": ("height z (Å)", "E − EF (eV)"),
}
"""What the axes of each kind must say."""


def document(given: Campaign) -> dict[str, Any]:
    return {
        "campaign": "water",
        "settings": given.settings,
        **{name: plain(getattr(given, name)) for name in ("pairs", "cells", "laws")},
        "frames": plain(given.rows),
    }


def layers_of(frame: dict[str, Any]) -> dict[str, np.ndarray]:
    """A film of 36 Å whose bands are tilted; its rims have no edges."""
    z = np.linspace(-20.0, 20.0, 81)
    full = np.abs(z) < 18.0
    values = {"vbm": frame["vbm"] - 2.0, "cbm": frame["cbm"] + 2.0, "centre": frame["vbm"] - 6.0}
    edges = {name: np.where(full, value + 0.1 * z, np.nan) for name, value in values.items()}
    return {"z": z, **edges, "content": np.where(full, 3.0, 0.0)}


def with_layers(given: Campaign) -> tuple[dict[str, Any], dict[int, dict[str, np.ndarray]]]:
    frame = next(row for row in given.rows if row["gap"] is not None)
    frame.update(vbm_z=4.0, cbm_z=-5.0)
    return frame, {frame["gap_pk"]: layers_of(frame)}


def published(given: Campaign, choice: Choice = "none") -> list[Published]:
    _, layers = with_layers(given)
    return publish(document(given), given.series, layers, choice)


@cache
def drawn() -> dict[str, Published]:
    """The first figure of each kind, drawn. But for the widths of one pair and one film, to save time."""
    whole = whole_campaign()
    pair = whole.pairs[0]
    rows = [dict(row) for row in whole.rows if row["interface"] == pair["interface"]]
    one = Campaign(rows, [pair], whole.series, whole.settings, whole.cells, whole.laws[:1])
    (widths,) = (plan for plan in collect.plans(document(whole), {}, {}, "auto") if "width" in str(plan.make))
    found = {figure.numbers.kind: figure for figure in reversed(published(one, "all"))}
    return {**found, "widths": named([widths.carried_out()])[0]}


def rows_of(figure: Published, part: str) -> list[dict[str, str]]:
    lines = csv.DictReader(io.StringIO(csv_text(figure.numbers)))
    return [row for row in lines if row["part"] == part]


def find(figures: list[Published], kind: str, key: Any = None) -> Published:
    return next(figure for figure in figures if (figure.numbers.kind, figure.numbers.key) == (kind, key))


def texts(figure: Published) -> list[str]:
    """Every text of the SVG, its pieces joined."""
    assert figure.svg is not None
    return ["".join(node.itertext()) for node in ET.fromstring(figure.svg).iter(f"{SVG}text")]


def test_gaps_are_those_of_the_rows(campaign: Campaign) -> None:
    film = campaign.rows[0]["interface"]
    figure = find(published(campaign), "gaps", film)
    mine = [row for row in campaign.rows if row["interface"] == film and row["expected_drop"] is not None]
    computed = [row for row in mine if row["gap"] is not None]
    failed = [row for row in mine if row["gap"] is None and row["exit_code"] is not None]
    found = rows_of(figure, "frame")
    assert [(row["mlip"], int(row["step"])) for row in found] == [(row["mlip"], row["step"]) for row in computed]
    for key, heading in (("expected_drop", "expected_drop (V)"), ("drop", "drop (V)"), ("gap", "gap (eV)")):
        assert [float(row[heading]) for row in found] == [row[key] for row in computed]
    assert [row["metallic"] == "True" for row in found] == [row["metallic"] for row in computed]
    lost = rows_of(figure, "failed frame")
    assert len(lost) == len(failed) > 0 and {row["gap (eV)"] for row in lost} == {""}
    assert [row["exit_code"] for row in lost] == [str(row["exit_code"]) for row in failed]


def test_the_law_and_its_interval_are_those_of_the_graph(campaign: Campaign) -> None:
    law = campaign.laws[0]
    law["predicted"] = {"drop": [0.0, 1.0, 99.0], "low": [3.0, 2.0, 0.0], "high": [5.0, 4.0, 0.1], "confidence": 0.95}
    figure = find(published(campaign), "gaps", law["interface"])
    line = rows_of(figure, "law")
    assert float(line[0]["gap (eV)"]) == law["intercept"] and float(line[1]["gap (eV)"]) == pytest.approx(
        0.0, abs=1e-12
    )
    assert float(line[1]["expected_drop (V)"]) == pytest.approx(law["intercept"] / law["slope"])
    band = rows_of(figure, "law interval")
    assert [(float(row["gap_low (eV)"]), float(row["gap_high (eV)"])) for row in band] == [(3.0, 5.0), (2.0, 4.0)]
    told = json.loads(json_text(figure.numbers))["parameters"]
    assert told["slope"] == {"value": -law["slope"], "unit": "eV/V"}
    assert told["slope_low"]["value"] == -law["slope_high"] and told["confidence"]["value"] == 0.95


def test_every_sample_of_the_dipole_is_in_the_numbers(campaign: Campaign) -> None:
    pair = campaign.pairs[0]
    series = campaign.series[pair["pair_pk"]]
    figure = find(published(campaign), "dipoles", pair["pair_pk"])
    samples = rows_of(figure, "series")
    assert [float(row["time_ps (ps)"]) for row in samples] == series["time_ps"].tolist()
    assert [float(row["Mz_per_area (e/Å)"]) for row in samples] == (series["dipole_z"] / pair["area"]).tolist()
    frames = [row for row in campaign.rows if row["pair_pk"] == pair["pair_pk"]]
    assert [float(row["Mz_per_area (e/Å)"]) for row in rows_of(figure, "frame")] == [r["Mz_per_area"] for r in frames]
    told = json.loads(json_text(figure.numbers))["parameters"]
    assert told["window"] == {"value": BREAKDOWN, "unit": "e/Å"}
    assert told["expected_sd_Mz_per_area"]["value"] == pair["expected_sd_Mz_per_area"]
    bins = rows_of(figure, "histogram")
    widths = [float(row["Mz_per_area_end (e/Å)"]) - float(row["Mz_per_area (e/Å)"]) for row in bins]
    assert sum(width * float(row["density (Å/e)"]) for width, row in zip(widths, bins, strict=True)) == pytest.approx(1)


def test_missing_energy_is_that_of_the_rows(campaign: Campaign) -> None:
    pair = campaign.pairs[0]
    volume = pair["area"] * pair["thickness"]
    frames = [row for row in campaign.rows if row["pair_pk"] == pair["pair_pk"]]
    fitted = missing_energy.of_frames(frames, volume)
    used = [row for row in frames if missing_energy.role(row) == missing_energy.USED]
    figure = find(published(campaign), "energies", pair["pair_pk"])
    found = rows_of(figure, "frame")
    slab = missing_energy.slab_energy(np.array([row["Mz"] for row in used]), volume)
    assert [float(row["slab_energy (eV)"]) for row in found] == slab.tolist()
    wanted = [row["energy"] - row["energy_mlip"] - fitted.intercept for row in used]
    assert [float(row["difference (eV)"]) for row in found] == pytest.approx(wanted)
    end = rows_of(figure, "fit")[1]
    assert float(end["difference (eV)"]) == pytest.approx(fitted.slope * float(end["slab_energy (eV)"]))
    assert json.loads(json_text(figure.numbers))["parameters"]["slope_low"]["value"] == fitted.low


def test_verdicts_are_those_of_the_cells(campaign: Campaign) -> None:
    found = rows_of(find(published(campaign), "verdicts"), "cell")
    assert len(found) == 6
    told = {(row["interface"], row["mlip"]): row for row in found}
    for cell in campaign.cells:
        row = told[cell["interface"], cell["mlip"]]
        assert row["verdict"] == cell["verdict"] and float(row["metallized"]) == cell["metallized"]
    assert told["film-25A", "polar-mace"]["verdict"] == "unfinished"


def test_layers_have_empty_cells_where_there_are_no_edges(campaign: Campaign) -> None:
    frame, layers = with_layers(campaign)
    figure = find(published(campaign), "layers", frame["gap_pk"])
    found = rows_of(figure, "layer")
    given = layers[frame["gap_pk"]]
    assert [row["vbm (eV)"] == "" for row in found] == np.isnan(given["vbm"]).tolist()
    assert [float(row["z (Å)"]) for row in found] == given["z"].tolist()
    parts = json.loads(json_text(figure.numbers))["parts"]
    assert parts[0]["values"]["vbm"][0] is None
    assert json.loads(json_text(figure.numbers))["parameters"]["fermi"] == {"value": frame["fermi"], "unit": "eV"}


def test_csv_and_json_say_the_same(campaign: Campaign) -> None:
    for figure in published(campaign):
        told = json.loads(json_text(figure.numbers))
        assert json_text(figure.numbers).encode().startswith(BEGINNING)  # what tells our files from others
        headings = [f"{c['name']} ({c['unit']})" if c["unit"] else c["name"] for c in told["columns"]]
        lines = list(csv.reader(io.StringIO(csv_text(figure.numbers))))
        assert lines[0] == ["part", *headings]
        length = sum(len(next(iter(part["values"].values()))) for part in told["parts"])
        assert len(lines) - 1 == length > 0
        assert {line[0] for line in lines[1:]} == {part["name"] for part in told["parts"]}


@pytest.mark.parametrize("kind", AXES)
def test_svg_is_xml_with_units_on_its_axes(kind: str) -> None:
    shown = [text.replace("\u200b", "") for text in texts(drawn()[kind])]
    for label in AXES[kind]:
        assert any(label in text for text in shown), (label, shown)
    assert drawn()[kind].svg is not None


def test_many_marks_are_pictures_and_all_else_is_as_before(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    name = campaign.rows[0]["interface"]
    few = find(published(campaign, "auto"), "gaps", name)
    monkeypatch.setattr(gaps, "MARKS", 5)
    many = find(published(campaign, "auto"), "gaps", name)
    assert few.svg is not None and many.svg is not None and few.pdf is not None and many.pdf is not None
    assert (
        few.svg.count(b"<image") == 0 < many.svg.count(b"<image") and many.svg.count(b"<image") <= 2
    )  # frames, failed ones
    assert b"/Subtype /Image" not in few.pdf and b"/Subtype /Image" in many.pdf
    assert texts(few) == texts(many) and few.files.keys() == many.files.keys()
    assert all(few.files[name] == many.files[name] for name in few.files if name.endswith((".csv", ".json")))
    # Those of the legend are left.
    assert many.svg.count(b"<use") < few.svg.count(b"<use")


@pytest.mark.parametrize("kind", AXES)
def test_text_is_readable_in_one_column(kind: str) -> None:
    svg = drawn()[kind].svg
    assert svg is not None
    root = ET.fromstring(svg)
    assert float(root.attrib["width"].removesuffix("pt")) * POINT == pytest.approx(WIDTH, abs=0.01)
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: ?(?:[a-z ]*)?([0-9.]+)px", svg.decode())]
    # Indices are smaller than their line, as everywhere.
    assert sizes and min(sizes) >= 0.7 * 7 - 0.01 and sum(size >= 7 for size in sizes) >= 0.6 * len(sizes)


@pytest.mark.parametrize("kind", AXES)
def test_pdf_has_its_fonts_and_no_date(kind: str) -> None:
    pdf = drawn()[kind].pdf
    assert pdf is not None and pdf.startswith(b"%PDF-1.") and pdf.rstrip().endswith(b"%%EOF")
    start = int(re.findall(rb"startxref\s+(\d+)", pdf)[-1])
    assert pdf[start : start + 4] == b"xref"
    # Type 42: TrueType outlines, which editors take for text; not the bitmaps or curves of type 3.
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf
    assert b"CreationDate" not in pdf and b"<dc:date>" not in (drawn()[kind].svg or b"")


def test_the_same_numbers_give_the_same_bytes() -> None:
    look = collect.looks(["mace-sr-4.5", "polar-mace", "spcfw-ewald"])
    numbers = drawn()["gaps"].numbers
    svg, pdf = collect._draw(numbers, look)
    assert (svg, pdf) == collect._draw(numbers, look)
    # Ids come from a salt: without it they are random, and this would see it.
    assert b"clip-path" in svg or b"<use" in svg


def test_mlips_differ_by_marker_and_colour() -> None:
    found = list(collect.looks([f"mlip-{index}" for index in range(56)]).values())
    assert len(set(found)) == 56 and len(COLOURS) * len(MARKERS) == 56


def test_auto_draws_figures_of_few_pairs_only(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "_draw", lambda *_: (b"<svg/>", b"%PDF"))
    assert all(figure.svg is None for figure in published(campaign, "none"))
    assert all(figure.svg is not None for figure in published(campaign, "auto"))
    last = campaign.pairs[-1]
    campaign.pairs += [{**last, "pair_pk": 90000 + index, "seed": 100 + index} for index in range(MOST)]
    kinds = {figure.numbers.kind for figure in published(campaign, "auto") if figure.svg is not None}
    assert kinds == {"verdicts", "widths", "gaps", "layers"}
    assert all(figure.svg is not None for figure in published(campaign, "all"))
    # The numbers are there for all, whatever is drawn.
    assert len(published(campaign, "auto")) == len(published(campaign, "all"))


def numbers_of(*labels: Any, key: Any = None) -> Numbers:
    return Numbers("gaps", key, labels, "", (), ())


def test_labels_become_names_that_stay_in_the_folder() -> None:
    given = [
        *(numbers_of("film-25A"), numbers_of("FILM-25a"), numbers_of("../../etc/passwd"), numbers_of("a/b\\c\0d\n")),
        *(numbers_of("x" * 500), numbers_of("x" * 500, key=1), numbers_of("Cu(111) | wasser, 25 Å"), numbers_of("")),
        *(numbers_of("a_b", "c"), numbers_of("a", "b_c")),
    ]
    found = stems(given)
    assert found[0] == "gaps_film-25A"
    assert all(re.fullmatch(r"gaps_[A-Za-z0-9._-]*", stem) and len(stem) <= LONGEST for stem in found)
    assert len({stem.casefold() for stem in found}) == len(given)
    assert found == stems(given)
    assert all(Path("figures", f"{stem}.svg").parent == Path("figures") for stem in found)


def test_unequal_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="columns of 'frame' differ in length"):
        Part("frame", "", {"x": [1], "y": []})


def test_what_is_not_a_number_is_empty() -> None:
    values = {"x": [float("nan"), 1.5], "y": [None, float("inf")]}
    numbers = Numbers("gaps", None, (), "", (Column("x", "eV"), Column("y")), (Part("p", "", values),))
    assert csv_text(numbers) == "part,x (eV),y\np,,\np,1.5,\n"
    assert json.loads(json_text(numbers))["parts"][0]["values"] == {"x": [None, 1.5], "y": [None, None]}


def test_an_empty_campaign_has_no_figures() -> None:
    assert published_empty() == []


def published_empty() -> list[Published]:
    return publish({"frames": [], "pairs": [], "cells": [], "laws": []}, {}, {}, "all")

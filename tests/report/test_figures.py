"""What the figures draw, read back from the SVG."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from aiida_falsemetal.physics.gaplaw import BREAKDOWN, INTERCEPT
from aiida_falsemetal.report import figures, svg
from aiida_falsemetal.report import series as dipoles

from .conftest import Campaign


def film(campaign: Campaign, name: str) -> list[dict[str, Any]]:
    return [row for row in campaign.rows if row["interface"] == name]


def draw(rows: list[dict[str, Any]], law: dict[str, Any] | None = None) -> figures.GapFigure:
    look = figures.styles(list(dict.fromkeys(row["mlip"] for row in rows)))
    return figures.gap_figure("gap-0", "film", rows, {id(row): "frame-0" for row in rows}, look, law)


def test_every_frame_has_its_mark(campaign: Campaign) -> None:
    rows = film(campaign, "film-25A")
    drawn = draw(rows)
    root = ElementTree.fromstring(drawn.svg)
    marks = [next(iter(link)).get("class") for link in root.iter("a")]
    computed = [row for row in rows if row["gap"] is not None]
    failed = [row for row in rows if row["exit_code"] == 410]
    assert len(failed) == 2
    assert len([css for css in marks if css != "x"]) == len(computed)
    assert marks.count("x") == len(failed)
    assert len([css for css in marks if "filled" in str(css)]) == sum(bool(row["metallic"]) for row in computed)
    assert "2 failed frames marked × on the axis; 2 frames without a result not shown." in drawn.missing


def test_fit_leaves_closed_gaps_out(campaign: Campaign) -> None:
    """The fixture's law has intercept 4.1 eV and slope -0.97 with 0.2 eV of scatter; 95 % intervals of some 57 frames
    must hold them, which they do for this seed, and must not hold the authors' 4.45."""
    drawn = draw(film(campaign, "film-38A"))
    fit = drawn.fit
    assert fit is not None
    assert fit.intercept_low < 4.1 < fit.intercept_high < INTERCEPT
    assert fit.slope_low < -0.97 < fit.slope_high
    assert "2 metallic frames left out" in drawn.sentence
    assert 'class="fit"' in drawn.svg


def test_calibrated_law_takes_the_place_of_the_fit(campaign: Campaign) -> None:
    law = campaign.laws[1]
    drawn = draw(film(campaign, "film-38A"), {**law, "drop_error": 0.12})
    assert drawn.fit is None and drawn.line == (law["intercept"], -law["slope"])
    for wanted in (
        "Calibrated gap law of PBE from 59 frames, 2 of them metallic: intercept "
        f"{law['intercept']:.2f} [{law['intercept_low']:.2f}, {law['intercept_high']:.2f}] eV",
        f"slope −{law['slope']:.2f} [−{law['slope_high']:.2f}, −{law['slope_low']:.2f}] eV/V",
        "error in the drop, 0.12 V, is allowed for.",
    ):
        assert wanted in drawn.sentence
    # Pixels of the line: its slope is the law's.
    plain = draw(film(campaign, "film-38A"))
    ends = [
        np.array([pair.split(",") for pair in found.split()], dtype=float)
        for svg_text in (drawn.svg, plain.svg)
        for found in re.findall(r'<polyline class="fit" points="([^"]*)"', svg_text)
    ]
    assert len(ends) == 2 and ends[0] == pytest.approx(ends[1], abs=5.0) and not np.array_equal(*ends)


def test_a_law_of_too_few_frames_leaves_the_fit(campaign: Campaign) -> None:
    rows = film(campaign, "film-38A")
    assert draw(rows, {**campaign.laws[1], "intercept": None, "slope": None}) == draw(rows)


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_too_few_frames_for_a_line(campaign: Campaign, keep: int) -> None:
    rows = [row for row in film(campaign, "film-38A") if row["gap"] is not None and not row["metallic"]][:keep]
    drawn = draw(rows)
    assert drawn.fit is None and "No line is fitted" in drawn.sentence and "a line needs three" in drawn.sentence
    assert 'class="fit"' not in drawn.svg and 'class="law"' in drawn.svg


def test_no_spread_no_line(campaign: Campaign) -> None:
    rows = [row for row in film(campaign, "film-38A") if row["gap"] is not None and not row["metallic"]][:5]
    drawn = draw([{**row, "expected_drop": 1.0} for row in rows])
    assert drawn.fit is None and "same x" in drawn.sentence


def test_sign_of_the_drop_does_not_matter(campaign: Campaign) -> None:
    rows = film(campaign, "film-25A")
    mirrored = [
        {**row, "expected_drop": None if row["expected_drop"] is None else -row["expected_drop"]} for row in rows
    ]
    assert draw(rows).svg == draw(mirrored).svg


def test_styles_differ() -> None:
    names = [f"model {index}" for index in range(len(svg.SHAPES) * svg.COLOURS)]
    assert len(set(figures.styles(names).values())) == len(names)


def test_points_lie_where_the_axes_say() -> None:
    plot = svg.Plot("p", (0.0, 10.0), (-1.0, 1.0), "x (V)", "y (eV)")
    plot.line([(0.0, -1.0), (10.0, 1.0), (5.0, 0.0)], "law")
    rendered = plot.render("title", "description")
    found = re.search(r'<polyline class="law" points="([^"]*)"', rendered)
    assert found
    points = np.array([pair.split(",") for pair in found.group(1).split()], dtype=float)
    assert points[0].tolist() == [svg.LEFT, plot.bottom]
    assert points[1].tolist() == [svg.WIDTH - svg.RIGHT, svg.TOP]
    assert points[2] == pytest.approx(points[:2].mean(axis=0), abs=0.01)


@pytest.mark.parametrize(("low", "high"), [(0.0, 5.0), (-0.067, 0.067), (3.0, 3.2), (0.0, 200.0), (-1e-6, 1e-6)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    values, decimals = svg.ticks(low, high)
    assert 3 <= len(values) <= 8
    assert low - 1e-9 <= values[0] and values[-1] <= high + 1e-9
    assert values == pytest.approx([float(f"{value:.{decimals}f}") for value in values], abs=1e-12)


def test_a_range_without_width_is_drawn() -> None:
    plot = svg.Plot("p", (1.0, 1.0), (2.0, 2.0), "x", "y")
    assert "NaN" not in plot.render("t", "d") and plot.px(1.0) == pytest.approx((svg.LEFT + svg.WIDTH - svg.RIGHT) / 2)


def test_envelope_keeps_every_excursion() -> None:
    rng = np.random.default_rng(1)
    value = np.asarray(rng.normal(size=100_000), dtype=np.float64)
    value[4321], value[70_007] = 30.0, -40.0
    time = np.linspace(0.0, 1000.0, len(value))
    drawn = np.array(dipoles.envelope(time, value), dtype=np.float64)
    assert len(drawn) <= 2 * dipoles.BINS
    assert (drawn[:, 1].max(), drawn[:, 1].min()) == (30.0, -40.0)
    assert np.all(np.diff(drawn[:, 0]) > 0)


def test_short_series_are_drawn_whole() -> None:
    time, value = np.arange(5.0), np.array([1.0, 3.0, 2.0, 0.0, 4.0])
    assert dipoles.envelope(time, value) == list(zip(time.tolist(), value.tolist(), strict=True))


def test_statistics_and_histogram_use_the_same_samples(campaign: Campaign) -> None:
    """The spread of the drawn samples is the verdict's, up to its correction for the mean (below 10 % here)."""
    pair = campaign.pairs[0]
    found = dipoles.moment(pair, campaign.series[pair["pair_pk"]])
    assert found is not None and found.start == pytest.approx(10.0)
    assert len(found.counted) == 3800
    assert found.counted.std() == pytest.approx(pair["sd_Mz_per_area"], rel=0.1)
    assert np.mean(np.abs(found.counted) > BREAKDOWN) == pytest.approx(pair["fraction_beyond_window"])


def test_density_is_normalised_like_the_gaussian() -> None:
    rng = np.random.default_rng(2)
    drawn = dipoles.histogram(rng.normal(0.0, 0.004, 50_000))
    assert drawn is not None
    density, edges = drawn
    assert float(density @ np.diff(edges)) == pytest.approx(1.0)
    grid = np.linspace(-0.04, 0.04, 4001)
    assert np.trapezoid(dipoles.gaussian(grid, 0.004), grid) == pytest.approx(1.0, abs=1e-6)
    # 40 bins of 50 000 samples: 1 % statistical, 3 % from the bins' width at the peak.
    assert density.max() == pytest.approx(dipoles.gaussian(np.zeros(1), 0.004)[0], rel=0.06)


@pytest.mark.parametrize("value", [np.zeros(0), np.zeros(100), np.arange(5.0)])
def test_no_histogram_of_nothing(value: np.ndarray) -> None:
    assert dipoles.histogram(value) is None


def test_series_with_holes() -> None:
    series = {"time_ps": np.arange(4.0), "dipole_z": np.array([1.0, np.nan, 3.0, np.inf])}
    found = dipoles.moment({"area": 2.0}, series)
    assert found is not None and found.value.tolist() == [0.5, 1.5] and found.time.tolist() == [0.0, 2.0]
    assert dipoles.moment({"area": None}, series) is None
    assert dipoles.moment({"area": 2.0}, None) is None
    assert dipoles.moment({"area": 2.0}, {"time_ps": np.zeros(0), "dipole_z": np.zeros(0)}) is None

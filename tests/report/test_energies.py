"""What the missing-energy figures draw, read back from the SVG, and what the page says of the pairs' outputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from aiida_falsemetal.physics import missing_energy
from aiida_falsemetal.report import energies, figures, svg

from .conftest import Campaign
from .test_page import Document, page


def draw(pair: dict[str, Any], rows: list[dict[str, Any]]) -> energies.EnergyFigure:
    targets = {id(row): f"frame-{index}" for index, row in enumerate(rows)}
    return energies.energy_figure("energy-0", "film × model", pair, rows, targets, figures.Style("circle", "c0"))


def of(campaign: Campaign, interface: str, mlip: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The first seed's pair and its frames."""
    pair = next(row for row in campaign.pairs if (row["interface"], row["mlip"]) == (interface, mlip))
    return pair, [row for row in campaign.rows if row["pair_pk"] == pair["pair_pk"]]


@pytest.fixture
def short_ranged(campaign: Campaign) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return of(campaign, "film-25A", "mace-sr-4.5")


def marks(drawn: energies.EnergyFigure) -> list[tuple[str, str]]:
    """Element and class of every marker."""
    assert drawn.svg is not None
    return [(next(iter(a)).tag, str(next(iter(a)).get("class"))) for a in ElementTree.fromstring(drawn.svg).iter("a")]


def line(drawn: energies.EnergyFigure, css: str) -> np.ndarray:
    """Pixels of a polyline, shape (n, 2)."""
    found = re.search(rf'<polyline class="{css}" points="([^"]*)"', drawn.svg or "")
    assert found, css
    return np.array([pair.split(",") for pair in found.group(1).split()], dtype=float)


def test_every_frame_with_both_energies_has_its_mark(short_ranged: tuple[Any, Any]) -> None:
    pair, rows = short_ranged
    drawn = marks(draw(pair, rows))
    computed = [row for row in rows if row["energy"] is not None]
    metallic = sum(row["metallic"] for row in computed)
    assert metallic == 2 and len(computed) == 14
    assert drawn.count(("circle", "m c0 open")) == 12
    # By shape and by filling, not by colour alone.
    assert drawn.count(("polygon", "m c0 filled")) == 2
    assert energies.METALLIC_SHAPE not in svg.SHAPES


def test_lines_are_those_of_the_verdict(short_ranged: tuple[Any, Any]) -> None:
    pair, rows = short_ranged
    drawn = draw(pair, rows)
    fit, one, zero = (line(drawn, css) for css in ("fit", "law", "zero"))
    # All three start from the intercept, which is subtracted; slopes are in units of the line of slope 1.
    assert fit[0].tolist() == one[0].tolist() == zero[0].tolist()
    assert zero[0, 1] == zero[1, 1]
    rise = (fit[1, 1] - zero[1, 1]) / (one[1, 1] - zero[1, 1])
    assert rise == pytest.approx(pair["missing_energy_slope"], abs=1e-3)
    assert 0.6 < pair["missing_energy_low"] < 0.9 < pair["missing_energy_high"] < 1.2


def test_points_are_where_their_energies_say(short_ranged: tuple[Any, Any]) -> None:
    """A frame whose energies differ by the intercept plus all of E_slab lies on the line of slope 1."""
    pair, rows = short_ranged
    volume = pair["area"] * pair["thickness"]
    for row in rows:
        if row["energy"] is not None:
            row["energy"] = (
                row["energy_mlip"] - 7.0 + float(missing_energy.slab_energy(np.array([row["Mz"]]), volume)[0])
            )
    drawn = draw(pair, rows)
    one = line(drawn, "law")
    circles = [
        (float(item.attrib["cx"]), float(item.attrib["cy"]))
        for item in ElementTree.fromstring(str(drawn.svg)).iter("circle")
    ]
    slope = (one[1, 1] - one[0, 1]) / (one[1, 0] - one[0, 0])
    for x, y in circles:
        assert y == pytest.approx(one[0, 1] + slope * (x - one[0, 0]), abs=0.05)


def test_sentence_has_slope_and_reach(short_ranged: tuple[Any, Any]) -> None:
    pair, rows = short_ranged
    sentence = draw(pair, rows).sentence
    assert re.match(r"Slope 0\.\d\d \[0\.\d\d, 1\.\d\d\] from 12 frames: consistent with 1, not with 0", sentence)
    assert "left out: 2 metallic, 2 without a DFT energy" in sentence
    # A reach of 9 Å in 25 Å.
    assert "Its reach of 9.0 Å in a film of 25.0 Å allows 0.64 to 1." in sentence
    assert "reach" not in draw({**pair, "long_ranged": True}, rows).sentence


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_few_frames_are_drawn_without_a_line(short_ranged: tuple[Any, Any], keep: int) -> None:
    pair, rows = short_ranged
    drawn = draw(pair, [row for row in rows if row["energy"] is not None and not row["metallic"]][:keep])
    assert len(marks(drawn)) == keep
    assert 'class="fit"' not in str(drawn.svg) and 'class="law"' in str(drawn.svg)
    assert "E(DFT) − E(MLIP) − mean (eV)" in str(drawn.svg)
    assert f"Not determined: {keep} of the 4 frames" in drawn.sentence


def test_metallic_frames_alone_are_drawn(short_ranged: tuple[Any, Any]) -> None:
    pair, rows = short_ranged
    drawn = draw(pair, [row for row in rows if row["metallic"]])
    assert [css for _, css in marks(drawn)] == ["m c0 filled"] * 2
    assert "Not determined: 0 of the 4 frames" in drawn.sentence


def test_results_of_an_older_version_have_a_sentence_only(short_ranged: tuple[Any, Any]) -> None:
    pair, rows = short_ranged
    drawn = draw(pair, [{**row, "energy_mlip": None} for row in rows])
    assert drawn.svg is None and "without an MLIP energy" in drawn.sentence
    assert draw({**pair, "area": None}, rows).svg is None
    assert "not known yet" in draw({**pair, "thickness": None}, rows).sentence


def test_film_without_any_dipole_is_drawn(short_ranged: tuple[Any, Any]) -> None:
    pair, rows = short_ranged
    drawn = draw(pair, [{**row, "Mz": 0.0} for row in rows if row["energy"] is not None])
    assert drawn.svg is not None and "NaN" not in drawn.svg and "inf" not in drawn.svg


def test_page_has_the_outputs_of_the_pairs(tmp_path: Path, campaign: Campaign) -> None:
    text = page(tmp_path, campaign)
    words = Document(text).words
    pair = campaign.pairs[0]
    low, high = pair["missing_energy_low"], pair["missing_energy_high"]
    assert f"{pair['missing_energy_slope']:.2f} [{low:.2f}, {high:.2f}] 12" in words
    assert pair["missing_energy_says"] in words
    assert text.count('<figure class="energy">') == len(campaign.pairs)
    for wanted in ("no verdict yet", "0.0417", "metallic, not in the fit"):
        assert wanted in words


def test_page_of_an_older_verdict_says_so(tmp_path: Path, campaign: Campaign) -> None:
    for row in campaign.pairs:
        for key in [key for key in row if key.startswith("missing_energy")]:
            del row[key]
    for frame in campaign.rows:
        del frame["energy_mlip"]
    assert "not computed by the version that made this verdict" in Document(page(tmp_path, campaign)).words

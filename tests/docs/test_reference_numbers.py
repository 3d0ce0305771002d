"""What the page of the reference campaign computes itself, on rows whose answer is known."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.physics.missing_energy import slab_energy

from .plan import ROOT

sys.path.insert(0, str(ROOT / "docs"))

import reference_numbers as told  # noqa: E402

VOLUMES = {"thin": 480.0, "thick": 960.0}


def frame(drop: float, gap: float, **more: Any) -> told.Row:
    return {
        "expected_drop": drop,
        "gap": gap,
        "metallic": gap < 0.2,
        "mlip": "water-sr",
        "interface": "thin",
        **more,
    }


def test_a_law_is_the_line_of_its_frames() -> None:
    """4 eV - 0.5 |drop|, of drops of either sign: exact but for the least scatter, 1 meV."""
    found = told.law(
        [frame(drop, 4.0 - 0.5 * abs(drop)) for drop in (-4.0, -1.0, 0.5, 2.0, 3.0)], "expected_drop", False
    )
    assert found["intercept"] == pytest.approx(4.0, abs=1e-3)
    assert found["slope"] == pytest.approx(-0.5, abs=1e-3)
    assert found["slope_low"] <= found["slope"] <= found["slope_high"]


def test_metallic_frames_are_left_out_of_a_law_of_open_ones() -> None:
    frames = [frame(drop, 4.0 - 0.5 * drop) for drop in (0.5, 1.0, 2.0, 3.0)] + [frame(1.0, 0.1)]
    assert [told.law(frames, "expected_drop", only)["metallic"] for only in (False, True)] == [1, 0]
    assert told.law(frames, "expected_drop", True)["slope"] == pytest.approx(-0.5, abs=1e-3)


def test_a_force_that_does_not_end_within_the_film_changes_nothing() -> None:
    """Of a cutoff R the shifted force lacks d/2R of the Coulomb force: 5e-4 here."""
    assert told.ended(10.0, 1e4, 0.0) == pytest.approx(1.0, abs=1e-3)
    assert told.ended(10.0, 6.0, 0.0) > told.ended(10.0, 9.0, 0.0) > 1.0


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_or_nothing_of_the_energy_is_missing(share: float) -> None:
    """Films of two sizes, each with a zero of energy of its own; pw.x's dipole is the half of the point charges'."""
    frames = []
    for film, volume in VOLUMES.items():
        for moment in (0.1, 0.8, -1.5, 2.0):
            lacking = float(slab_energy(np.array([moment]), volume)[0])
            energy = {"energy": len(film) - 20.0 + share * lacking, "energy_mlip": -20.0}
            frames.append(frame(moment, 3.0, **energy, Mz=moment, dipole=0.5 * moment, interface=film))
    found = told.missing(frames, VOLUMES)
    assert found["frames"] == 8
    assert found["charges_slope"] == pytest.approx(share, abs=1e-9)
    assert found["own_slope"] == pytest.approx(4.0 * share, abs=1e-9)


def test_frames_that_are_shown_are_of_as_many_films_as_there_are_and_of_the_twins_of_pbe() -> None:
    rows = [
        frame(9.0, 3.0, interface="thin", mlip="spcfw-truncated"),
        frame(-2.0, 3.0, interface="thin"),
        frame(1.0, 3.0, interface="thin"),
        frame(8.0, 3.0, interface="thick", mlip="twin-sr"),
        frame(7.0, 3.0, interface="thick", mlip="twin-sr"),
    ]
    assert [row["expected_drop"] for row in told.widest(rows)] == [8.0, -2.0, 1.0]


def test_tails_count_after_the_equilibration_and_without_molecules_outside(tmp_path: Path) -> None:
    """Four samples: the first is not counted, in the last one molecule is outside. A run without a start has none."""
    cells = [{"interface": "thin", "mlip": "water-sr", "mean_Mz_per_area": 0.0, "mean_low": -EPS0, "mean_high": EPS0}]
    _csv(tmp_path / "cells.csv", cells)
    _csv(tmp_path / "results.csv", [frame(-3.0, 2.0), frame(2.0, 2.0)])
    _figure(tmp_path, "widths", {"name": "width", "values": {"interface": ["thin"], "thickness": [9.8]}})
    times, drops = [0.0, 1.0, 2.0, 3.0], np.array([9.0, 1.0, -1.0, 6.0])
    for seed, start in ((1, 1.0), (2, None)):
        series = {"name": "series", "values": {"time_ps": times, "Mz_per_area": (drops * EPS0).tolist()}}
        _figure(tmp_path, f"dipoles_thin_water-sr_seed{seed}", series, {"counted_from": {"value": start}})
    outside = np.array([3, 0, 0, 1])
    (row,) = told.tails(tmp_path, {("thin", "water-sr", 1): outside, ("thin", "water-sr", 2): outside})
    assert {key: row[key] for key in ("widest", "far", "computed", "outside")} == pytest.approx(
        {"widest": 6.0, "far": 1 / 3, "computed": 3.0, "outside": 1 / 3}
    )
    assert (row["whole"], row["mean"], row["low"], row["high"]) == pytest.approx((1.0, 0.0, -1.0, 1.0))


def _csv(path: Path, rows: list[told.Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _figure(folder: Path, name: str, part: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    (folder / "figures").mkdir(exist_ok=True)
    content = {"parts": [part], "parameters": parameters or {}}
    (folder / "figures" / f"{name}.json").write_text(json.dumps(content))

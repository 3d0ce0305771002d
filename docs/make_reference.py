#!/usr/bin/env python
"""Makes every figure and table of docs/reference-campaign.md from the archive: ``python docs/make_reference.py``.

It runs ``falsemetal open ARCHIVE -- report reference --figures all``, copies the figures that the page shows into
``docs/images/reference``, and writes its tables into the page, each between ``<!-- table: NAME -->`` and
``<!-- end -->``. A table is a choice of columns of ``cells.csv``, of the figures' own numbers and of the twins' cards,
in units that suit a reader. Two things are computed here: what theory says of a Coulomb force that ends
(:func:`ratios`), and the gap law by the range of the potential inside (:func:`inside`).
"""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aiida_falsemetal.archive.mount import mounted
from aiida_falsemetal.mlips.catalogue import presets
from aiida_falsemetal.physics import dielectric
from aiida_falsemetal.physics.bulk import shifted_force
from aiida_falsemetal.physics.expected import EPS
from aiida_falsemetal.physics.gapmodel import calibrate
from aiida_falsemetal.report.card import markdown_table

ROOT = Path(__file__).parents[1]
ARCHIVE = ROOT / "workflows" / "campaigns" / "reference.aiida"
CAMPAIGN = "reference"
TWINS = "water"
KINDS = ("short_ranged", "long_ranged")
MATCHED = {"water-sr": "water-lr", "twin-sr": "twin-lr", "spcfw-truncated": "spcfw-ewald"}
"""Short-ranged potentials, each with the one that differs from it in its electrostatics only."""
SEEN = (9.0, 4.5)
"""Å: how far the short-ranged MACE models see, and how far one layer of them does."""
IMAGES = ROOT / "docs" / "images" / "reference"
PAGE = ROOT / "docs" / "reference-campaign.md"
TABLE = re.compile(r"(?<=<!-- table: )(\w+)( -->\n\n).*?(?=\n<!-- end -->)", re.DOTALL)
SHOWN = 3
"""Metallized frames whose band edges are shown, and intact ones."""

Row = dict[str, Any]


def main(archive: Path = ARCHIVE) -> None:
    """Figures and tables of the page, from an archive."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_report(archive, folder)
        shutil.rmtree(IMAGES, ignore_errors=True)
        IMAGES.mkdir(parents=True)
        for source, target in figures(folder).items():
            shutil.copy(folder / "figures" / f"{source}.svg", IMAGES / f"{target}.svg")
        PAGE.write_text(with_tables(PAGE.read_text(), tables(folder) | twin_tables(archive)))


def with_tables(page: str, made: dict[str, str]) -> str:
    """The page with these tables in the places that have their names.

    :raises ValueError: if a table has no place, or a place no table.
    """
    places = [match.group(1) for match in TABLE.finditer(page)]
    if sorted(places) != sorted(made):
        raise ValueError(f"{PAGE.name} has places for {sorted(places)}, and there are tables {sorted(made)}.")
    return TABLE.sub(lambda match: f"{match.group(1)}{match.group(2)}{made[match.group(1)]}", page)


def write_report(archive: Path, folder: Path, drawn: str = "all") -> None:
    """The report as anybody makes it from the archive.

    :param drawn: which figures; what the tables are made of is there with ``auto``.
    """
    command = [str(Path(sys.executable).with_name("falsemetal")), "open", str(archive), "--", "report", CAMPAIGN]
    subprocess.run([*command, "--figures", drawn, "--output", str(folder)], check=True)


def figures(folder: Path) -> dict[str, str]:
    """Names of the figures that the page shows, and what they are called there."""
    thickest = widths(folder)[-1]["interface"]
    kept = {name: name for name in ("verdicts", "widths")} | {f"gaps_{thickest}": "gaps"}
    for mlip in ("water-sr", "water-lr"):
        kept[f"dipoles_{thickest}_{mlip}_seed1"] = f"dipoles_{mlip}"
        kept[f"energies_{thickest}_{mlip}_seed1"] = f"energies_{mlip}"
    for state, frames in edges(folder).items():
        kept |= {layers_name(frame): f"layers_{state}_{place}" for place, frame in enumerate(frames, start=1)}
    return kept


def tables(folder: Path) -> dict[str, str]:
    """Every table of the page as Markdown, by the name of its file."""
    cells = in_order(folder)
    return {
        "widths": table(WIDTHS, widths(folder)),
        "ratios": table(RATIOS, ratios(folder)),
        "metallized": table(METALLIZED, cells),
        "laws": table(LAWS, laws(folder)),
        "inside": table(LAWS, inside(folder)),
        "energies": table(ENERGIES, cells),
        "mlpeg": table(MLPEG, cells),
        "edges": table(EDGES, [frame | {"state": state} for state, found in edges(folder).items() for frame in found]),
    }


def twin_tables(archive: Path) -> dict[str, str]:
    """Tables of how the twins were trained, from the nodes that their models come from."""
    from aiida_falsemetal.query.heldout import errors_by_sampler
    from aiida_falsemetal.query.twins import trained_twins

    with mounted(archive):
        made = trained_twins(TWINS)
        if made is None:
            raise ValueError(f"{archive} has no trained twins {TWINS}")
        errors = [made.errors[kind] for kind in KINDS]
        moved = [errors_by_sampler(made, kind) for kind in KINDS]
    rows, both = zip(*(found["rows"] for found in errors), strict=True), zip(*moved, strict=True)
    return {
        "twins": table(ERRORS, [short | {"long": long["force_rmse"]} for short, long in rows]),
        "moved": table(MOVED, [short | {f"long_{key}": long[key] for key in RMSE} for short, long in both]),
        "slopes": table(SLOPES, [slopes(part, errors) for part in ("test", "all")]),
    }


def slopes(part: str, errors: Sequence[Row]) -> Row:
    """Missing-energy slopes of both twins on one part of the labels."""
    found = {kind: one["slopes"][part] for kind, one in zip(KINDS, errors, strict=True)}
    named = {f"{kind}_{key}": one[key] for kind, one in found.items() for key in ("slope", "low", "high")}
    return {"part": PARTS[part], "films": found["short_ranged"]["frames"], **named}


def in_order(folder: Path) -> list[Row]:
    """Cells with their film's thickness, the thinnest first; MLIPs as in ``cells.csv``."""
    depths = {row["interface"]: row["thickness"] for row in widths(folder)}
    found = [cell | {"thickness": depths[cell["interface"]]} for cell in read_csv(folder / "cells.csv")]
    return sorted(found, key=lambda cell: cell["thickness"])


def widths(folder: Path) -> list[Row]:
    """Spread of the dipole in every cell, the thinnest film first."""
    return sorted(numbers(folder, "widths", "width"), key=lambda row: row["thickness"])


def laws(folder: Path) -> list[Row]:
    """The gap law of every interface."""
    found = []
    for path in sorted((folder / "figures").glob("gaps_*.json")):
        content = json.loads(path.read_text())
        values = {key: one["value"] for key, one in content["parameters"].items()}
        found.append(values | {"interface": content["of"][0]})
    return found


def inside(folder: Path) -> list[Row]:
    """The gap law with the range of the potential inside the film in the drop's place, of every film and of all."""
    frames = [frame for frame in read_csv(folder / "results.csv") if frame["gap"] is not None]
    found = []
    for film in (*sorted({frame["interface"] for frame in frames}), "all"):
        chosen = [frame for frame in frames if film in (frame["interface"], "all")]
        span, gap = (np.array([frame[key] for frame in chosen]) for key in ("potential_range", "gap"))
        law = vars(calibrate(span, gap, np.array([frame["metallic"] == "True" for frame in chosen])))
        falling = {"slope": -law["slope"], "slope_low": -law["slope_high"], "slope_high": -law["slope_low"]}
        found.append(law | falling | {"interface": film})
    return found


def ratios(folder: Path) -> list[Row]:
    """Spread of each short-ranged potential over its partner's, with what theory says of a Coulomb force that ends."""
    found = numbers(folder, "widths", "short over long")
    return [row | {"theory": theory(row)} for row in found if MATCHED.get(row["mlip"]) == row["over"]]


def theory(row: Row) -> str:
    """Ratio of the spreads in linear response, sharp faces, for the control's own force and for what a MACE sees."""
    if row["mlip"] != "spcfw-truncated":
        return ", ".join(f"{ended(row['thickness'], end, 0.0):.2f} at {end:g} Å" for end in SEEN)
    own = presets()[row["mlip"]].kwargs
    return f"{ended(row['thickness'], own['cutoff'], own['damping']):.2f} at {own['cutoff']:g} Å"


def ended(thickness: float, cutoff: float, damping: float) -> float:
    """Spread with a shifted force over the one with the full force."""
    ends = dielectric.truncated_film(EPS, thickness, shifted_force(cutoff, damping), cutoff)
    return math.sqrt(ends / dielectric.isolated_film(EPS))


def edges(folder: Path) -> dict[str, list[Row]]:
    """Frames whose local band edges are shown: metallized and intact ones, one of each film before a second of any.

    Of each, the frames with the widest drop: those are the ones that a reader doubts.
    """
    frames = [frame for frame in read_csv(folder / "results.csv") if frame["vbm_z"] is not None]
    return {
        "metallized": widest(frame for frame in frames if frame["metallic"] == "True"),
        "intact": widest(frame for frame in frames if frame["metallic"] == "False"),
    }


def widest(frames: Iterable[Row]) -> list[Row]:
    """Some frames of large drop, from as many films as there are."""
    rest = sorted(frames, key=lambda frame: -abs(frame["expected_drop"]))
    # Not a set: of more films than are shown it would choose others at every start.
    films = dict.fromkeys(frame["interface"] for frame in rest)
    first = [next(frame for frame in rest if frame["interface"] == film) for film in films]
    chosen = first + [frame for frame in rest if frame not in first]
    return sorted(chosen[:SHOWN], key=lambda frame: frame["interface"])


def layers_name(frame: Row) -> str:
    """Of a frame's figure."""
    return f"layers_{frame['interface']}_{frame['mlip']}_seed{frame['seed']:.0f}_step{frame['step']:.0f}"


def numbers(folder: Path, figure: str, part: str) -> list[Row]:
    """Rows of one part of a figure's numbers."""
    content = json.loads((folder / "figures" / f"{figure}.json").read_text())
    for found in content["parts"]:
        if found["name"] == part:
            columns = found["values"]
            return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return []


def read_csv(path: Path) -> list[Row]:
    """Rows with numbers as numbers; what is empty is None."""
    with path.open(newline="") as file:
        return [{key: number(text) for key, text in row.items()} for row in csv.DictReader(file)]


def number(text: str) -> Any:
    """A number if the text is one."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


def plain(key: str, digits: int, scale: float = 1.0) -> Callable[[Row], str]:
    """A column of one number."""
    return lambda row: written(row[key], digits, scale)


def interval(key: str, low: str, high: str, digits: int, scale: float = 1.0) -> Callable[[Row], str]:
    """A column of a number with its interval."""

    def cell(row: Row) -> str:
        value = written(row[key], digits, scale)
        ends = (row[low], row[high])
        if value == "" or ends == (None, None):
            return value
        return f"{value} [{', '.join(written(end, digits, scale) or '?' for end in ends)}]"

    return cell


def written(value: Any, digits: int, scale: float = 1.0) -> str:
    """A number in as many digits; nothing of what is not known."""
    return f"{value * scale:.{digits}f}" if isinstance(value, (int, float)) else str(value or "")


def counts(row: Row) -> str:
    """Metallic, converged and selected frames."""
    return " / ".join(written(row[key], 0) for key in ("metallic", "converged", "selected"))


def code(key: str) -> Callable[[Row], str]:
    """A column of names."""
    return lambda row: f"`{row[key]}`"


Columns = Sequence[tuple[str, Callable[[Row], str]]]
FILM = ("film (Å)", plain("thickness", 1))
MLIP = ("MLIP", code("mlip"))
WIDTHS: Columns = (
    FILM,
    MLIP,
    ("sd of the drop (V)", interval("drop", "drop_low", "drop_high", 2)),
    ("full electrostatics (V)", plain("expected", 2)),
    ("observed / expected", interval("ratio", "ratio_low", "ratio_high", 2)),
    ("independent samples", plain("n_eff", 0)),
)
RATIOS: Columns = (
    FILM,
    ("short-ranged", code("mlip")),
    ("long-ranged", code("over")),
    ("ratio of the spreads", interval("ratio", "ratio_low", "ratio_high", 2)),
    ("theory, Coulomb force ending", plain("theory", 0)),
)
METALLIZED: Columns = (
    FILM,
    MLIP,
    ("verdict", plain("verdict", 0)),
    ("metallic / converged / selected", counts),
    ("smallest gap (eV)", plain("min_gap", 2)),
    ("metallized (% of the trajectory)", interval("metallized", "metallized_low", "metallized_high", 1, 100.0)),
    ("R-hat", plain("rhat", 2)),
)
LAWS: Columns = (
    ("interface", code("interface")),
    ("frames (metallic)", lambda row: f"{row['frames']:.0f} ({row['metallic']:.0f})"),
    ("intercept (eV)", interval("intercept", "intercept_low", "intercept_high", 2)),
    ("slope (eV/V)", interval("slope", "slope_low", "slope_high", 2)),
    ("scatter (eV)", plain("scatter", 2)),
)
ENERGIES: Columns = (
    FILM,
    MLIP,
    ("missing-energy slope", interval("missing_energy_slope", "missing_energy_low", "missing_energy_high", 2)),
    ("frames", plain("missing_energy_frames", 0)),
)
MLPEG: Columns = (
    FILM,
    MLIP,
    ("sigma of M_z/A (e/Å)", plain("mlpeg_sigma", 4)),
    ("breakdown candidates (%)", plain("mlpeg_fraction", 1, 100.0)),
    ("sd of M_z/A here (e/Å)", interval("sd_Mz_per_area", "sd_low", "sd_high", 4)),
    ("metallized here (%)", interval("metallized", "metallized_low", "metallized_high", 1, 100.0)),
)
EDGES: Columns = (
    ("frame", lambda row: f"{row['state']}: `{row['interface']}`, `{row['mlip']}`, {row['time_ps']:.1f} ps"),
    ("expected drop (V)", plain("expected_drop", 2)),
    ("gap (eV)", plain("gap", 2)),
    ("valence edge at (Å)", plain("vbm_z", 1)),
    ("conduction edge at (Å)", plain("cbm_z", 1)),
    ("separation (Å)", plain("edge_separation", 1)),
)
PARTS = {"test": "held out", "valid": "watched the training", "train": "trained on", "all": "all films"}
ERRORS: Columns = (
    ("labels", lambda row: PARTS[row["part"]]),
    ("source", code("source")),
    ("frames", plain("frames", 0)),
    ("short-ranged (meV/Å)", plain("force_rmse", 1)),
    ("long-ranged (meV/Å)", plain("long", 1)),
)
RMSE = ("test_rmse", "train_rmse")
MOVED: Columns = (
    ("labels", lambda row: "bulk" if row["bulk"] else "film"),
    ("moved by", code("sampler")),
    ("K", lambda row: ", ".join(f"{kelvin:g}" for kelvin in row["temperatures"])),
    ("smallest gap (eV)", plain("smallest_gap", 2)),
    ("held out", plain("test_frames", 0)),
    ("short-ranged (meV/Å)", plain("test_rmse", 1)),
    ("long-ranged (meV/Å)", plain("long_test_rmse", 1)),
    ("trained on", plain("train_frames", 0)),
    ("short-ranged (meV/Å)", plain("train_rmse", 1)),
    ("long-ranged (meV/Å)", plain("long_train_rmse", 1)),
)
SLOPES: Columns = (
    ("films", plain("part", 0)),
    ("number", plain("films", 0)),
    ("short-ranged", interval("short_ranged_slope", "short_ranged_low", "short_ranged_high", 2)),
    ("long-ranged", interval("long_ranged_slope", "long_ranged_low", "long_ranged_high", 2)),
)


def table(columns: Columns, rows: Iterable[Row]) -> str:
    """Markdown."""
    headings, cells = zip(*columns, strict=True)
    return "\n".join(markdown_table(headings, [[cell(row) for cell in cells] for row in rows])) + "\n"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))

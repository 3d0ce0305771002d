#!/usr/bin/env python
"""Makes every figure and table of docs/reference-campaign.md from the archive: ``python docs/make_reference.py``.

It runs ``falsemetal open ARCHIVE -- report reference`` with all figures, and copies those that the page shows into
``docs/images/reference``; and once more without any, for ``docs/data/reference-report.html``, which stands alone. It
writes the page's tables, each between ``<!-- table: NAME -->`` and ``<!-- end -->``. A table is a choice of columns, in
units that suit a reader, of rows that :mod:`reference_numbers` takes from the report and from the twins' cards.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import reference_numbers as told
from reference_numbers import CAMPAIGN, Row

from aiida_falsemetal.archive.mount import mounted
from aiida_falsemetal.report.card import markdown_table

ROOT = Path(__file__).parents[1]
ARCHIVE = ROOT / "workflows" / "campaigns" / "reference.aiida"
TWINS = "water"
KINDS = ("short_ranged", "long_ranged")
IMAGES = ROOT / "docs" / "images" / "reference"
PAGE = ROOT / "docs" / "reference-campaign.md"
REPORT = ROOT / "docs" / "data" / "reference-report.html"
TABLE = re.compile(r"(?<=<!-- table: )(\w+)( -->\n\n).*?(?=\n<!-- end -->)", re.DOTALL)


def main(archive: Path = ARCHIVE) -> None:
    """The report, and figures and tables of the page, from an archive."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_report(archive, folder)
        # Many figures are files beside their report; this one stands alone.
        write_report(archive, folder / "alone", drawn="none")
        shutil.copy(folder / "alone" / "report.html", REPORT)
        shutil.rmtree(IMAGES, ignore_errors=True)
        IMAGES.mkdir(parents=True)
        for source, target in figures(folder).items():
            shutil.copy(folder / "figures" / f"{source}.svg", IMAGES / f"{target}.svg")
        PAGE.write_text(with_tables(PAGE.read_text(), tables(archive, folder)))


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
    thickest = told.widths(folder)[-1]["interface"]
    kept = {name: name for name in ("verdicts", "widths")} | {f"gaps_{thickest}": "gaps"}
    for mlip in told.PBE:
        kept[f"dipoles_{thickest}_{mlip}_seed1"] = f"dipoles_{mlip}"
        kept[f"energies_{thickest}_{mlip}_seed1"] = f"energies_{mlip}"
    for state, frames in told.edges(folder).items():
        kept |= {told.layers_name(frame): f"layers_{state}_{place}" for place, frame in enumerate(frames, start=1)}
    return kept


def tables(archive: Path, folder: Path) -> dict[str, str]:
    """Every table of the page as Markdown, by its name."""
    cells = told.in_order(folder)
    edges = [frame | {"state": state} for state, found in told.edges(folder).items() for frame in found]
    with mounted(archive):
        of_twins = twin_tables()
        evaporated = told.evaporated()
    return of_twins | {
        "widths": table(WIDTHS, told.widths(folder)),
        "ratios": table(RATIOS, told.ratios(folder)),
        "tails": table(TAILS, told.tails(folder, evaporated)),
        "metallized": table(METALLIZED, cells),
        "laws": table(LAWS, told.laws(folder)),
        "predictors": table(PREDICTORS, told.predictors(folder)),
        "energies": table(ENERGIES, told.energies(folder)),
        "mlpeg": table(MLPEG, cells),
        "edges": table(EDGES, edges),
    }


def twin_tables() -> dict[str, str]:
    """Tables of how the twins were trained, from the nodes that their models come from."""
    from aiida_falsemetal.query.heldout import errors_by_sampler
    from aiida_falsemetal.query.twins import trained_twins

    made = trained_twins(TWINS)
    if made is None:
        raise ValueError(f"There are no trained twins {TWINS}.")
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
    ("theory, Coulomb force ending", plain("sharp", 0)),
    (f"the same, film {told.THICKER:g} Å thicker", plain("thicker", 0)),
)
TAILS: Columns = (
    FILM,
    MLIP,
    ("mean drop (V)", interval("mean", "low", "high", 2)),
    ("widest drop of the MD (V)", plain("widest", 1)),
    (f"time beyond {told.FAR:g} V (%)", plain("far", 1, 100.0)),
    ("widest drop computed (V)", plain("computed", 1)),
    ("time with a molecule outside (%)", plain("outside", 0, 100.0)),
    ("sd of the drop when none is (V)", plain("whole", 2)),
)
METALLIZED: Columns = (
    FILM,
    MLIP,
    ("verdict", plain("verdict", 0)),
    ("metallic / converged / selected", counts),
    ("smallest gap (eV)", plain("min_gap", 2)),
    ("metallized (% of the trajectory)", interval("metallized", "metallized_low", "metallized_high", 1, 100.0)),
    ("at most, by the gap law (%)", plain("metallized_bound", 2, 100.0)),
    ("R-hat", plain("rhat", 2)),
)
LAWS: Columns = (
    ("interface", code("interface")),
    ("frames (metallic)", lambda row: f"{row['frames']:.0f} ({row['metallic']:.0f})"),
    ("intercept (eV)", interval("intercept", "intercept_low", "intercept_high", 2)),
    ("slope (eV/V)", interval("slope", "slope_low", "slope_high", 2)),
    ("scatter (eV)", plain("scatter", 2)),
)
PREDICTORS: Columns = (
    ("frames of", plain("molecules", 0)),
    ("gap against", plain("against", 0)),
    *LAWS[1:],
)
ENERGIES: Columns = (
    FILM,
    MLIP,
    ("missing-energy slope", interval("charges_slope", "charges_low", "charges_high", 2)),
    ("with pw.x's own dipole", interval("own_slope", "own_low", "own_high", 2)),
    ("frames", plain("frames", 0)),
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

"""The numbers behind the tables of docs/reference-campaign.md: rows from the campaign's report, by what they tell.

Most are the report's own (``cells.csv``, ``results.csv``, the numbers of its figures). Computed here are what theory
says of a Coulomb force that ends (:func:`ratios`), the gap law by what it is a law of (:func:`predictors`), the
missing-energy test over all films (:func:`energies`), and how far the trajectories went (:func:`tails`).
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from aiida_falsemetal.mlips.catalogue import presets
from aiida_falsemetal.physics import dielectric
from aiida_falsemetal.physics.bulk import shifted_force
from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.physics.expected import EPS
from aiida_falsemetal.physics.gapmodel import calibrate
from aiida_falsemetal.physics.heldout import Frame, slope
from aiida_falsemetal.physics.missing_energy import EPS_INF, USED, role

Row = dict[str, Any]

CAMPAIGN = "reference"
MATCHED = {"water-sr": "water-lr", "twin-sr": "twin-lr", "spcfw-truncated": "spcfw-ewald"}
"""Short-ranged potentials, each with the one that differs from it in its electrostatics only."""
SEEN = (9.0, 4.5)
"""Å: how far the short-ranged MACE models see, and how far one layer of them does."""
THICKER = 2.5
"""Å by which a film is electrically thicker than V = A d says, measured on other films (docs/verdict.md)."""
FAR = 5.0
"""V: about where gaps close."""
PBE = ("water-sr", "water-lr")
"""Models of PBE water; the molecules of the others are SPC/Fw's."""
MOLECULES: dict[str, Callable[[Row], bool]] = {
    "PBE's twins": lambda frame: frame["mlip"] in PBE,
    "SPC/Fw, its twins": lambda frame: frame["mlip"] not in PBE,
    "all": lambda frame: True,
}
MEASURES = (
    ("drop of the point charges", "expected_drop", False),
    # That of a metallic frame is pinned.
    ("pw.x's own drop, open frames", "drop", True),
    ("range of the potential inside", "potential_range", False),
)
"""What a gap may follow: its name, its column, and whether only open frames have it."""
MEAN = ("mean_Mz_per_area", "mean_low", "mean_high")
SHOWN = 3
"""Metallized frames whose band edges are shown, and intact ones."""


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
        content = figure(folder, path.stem)
        values = {key: one["value"] for key, one in content["parameters"].items()}
        found.append(values | {"interface": content["of"][0]})
    return found


def predictors(folder: Path) -> list[Row]:
    """The gap law over the frames of all films by what stands in its place of the drop, molecules of each kind apart.

    Without the report's correction for the point charges' error, so that the three can be compared.
    """
    frames = [frame for frame in read_csv(folder / "results.csv") if frame["gap"] is not None]
    return [
        law([frame for frame in frames if belongs(frame)], key, only_open) | {"molecules": whose, "against": named}
        for whose, belongs in MOLECULES.items()
        for named, key, only_open in MEASURES
    ]


def law(frames: Iterable[Row], key: str, only_open: bool) -> Row:
    """Line of the gap against one column, metallic frames censored or left out."""
    chosen = [frame for frame in frames if not (only_open and frame["metallic"])]
    size, gap = (np.array([frame[name] for frame in chosen]) for name in (key, "gap"))
    found = vars(calibrate(size, gap, np.array([frame["metallic"] for frame in chosen])))
    return found | {"slope": -found["slope"], "slope_low": -found["slope_high"], "slope_high": -found["slope_low"]}


def ratios(folder: Path) -> list[Row]:
    """Spread of each short-ranged potential over its partner's, with what theory says of a Coulomb force that ends.

    ``sharp`` is of the film as it is, ``thicker`` of one that is electrically thicker.
    """
    found = numbers(folder, "widths", "short over long")
    return [
        row
        | {"sharp": theory(row["mlip"], row["thickness"]), "thicker": theory(row["mlip"], row["thickness"] + THICKER)}
        for row in found
        if MATCHED.get(row["mlip"]) == row["over"]
    ]


def theory(mlip: str, thickness: float) -> str:
    """Ratio of the spreads in linear response, for the control's own force and for what a MACE sees."""
    if mlip != "spcfw-truncated":
        return ", ".join(f"{ended(thickness, end, 0.0):.2f} at {end:g} Å" for end in SEEN)
    own = presets()[mlip].kwargs
    return f"{ended(thickness, own['cutoff'], own['damping']):.2f} at {own['cutoff']:g} Å"


def ended(thickness: float, cutoff: float, damping: float) -> float:
    """Spread with a shifted force over the one with the full force."""
    ends = dielectric.truncated_film(EPS, thickness, shifted_force(cutoff, damping), cutoff)
    return math.sqrt(ends / dielectric.isolated_film(EPS))


def energies(folder: Path) -> list[Row]:
    """The missing-energy test of every cell, and of every MLIP over all films, each film with a constant of its own."""
    volumes = {row["interface"]: row["thickness"] * row["area"] for row in widths(folder)}
    frames = read_csv(folder / "results.csv")
    cells = in_order(folder)
    alone = [[f for f in frames if (f["interface"], f["mlip"]) == (cell["interface"], cell["mlip"])] for cell in cells]
    found = [cell | missing(own, volumes) for cell, own in zip(cells, alone, strict=True)]
    for mlip in dict.fromkeys(cell["mlip"] for cell in cells):
        found.append({"thickness": "all", "mlip": mlip} | missing([f for f in frames if f["mlip"] == mlip], volumes))
    return found


def missing(frames: Iterable[Row], volumes: dict[str, float]) -> Row:
    """Missing-energy slopes with the point charges' dipole and with the one that pw.x has found."""
    used = [frame for frame in frames if role(frame) == USED]
    row: Row = {"frames": len(used)}
    for name, key in (("charges", "Mz"), ("own", "dipole")):
        told = slope(
            [
                Frame(
                    source=frame["interface"],
                    split="all",
                    energy=frame["energy"] - frame["energy_mlip"],
                    forces=np.empty((0, 3)),
                    moment=frame[key],
                    volume=volumes[frame["interface"]],
                    eps_inf=EPS_INF,
                )
                for frame in used
            ]
        )
        row |= {f"{name}_{end}": told[end] for end in ("slope", "low", "high")}
    return row


def tails(folder: Path, evaporated: dict[tuple[str, str, int], np.ndarray]) -> list[Row]:
    """How far the drop went in every cell, how far in computed frames, and its spread while no molecule is outside.

    :param evaporated: molecules outside of the film in every sample, by interface, MLIP and seed.
    """
    computed = [frame for frame in read_csv(folder / "results.csv") if frame["gap"] is not None]
    found = []
    for cell in in_order(folder):
        name = (cell["interface"], cell["mlip"])
        runs = [(drops(folder, *key), outside) for key, outside in sorted(evaporated.items()) if key[:2] == name]
        drop = np.concatenate([drop[counted] for (drop, counted), _ in runs])
        out = np.concatenate([outside[counted] > 0 for (_, counted), outside in runs])
        reached = [abs(frame["expected_drop"]) for frame in computed if (frame["interface"], frame["mlip"]) == name]
        found.append(
            cell
            | {
                "widest": float(np.abs(drop).max()),
                "far": float(np.mean(np.abs(drop) > FAR)),
                "computed": max(reached),
                "outside": float(np.mean(out)),
                "whole": float(np.std(drop[~out])) if out.any() and not out.all() else None,
                **{end: cell[key] / EPS0 for end, key in zip(("mean", "low", "high"), MEAN, strict=True)},
            }
        )
    return found


def drops(folder: Path, interface: str, mlip: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Drop in V of every sample of a run, and which ones count."""
    content = figure(folder, f"dipoles_{interface}_{mlip}_seed{seed}")
    series = columns(content, "series")
    start = content["parameters"]["counted_from"]["value"]
    # A run that ended during its equilibration has no start.
    return np.array(series["Mz_per_area"]) / EPS0, np.array(series["time_ps"]) >= (math.inf if start is None else start)


def evaporated() -> dict[tuple[str, str, int], np.ndarray]:
    """Molecules outside of the film in every sample of the pairs' runs, from the graph that is loaded."""
    from aiida_falsemetal.query.rows import latest_pairs, pair_rows, pair_series

    pairs = latest_pairs(pair_rows(CAMPAIGN))
    named = {pair["pair_pk"]: (pair["interface"], pair["mlip"], int(pair["seed"])) for pair in pairs}
    return {named[pk]: arrays["evaporated"] for pk, arrays in pair_series(list(named)).items()}


def edges(folder: Path) -> dict[str, list[Row]]:
    """Frames whose local band edges are shown: metallized and intact ones, one of each film before a second of any.

    Of each, the frames with the widest drop: those are the ones that a reader doubts.
    """
    frames = [frame for frame in read_csv(folder / "results.csv") if frame["vbm_z"] is not None]
    return {
        "metallized": widest(frame for frame in frames if frame["metallic"]),
        "intact": widest(frame for frame in frames if not frame["metallic"]),
    }


def widest(frames: Iterable[Row]) -> list[Row]:
    """Some frames of large drop, from as many films as there are, those of PBE's twins first."""
    rest = sorted(frames, key=lambda frame: (frame["mlip"] not in PBE, -abs(frame["expected_drop"])))
    # Not a set: of more films than are shown it would choose others at every start.
    films = dict.fromkeys(frame["interface"] for frame in rest)
    first = [next(frame for frame in rest if frame["interface"] == film) for film in films]
    chosen = first + [frame for frame in rest if frame not in first]
    return sorted(chosen[:SHOWN], key=lambda frame: frame["interface"])


def layers_name(frame: Row) -> str:
    """Of a frame's figure."""
    return f"layers_{frame['interface']}_{frame['mlip']}_seed{frame['seed']:.0f}_step{frame['step']:.0f}"


def figure(folder: Path, name: str) -> dict[str, Any]:
    """What a figure was drawn from."""
    content: dict[str, Any] = json.loads((folder / "figures" / f"{name}.json").read_text())
    return content


def columns(content: dict[str, Any], part: str) -> dict[str, list[Any]]:
    """Columns of one part of a figure's numbers; none of a part that it has not."""
    return next((found["values"] for found in content["parts"] if found["name"] == part), {})


def numbers(folder: Path, name: str, part: str) -> list[Row]:
    """Rows of one part of a figure's numbers."""
    values = columns(figure(folder, name), part)
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def read_csv(path: Path) -> list[Row]:
    """Rows with numbers as numbers and truths as truths; what is empty is None."""
    with path.open(newline="") as file:
        return [{key: value(text) for key, text in row.items()} for row in csv.DictReader(file)]


def value(text: str) -> Any:
    """What a cell of a CSV says."""
    if text in ("True", "False"):
        return text == "True"
    try:
        return float(text) if text else None
    except ValueError:
        return text

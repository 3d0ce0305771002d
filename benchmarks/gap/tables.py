"""Prints the tables of docs/validation.md from the numbers in docs/data: ``python benchmarks/gap/tables.py``."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import median

DATA = Path(__file__).parents[2] / "docs" / "data"
Row = dict[str, str]


def read(name: str) -> list[Row]:
    """Rows of a file in ``docs/data``; none where it is missing."""
    path = DATA / name
    return list(csv.DictReader(path.open())) if path.exists() else []


def table(header: list[str], rows: list[list[object]]) -> None:
    """One Markdown table."""
    print("|" + "|".join(f" {cell} " for cell in header) + "|")
    print("|" + "---|" * len(header))
    for row in rows:
        print("|" + "|".join(f" {cell} " for cell in row) + "|")
    print()


def errors(rows: list[Row], reference: str) -> dict[str, list[tuple[str, float, float]]]:
    """By run: frame, error in gap (meV) and in the drop (mV) against the run ``reference`` on the same frame."""
    exact = {row["frame"]: row for row in rows if row["run"] == reference}
    found: dict[str, list[tuple[str, float, float]]] = {}
    for row in rows:
        other = exact.get(row["frame"])
        if row["gap"] and other and other["gap"]:
            gap, drop = (1000 * (float(row[key]) - float(other[key])) for key in ("gap", "drop"))
            found.setdefault(row["run"], []).append((row["frame"], gap, drop))
    return found


def protocols() -> None:
    """Every frame with every protocol, and the errors."""
    rows = read("gap-protocols.csv")
    names = list(dict.fromkeys(row["run"] for row in rows))
    by = {(row["frame"], row["run"]): row for row in rows}
    lines: list[list[object]] = []
    for frame in dict.fromkeys(row["frame"] for row in rows):
        cells = [by[frame, name] for name in names if (frame, name) in by]
        lines.append([frame, *(number(cell["gap"], 3) for cell in cells), *(number(cell["drop"], 3) for cell in cells)])
    table(["frame", *(f"gap, {name} (eV)" for name in names), *(f"drop, {name} (V)" for name in names)], lines)
    summary(errors(rows, "reference"))


def summary(found: dict[str, list[tuple[str, float, float]]]) -> None:
    """Largest errors by run."""
    lines: list[list[object]] = []
    for name, values in found.items():
        gaps, drops = [abs(gap) for _, gap, _ in values], [abs(drop) for _, _, drop in values]
        lines.append([name, len(values), f"{median(gaps):.1f}", f"{max(gaps):.1f}", f"{max(drops):.1f}"])
    table(["run", "frames", "gap, median (meV)", "gap, largest (meV)", "drop, largest (mV)"], lines)


def settings() -> None:
    """One setting at a time, against the reference of the same functional; by frame."""
    rows = read("gap-settings.csv")
    frames = list(dict.fromkeys(row["frame"] for row in rows))
    base = [row for row in read("gap-protocols.csv") if row["frame"] in frames]
    pbe = errors([*base, *(row for row in rows if "revPBE" not in row["run"])], "reference")
    rev = errors([row for row in rows if "revPBE" in row["run"]], "reference-revPBE")
    lines = []
    for name, values in {**pbe, **rev}.items():
        found = {frame: f"{gap:+.1f} / {drop:+.1f}" for frame, gap, drop in values}
        lines.append([name, *(found.get(frame, "not converged") for frame in frames)])
    table(["run", *(f"{frame}: gap (meV) / drop (mV)" for frame in frames)], lines)


def independent() -> None:
    """GPAW beside pw.x."""
    lines: list[list[object]] = []
    for row in read("gap-independent.csv"):
        if not (row["gap_pw"] and row["gap_gpaw"]):
            continue
        gap, drop = (1000 * (float(row[f"{key}_gpaw"]) - float(row[f"{key}_pw"])) for key in ("gap", "drop"))
        values = [number(row[key], 3) for key in ("gap_pw", "gap_gpaw", "drop_pw", "drop_gpaw")]
        lines.append([row["frame"], *values, f"{gap:+.0f}", f"{drop:+.0f}"])
    names = ["gap, pw.x (eV)", "gap, GPAW (eV)", "drop, pw.x (V)", "drop, GPAW (V)"]
    table(["frame", *names, "gap, difference (meV)", "drop, difference (mV)"], lines)


def handlers() -> None:
    """How many frames converge, by expected drop."""
    rows = read("gap-handlers.csv")
    lines: list[list[object]] = []
    for method in dict.fromkeys(row["method"] for row in rows):
        for low, high in ((0, 3.5), (3.5, 5.0), (5.0, 8.0)):
            mine = [r for r in rows if r["method"] == method and low <= abs(float(r["expected_drop"])) < high]
            if mine:
                good = sum(row["converged"] == "True" for row in mine)
                seconds = median(float(row["core_seconds"]) for row in mine)
                iterations = [int(row["iterations"]) for row in mine]
                spread = f"{median(iterations):g} ({max(iterations)})"
                lines.append([method, f"{low:g} to {high:g}", len(mine), good, spread, f"{seconds:.0f}"])
    header = ["method", "expected drop (V)", "frames", "converged", "iterations, median (most)", "core s, median"]
    table(header, lines)


def cost(name: str) -> None:
    """A study of cost."""
    rows = read(f"gap-cost-{name}.csv")
    if not rows:
        return
    keys = ("frame", "run", "kpoints", "converged", "iterations", "gap", "drop", "core_seconds", "ratio")
    lines: list[list[object]] = [
        [number(row[key], 3) if key in ("gap", "drop") else number(row[key], 1, key) for key in keys] for row in rows
    ]
    header = ["frame", "run", "k-points", "converged", "iterations", "gap (eV)", "drop (V)", "core s", "over ours"]
    table(header, lines)


def number(text: str, digits: int, key: str = "") -> str:
    """A number with so many digits; what is none, as it is."""
    if not text:
        return "–"
    if key in ("core_seconds",) or digits > 1:
        return f"{float(text):.{digits}f}"
    return text


if __name__ == "__main__":
    protocols()
    independent()
    settings()
    handlers()
    for study in ("against", "levers", "growth"):
        cost(study)

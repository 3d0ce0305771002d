"""Prints the tables of docs/library.md: ``python benchmarks/library_table.py``.

The numbers are in ``docs/data/library-frames.csv`` (``falsemetal query --campaign library --format csv``) and
``docs/data/library-pairs.json`` (``pairs`` of the report's ``results.json``).
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "docs" / "data"


def cell(frames: list[dict[str, str]], pair: dict[str, Any] | None) -> str:
    """Gaps of a pair's frames in eV, a metallic one in bold, a failed one by its exit code; and what ended its MD."""
    if pair is None:
        return "–"
    found = []
    for frame in frames:
        if not frame["gap"]:
            found.append(f"failed [{frame['exit_code']}]" if frame["exit_code"] else "not computed")
        else:
            gap = f"{float(frame['gap']):.2f}"
            found.append(f"**{gap}**" if frame["metallic"] == "True" else gap)
    text = ", ".join(found) or "no frame"
    return f"{text} (MD ended: {pair['exit_code']})" if pair.get("exit_code") else text


def main() -> None:
    """Gaps, then widths of the dipole, interface by MLIP."""
    frames = list(csv.DictReader((DATA / "library-frames.csv").open(newline="")))
    pairs = {(row["interface"], row["mlip"]): row for row in json.loads((DATA / "library-pairs.json").read_text())}
    interfaces, mlips = (list(dict.fromkeys(key[axis] for key in pairs)) for axis in (0, 1))
    for title, text in (("gaps (eV)", _gaps), ("|M_z|/A beyond 0.02459 e/Å (%)", _beyond)):
        print(f"| {title} |" + "".join(f" {name} |" for name in mlips))
        print("|---|" + "---|" * len(mlips))
        for interface in interfaces:
            cells = (text(frames, pairs, interface, name) for name in mlips)
            print(f"| {interface} |" + "".join(f" {found} |" for found in cells))
        print()


def _gaps(frames: list[dict[str, str]], pairs: dict[tuple[str, str], Any], interface: str, mlip: str) -> str:
    mine = [frame for frame in frames if (frame["interface"], frame["mlip"]) == (interface, mlip)]
    return cell(mine, pairs.get((interface, mlip)))


def _beyond(_: list[dict[str, str]], pairs: dict[tuple[str, str], Any], interface: str, mlip: str) -> str:
    share = pairs.get((interface, mlip), {}).get("fraction_beyond_window")
    return "–" if share is None else f"{100 * share:.0f}"


if __name__ == "__main__":
    main()

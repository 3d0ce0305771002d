"""Frames of the campaign ``many-gaps.yaml`` as CSV, for ``subsampling.py``: ``python benchmarks/estimation/frames.py``.

Reads the loaded profile, also while the campaign runs, and writes

- ``many-gaps.csv``: the frames whose gap was computed,
- ``many-drops.csv``: every stored frame of both trajectories, equilibration left out.

Both have ``expected_drop`` (V), that of the screened point charges across the film, ``potential_range`` (V), that of
their potential inside it (``physics/inside.py``), and ``largest_difference`` (V), the same without a molecule's own
surroundings.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiida import load_profile, orm

from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.physics.dipoles import atom_charges
from aiida_falsemetal.physics.inside import LOCAL, potential_range

PREDICTORS = ("expected_drop", "potential_range", "largest_difference")
DATA = Path(__file__).parents[2] / "docs" / "data"


HARD = 1e-4
"""V, for the largest difference between two molecules."""


def stored_frames(pair: orm.WorkChainNode, start: float) -> Iterator[dict[str, Any]]:
    """Step, drop, range and largest difference (V) of every frame of a pair from ``start`` (ps) on."""
    trajectory, info = pair.outputs.trajectory, pair.outputs.interface_info.get_dict()
    charges = atom_charges(trajectory.symbols, info["charges"], None)
    heights = trajectory.get_positions()[:, :, info["axis"]]
    soft, hard = (potential_range(heights, charges, info["molecules"], info["area"], local) for local in (LOCAL, HARD))
    drops = heights @ charges / (info["area"] * EPS0)
    names = ("step", *PREDICTORS)
    for time, *values in zip(trajectory.get_times(), trajectory.get_stepids(), drops, soft, hard, strict=True):
        if time >= start:
            yield {name: value.item() for name, value in zip(names, values, strict=True)}


def write(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Rows as CSV, four digits a number."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=DATA)
    given = parser.parse_args()
    load_profile()
    from aiida_falsemetal.query.rows import current_rows

    frames, pairs = current_rows("many-gaps")
    stored = {}
    for row in pairs:
        pair = orm.load_node(row["pair_pk"])
        for found in stored_frames(pair, pair.inputs.selection["start"]):
            stored[row["pair_pk"], found["step"]] = {"seed": row["seed"], **found}
    known = [{**row, **stored[row["pair_pk"], row["step"]]} for row in frames if row["gap"] is not None]
    failed = sum(row["gap"] is None and row["exit_code"] is not None for row in frames)
    columns = ["seed", "step", *PREDICTORS]
    write(given.output / "many-drops.csv", columns, list(stored.values()))
    write(given.output / "many-gaps.csv", [*columns, "drop", "gap", "metallic", "witness", "wall_seconds"], known)
    print(f"{len(known)} gaps, {failed} failed, of {len(stored)} frames")


if __name__ == "__main__":
    main()

"""Frames of the campaign ``many-gaps.yaml`` as CSV, for ``subsampling.py``: ``python benchmarks/estimation/frames.py``.

Reads the loaded profile, also while the campaign runs, and writes

- ``many-gaps.csv``: the frames whose gap was computed,
- ``many-drops.csv``: every stored frame of both trajectories, equilibration left out.

Both have ``expected_drop`` (V), that of the screened point charges across the film, and ``potential_range`` (V): the
largest difference of their plane-averaged potential between two molecules.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from aiida import load_profile, orm
from numpy.typing import NDArray

from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.physics.dipoles import SCREENED_CHARGES

Array = NDArray[np.float64]

DATA = Path(__file__).parents[2] / "docs" / "data"
WIDTH = 1.5
"""Å. Of the Gaussian that smears a charge along z: of 0.7, 1, 1.5 and 2.5 the one whose range explains the gap best."""
STEP = 0.1
"""Å, of the grid along z."""
MARGIN = 4.0 * WIDTH


def potential_range(z: Array, charges: Array, oxygens: Array, area: float) -> float:
    """Largest difference in V of the plane-averaged potential between two molecules, at their oxygens.

    The potential is that of Poisson's equation in one dimension, phi'' = -rho/eps0, without a field on one side.

    :param z: of the atoms, shape (n,), Å.
    :param charges: e, shape (n,).
    :param oxygens: indices of the oxygens.
    :param area: Å^2.
    """
    grid = np.arange(z.min() - MARGIN, z.max() + MARGIN, STEP)
    shapes = np.exp(-0.5 * ((grid[:, None] - z) / WIDTH) ** 2) / (np.sqrt(2.0 * np.pi) * WIDTH)
    field = np.cumsum(shapes @ charges) * STEP / area / EPS0
    return float(np.ptp(np.interp(z[oxygens], grid, -np.cumsum(field) * STEP)))


def stored_frames(pair: orm.WorkChainNode, start: float) -> Iterator[tuple[int, float, float]]:
    """Step, drop (V) and range (V) of every frame of a pair from ``start`` (ps) on."""
    trajectory, area = pair.outputs.trajectory, pair.outputs.interface_info["area"]
    symbols = np.array(trajectory.symbols)
    charges = np.array([SCREENED_CHARGES[symbol] for symbol in symbols])
    oxygens = np.flatnonzero(symbols == "O")
    for step, time, positions in zip(
        trajectory.get_stepids(), trajectory.get_times(), trajectory.get_positions(), strict=True
    ):
        z = positions[:, 2].astype(float)
        if time >= start:
            yield int(step), float(charges @ z / area / EPS0), potential_range(z, charges, oxygens, area)


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
    stored, ranges = [], {}
    for row in pairs:
        pair = orm.load_node(row["pair_pk"])
        for step, drop, found in stored_frames(pair, pair.inputs.selection["start"]):
            stored.append({"seed": row["seed"], "step": step, "expected_drop": drop, "potential_range": found})
            ranges[row["pair_pk"], step] = found
    known = [
        {**row, "potential_range": ranges[row["pair_pk"], row["step"]]} for row in frames if row["gap"] is not None
    ]
    failed = sum(row["gap"] is None and row["exit_code"] is not None for row in frames)
    columns = ["seed", "step", "expected_drop", "potential_range"]
    write(given.output / "many-drops.csv", columns, stored)
    write(given.output / "many-gaps.csv", [*columns, "drop", "gap", "metallic", "witness", "wall_seconds"], known)
    print(f"{len(known)} gaps, {failed} failed, of {len(stored)} frames")


if __name__ == "__main__":
    main()

"""How many frames converge: the three attempts of before, and the ladder of smearings, on the same frames.

    python benchmarks/gap/handlers.py SCRATCH [--before 1] [--workers 2]

``--before N`` also runs the first N attempts of what the protocol did until November 2026: from scratch at 0.001, 0.001
and 0.003 Ry with 80, 150 and 200 iterations. Writes ``docs/data/gap-handlers.csv``; what is in it, or in SCRATCH, is
not repeated.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import espresso
from ase import Atoms

TABLE = Path(__file__).parents[2] / "docs" / "data" / "gap-handlers.csv"
SETTINGS = {"ecutwfc": 45.0, "vacuum": 16.0}
"""What ``fast`` was when this was measured first, for both methods; neither decides what converges."""
BEFORE: tuple[dict[str, Any], ...] = (
    {"mixing_beta": 0.3, "electron_maxstep": 80, "degauss": 0.001},
    {"mixing_beta": 0.15, "electron_maxstep": 150, "degauss": 0.001},
    {"mixing_beta": 0.1, "electron_maxstep": 200, "degauss": 0.003},
)


def before(frame: Atoms, scratch: Path, attempts: int) -> dict[str, Any]:
    """Attempts from scratch."""
    runs: list[dict[str, Any]] = []
    for number, changes in enumerate(BEFORE[:attempts]):
        film, parameters = espresso.namelists(frame, **SETTINGS, **changes)
        runs.append(espresso.run_pw(scratch / f"before-{number}", film, parameters))
        if runs[-1]["converged"]:
            break
    return summary(runs, runs[-1] if runs[-1]["converged"] else None)


def ladder(frame: Atoms, scratch: Path) -> dict[str, Any]:
    """The protocol's ladder."""
    runs, done = espresso.climb(frame, scratch, **SETTINGS)
    return {**summary(runs, runs[-1] if done else None), "degauss": runs[-1]["degauss"]}


def summary(runs: list[dict[str, Any]], result: dict[str, Any] | None) -> dict[str, Any]:
    """Sums over the runs, and the result's gap, witness and drop."""
    return {
        "converged": result is not None,
        "runs": len(runs),
        "iterations": sum(run["iterations"] for run in runs),
        "core_seconds": round(sum(run["core_seconds"] for run in runs), 1),
        **{key: None if result is None else round(result[key], 6) for key in ("gap", "witness", "drop")},
    }


def row(converge: Callable[[Atoms, Path], dict[str, Any]], frame: Atoms, scratch: Path) -> dict[str, Any]:
    """What a method finds of a frame."""
    return {"expected_drop": round(float(frame.info["expected_drop"]), 3), **converge(frame, scratch)}


def main() -> None:
    """Run what is missing, print a line a frame, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--before", type=int, choices=range(len(BEFORE) + 1), default=0, metavar="N")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    methods: dict[str, Callable[[Atoms, Path], dict[str, Any]]] = {"ladder": ladder}
    if arguments.before:
        methods[f"before, attempts: {arguments.before}"] = partial(before, attempts=arguments.before)

    jobs: list[espresso.Job] = []
    for method, converge in methods.items():
        for name, frame in espresso.frames().items():
            jobs.append((name, method, partial(row, converge, frame, arguments.scratch / name)))
    rows = espresso.tabulate(TABLE, ("frame", "method"), jobs, arguments.workers)
    for method in methods:
        mine = [row for row in rows if row["method"] == method]
        print(method, sum(row["converged"] == "True" for row in mine), "of", len(mine), "frames")


if __name__ == "__main__":
    main()

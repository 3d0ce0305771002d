"""How far each protocol is from converged, in gap and in drop, and which setting is to blame.

    python benchmarks/gap/convergence.py SCRATCH [--workers 2] [--only protocols|settings]

``protocols``: ten frames, flat to metallic, with every protocol and with a reference of 90 Ry, conv_thr 1e-9 and 24 Å
of vacuum. ``settings``: three of them, one setting of ``fast`` changed at a time, and both functionals. What is in
SCRATCH already is not repeated. Writes ``docs/data/gap-protocols.csv`` and ``docs/data/gap-settings.csv``.
"""

from __future__ import annotations

import argparse
import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import espresso

DATA = Path(__file__).parents[2] / "docs" / "data"
FRAMES = ("f01", "f03", "f05", "f08", "f12", "f15", "f18", "f22", "f30", "f35")
THREE = ("f03", "f12", "f30")
REFERENCE = {"ecutwfc": 90.0, "conv_thr": 1e-9, "vacuum": 24.0, "moved_limit": 1e-6}
PROTOCOLS: dict[str, dict[str, Any]] = {"standard": {}, "fast": {}, "reference": REFERENCE}
SETTINGS: dict[str, list[Any]] = {
    "ecutwfc": [30.0, 45.0, 60.0, 80.0],
    "vacuum": [8.0, 16.0, 24.0],
    "conv_thr": [1e-4, 1e-5, 1e-8],
    "smearing": [[0.01], [0.01, 0.003], [0.01, 0.003, 0.001, 0.0005]],
}
Job = tuple[str, str, dict[str, Any]]


def protocol_jobs() -> list[Job]:
    """Frame, name of the run, changes to the protocol of that name (``reference`` changes ``standard``)."""
    return [(frame, name, changes) for name, changes in PROTOCOLS.items() for frame in FRAMES]


def setting_jobs() -> list[Job]:
    """One setting at a time, and revPBE with every protocol."""
    jobs: list[Job] = []
    for key, values in SETTINGS.items():
        for value in values:
            changes = {key: value, **({"moved_limit": 0.0} if key == "smearing" else {})}
            last = value[-1] if isinstance(value, list) else value
            jobs += [(frame, f"{key}={last:g}", changes) for frame in THREE]
    for name, changes in PROTOCOLS.items():
        jobs += [(frame, f"{name}-revPBE", {**changes, "functional": "revPBE"}) for frame in THREE]
    return jobs


def compute(job: Job, scratch: Path) -> dict[str, Any]:
    """One row: what the run found."""
    frame, name, changes = job
    protocol = "standard" if name.split("-")[0] in ("standard", "reference") else "fast"
    runs, done = espresso.climb(espresso.frames()[frame], scratch / frame / name, protocol, **changes)
    found = runs[-1] if done else {}
    row = {
        "frame": frame,
        "run": name,
        **{key: found[key] if done else None for key in ("gap", "drop", "vbm", "cbm", "witness")},
        "degauss": runs[-1]["degauss"],
        "iterations": sum(run["iterations"] for run in runs),
        "core_seconds": round(sum(run["core_seconds"] for run in runs), 1),
    }
    print(row, flush=True)
    return row


def main() -> None:
    """Compute what is missing and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=("protocols", "settings"))
    arguments = parser.parse_args()
    studies = {"protocols": protocol_jobs, "settings": setting_jobs}
    for study, jobs in studies.items():
        if arguments.only not in (None, study):
            continue
        with ThreadPoolExecutor(arguments.workers) as pool:
            rows = list(pool.map(lambda job: compute(job, arguments.scratch), jobs()))
        with (DATA / f"gap-{study}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()

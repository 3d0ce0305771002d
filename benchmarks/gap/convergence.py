"""How far each protocol is from converged, in gap and in drop, and which setting is to blame.

    python benchmarks/gap/convergence.py SCRATCH [--workers 2] [--only protocols|settings]

``protocols``: ten frames, flat to metallic, with every protocol and with a reference of 90 Ry, conv_thr 1e-9 and 24 Å
of vacuum. ``settings``: three of them, one setting of ``fast`` changed at a time, and both functionals. Writes
``docs/data/gap-protocols.csv`` and ``docs/data/gap-settings.csv``; what is in them, or in SCRATCH, is not repeated.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import espresso
import numpy as np
from ase.io import read

DATA = Path(__file__).parents[2] / "docs" / "data"
FRAMES = ("f01", "f03", "f05", "f08", "f12", "f15", "f18", "f21", "f22", "f30")
THREE = ("f03", "f12", "f18")
REFERENCE = {"ecutwfc": 90.0, "conv_thr": 1e-9, "vacuum": 24.0, "moved_limit": 1e-6}
PROTOCOLS: dict[str, dict[str, Any]] = {"standard": {}, "fast": {}, "reference": REFERENCE}
SETTINGS: dict[str, list[Any]] = {
    "ecutwfc": [40.0, 60.0, 80.0],
    "vacuum": [8.0, 20.0],
    "conv_thr": [1e-4, 1e-8],
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
    """What the run found."""
    frame, name, changes = job
    protocol = "standard" if name.split("-")[0] in ("standard", "reference") else "fast"
    runs, done = espresso.climb(espresso.frames()[frame], scratch / frame / name, protocol, **changes)
    found = runs[-1] if done else {}
    return {
        **{key: found[key] if done else None for key in ("gap", "drop", "vbm", "cbm", "witness")},
        "gap_text": printed_gap(scratch / frame / name / f"run-{len(runs) - 1}") if done else None,
        "degauss": runs[-1]["degauss"],
        "iterations": sum(run["iterations"] for run in runs),
        "core_seconds": round(sum(run["core_seconds"] for run in runs), 1),
    }


def printed_gap(folder: Path) -> float:
    """The gap from the eigenvalues that pw.x prints (four decimals), as ase reads them: a witness of the XML's."""
    film = read(folder / "pw.out", format="espresso-out")
    levels = np.sort(film.calc.get_eigenvalues(kpt=0))
    half = sum(espresso.VALENCE[symbol] for symbol in film.get_chemical_symbols()) // 2
    return round(float(levels[half] - levels[half - 1]), 4)


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
        computed = [(job[0], job[1], partial(compute, job, arguments.scratch)) for job in jobs()]
        espresso.tabulate(DATA / f"gap-{study}.csv", ("frame", "run"), computed, arguments.workers)


if __name__ == "__main__":
    main()

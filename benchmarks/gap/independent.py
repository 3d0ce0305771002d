"""The gaps of frames with an independent code: GPAW, all-electron through PAW, in its own environment.

    python benchmarks/gap/independent.py SCRATCH f01 f12 ...

Needs ``pip install gpaw gpaw-data`` (GPAW compiles against libxc and a BLAS) and imports nothing of this package, so it
shares no line with what it checks. Same film, same cell, same functional, same Fermi-Dirac width; another basis
(plane waves with PAW instead of norm-conserving pseudopotentials), another dipole correction, another mixer. SCRATCH is
that of ``convergence.py``: the films are the inputs that pw.x was given for the first rung of ``standard``. Writes
``docs/data/gap-independent.csv``, both codes side by side; what is in it already is not repeated.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from ase.units import Ry
from gpaw import GPAW, PW, Davidson, FermiDirac, Mixer

VALENCE = {"O": 6, "H": 1}
EPS0 = 5.526349358e-3
TABLE = Path(__file__).parents[2] / "docs" / "data" / "gap-independent.csv"
COLUMNS = ("frame", "degauss", "gap_gpaw", "gap_pw", "drop_gpaw", "drop_pw", "seconds_gpaw")


def gap(film: Atoms, degauss: float, functional: str, cutoff: float, log: Path) -> dict[str, Any]:
    """Gap, drop and edges of one film.

    :param film: centred along z in a cell with vacuum.
    :param degauss: Fermi-Dirac width in Ry.
    :param cutoff: of the plane waves, eV.
    """
    electrons = sum(VALENCE[symbol] for symbol in film.get_chemical_symbols())
    film.pbc = (True, True, False)
    film.calc = GPAW(
        mode=PW(cutoff),
        xc=functional,
        kpts=(1, 1, 1),
        symmetry="off",
        nbands=electrons // 2 + 8,
        occupations=FermiDirac(degauss * Ry),
        eigensolver=Davidson(2),
        mixer=Mixer(0.05, 12, 50.0),
        poissonsolver={"dipolelayer": "xy"},
        convergence={"energy": 1e-6, "density": 1e-5, "eigenstates": 1e-8, "bands": electrons // 2 + 2},
        maxiter=300,
        txt=str(log),
    )
    film.get_potential_energy()
    levels = np.sort(film.calc.get_eigenvalues(kpt=0))
    half = electrons // 2
    area = float(np.linalg.norm(np.cross(film.cell[0], film.cell[1])))
    return {
        "gap": float(levels[half] - levels[half - 1]),
        "vbm": float(levels[half - 1]),
        "cbm": float(levels[half]),
        "drop": float(film.get_dipole_moment()[2]) / (EPS0 * area),
    }


def main() -> None:
    """Compute what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scratch", type=Path)
    parser.add_argument("frames", nargs="+")
    parser.add_argument("--functional", default="PBE")
    parser.add_argument("--cutoff", type=float, default=600.0, help="of the plane waves, eV")
    arguments = parser.parse_args()
    rows = {}
    if TABLE.exists():
        with TABLE.open(newline="") as file:
            rows = {row["frame"]: row for row in csv.DictReader(file)}
    for frame in arguments.frames:
        folder = arguments.scratch / frame / "standard" / "run-0"
        row = rows.setdefault(frame, {"frame": frame, **dict.fromkeys(COLUMNS[1:], "")})
        if not row["gap_gpaw"]:
            text = (folder / "pw.in").read_text()
            degauss = float(next(line for line in text.splitlines() if "degauss" in line).split("=")[1])
            film = read(folder / "pw.in", format="espresso-in")
            start = time.monotonic()
            found = gap(film, degauss, arguments.functional, arguments.cutoff, folder / "gpaw.txt")
            row.update(degauss=degauss, gap_gpaw=round(found["gap"], 4), drop_gpaw=round(found["drop"], 4))
            row["seconds_gpaw"] = round(time.monotonic() - start)
        if (folder / "run.json").exists():
            theirs = json.loads((folder / "run.json").read_text())
            row.update(gap_pw=round(theirs["gap"], 4), drop_pw=round(theirs["drop"], 4))
        print(row, flush=True)
        with TABLE.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[name] for name in sorted(rows))


if __name__ == "__main__":
    main()

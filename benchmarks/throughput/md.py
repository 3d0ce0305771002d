"""What a step of MD costs beside the model itself: ``python -m benchmarks.throughput.md --janus PATH/TO/janus``.

Core-seconds (user and system time of the process and its children) a step, by whole processes of two lengths, whose
difference has no start in it. In turn, several times over, so that a machine whose speed drifts does so for all:

- ``driver``: this package's MD job, one thread, with its samples, checks, frames and checkpoints as in the quickstart;
- ``bare``: a loop around the model's forward pass and forces at one configuration, one thread, nothing else;
- ``bare, kept``: the same in a process that keeps the memory it frees, as the driver's does;
- ``janus 1``: ``janus md`` (janus-core, in an environment of its own), the same model, film and precision, one thread;
- ``janus``: the same as it runs where nobody sets threads: on all cores.

``--janus`` may be left out; then the last two are.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.interfaces.recipe import BuiltInterface
from aiida_falsemetal.mlips.catalogue import model_path, presets

MODEL = "twin-sr"
BARE = """
import json, sys
import torch
torch.set_num_threads(1)
if sys.argv[3] == "kept":
    from aiida_falsemetal.runner.allocation import keep_freed
    assert keep_freed()
from ase.io import read
from aiida_falsemetal.mlips.registry import load_family
atoms = read("film.extxyz")
calculator = load_family("mace").calculator(sys.argv[1], {}, atoms)
graph = calculator._graph(atoms)
for _ in range(int(sys.argv[2])):
    out = calculator.model({**graph, "positions": graph["positions"].detach()}, compute_stress=False, training=False)
    float(out["energy"]), out["forces"].numpy()
"""


def driver_input(built: BuiltInterface, steps: int) -> dict[str, Any]:
    """``input.json`` of a job, with the quickstart's settings but for the MLIP's usual step of 1 fs."""
    atoms = built.atoms
    return {
        "settings": {
            **{"steps": steps, "timestep": 1.0, "temperature": 300.0, "friction": 0.01, "seed": 1},
            **{"stride": 10, "frame_stride": 50, "hydrogen_mass": 4.0, "max_evaporated": 0.1},
            **{"dipole_charges": None, "max_seconds": 1e9},
        },
        **{"threads": 1, "device": "cpu", "family": "mace", "kwargs": {}, "model": "the.model"},
        "atoms": {
            "symbols": atoms.get_chemical_symbols(),
            "positions": atoms.get_positions().tolist(),
            "cell": atoms.cell.array.tolist(),
        },
        "info": {key: built.info[key] for key in ("molecules", "axis")},
    }


def seconds(line: list[str], folder: Path, threads: int | None) -> tuple[float, float]:
    """Core-seconds and wall time of a process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    if line[0] != sys.executable:
        environment.pop("PYTHONPATH")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment.pop(name, None)
        if threads is not None:
            environment[name] = str(threads)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(line, cwd=folder, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return used, time.monotonic() - begun


def cases(folder: Path, built: BuiltInterface, janus: str | None) -> dict[str, Callable[[int], tuple[float, float]]]:
    """By name, what takes a number of steps and returns what they took, with start."""
    model = model_path(presets()[MODEL])
    built.atoms.write(folder / "film.extxyz")
    (folder / "the.model").write_bytes(model.read_bytes())

    def driver(steps: int) -> tuple[float, float]:
        (folder / "input.json").write_text(json.dumps(driver_input(built, steps)))
        for name in ("series.jsonl", "frames.f32", "checkpoint.npz", "result.json"):
            (folder / name).unlink(missing_ok=True)
        code = "from aiida_falsemetal.runner.main import main; main()"
        return seconds([sys.executable, "-c", code], folder, 1)

    def bare(steps: int, memory: str) -> tuple[float, float]:
        return seconds([sys.executable, "-c", BARE, "the.model", str(steps), memory], folder, 1)

    def of_janus(steps: int, threads: int | None) -> tuple[float, float]:
        assert janus is not None
        line = [janus, "md", "--ensemble", "nvt", "--arch", "mace", "--model", "the.model", "--struct", "film.extxyz"]
        line += ["--calc-kwargs", "{'default_dtype': 'float32'}", "--steps", str(steps), "--timestep", "1"]
        line += ["--temp", "300", "--friction", "0.01", "--seed", "1", "--stats-every", "10", "--traj-every", "50"]
        return seconds([*line, "--no-tracker", "--no-progress-bar"], folder, threads)

    found: dict[str, Callable[[int], tuple[float, float]]] = {"driver": driver}
    found["bare"] = lambda steps: bare(steps, "returned")
    found["bare, kept"] = lambda steps: bare(steps, "kept")
    if janus:
        found["janus 1"] = lambda steps: of_janus(steps, 1)
        found["janus"] = lambda steps: of_janus(steps, None)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--janus", help="the program `janus`")
    parser.add_argument("--molecules", type=int, default=16)
    parser.add_argument("--lateral", type=float, default=6.5, help="Å")
    parser.add_argument("--steps", type=int, nargs=2, default=(50, 450), help="of the shorter and the longer run")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    film = FilmParameters(molecules=given.molecules, lateral=given.lateral, vacuum=25.0, seed=1)
    short, long = given.steps
    with tempfile.TemporaryDirectory() as folder:
        todo = cases(Path(folder), FilmRecipe().build(film), given.janus)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in todo}
        for number in range(given.repeats):
            for name, run in todo.items():
                first, second = run(short), run(long)
                taken[name].append(tuple((b - a) / (long - short) * 1e3 for a, b in zip(first, second, strict=True)))
            print(f"{number + 1} of {given.repeats}", {name: np.round(all_[-1], 1) for name, all_ in taken.items()})
    print(f"\n{given.molecules} molecules, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("| | core-ms a step (least, median, most) | wall ms | driver's, ratio (median of pairs) |\n|---|---|---|---|")
    for name, pairs in taken.items():
        core, wall = np.array(pairs).T
        ratio = np.median(core / np.array(taken["driver"])[:, 0])
        spread = f"{core.min():.1f} {np.median(core):.1f} {core.max():.1f}"
        print(f"| {name} | {spread} | {np.median(wall):.1f} | {ratio:.3f} |")


if __name__ == "__main__":
    main()

"""Independent samples of the dipole for a core-hour of MD, by time step and hydrogen mass.

``python -m benchmarks.throughput.samples --ps 300``: MD of one film with the Ewald control for each case, by the
package's own driver in this process, one after the other in pieces, so that all cases meet the same machine. A case
goes on from its checkpoint when the command is given again with the same ``--folder``. A step costs the same whatever
its length, so what counts is how many samples come from a million steps; core-hours are measured besides.

The width of M_z is a check: hydrogen's mass must not change it, and the time step should not.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.registry import load_family
from aiida_falsemetal.physics.series import pool
from aiida_falsemetal.runner import files
from aiida_falsemetal.runner.driver import Settings, Trajectory
from aiida_falsemetal.runner.storage import Checkpoint, Output

MODEL = "spcfw-ewald"
CASES = ((0.5, 1.008), (1.0, 1.008), (1.0, 2.0), (1.0, 4.0), (2.0, 4.0), (2.5, 4.0))
"""Time step (fs) and hydrogen mass (u)."""
EVERY = 0.02
"""ps between samples."""
START = 5.0
"""ps that are cut."""
PIECE = 10.0
"""ps that a case runs before the next one's turn."""


@dataclass
class Case:
    """One time step and mass.

    :param seconds: of CPU time, measured so far in this process.
    :param steps: that they took.
    """

    timestep: float
    mass: float
    folder: Path
    seconds: float = 0.0
    steps: int = 0

    def run(self, film: FilmParameters, picoseconds: float) -> None:
        """Go on to this time."""
        built, entry = FilmRecipe().build(film), presets()[MODEL]
        atoms = built.atoms.copy()
        atoms.calc = load_family(entry.family).calculator(model_path(entry), entry.kwargs, atoms)
        stride = round(EVERY * 1000 / self.timestep)
        settings = Settings(
            steps=round(picoseconds * 1000 / self.timestep / stride) * stride,
            timestep=self.timestep,
            temperature=300.0,
            friction=0.01,
            seed=1,
            stride=stride,
            frame_stride=50 * stride,
            hydrogen_mass=self.mass,
            max_evaporated=0.2,
            dipole_charges=None,
            max_seconds=1e9,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        trajectory = Trajectory(atoms, built.info, settings, self.folder, lambda: False)
        saved = self.folder / files.CHECKPOINT
        if saved.exists():
            trajectory.resume(Checkpoint.load(saved))
        first, begun = trajectory.step, time.process_time()
        output = Output(self.folder)
        status, message = trajectory.run(output)
        output.close()
        assert status == "finished", message
        self.seconds += time.process_time() - begun
        self.steps += trajectory.step - first

    def row(self) -> str:
        """A line of the table."""
        records = [json.loads(line) for line in (self.folder / files.SERIES).read_text().splitlines()]
        series = np.array([record["dipole_z"] for record in records])[round(START / EVERY) :]
        pooled = pool([series], mean=0.0).spread
        millions = len(series) * EVERY * 1000 / self.timestep / 1e6
        cost = self.seconds / self.steps if self.steps else float("nan")
        hours = millions * 1e6 * cost / 3600
        width = f"{pooled.value:.2f} [{pooled.low:.2f}, {pooled.high:.2f}]"
        rate = f"{pooled.n_eff / millions:.0f} | {pooled.n_eff / hours:.0f}"
        return f"| {self.timestep} | {self.mass} | {len(series) * EVERY:.0f} | {pooled.n_eff:.0f} | {rate} | {width} |"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ps", type=float, default=300.0, help="of each case")
    parser.add_argument("--folder", type=Path, default=Path("samples"), help="of the trajectories")
    given = parser.parse_args()
    film = FilmParameters(molecules=16, lateral=6.5, vacuum=25.0, seed=1)
    cases = [Case(step, mass, given.folder / f"{step}-{mass}") for step, mass in CASES]
    for end in np.arange(PIECE, given.ps + PIECE / 2, PIECE):
        for case in cases:
            case.run(film, float(end))
        print(f"{end:.0f} of {given.ps:.0f} ps", flush=True)
    print("| time step (fs) | hydrogen (u) | ps | n_eff | a million steps | a core-hour | sd M_z (e Å) |")
    print("|---|---|---|---|---|---|---|")
    for case in cases:
        print(case.row())


if __name__ == "__main__":
    main()

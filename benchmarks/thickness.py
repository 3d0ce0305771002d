"""How wide the two controls' dipoles are at several thicknesses, against theory: ``python benchmarks/thickness.py``.

For every case two seeds of MD are run in this process with the package's own driver, without AiiDA, and pooled. A case
that is in ``docs/data/thickness.csv`` already is not run again; a seed that was interrupted goes on from its
checkpoint. At the end the table of docs/verdict.md is printed.

``--ps`` is the length of a seed, of which ``EQUILIBRATION`` is cut. On one core of a 2-core machine a picosecond takes
0.8 to 1.7 s.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.interfaces.recipe import BuiltInterface
from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.registry import load_family
from aiida_falsemetal.physics import bulk, dielectric, dipoles
from aiida_falsemetal.physics.expected import EPS, pair_width
from aiida_falsemetal.physics.series import pool
from aiida_falsemetal.runner import files
from aiida_falsemetal.runner.driver import Settings, Trajectory
from aiida_falsemetal.runner.storage import Checkpoint, Output

RESULTS = Path(__file__).parents[1] / "docs" / "data" / "thickness.csv"
LATERAL = 12.2
"""Å. Just above twice the controls' cutoff: a narrower cell is tiled, its force call has as many atoms and takes longer
(truncated, 6.5 x 6.5 x 20 Å: 2.5 s a ps; this: 1.2). There is no area in the ratio to theory."""
VACUUM = 12.0
"""Å. Lateral waves of charge decay as exp(-2 pi z / 12.2): images see the dipole only, which the correction takes."""
KELVIN = 300.0
STEP = 2.0
"""fs, with a hydrogen mass of 4 u."""
STRIDE = 10
"""Steps between samples."""
EQUILIBRATION = {"spcfw-ewald": 5.0, "spcfw-truncated": 12.0}
"""ps. The packed liquid relaxes in some ps; the truncated control's dipole does so more slowly than that."""
SEEDS = (1, 2)


@dataclass(frozen=True)
class Case:
    """One control, one film.

    :param thickness: nominal, Å; a whole number of molecules is as near to it as can be.
    :param ps: of each seed, equilibration included.
    :param vacuum: Å.
    :param slab: False switches the slab correction of the control off: tin-foil.
    """

    model: str
    thickness: float
    ps: float
    vacuum: float = VACUUM
    slab: bool = True

    @property
    def name(self) -> str:
        """For folders."""
        return f"{self.model}-{self.thickness:g}-{self.vacuum:g}-{'slab' if self.slab else 'tin-foil'}"

    @property
    def kwargs(self) -> dict[str, Any]:
        """Of the family."""
        return {**presets()[self.model].kwargs, **({} if self.slab else {"slab_correction": False})}

    def interface(self, seed: int) -> BuiltInterface:
        """The film."""
        return FilmRecipe().build(
            FilmParameters(thickness=self.thickness, lateral=LATERAL, vacuum=self.vacuum, seed=seed)
        )


@dataclass(frozen=True)
class Row:
    """What a case gave; dipoles are those of the interface's screened charges.

    :param thickness: Å, nominal: molecules times 29.97 Å^3 over the area.
    :param height: of the cell, Å.
    :param ps: of all seeds after equilibration.
    :param correlation_ps: of M_z.
    :param variance: <M_z^2> / (eps0 V kT) of the model's own charges, with its 95 % interval; fluctuations about the
        mean of the seeds.
    :param theory: what the model's own electrostatics should give, full, tin-foil or truncated, for sharp faces.
    :param theory_wave: the estimate at k = pi/d for a truncated one; else ``theory``.
    :param ratio: sd(M_z/A) over that of full electrostatics, :func:`.pair_width`, with its interval.
    """

    model: str
    boundary: str
    molecules: int
    area: float
    thickness: float
    height: float
    seeds: int
    ps: float
    n_eff: float
    correlation_ps: float
    mean_low: float
    mean_high: float
    sd: float
    variance: float
    variance_low: float
    variance_high: float
    theory: float
    theory_wave: float
    ratio: float
    ratio_low: float
    ratio_high: float


def cases(ps: float) -> list[Case]:
    """Three thicknesses of either control, and the full sum without slab correction in a cell twice as high."""
    films = [Case(model, d, ps) for d in (12.0, 20.0, 30.0) for model in ("spcfw-ewald", "spcfw-truncated")]
    return [*films, Case("spcfw-ewald", 20.0, ps, vacuum=20.0, slab=False)]


def dipole_series(case: Case, seed: int, folder: Path) -> NDArray[np.float64]:
    """M_z in e Å of one seed after equilibration, shape (n,), ``STRIDE`` steps apart; goes on where it was stopped.

    :raises RuntimeError: if the driver stops the run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entry, built = presets()[case.model], case.interface(seed)
    steps = round(case.ps * 1e3 / STEP)
    checkpoint = folder / files.CHECKPOINT
    saved = Checkpoint.load(checkpoint) if checkpoint.exists() else None
    if saved is None or saved.step < steps:
        atoms = built.atoms
        atoms.calc = load_family(entry.family).calculator(model_path(entry), case.kwargs, atoms)
        settings = Settings(steps, STEP, KELVIN, 0.005, seed, STRIDE, 500, 4.0, 0.2, None, math.inf)
        trajectory = Trajectory(atoms, built.info, settings, folder, lambda: False)
        if saved is not None:
            trajectory.resume(saved)
        output = Output(folder)
        status, message = trajectory.run(output)
        output.close()
        if status != "finished":
            raise RuntimeError(f"{case.name}, seed {seed}: {message}")
    # Samples behind the last checkpoint of an interrupted run are there twice.
    found = {r["step"]: r["dipole_z"] for r in map(json.loads, (folder / files.SERIES).read_text().splitlines())}
    first = EQUILIBRATION[case.model] * 1e3 / STEP
    return np.array([found[step] for step in sorted(found) if step >= first])


def measure(case: Case, folder: Path, confidence: float = 0.95) -> Row:
    """Run the seeds of a case and compare with theory.

    :param folder: where the runs are kept, and found again.
    :param confidence: of the row's intervals.
    """
    series = [dipole_series(case, seed, folder / case.name / str(seed)) for seed in SEEDS]
    entry, built = presets()[case.model], case.interface(SEEDS[0])
    facts = load_family(entry.family).inspect(model_path(entry), case.kwargs).as_dict()
    info = built.info
    pooled = pool(series, confidence)
    spread = pooled.spread
    width = pair_width(info, facts, KELVIN)
    assert width.sd is not None and width.ratio is not None
    scale = facts["charges"]["O"] / dipoles.SCREENED_CHARGES["O"]
    unit = scale / dielectric.sd_dipole(1.0, info["area"] * info["thickness"], KELVIN)
    variance, low, high = ((unit * end) ** 2 for end in (spread.value, spread.low, spread.high))
    ratio, ratio_low, ratio_high = (end / info["area"] / width.sd for end in (spread.value, spread.low, spread.high))
    theory, wave = own_theory(facts, info, width.ratio * scale**2)
    between = STRIDE * STEP * 1e-3
    return Row(
        model=case.model,
        boundary=facts["boundary"],
        molecules=len(info["molecules"]),
        area=info["area"],
        thickness=info["thickness"],
        height=info["height"],
        seeds=len(series),
        ps=pooled.samples * between,
        n_eff=spread.n_eff,
        correlation_ps=spread.correlation_samples * between,
        mean_low=pooled.mean_low,
        mean_high=pooled.mean_high,
        sd=spread.value,
        variance=variance,
        variance_low=low,
        variance_high=high,
        theory=theory,
        theory_wave=wave,
        ratio=ratio,
        ratio_low=ratio_low,
        ratio_high=ratio_high,
    )


def own_theory(facts: dict[str, Any], info: dict[str, Any], full: float) -> tuple[float, float]:
    """<M_z^2> / (eps0 V kT) for the model's own electrostatics.

    :param full: what it is where nothing is truncated.
    :return: :func:`truncated_theory`, and the estimate from the share of 4 pi / k^2 that the interaction keeps at the
        film's longest wave, k = pi/d, as in :func:`.dielectric.truncated`.
    """
    if facts["coulomb_cutoff"] is None:
        return full, full
    kept = bulk.kept_by_truncation(math.pi / info["thickness"], *shifted_force())
    return truncated_theory(info["thickness"]), bulk.expected_structure_factor(info["eps"], kept)


def truncated_theory(d: float, surface: float = 0.0) -> float:
    """<M_z^2> / (eps0 V kT) of the truncated control, V = A d, where the film is electrically thicker by ``surface``.

    :param d: nominal thickness, Å.
    """
    return dielectric.truncated_film(EPS, d + surface, *shifted_force()) * (d + surface) / d


def shifted_force() -> tuple[Callable[[float], float], float]:
    """The truncated control's interaction and its cutoff, Å."""
    given = presets()["spcfw-truncated"].kwargs
    return bulk.shifted_force(given["cutoff"], given["damping"]), given["cutoff"]


def read(path: Path) -> list[Row]:
    """Rows of earlier runs."""
    if not path.exists():
        return []
    kinds = {field.name: {"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Row)}
    with path.open(newline="") as stream:
        return [Row(**{name: kinds[name](value) for name, value in row.items()}) for row in csv.DictReader(stream)]


def append(path: Path, row: Row) -> None:
    """Write a row behind the others, four digits a number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.exists()
    with path.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Row)], lineterminator="\n")
        if fresh:
            writer.writeheader()
        numbers = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in asdict(row).items()}
        writer.writerow(numbers)


def is_of(row: Row, case: Case) -> bool:
    """Whether a row is that of a case, whatever its length."""
    return (row.model, row.boundary == "isolated") == (case.model, case.slab) and abs(
        row.thickness - case.thickness
    ) < 1.0


def table(rows: list[Row]) -> str:
    """Markdown, by electrostatics and thickness."""
    lines = [
        "| model | d (Å) | waters | ps | n_eff | tau (ps) | <M_z^2>/(eps0 V kT) | theory | k = pi/d | sd over full |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: (row.boundary, row.model, row.thickness)):
        foil = f", tin-foil, d/L = {row.thickness / row.height:.2g}" if row.boundary == "tin-foil" else ""
        cells = [
            f"`{row.model}`{foil}",
            f"{row.thickness:.1f}",
            f"{row.molecules}",
            f"{row.ps:.0f}",
            f"{row.n_eff:.0f}",
            f"{row.correlation_ps:.2g}",
            f"{row.variance:.3g} [{row.variance_low:.3g}, {row.variance_high:.3g}]",
            f"{row.theory:.3g}",
            f"{row.theory_wave:.3g}",
            f"{row.ratio:.2f} [{row.ratio_low:.2f}, {row.ratio_high:.2f}]",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ps", type=float, default=60.0, help="of each seed")
    parser.add_argument("--work", type=Path, default=Path("build/thickness"), help="folder of the runs")
    given = parser.parse_args()
    for case in cases(given.ps):
        if not any(is_of(row, case) for row in read(RESULTS)):
            row = measure(case, given.work)
            append(RESULTS, row)
            print(table([row]).splitlines()[-1], flush=True)
    print(table(read(RESULTS)))


if __name__ == "__main__":
    main()

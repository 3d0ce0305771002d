"""A synthetic campaign with everything that a real one can hold: closed gaps, failures, lost and unfinished ones."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_falsemetal.calculations.evidence import (
    FRAME_KEYS,
    LAW_KEYS,
    Seed,
    calibrated,
    known_frames,
    summarize,
)
from aiida_falsemetal.physics import missing_energy
from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.physics.verdict import metallized_fraction
from aiida_falsemetal.report.build import build_report

NOT_CONVERGED = "The electronic minimization cycle did not reach self-consistency."
SETTINGS = {
    "date": "2026-03-05 14:20",
    "versions": {"aiida-falsemetal": "0.1.0", "aiida-core": "2.9.4"},
    "functional": "PBE",
}
FILMS = {"film-25A": (154.5, 25.0, 30.0), "film-38A": (166.5, 38.0, 30.0)}
MODELS: dict[str, dict[str, Any]] = {
    "mace-sr-4.5": {"long_ranged": False, "cutoff": 4.5, "layers": 2, "receptive_field": 9.0, "sha256": "ab" * 32},
    "polar-mace": {"long_ranged": True, "cutoff": 4.5, "layers": 2, "receptive_field": 9.0, "sha256": "cd" * 32},
    "spcfw-ewald": {"long_ranged": True, "cutoff": 9.0, "layers": 1, "receptive_field": None, "sha256": "ef" * 32},
}


def pytest_configure(config: pytest.Config) -> None:
    """The marker of the tests that start a browser."""
    config.addinivalue_line("markers", "browser: opens the page in a headless browser.")


@dataclass
class Campaign:
    """Arguments of ``build_report``."""

    rows: list[dict[str, Any]]
    pairs: list[dict[str, Any]]
    series: dict[int, dict[str, np.ndarray]]
    settings: dict[str, Any]
    cells: list[dict[str, Any]] = field(default_factory=list)
    laws: list[dict[str, Any]] = field(default_factory=list)
    structures: dict[str, Any] | None = None
    layers: dict[int, dict[str, np.ndarray]] | None = None

    def write(self, folder: Path, name: str = "water") -> Path:
        """The report of it."""
        verdicts = (self.settings, self.cells, self.laws)
        return build_report(folder, name, self.rows, self.pairs, self.series, *verdicts, self.structures, self.layers)


def moment_series(rng: np.random.Generator, sd: float, tau: float, samples: int = 4000) -> np.ndarray:
    """Ornstein-Uhlenbeck M_z/A in e/Å, sampled every 0.05 ps."""
    keep = np.exp(-0.05 / tau)
    kicks = rng.normal(0.0, sd * np.sqrt(1 - keep**2), samples)
    value = np.empty(samples)
    value[0] = 0.0
    for index in range(1, samples):
        value[index] = keep * value[index - 1] + kicks[index]
    return value


def frame(labels: dict[str, Any], step: int, moment: float, area: float, stratum: int | str, pk: int) -> dict[str, Any]:
    """A frame row without a result yet."""
    empty = ("gap", "vbm", "cbm", "fermi", "witness", "metallic", "dipole", "drop", "energy", "scf_iterations")
    return {
        **{key: labels[key] for key in ("campaign", "interface", "mlip", "seed", "pair_pk")},
        "step": step,
        "time_ps": step * 1e-3,
        "Mz": moment * area,
        "Mz_per_area": moment,
        "expected_drop": moment / EPS0,
        "energy_mlip": -77.0,
        "stratum": stratum,
        "probability": 0.05,
        **dict.fromkeys((*empty, "wall_seconds", "attempt", "exit_code")),
        "exit_message": "",
        "pw_pk": pk + 2,
        "gap_pk": pk,
        "result_pk": pk + 5,
    }


def compute(row: dict[str, Any], rng: np.random.Generator, area: float) -> None:
    """A result: the law with PBE's smaller intercept and 0.2 eV of scatter, pinned near zero where it would close."""
    drop = row["expected_drop"]
    gap = 4.1 - 0.97 * abs(drop) + rng.normal(0, 0.2)
    metallic = gap < 0.2
    gap = abs(rng.normal(0.06, 0.03)) if metallic else gap
    seen = np.sign(drop) * min(abs(drop), 4.1 + abs(rng.normal(0, 0.1)))
    row.update(
        gap=float(gap),
        vbm=-3.1 - float(gap) / 2,
        cbm=-3.1 + float(gap) / 2,
        fermi=-3.1,
        witness=0.31 if metallic else 2e-7,
        metallic=bool(metallic),
        dipole=float(seen * EPS0 * area),
        drop=float(seen),
        energy=-1234.5 + dft_energy(row, area),
        scf_iterations=31 if metallic else 13,
        wall_seconds=340.0,
        attempt=2 if metallic else 1,
        exit_code=0,
    )


def dft_energy(row: dict[str, Any], area: float) -> float:
    """E_DFT - E_MLIP up to a constant: the short-ranged model lacks nine tenths of the film's energy, the others
    nothing; 30 meV of scatter. Its generator is its own, so that it changes nothing else here."""
    share = 0.9 if row["mlip"] == "mace-sr-4.5" else 0.0
    volume = area * FILMS[row["interface"]][1]
    energy = float(missing_energy.slab_energy(np.array([row["Mz"]]), volume)[0])
    return share * energy + float(np.random.default_rng([row["pair_pk"], row["step"]]).normal(0, 0.03))


def seed_of(frames: list[dict[str, Any]], moment: np.ndarray) -> Seed:
    """A trajectory as the verdict knows it. Its frames are taken for ones chosen blindly."""
    computed = [row for row in frames if row["gap"] is not None]
    gaps = [row["gap"] for row in computed]
    metallic = sum(row["metallic"] for row in computed)
    return Seed(
        time=np.arange(len(moment)) * 0.05,
        moment=moment,
        frames=[{key: row.get(key) for key in FRAME_KEYS} for row in frames],
        population=len(moment),
        metallized=metallized_fraction(metallic, len(computed), len(frames) - len(computed)),
        mean_gap=(float(np.mean(gaps)), float(np.mean(gaps)) - 0.4, float(np.mean(gaps)) + 0.4),
    )


def judged(pair: dict[str, Any], seeds: list[Seed], **more: Any) -> dict[str, Any]:
    """The verdict on one seed or several, by the package's own rule. Ten picoseconds are equilibration."""
    given = {"temperature": 300.0, "equilibration": 10.0, "acceptable": 0.01, "confidence": 0.95, "rhat": 1.1, **more}
    return summarize(seeds, {"area": pair["area"], "thickness": pair["thickness"]}, given)


def law_of(interface: str, frames: list[dict[str, Any]]) -> dict[str, Any]:
    """A row of :func:`aiida_falsemetal.query.cells.law_rows`."""
    drop, gap, metallic = known_frames(frames)
    law = calibrated(frames)
    return {
        "campaign": "water",
        "interface": interface,
        "law_pk": 31000,
        **{key: getattr(law, key, None) for key in LAW_KEYS},
        "metallic": int(metallic.sum()),
        "drop_error": 0.0 if law is None else law.drop_error,
        "functional": "PBE",
        "computed": {"drop": drop.tolist(), "gap": gap.tolist(), "metallic": metallic.tolist()},
    }


def new_pair(interface: str, mlip: str, seed: int, pk: int) -> dict[str, Any]:
    """A pair that runs its MD."""
    area, thickness, vacuum = FILMS[interface]
    return {
        "campaign": "water",
        "interface": interface,
        "mlip": mlip,
        "seed": seed,
        "fingerprint": "f" * 8,
        "pair_pk": pk,
        "state": "waiting",
        "exit_code": None,
        "exit_message": "",
        "area": area,
        "thickness": thickness,
        "vacuum": vacuum,
        "md_steps": 200000,
        "md_ps": 200.0,
        "temperature": 300.0,
        **MODELS[mlip],
    }


def finished_pairs() -> Iterator[tuple[dict[str, Any], list[dict[str, Any]], np.ndarray]]:
    """Two films with three models each, one of them with two seeds."""
    rng = np.random.default_rng(7)
    spreads = {"mace-sr-4.5": (0.017, 8.0), "polar-mace": (0.0036, 0.4), "spcfw-ewald": (0.0034, 0.3)}
    wanted = [(film, mlip, 1) for film in FILMS for mlip in MODELS] + [("film-38A", "mace-sr-4.5", 2)]
    for number, (film, mlip, seed) in enumerate(sorted(wanted)):
        pair = new_pair(film, mlip, seed, 1000 * (number + 1))
        moment = moment_series(rng, *spreads[mlip])
        order = np.argsort(np.abs(moment[200:])) + 200
        picks = [*order[np.linspace(0, len(order) - 1, 12).astype(int)], *rng.choice(np.arange(200, 4000), 4)]
        frames = []
        for index, pick in enumerate(picks):
            stratum = "uniform" if index >= 12 else index // 4
            pk = pair["pair_pk"] + 10 * (index + 1)
            row = frame(pair, int(pick) * 50, float(moment[pick]), pair["area"], stratum, pk)
            compute(row, rng, pair["area"])
            frames.append(row)
        frames.sort(key=lambda row: row["step"])
        yield pair, frames, moment


def fail(row: dict[str, Any]) -> None:
    """Turn a computed frame into one whose pw.x failed."""
    empty = ("gap", "vbm", "cbm", "fermi", "witness", "metallic", "dipole", "drop", "energy", "scf_iterations")
    row.update({**dict.fromkeys(empty), "attempt": 3, "exit_code": 410, "exit_message": NOT_CONVERGED})


@cache
def whole_campaign() -> Campaign:
    """See :func:`campaign`. Shared: copy before changing it."""
    rows: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    series: dict[int, dict[str, np.ndarray]] = {}
    seeds: dict[tuple[str, str], list[Seed]] = {}
    for pair, frames, moment in finished_pairs():
        by_drop = sorted(frames, key=lambda row: -abs(row["expected_drop"]))
        if pair["mlip"] == "mace-sr-4.5":
            fail(by_drop[0])
            fail(by_drop[2])
        if (pair["interface"], pair["mlip"]) == ("film-38A", "spcfw-ewald"):
            fail(by_drop[1])
        seed = seed_of(frames, moment)
        pair.update(judged(pair, [seed]), exit_code=0, state="finished")
        seeds.setdefault((pair["interface"], pair["mlip"]), []).append(seed)
        rows += frames
        pairs.append(pair)
        steps = np.arange(len(moment)) * 50
        series[pair["pair_pk"]] = {"step": steps, "time_ps": steps * 1e-3, "dipole_z": moment * pair["area"]}
    running = new_pair("film-25A", "polar-mace", 2, 20000)
    crashed = {**new_pair("film-25A", "spcfw-ewald", 2, 21000), "state": "excepted"}
    lost = frame(crashed, 5000, 0.002, 154.5, "uniform", 21010)
    waiting = frame(running, 7000, -0.003, 154.5, 1, 20010)
    for row in (lost, waiting):  # the graph knows a frame's record only once it has a result
        row.update(
            dict.fromkeys(
                ("time_ps", "Mz", "Mz_per_area", "expected_drop", "energy_mlip", "stratum", "probability", "result_pk")
            )
        )
    laws = [law_of(film, [row for row in rows if row["interface"] == film]) for film in FILMS]
    return Campaign(
        [*rows, waiting, lost], [*pairs, running, crashed], series, SETTINGS, list(cells_of(pairs, seeds)), laws
    )


def cells_of(pairs: list[dict[str, Any]], seeds: dict[tuple[str, str], list[Seed]]) -> Iterator[dict[str, Any]]:
    """Rows of :func:`aiida_falsemetal.query.cells.cell_rows`: none of the cell with a pair under way."""
    for number, (key, found) in enumerate(seeds.items()):
        if key == ("film-25A", "polar-mace"):
            continue
        pair = next(row for row in pairs if (row["interface"], row["mlip"]) == key)
        missing = ["Seed 2: it ended without a word"] if key == ("film-25A", "spcfw-ewald") else []
        labels = {"campaign": "water", "interface": key[0], "mlip": key[1], "verdict_pk": 30000 + number}
        yield {**labels, **judged(pair, found, missing=missing)}


@pytest.fixture
def campaign() -> Campaign:
    """Seven finished pairs, with failed frames and one lost; one unfinished pair and one that excepted."""
    return deepcopy(whole_campaign())


OLD_VERDICT = (
    *("verdict", "reason", "selected", "converged", "failed", "metallic", "min_gap", "sd_Mz_per_area"),
    *("sd_low", "sd_high", "n_eff", "correlation_time_ps", "expected_sd_Mz_per_area", "sampled_ps"),
)
"""Keys of the verdicts of older versions."""


def as_older_version(given: Campaign) -> None:
    """Make the rows those of a graph that an older version left: one verdict a pair, in its words."""
    for pair in given.pairs:
        if "verdict" not in pair:
            continue
        word = "metallized" if pair["metallic"] else "undecided" if pair["failed"] else "not metallized"
        reason = f"{pair['metallic']} of {pair['converged']} computed frames are metallic."
        old = {**{key: pair[key] for key in OLD_VERDICT}, "verdict": word, "reason": reason}
        for key in set(judged(pair, [])) - set(old):
            pair.pop(key, None)
        pair.update(old)
    given.cells, given.laws = [], []

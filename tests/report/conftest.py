"""A synthetic campaign with everything that a real one can hold: closed gaps, failures, lost and unfinished ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from aiida_falsemetal.physics import dielectric, missing_energy, statistics
from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.physics.gaplaw import BREAKDOWN

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


def finish(pair: dict[str, Any], frames: list[dict[str, Any]], moment: np.ndarray, message: str = "") -> None:
    """The verdict's keys, by the rules of ``calculations/verdict.py``."""
    computed = [row for row in frames if row["gap"] is not None]
    failed = sum(row["gap"] is None for row in frames)
    metallic = sum(row["metallic"] for row in computed)
    first = 200
    spread = statistics.sd_with_interval(moment[first:])
    ratio = dielectric.screened_film(78.0, 1.78)
    volume = pair["area"] * pair["thickness"]
    energies = missing_energy.of_frames(frames, volume)
    verdict, reason = "not metallized", f"None of {len(computed)} computed frames is metallic."
    if metallic:
        verdict, reason = "metallized", f"{metallic} of {len(computed)} computed frames are metallic."
    elif message:
        verdict, reason = "undecided", f"The MD ended early: {message}"
    elif failed:
        verdict, reason = "undecided", f"{failed} of {len(frames)} frames have no gap; any of them may be metallic."
    pair.update(
        verdict=verdict,
        reason=reason,
        selected=len(frames),
        converged=len(computed),
        failed={"410": failed} if failed else {},
        metallic=metallic,
        fraction_metallic=metallic / len(computed),
        fraction_metallic_low=statistics.wilson_interval(metallic, len(frames))[0],
        fraction_metallic_high=statistics.wilson_interval(metallic + failed, len(frames))[1],
        min_gap=min(row["gap"] for row in computed),
        sd_Mz_per_area=spread.value,
        sd_low=spread.low,
        sd_high=spread.high,
        n_eff=spread.n_eff,
        correlation_time_ps=spread.correlation_samples * 0.05,
        fraction_beyond_window=float(np.mean(np.abs(moment[first:]) > BREAKDOWN)),
        expected_sd_Mz_per_area=dielectric.sd_dipole(ratio, volume, 300.0) / pair["area"],
        sampled_ps=float((len(moment) - 1 - first) * 0.05),
        missing_energy_slope=energies.slope,
        missing_energy_low=energies.low,
        missing_energy_high=energies.high,
        missing_energy_frames=energies.frames,
        missing_energy_says=energies.says,
        missing_energy_unit=float(missing_energy.slab_energy(np.ones(1), volume)[0]),
        exit_code=0,
        state="finished",
    )


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


@pytest.fixture
def campaign() -> Campaign:
    """Seven finished pairs, with failed frames and one lost; one unfinished pair and one that excepted."""
    rows: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    series: dict[int, dict[str, np.ndarray]] = {}
    for pair, frames, moment in finished_pairs():
        by_drop = sorted(frames, key=lambda row: -abs(row["expected_drop"]))
        if pair["mlip"] == "mace-sr-4.5":
            fail(by_drop[0])
            fail(by_drop[2])
        if (pair["interface"], pair["mlip"]) == ("film-38A", "spcfw-ewald"):
            fail(by_drop[1])
        finish(pair, frames, moment)
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
    return Campaign([*rows, waiting, lost], [*pairs, running, crashed], series, SETTINGS)

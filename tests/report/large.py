"""A campaign as large as a page has to bear: made up, but with every number that a real row has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from aiida_falsemetal.names import FRAME_COLUMNS
from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.report.structures import by_interest, pack_structures

from .conftest import SETTINGS, Campaign

AREA, THICKNESS, CELL = 42.25, 12.0, np.diag([6.5, 6.5, 37.0])
MOLECULES = 16
MODELS = ("short", "long", "ewald", "truncated", "other")


def large_campaign(frames: int = 10_000, pairs: int = 20, samples: int = 20_000) -> Campaign:
    """Rows, pairs and series; four interfaces with five models each, where there are 20 pairs.

    :param samples: of each pair's series.
    """
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    series: dict[int, dict[str, np.ndarray]] = {}
    for number in range(pairs):
        mlip, interface = MODELS[number % len(MODELS)], f"film-{number // len(MODELS)}"
        labels = {"campaign": "large", "interface": interface, "mlip": mlip, "seed": 1, "pair_pk": 100 + number}
        keep = 0.995
        noise = rng.normal(0.0, (0.018 if mlip in ("short", "truncated") else 0.004) * np.sqrt(1 - keep**2), samples)
        moment = np.empty(samples)
        moment[0] = 0.0
        for index in range(1, samples):
            moment[index] = keep * moment[index - 1] + noise[index]
        time = 0.01 * np.arange(samples)
        series[100 + number] = {"time_ps": time, "dipole_z": moment * AREA}
        mine = frames // pairs + (number < frames % pairs)
        for index in np.sort(rng.choice(samples, mine, replace=False)):
            rows.append(_row(labels, 1000 + 5 * len(rows), int(index), float(moment[index]), rng))
        found.append(
            {
                **{**labels, "state": "finished", "exit_code": 0, "exit_message": "", "area": AREA},
                **{"thickness": THICKNESS, "vacuum": 25.0, "md_steps": samples * 10, "md_ps": float(time[-1])},
                **{"temperature": 300.0, "long_ranged": mlip in ("long", "ewald"), "receptive_field": 9.0},
            }
        )
    return Campaign(rows, found, series, SETTINGS)


def _row(labels: dict[str, Any], pk: int, step: int, moment: float, rng: np.random.Generator) -> dict[str, Any]:
    drop = moment / EPS0
    gap = max(4.2 - abs(drop) + float(rng.normal(0.0, 0.2)), float(rng.uniform(0.01, 0.15)))
    failed, fermi = bool(rng.random() < 0.01), float(rng.normal(-3.0, 0.1))
    row = {
        **dict.fromkeys(FRAME_COLUMNS),
        **labels,
        **{"step": 10 * step, "time_ps": 0.01 * step, "Mz": moment * AREA, "Mz_per_area": moment},
        **{"expected_drop": drop, "energy_mlip": float(rng.normal(-77.0, 0.5)), "stratum": step % 4},
        **{"probability": float(rng.uniform(0.01, 0.1)), "functional": "PBE", "exit_message": ""},
        **{"pw_pk": pk + 2, "gap_pk": pk, "attempt": 3, "exit_code": 410},
    }
    if failed:
        row["exit_message"] = "The electronic minimization cycle did not reach self-consistency."
        return row
    row.update(
        **{"gap": gap, "vbm": fermi - 0.5 * gap, "cbm": fermi + 0.5 * gap, "fermi": fermi, "metallic": gap < 0.2},
        **{"witness": float(10 ** rng.uniform(-9, -2)), "dipole": float(moment * AREA), "drop": drop, "exit_code": 0},
        **{"energy": float(rng.normal(-7500.0, 0.5)), "degauss": 0.01, "scf_iterations": 14, "wall_seconds": 61.5},
        **{"attempt": 1, "result_pk": pk + 3, "vbm_z": float(rng.uniform(-5, 5)), "cbm_z": float(rng.uniform(-5, 5))},
        **{"tilt": float(rng.normal(0, 0.1)), "edge_separation": 1.0, "spilling": 0.02},
    )
    return row


def structures_of(rows: list[dict[str, Any]]) -> Iterator[tuple[int, tuple[str, ...], np.ndarray, np.ndarray]]:
    """A film of water for each frame, made when it is asked for."""
    species = ("O", "H", "H") * MOLECULES
    for pk in by_interest(rows):
        rng = np.random.default_rng(pk)
        oxygen = rng.uniform((0.0, 0.0, 12.0), (6.5, 6.5, 24.0), (MOLECULES, 3))
        arms = np.array([[0.0, 0.0, 0.0], [0.76, 0.0, 0.59], [-0.76, 0.0, 0.59]])
        yield pk, species, CELL, (oxygen[:, None, :] + arms).reshape(-1, 3)


def layers_of(rows: list[dict[str, Any]]) -> dict[int, dict[str, np.ndarray]]:
    """Tilted bands for each frame with a gap."""
    z = np.arange(-9.0, 9.25, 0.25)
    found = {}
    for row in rows:
        if row["gap"] is not None:
            bands = row["fermi"] + 0.1 * z
            inside = np.where(np.abs(z) < 7, 0.0, np.nan)
            found[row["gap_pk"]] = {"z": z, "vbm": bands - 2.5 + inside, "cbm": bands + 2.5 + inside}
    return found


def packed(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[int, dict[str, np.ndarray]]]:
    """Structures and layers as ``build_report`` takes them."""
    return pack_structures(structures_of(rows), len(rows)), layers_of(rows)

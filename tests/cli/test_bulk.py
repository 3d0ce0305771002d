"""S_L from a file, against a gas of independent dipoles, for which it is known; and files of no bulk liquid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from click.testing import CliRunner

from aiida_falsemetal.cli.main import main
from aiida_falsemetal.physics.constants import BOLTZMANN, EPS0

CELL = (12.0, 12.0, 24.0)
SIDE = 0.5
"""Å of the H beside the O of a toy molecule, which has one of charge 0.5562 e on either side of its O."""


def gas(frames: int = 400, molecules: int = 60, seed: int = 1) -> list[Atoms]:
    """Independent, randomly turned linear "molecules" O H H with both H on one side: a dipole of 0.5562 e x 0.5 Å."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(frames):
        centres = rng.uniform(size=(molecules, 3)) * CELL
        directions = rng.normal(size=(molecules, 3))
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        hydrogens = centres + SIDE * directions
        positions = np.stack([centres, hydrogens, hydrogens], axis=1).reshape(-1, 3)
        made.append(Atoms("OHH" * molecules, positions=positions, cell=CELL, pbc=True))
    return made


def run(*arguments: Any, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["trajectory", "bulk", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return str(done.output)


def test_gas_of_dipoles(tmp_path: Path) -> None:
    """N q^2 <|1 - exp(-i k d)|^2> / (k^2 V eps0 kT) = N q^2 2 (1 - sin(kd)/(kd)) / (k^2 V eps0 kT), no correlations."""
    write(tmp_path / "gas.xyz", gas())
    rows = json.loads(run(tmp_path / "gas.xyz", "--temperature", 300, "--skip", 10, "--format", "json"))
    assert [row["k"] for row in rows[:2]] == pytest.approx([2 * np.pi / 24, 4 * np.pi / 24], rel=1e-6)
    assert rows[0]["wavelength"] == pytest.approx(24.0) and rows[0]["vectors"] == 1
    assert rows[0]["expected"] == pytest.approx(1 / 1.78 - 1 / 78)
    for row in rows:
        k = row["k"]
        theory = 60 * 0.5562**2 * 2 * (1 - np.sin(k * SIDE) / (k * SIDE))
        theory /= k**2 * np.prod(CELL) * EPS0 * BOLTZMANN * 300
        # 780 independent numbers a wave vector know S_L to 5 %; 20 % is four times that.
        assert row["S_L"] == pytest.approx(theory, rel=0.2)
        assert row["low"] < row["S_L"] < row["high"]


def test_own_charges_have_no_electrons(tmp_path: Path) -> None:
    write(tmp_path / "gas.xyz", gas(40))
    line = (tmp_path / "gas.xyz", "--temperature", 300, "--charges", "O -0.82 H 0.41", "--format", "json")
    (own, *_), (screened, *_) = json.loads(run(*line)), json.loads(run(*line[:3], "--format", "json"))
    assert own["expected"] == pytest.approx(1 - 1 / 78)
    assert own["S_L"] / screened["S_L"] == pytest.approx((0.82 / 0.5562) ** 2, rel=1e-6)
    assert "wavelength" in run(*line[:3])


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        (lambda frames: frames[:1], (), "1 frame is too few"),
        (lambda frames: [*frames[:3], frames[0].repeat((1, 1, 2))], (), "frame 3 has other atoms"),
        (lambda frames: [Atoms("O", cell=CELL, pbc=False)] * 2, (), "not periodic"),
        (lambda frames: [Atoms("OHHNa", cell=CELL, pbc=True)] * 2, (), "no charge is known for Na"),
        (lambda frames: [Atoms("OH", cell=CELL, pbc=True)] * 2, (), "add up to"),
        (lambda frames: frames, ("--charges", "O -0.82 H"), "give elements and charges"),
        (lambda frames: frames, ("--eps-inf", "90"), "is above --eps"),
    ],
)
def test_what_is_no_bulk_liquid(change: Any, arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    write(tmp_path / "gas.xyz", change(gas(4, 3)))
    assert words in run(tmp_path / "gas.xyz", "--temperature", 300, *arguments, code=1)


def test_no_file_and_no_trajectory(tmp_path: Path) -> None:
    assert "no such file" in run(tmp_path / "none.xyz", "--temperature", 300, code=1)
    (tmp_path / "text.abc").write_text("not a trajectory")
    assert "ase cannot read it" in run(tmp_path / "text.abc", "--temperature", 300, code=1)

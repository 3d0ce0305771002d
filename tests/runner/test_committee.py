"""The driver's committee: the forces are the models' own, and what they disagree on is found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.registry import load_family
from aiida_falsemetal.physics.committee import disagreement
from aiida_falsemetal.runner import archive, committee, files
from tests.data import nodes

pytest.importorskip("torchpme")
NAMES = ("spcfw-ewald", "spcfw-truncated")


def member(folder: Path, name: str) -> dict[str, Any]:
    entry = presets()[name]
    path = folder / f"{name}-{model_path(entry).name}"
    path.write_bytes(model_path(entry).read_bytes())
    return {"model": path.name, "family": entry.family, "kwargs": entry.kwargs}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A job of two classical controls on three frames, one of which is squeezed."""
    atoms, _ = nodes.film()
    positions = np.array([atoms.positions, atoms.positions * [1.0, 1.0, 0.9], atoms.positions + 0.1])
    np.savez(tmp_path / committee.FRAMES, positions=positions, cell=atoms.cell.array)
    given = {
        "symbols": atoms.get_chemical_symbols(),
        "device": "cpu",
        "members": [member(tmp_path, name) for name in NAMES],
    }
    (tmp_path / committee.INPUT).write_text(json.dumps(given))
    (tmp_path / files.ARCHIVE).write_bytes(archive.build())
    return tmp_path


def test_disagreement_is_that_of_the_models_own_forces(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, files.ARCHIVE, committee.FLAG], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "member 2 of 2: frame 1 of 3" in done.stdout
    with np.load(folder / committee.OUTPUT) as arrays:
        found, energy = arrays["disagreement"], arrays["energy"]
    atoms, _ = nodes.film()
    forces = []
    for name in NAMES:
        entry, system = presets()[name], atoms.copy()
        system.calc = load_family(entry.family).calculator(model_path(entry), entry.kwargs, system)
        forces.append(system.get_forces())
    # Forces are kept in single precision: 24 atoms, some 10 eV/Å, a relative 6e-8.
    assert found[0] == pytest.approx(disagreement(np.array(forces)), abs=1e-5)
    # Nothing depends on where the film lies.
    assert found[2] == pytest.approx(found[0], abs=1e-4) and energy[:, 2] == pytest.approx(energy[:, 0], abs=1e-4)
    assert found[1] != pytest.approx(found[0], abs=1e-2)
    account = json.loads((folder / committee.RESULT).read_text())
    assert account["wall_seconds"] > 0.0 and account["device"] == "cpu" and "ase" in account["versions"]

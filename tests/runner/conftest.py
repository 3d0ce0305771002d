"""A tiny film and a driver for it, in a folder of its own, as a process like the one AiiDA starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.physics.dipoles import SCREENED_CHARGES
from aiida_falsemetal.runner import archive, files

SETTINGS = {
    "steps": 60,
    "timestep": 1.0,
    "temperature": 300.0,
    "friction": 0.01,
    "seed": 7,
    "stride": 5,
    "frame_stride": 10,
    "hydrogen_mass": 2.014,
    "max_evaporated": 0.5,
    "dipole_charges": SCREENED_CHARGES,
    "max_seconds": 3600.0,
}


class Driver:
    """The travelling zipapp in ``folder``."""

    def __init__(self, folder: Path, preset: str, kwargs: dict[str, Any] | None = None, **changes: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        entry = presets()[preset]
        built = FilmRecipe().build(FilmParameters(molecules=8, lateral=6.5, vacuum=20.0, seed=3))
        (folder / files.ARCHIVE).write_bytes(archive.build())
        (folder / "model").write_bytes(model_path(entry).read_bytes())
        given = {
            "settings": {**SETTINGS, **changes},
            "threads": 1,
            "family": entry.family,
            "kwargs": {**entry.kwargs, **(kwargs or {})},
            "model": "model",
            "atoms": {
                "symbols": built.atoms.get_chemical_symbols(),
                "positions": built.atoms.get_positions().tolist(),
                "cell": built.atoms.cell.array.tolist(),
            },
            "info": {"molecules": built.info["molecules"], "axis": 2},
        }
        (folder / files.INPUT).write_text(json.dumps(given))

    def start(self) -> subprocess.Popen[str]:
        """Start it; outside of this repository's import path, so that only what travels can be imported."""
        line = [sys.executable, "-P", files.ARCHIVE]
        return subprocess.Popen(line, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self) -> dict[str, Any]:
        """Run to the end; returns its own account."""
        process = self.start()
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        account: dict[str, Any] = json.loads((self.folder / files.RESULT).read_text())
        return account

    def series(self) -> list[dict[str, Any]]:
        """Samples so far, complete lines only."""
        path = self.folder / files.SERIES
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]


@pytest.fixture
def driver(tmp_path: Path) -> Any:
    """Makes drivers in folders of their own: ``driver("name", preset, kwargs, **settings)``."""

    def make(name: str, preset: str, kwargs: dict[str, Any] | None = None, **changes: Any) -> Driver:
        return Driver(tmp_path / name, preset, kwargs, **changes)

    return make

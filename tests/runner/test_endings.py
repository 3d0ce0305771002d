"""How a run ends where something comes between: with what it has computed, and under the name of what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones

from aiida_falsemetal.runner import files
from aiida_falsemetal.runner.driver import Settings, Trajectory
from aiida_falsemetal.runner.storage import Checkpoint, Output

STEPS, STRIDE = 40, 10


class Fussy(LennardJones):
    """Raises where OpenMM does: at positions that are not numbers."""

    broken = False

    def calculate(self, atoms: Any = None, *arguments: Any, **named: Any) -> None:
        """ASE's entry point."""
        if not np.isfinite(atoms.get_positions()).all():
            raise RuntimeError("Particle coordinate is NaN")
        super().calculate(atoms, *arguments, **named)
        if self.broken:
            self.results["forces"] = self.results["forces"] * np.nan


def trajectory(folder: Path, **changes: Any) -> Trajectory:
    """Eight argon atoms, each a molecule."""
    places = [[4 * i + 1, 4 * j + 1, 8 + 4 * k] for i in range(2) for j in range(2) for k in range(2)]
    atoms = Atoms("Ar8", places, cell=[8, 8, 30], pbc=True)
    atoms.calc = Fussy(sigma=3.4, epsilon=0.01, rc=6.0)
    given: dict[str, Any] = {
        **{"steps": STEPS, "timestep": 1.0, "temperature": 30.0, "friction": 0.01, "seed": 1, "stride": STRIDE},
        **{"frame_stride": 20, "hydrogen_mass": 2.0, "max_evaporated": 1.0, "dipole_charges": {"Ar": 0.0}},
        **{"max_seconds": 1000.0, **changes},
    }
    return Trajectory(
        atoms, {"molecules": [[i] for i in range(8)], "axis": 2}, Settings(**given), folder, lambda: False
    )


def ended(run: Trajectory) -> str:
    """Status of the run."""
    run.folder.mkdir(exist_ok=True)
    output = Output(run.folder)
    status, _ = run.run(output)
    output.close()
    return status


@pytest.mark.parametrize(("step", "status"), [(STRIDE, "signal"), (STEPS, "finished")])
def test_a_run_that_is_asked_to_stop_in_its_last_steps_has_finished(step: int, status: str, tmp_path: Path) -> None:
    """It was called interrupted, and gone on with from its end, where nothing is left to sample."""
    run = trajectory(tmp_path)
    run.stopped = lambda: run.step == step
    assert ended(run) == status
    assert Checkpoint.load(tmp_path / files.CHECKPOINT).step == step


def test_a_wall_time_that_ends_with_the_run_is_no_end_of_its_own(tmp_path: Path) -> None:
    assert ended(trajectory(tmp_path, steps=STRIDE, frame_stride=STRIDE, max_seconds=0.0)) == "finished"
    assert ended(trajectory(tmp_path / "longer", max_seconds=0.0)) == "walltime"


def test_a_calculator_that_raises_on_positions_that_are_no_numbers_is_physics(tmp_path: Path) -> None:
    run = trajectory(tmp_path)
    run.start()
    run.resumed = True
    run.atoms.calc.broken = True
    assert ended(run) == "nan"


def test_a_calculator_that_raises_for_another_reason_is_not(tmp_path: Path) -> None:
    run = trajectory(tmp_path)
    run.start()
    run.resumed = True
    run.atoms.calc.calculate = lambda *_, **__: (_ for _ in ()).throw(RuntimeError("out of memory"))
    with pytest.raises(RuntimeError, match="out of memory"):
        ended(run)

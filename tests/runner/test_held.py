"""Atoms that are held: they do not move by a bit, and the others have the thermostat's temperature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from scipy.stats import chi2

from aiida_falsemetal.runner.driver import Settings, Trajectory

KELVIN = 300.0
HELD = [0, 3, 7, 11]


class Wells(Calculator):
    """Every atom in a harmonic well (``stiffness`` eV/Å^2) around where it started, and a push on all held ones."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, centres: np.ndarray, stiffness: float = 2.0) -> None:
        super().__init__()
        self.centres, self.stiffness = centres, stiffness

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        away = atoms.positions - self.centres
        forces = -self.stiffness * away
        forces[HELD] += 3.0
        self.results = {"energy": 0.5 * self.stiffness * float((away**2).sum()), "forces": forces}


class Sink:
    """Keeps what the driver writes."""

    def __init__(self) -> None:
        self.frames: list[np.ndarray] = []
        self.records: list[dict[str, Any]] = []

    def append(self, positions: np.ndarray | None, record: dict[str, Any]) -> None:
        self.records.append(record)
        if positions is not None:
            self.frames.append(positions.copy())


def crystal() -> Atoms:
    """27 atoms of copper and oxygen, 4 Å apart: nothing is bonded, so each is an ion to the guard."""
    sites = 4.0 * np.array([[i, j, k] for i in range(3) for j in range(3) for k in range(3)], dtype=float)
    return Atoms(["Cu", "O", "Cu"] * 9, sites + 0.1234567, cell=[12.0, 12.0, 40.0], pbc=True)


def run(folder: Path, steps: int, **info: Any) -> tuple[Trajectory, Sink]:
    atoms = crystal()
    atoms.calc = Wells(atoms.positions.copy())
    settings = Settings(
        steps=steps,
        timestep=2.0,
        temperature=KELVIN,
        friction=0.02,
        seed=11,
        stride=50,
        frame_stride=50,
        hydrogen_mass=2.014,
        max_evaporated=1.0,
        dipole_charges=None,
        max_seconds=600.0,
    )
    given = {"molecules": [[i] for i in range(27)], "axis": 2, "charges": [0.1] * 27, **info}
    trajectory = Trajectory(atoms, given, settings, folder, lambda: False)
    sink = Sink()
    assert trajectory.run(sink)[0] == "finished"  # type: ignore[arg-type]
    return trajectory, sink


def test_held_atoms_do_not_move_by_a_bit(tmp_path: Path) -> None:
    """Relaxation, first velocities and MD, against a force that never rests."""
    trajectory, sink = run(tmp_path, 500, fixed_indices=HELD)
    start = crystal().positions
    free = np.setdiff1d(np.arange(27), HELD)
    assert np.array_equal(trajectory.atoms.positions[HELD], start[HELD])
    assert not trajectory.atoms.get_momenta()[HELD].any()
    assert all(np.array_equal(frame[HELD], start[HELD]) for frame in sink.frames)
    assert (np.abs(trajectory.atoms.positions[free] - start[free]).max(axis=1) > 1e-3).all()


@pytest.mark.parametrize("held", [[], HELD], ids=["none", "four"])
def test_free_atoms_have_the_thermostats_temperature(tmp_path: Path, held: list[int]) -> None:
    """Equipartition over the free degrees of freedom.

    In a well, momenta and positions of a sample are independent Gaussians; samples lie 0.1 ps apart, two relaxation
    times of the thermostat (50 fs), so sum p^2/(m kT) over samples and free atoms is chi-square with 3 n_free n
    degrees of freedom, its variance raised by correlations exp(-2 t/tau) below 4 %. The bounds are those of 99.99 %
    (two-sided), widened by 2 %. BAOAB's positions in a harmonic well have the exact variance kT/k at any time step
    (Leimkuhler and Matthews, 2013); its momenta's is too small by (omega dt)^2/4: 0.5 % for oxygen here.
    """
    trajectory, sink = run(tmp_path, 20000, fixed_indices=held)
    free = np.setdiff1d(np.arange(27), held)
    usable = sink.records[20:]
    kelvin = np.array([record["temperature"] for record in usable])
    degrees = 3 * len(free) * len(usable)
    low, high = np.array(chi2.interval(0.9999, degrees)) / degrees * KELVIN
    # temperature = sum p^2 / (m kB 3 n_free)
    assert 0.98 * low < kelvin.mean() < 1.02 * high
    unpushed = np.setdiff1d(np.arange(27), HELD)  # the push moves the others' wells, where they are not held
    away = np.array(sink.frames[20:])[:, unpushed] - crystal().positions[unpushed]
    degrees = 3 * len(unpushed) * len(usable)
    variance = float((away**2).mean()) * trajectory.atoms.calc.stiffness / units.kB
    # Positions forget more slowly (overdamped in part): a third as many independent samples as frames is assumed.
    low, high = np.array(chi2.interval(0.9999, degrees // 3)) / (degrees // 3) * KELVIN
    assert low < variance < high
    # Had the held atoms counted, the mean would have been lower by their share.
    if held:
        assert kelvin.mean() > KELVIN * (1.0 - 0.5 * len(held) / 27)


def test_charges_are_the_interfaces_own(tmp_path: Path) -> None:
    """One an atom: M_z is sum q z, with what the recipe gave and not what the element has."""
    charges = np.linspace(-1.0, 1.0, 27)
    _, sink = run(tmp_path, 50, charges=charges.tolist(), fixed_indices=HELD)
    assert [record["dipole_z"] for record in sink.records] == pytest.approx([charges @ f[:, 2] for f in sink.frames])

"""NVT molecular dynamics of one system with one calculator.

The integrator is ASE's BAOAB Langevin (Leimkuhler and Matthews, J. Chem. Phys. 138, 174102 (2013)): of the Langevin
splittings it has the smallest time-step error in *configurational* averages, and dipole fluctuations are one. It makes
one force call a step and keeps no state but positions, momenta and the generator, so a restart can be exact.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.langevinbaoab import LangevinBAOAB
from ase.md.velocitydistribution import thermalize_momenta
from ase.optimize import FIRE

from ..physics.dipoles import charges_for, dipole_z
from ..physics.molecules import make_whole
from . import files
from .guards import Guard, Stop
from .storage import Checkpoint, Output

CHECKPOINT_SECONDS = 10.0
"""Wall time between checkpoints. A checkpoint does not touch the dynamics, so the clock may decide when."""
RELAX_STEPS = 200
RELAX_FORCE = 1.0
"""Packed molecules are relaxed to forces below this (eV/Å) before they get velocities."""


@dataclass(frozen=True)
class Settings:
    """Settings of one trajectory.

    :param steps: total number of MD steps, earlier runs included.
    :param timestep: fs.
    :param temperature: K.
    :param friction: 1/fs.
    :param seed: of velocities and thermostat.
    :param stride: steps between samples of the time series; every check of the physics is made there.
    :param frame_stride: steps between stored frames, a multiple of ``stride``.
    :param hydrogen_mass: u; positions sample the same distribution whatever it is.
    :param max_evaporated: share of molecules that may leave the film.
    :param dipole_charges: charge in e of each element for the dipole series.
    :param max_seconds: wall time after which the run stops itself.
    """

    steps: int
    timestep: float
    temperature: float
    friction: float
    seed: int
    stride: int
    frame_stride: int
    hydrogen_mass: float
    max_evaporated: float
    dipole_charges: dict[str, float]
    max_seconds: float


class Trajectory:
    """One system under way.

    :param atoms: with calculator; molecules whole.
    :param info: the interface's ``molecules`` and ``axis``.
    :param folder: where the files go.
    :param stopped: asked between chunks; true means: stop at once, keep the state (a signal came in).
    """

    def __init__(
        self, atoms: Atoms, info: dict[str, Any], settings: Settings, folder: Path, stopped: Callable[[], bool]
    ) -> None:
        self.atoms, self.settings, self.folder, self.stopped = atoms, settings, folder, stopped
        self.molecules, self.axis = info["molecules"], info["axis"]
        self.charges = charges_for(atoms.get_chemical_symbols(), settings.dipole_charges)
        self.guard = Guard(atoms, self.molecules, self.axis, settings.temperature, settings.max_evaporated)
        self.rng = np.random.Generator(np.random.PCG64(settings.seed))
        masses = [settings.hydrogen_mass if s == "H" else None for s in atoms.get_chemical_symbols()]
        atoms.set_masses(masses)
        self.step = 0
        self.resumed = False

    def start(self) -> None:
        """Relax the packed molecules and draw velocities."""
        FIRE(self.atoms, logfile=None, maxstep=0.1).run(fmax=RELAX_FORCE, steps=RELAX_STEPS)
        thermalize_momenta(self.atoms, temperature_K=self.settings.temperature, rng=self.rng)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""
        checkpoint.restore(self.atoms, self.rng)
        self.step = checkpoint.step
        self.resumed = True

    def run(self, output: Output) -> tuple[str, str]:
        """Run to the total number of steps, a stop or the wall time.

        :return: status (``finished``, ``walltime``, ``signal`` or one of :class:`Stop`'s) and a sentence.
        """
        started = saved = time.monotonic()
        status, message = "finished", ""
        try:
            if not self.resumed:
                self.start()
                self._sample(output)
                self._save()
            dynamics = self._integrator()
            while self.step < self.settings.steps:
                chunk = min(self.settings.stride, self.settings.steps - self.step)
                dynamics.run(chunk)
                self.step += chunk
                self._sample(output)
                if time.monotonic() - saved > CHECKPOINT_SECONDS:
                    self._save()
                    saved = time.monotonic()
                if self.stopped():
                    status, message = "signal", "the run was asked to stop"
                    break
                if time.monotonic() - started > self.settings.max_seconds:
                    status, message = "walltime", "the wall time is used up"
                    break
        except Stop as stop:
            return stop.status, f"{stop} at step {self.step}"
        self._save()
        return status, message

    def _integrator(self) -> LangevinBAOAB:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return LangevinBAOAB(
                self.atoms,
                self.settings.timestep * units.fs,
                temperature_K=self.settings.temperature,
                T_tau=units.fs / self.settings.friction,
                rng=self.rng,
            )

    def _sample(self, output: Output) -> None:
        evaporated = self.guard.check(self.atoms)
        whole = make_whole(self.atoms.get_positions(), self.molecules, self.atoms.cell.array)
        record: dict[str, Any] = {
            "step": self.step,
            "potential_energy": float(self.atoms.get_potential_energy()),
            "temperature": float(self.atoms.get_temperature()),
            "dipole_z": float(dipole_z(whole, self.charges, self.axis)),
            "evaporated": evaporated,
        }
        own = self.atoms.calc.results.get("dipole")
        if own is not None:
            record["model_dipole_z"] = float(np.asarray(own).reshape(-1)[self.axis])
        output.append(whole if self.step % self.settings.frame_stride == 0 else None, record)

    def _save(self) -> None:
        Checkpoint.of(self.step, self.atoms, self.rng).save(self.folder / files.CHECKPOINT)

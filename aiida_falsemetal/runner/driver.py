"""NVT molecular dynamics of one system with one calculator.

The integrator is ASE's BAOAB Langevin (Leimkuhler and Matthews, J. Chem. Phys. 138, 174102 (2013)): of the Langevin
splittings it has the smallest time-step error in *configurational* averages, and dipole fluctuations are one. It makes
one force call a step and keeps no state but positions, momenta and the generator, so a restart can be exact.

Atoms that the interface holds are held by ``FixAtoms``. ASE warns that its BAOAB was not tested with constraints, and
means its barostat. In NVT every part of a step goes through ``set_velocities`` and ``get_forces``, which set the held
atoms' momenta and forces to zero; a constraint on whole Cartesian components has no part in the free ones' equations,
so these follow plain BAOAB. The tests compare with theory: held atoms do not move by a bit, free ones have 3/2 kT each.
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
from ase.constraints import FixAtoms
from ase.md.langevinbaoab import LangevinBAOAB
from ase.md.velocitydistribution import thermalize_momenta
from ase.optimize import FIRE

from ..physics.dipoles import atom_charges, dipole_z
from ..physics.molecules import make_whole
from . import files
from .guards import Guard, Stop
from .storage import Checkpoint, Output

CHECKPOINT_SECONDS = 10.0
"""Wall time between checkpoints. A checkpoint does not touch the dynamics, so the clock may decide when."""
RENEW_FRAMES = 10
"""Some calculators remember (OpenMM's neighbour list is summed in the order in which it was last built), and rounding
then depends on the past. Such a calculator has a method ``forget``; it is called every so many frames, and only there
is the state saved, so that a restarted run, whose calculator is new, equals an uninterrupted one to the last bit."""
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
    :param dipole_charges: charge in e of each element for the dipole series, in place of the interface's own charges.
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
    dipole_charges: dict[str, float] | None
    max_seconds: float


class Trajectory:
    """One system under way.

    :param atoms: with calculator; molecules whole.
    :param info: the interface's ``molecules`` and ``axis``; where there are any, ``charges`` (e, one an atom),
        ``fixed_indices`` (atoms that do not move) and ``substrate_indices``.
    :param folder: where the files go.
    :param stopped: asked between chunks; true means: stop at once, keep the state (a signal came in).
    """

    def __init__(
        self, atoms: Atoms, info: dict[str, Any], settings: Settings, folder: Path, stopped: Callable[[], bool]
    ) -> None:
        self.atoms, self.settings, self.folder, self.stopped = atoms, settings, folder, stopped
        self.molecules, self.axis = info["molecules"], info["axis"]
        self.charges = atom_charges(atoms.get_chemical_symbols(), info.get("charges"), settings.dipole_charges)
        if info.get("fixed_indices"):
            atoms.set_constraint(FixAtoms(info["fixed_indices"]))
        self.guard = Guard(
            atoms,
            self.molecules,
            self.axis,
            settings.temperature,
            settings.max_evaporated,
            info.get("substrate_indices", []),
        )
        self.rng = np.random.Generator(np.random.PCG64(settings.seed))
        masses = [settings.hydrogen_mass if s == "H" else None for s in atoms.get_chemical_symbols()]
        atoms.set_masses(masses)
        self.step = 0
        self.resumed = False
        self.forget: Callable[[], None] | None = getattr(atoms.calc, "forget", None)

    def start(self) -> None:
        """Relax the packed molecules and draw velocities. The calculator forgets this: a run starts like a restart."""
        FIRE(self.atoms, logfile=None, maxstep=0.1).run(fmax=RELAX_FORCE, steps=RELAX_STEPS)
        thermalize_momenta(self.atoms, temperature_K=self.settings.temperature, rng=self.rng)
        if self.forget is not None:
            self.forget()

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""
        checkpoint.restore(self.atoms, self.rng)
        self.step = checkpoint.step
        self.resumed = True

    def run(self, output: Output) -> tuple[str, str]:
        """Run to the total number of steps, a stop or the wall time.

        :return: status (``finished``, ``walltime``, ``signal`` or one of :class:`Stop`'s) and a sentence.
        """
        started = time.monotonic()
        try:
            if not self.resumed:
                self.start()
                self._sample(output)
                self._save()
            return self._advance(output, started)
        except Stop as stop:
            return stop.status, f"{stop} at step {self.step}"

    def _advance(self, output: Output, started: float) -> tuple[str, str]:
        dynamics = self._integrator()
        saved = time.monotonic()
        while self.step < self.settings.steps:
            chunk = min(self.settings.stride, self.settings.steps - self.step)
            self._run(dynamics, chunk)
            self.step += chunk
            self._sample(output)
            exact = self._renew()
            if exact and self.forget is not None:
                dynamics = self._integrator()  # it keeps the last forces
            if self.step == self.settings.steps:
                break  # to end now is to have finished, whatever was asked for during the last steps
            asked, late = self.stopped(), time.monotonic() - started > self.settings.max_seconds
            overdue = time.monotonic() - saved > CHECKPOINT_SECONDS
            if exact and (asked or late or overdue or self.forget is not None):
                self._save()
                saved = time.monotonic()
            if asked:
                return "signal", "the run was asked to stop"
            if late:
                return "walltime", "the wall time is used up"
        self._save()
        return "finished", ""

    def _run(self, dynamics: LangevinBAOAB, chunk: int) -> None:
        try:
            dynamics.run(chunk)
        except Exception as error:
            state = self.atoms.get_positions(), self.atoms.get_momenta()
            if all(np.isfinite(values).all() for values in state):
                raise
            # Some calculators raise on such positions before the guard sees them.
            raise Stop("nan", f"positions are not numbers ({type(error).__name__})") from error

    def _renew(self) -> bool:
        """Whether a restart from here would be exact; makes it so where it is time to."""
        if self.forget is None:
            return True
        due = self.step % (RENEW_FRAMES * self.settings.frame_stride) == 0
        if due:
            self.forget()
        return due

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
            "temperature": float(self.atoms.get_temperature()),  # of the atoms that are not held
            "dipole_z": float(dipole_z(whole, self.charges, self.axis)),
            "evaporated": evaporated,
        }
        own = self.atoms.calc.results.get("dipole")
        if own is not None:
            record["model_dipole_z"] = float(np.asarray(own).reshape(-1)[self.axis])
        output.append(whole if self.step % self.settings.frame_stride == 0 else None, record)

    def _save(self) -> None:
        Checkpoint.of(self.step, self.atoms, self.rng).save(self.folder / files.CHECKPOINT)

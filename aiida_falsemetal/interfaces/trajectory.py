"""A trajectory that someone has, in the form of our own: parts known, order substrate, solvent, ions, molecules whole.

The parts are those of the first frame, found as the recipe ``file`` finds them in a whole interface. Every later frame
is continued from the one before: a molecule, an ion or an atom of the substrate is put at the periodic copy nearest to
where it was, so that nothing jumps across a face of the cell.

Positions and energies are taken as ase gives them, in Å and eV. The cell must not change.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ..physics.molecules import make_whole, minimum_image
from .frames import LAMMPS, iterate_frames, trajectory_format
from .from_file import FileParameters, whole
from .matching import Floats
from .reading import checked
from .recipe import MINIMUM_VACUUM, BuiltInterface, InterfaceError
from .recognize import recognize
from .solvents import SOLVENTS, Solvent
from .upright import Upright, upright

CELL_TOLERANCE = 1e-6
"""Å by which a component of a cell vector may differ from the first frame's."""
TIME_TOLERANCE = 1e-3
"""Share of the time between two frames by which it may differ from the others."""
TOLD_TIMES = {"time_ps": 1.0, "time_fs": 1e-3}
"""Keys of a frame that tell its time, and their unit in ps."""
OPEN = 1e6
"""Å: period along z of a cell that is not periodic there."""
LEAST = 2
"""Frames; with less there is no time between frames."""
PERIODIC = [True, True, True]


@dataclass(frozen=True)
class Request:
    """What to read, and what is known of it.

    :param timestep: fs between two frames of the file; None where the frames tell their times.
    :param form: ase's name of the format, None to guess.
    :param frames: of the file.
    :param elements: of the types of a LAMMPS dump, in their order.
    :param solvent: that there must be, None for any.
    :param metal: whether the substrate is one; None for what its elements say.
    :param energies: False leaves the file's energies out, True wants them, None takes them where every frame has one.
    """

    path: Path
    timestep: float | None = None
    form: str | None = None
    frames: slice = field(default_factory=lambda: slice(None))
    elements: tuple[str, ...] = ()
    solvent: str | None = None
    metal: bool | None = None
    energies: bool | None = None


@dataclass(frozen=True)
class Trajectory:
    """A trajectory in the form described; n frames of m atoms.

    :param built: the first frame as an interface, with its ``info``.
    :param positions: Å, shape (n, m, 3), float64 with the precision of float32, perhaps memory-mapped.
    :param step: numbers of the frames in the file, shape (n,).
    :param time: ps since the first frame, shape (n,).
    :param recorded: by name, of shape (n,): ``potential_energy`` (eV) and ``temperature`` (K) where known.
    :param origin: ``path``, ``sha256``, ``format`` (ase's name), ``index`` (the slice) and ``frames`` (their number).
    :param content: SHA-256 of all of this but ``origin``.
    """

    built: BuiltInterface
    positions: Floats
    step: np.ndarray
    time: Floats
    recorded: dict[str, Floats]
    origin: dict[str, Any]
    content: str

    @property
    def symbols(self) -> list[str]:
        """Chemical symbols, shape (m,)."""
        return [str(symbol) for symbol in self.built.atoms.get_chemical_symbols()]

    @property
    def timestep(self) -> float:
        """fs between two frames of the file."""
        return float(self.time[-1] / (self.step[-1] - self.step[0])) * 1e3


def read_slice(text: str) -> slice:
    """``start:stop:step`` as Python has it, each number optional, the step positive.

    :raises InterfaceError: if it is none.
    """
    parts = text.split(":")
    try:
        numbers = [int(part) if part.strip() else None for part in parts]
    except ValueError:
        numbers = []
    step = numbers[2] if len(numbers) == 3 else None
    counted = all(number is None or abs(number) <= sys.maxsize for number in numbers)
    if len(numbers) not in (2, 3) or not counted or (step is not None and step < 1):
        raise InterfaceError(f"{text!r} is no slice of frames; write START:STOP or START:STOP:STEP, as in 500::10.")
    return slice(*numbers)


def read_trajectory(request: Request, progress: Callable[[int], None] = lambda _: None) -> Trajectory:
    """Read and check a file.

    :param progress: told how many frames were read, at every frame.
    :raises InterfaceError: naming the fault and the remedy: a file that ase cannot read, atoms or a cell that change,
        positions that are no numbers, a normal that is not z, no known solvent, no times.
    """
    form = trajectory_format(request.path, request.form, request.elements)
    reader: _Reader | None = None
    with tempfile.TemporaryFile() as store:
        digest = hashlib.sha256()
        for number, atoms in iterate_frames(request.path, form, request.elements, request.frames):
            reader = reader or _Reader.at(atoms, request, form, number)
            content = reader.take(number, atoms).astype("<f4")
            digest.update(content.tobytes())
            store.write(content.astype("<f8").tobytes())
            progress(len(reader.step))
        if reader is None or len(reader.step) < LEAST:
            have = 0 if reader is None else len(reader.step)
            raise InterfaceError(f"a trajectory needs {LEAST} frames, and here are {have}; give another file or slice.")
        store.flush()
        # The mapping keeps the file, which has no name, until the array is gone.
        shape = (len(reader.step), len(reader.built.atoms), 3)
        positions = np.memmap(store, dtype="<f8", mode="r", shape=shape)
    return _finished(reader, positions, digest, form)


def sorted_interface(atoms: Atoms, solvent: str | None, metal: bool | None) -> tuple[BuiltInterface, list[int]]:
    """A frame as an interface, and the order in which its atoms are there.

    Unlike the recipe ``file``, this takes any vacuum: the cell is that of a trajectory that is there already.

    :param atoms: see :func:`.reading.checked`.
    :raises InterfaceError: as that recipe, and where parts of molecules would count as a substrate.
    """
    given = upright(atoms)
    parts = recognize(given.atoms)
    if parts.kind is None or solvent not in (None, parts.kind.name):
        raise InterfaceError(
            f"there is no molecule of {solvent or ' or '.join(SOLVENTS)}; begin with another frame, with --index, "
            "where a bond is broken in this one, or give another trajectory."
        )
    _refuse_fragments(given, parts.kind, parts.rest)
    vacuum = MINIMUM_VACUUM if given.vacuum < MINIMUM_VACUUM else None
    built = whole(FileParameters(solvent=solvent, metal=metal, vacuum=vacuum), given)
    built.info["vacuum"] = given.vacuum
    cell = built.atoms.cell.array
    cell[2, 2] = abs(atoms.cell.array[2, 2]) if atoms.pbc[2] else cell[2, 2]
    built.atoms.set_cell(cell)
    built.info["height"] = float(cell[2, 2])
    return built, parts.order


def _refuse_fragments(given: Upright, kind: Solvent, rest: list[int]) -> None:
    """A molecule with a stretched bond must not become a substrate."""
    symbols = {str(given.atoms.symbols[index]) for index in rest}
    if rest and symbols <= set(kind.symbols):
        raise InterfaceError(
            f"{len(rest)} atoms ({', '.join(sorted(symbols))}) of the first frame are in no molecule of "
            f"{kind.name}: a bond is broken or stretched there; begin with another frame, with --index."
        )


class _Reader:
    """What a frame is compared with and continued from.

    :param atoms: the first frame, as :func:`.reading.checked` gives it; it has not been taken yet.
    """

    def __init__(self, atoms: Atoms, request: Request, form: str) -> None:
        self.request, self.form, self.first = request, form, atoms
        self.built, self.order = sorted_interface(atoms, request.solvent, request.metal)
        self.cell = self.built.atoms.cell.array.copy()
        if not atoms.pbc[2]:
            self.cell[2, 2] = OPEN
        self.molecules: list[list[int]] = self.built.info["molecules"]
        single = self.built.info["substrate_indices"]
        self.owner = np.empty(len(atoms), dtype=int)
        for number, members in enumerate([*self.molecules, *([index] for index in single)]):
            self.owner[members] = number
        self.anchors = [*(members[0] for members in self.molecules), *single]
        self.before = self.built.atoms.get_positions()[self.anchors]
        self.shift = self.built.atoms.positions[0, 2] - atoms.positions[self.order[0], 2]
        self.last: Floats | None = None
        self.step: list[int] = []
        self.md_step: list[int] = []
        self.times: list[float | None] = []
        self.energies: list[float | None] = []
        self.temperatures: list[float | None] = []

    @classmethod
    def at(cls, atoms: Atoms, request: Request, form: str, number: int) -> _Reader:
        """A reader that starts with frame ``number``.

        :raises InterfaceError: naming the frame.
        """
        try:
            return cls(checked(atoms), request, form)
        except InterfaceError as error:
            raise InterfaceError(f"frame {number}: {error}") from error

    def take(self, number: int, given: Atoms) -> Floats:
        """Positions of a frame in the form described, Å, shape (m, 3).

        :raises InterfaceError: if the frame does not go with the first one.
        """
        try:
            atoms = checked(given)
        except InterfaceError as error:
            raise InterfaceError(f"frame {number}: {error}") from error
        self._same(number, atoms)
        self._record(number, given)
        positions = atoms.get_positions()[self.order]
        positions[:, 2] += self.shift
        positions = make_whole(positions, self.molecules, self.cell)
        moved = positions[self.anchors] - self.before
        positions += (minimum_image(moved, self.cell) - moved)[self.owner]
        self.before = positions[self.anchors]
        return positions

    def _same(self, number: int, atoms: Atoms) -> None:
        if atoms.get_chemical_symbols() != self.first.get_chemical_symbols():
            raise InterfaceError(
                f"frame {number} has other atoms than the first one ({atoms.get_chemical_formula()}, "
                f"{self.first.get_chemical_formula()}) or has them in another order; give a trajectory of one system."
            )
        change = float(np.abs(atoms.cell.array - self.first.cell.array).max())
        if change > CELL_TOLERANCE:
            raise InterfaceError(
                f"the cell of frame {number} differs from the first one's by {change:.2g} Å, and only NVT can be "
                "compared with a film's fluctuations; give a trajectory at a constant cell."
            )

        if self.last is not None and np.array_equal(atoms.positions, self.last):
            raise InterfaceError(
                f"frame {number} is the one before it once more: pieces of a run that were put together may repeat "
                "frames; leave it out, or give a slice with --index."
            )
        self.last = atoms.get_positions()

    def _record(self, number: int, given: Atoms) -> None:
        self.step.append(number)
        if self.form in LAMMPS:
            # ase has no energy from a dump (it says 0), does not know the units of velocities, and gives MD steps.
            self.energies.append(None)
            self.temperatures.append(None)
            self.times.append(None)
            if "timestep" in given.info:
                self.md_step.append(int(given.info["timestep"]))
            return
        results = getattr(given.calc, "results", {})
        self.energies.append(_finite(results.get("energy")))
        # Of the formats, this one keeps momenta together with masses and constraints.
        kelvin = given.get_temperature() if self.form == "traj" and given.has("momenta") else None
        self.temperatures.append(_finite(kelvin) or None)
        told = [unit * given.info[key] for key, unit in TOLD_TIMES.items() if _finite(given.info.get(key)) is not None]
        self.times.append(float(told[0]) if told else None)


def _finished(reader: _Reader, positions: Floats, digest: Any, form: str) -> Trajectory:
    request, step = reader.request, np.array(reader.step)
    recorded = _recorded(reader)
    time = _times(reader)
    with open(request.path, "rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    said = {
        "symbols": reader.built.atoms.get_chemical_symbols(),
        "cell": np.round(reader.built.atoms.cell.array, 6).tolist(),
        "info": reader.built.info,
        "step": step.tolist(),
        "time": np.round(time, 9).tolist(),
        "recorded": {name: values.tolist() for name, values in recorded.items()},
    }
    digest.update(json.dumps(said, sort_keys=True, default=str).encode())
    limits = ("" if part is None else str(part) for part in (request.frames.start, request.frames.stop))
    origin = {
        "path": str(request.path.resolve()),
        "sha256": checksum,
        "format": form,
        "index": ":".join([*limits, *([] if request.frames.step is None else [str(request.frames.step)])]),
        "frames": len(step),
    }
    return Trajectory(reader.built, positions, step, time, recorded, origin, digest.hexdigest())


def _recorded(reader: _Reader) -> dict[str, Floats]:
    """Series that the file has for every frame."""
    found: dict[str, Floats] = {}
    missing = reader.energies.count(None)
    if reader.request.energies and missing:
        raise InterfaceError(f"{missing} of {len(reader.step)} frames have no energy; leave energies out.")
    if reader.request.energies is not False and not missing:
        found["potential_energy"] = np.array(reader.energies, dtype=float)
    if None not in reader.temperatures:
        found["temperature"] = np.array(reader.temperatures, dtype=float)
    return found


def _times(reader: _Reader) -> Floats:
    """ps since the first frame, shape (n,)."""
    step, given = np.array(reader.step), reader.request.timestep
    if len(reader.md_step) == len(step):
        _even(np.array(reader.md_step, dtype=float), step)
    if None in reader.times:
        if given is None:
            raise InterfaceError(
                f"the frames do not tell their times ({' or '.join(TOLD_TIMES)}); give the time between two frames of "
                "the file, with --timestep FS."
            )
        return np.array((step - step[0]) * given * 1e-3, dtype=float)
    told = np.array(reader.times, dtype=float)
    spacing = _even(told, step)
    if given is not None and abs(given * 1e-3 - spacing) > TIME_TOLERANCE * spacing:
        raise InterfaceError(
            f"the frames tell that they are {spacing * 1e3:g} fs apart, and {given:g} were given; leave the time out."
        )
    return np.array((step - step[0]) * spacing, dtype=float)


def _even(clock: Floats, step: np.ndarray) -> float:
    """Time between two frames of the file, in the unit of ``clock``.

    :raises InterfaceError: if it is not positive, or not the same everywhere.
    """
    spacing = np.diff(clock) / np.diff(step)
    typical = float(np.median(spacing))
    wrong = np.flatnonzero(np.abs(spacing - typical) > TIME_TOLERANCE * abs(typical))
    if typical <= 0.0 or wrong.size:
        where = int(step[wrong[0] + 1]) if wrong.size else int(step[1])
        raise InterfaceError(
            f"the time from the frame before to frame {where} is not that between the others; pieces of a run that "
            "were put together may repeat frames: leave these out, or give a slice with --index."
        )
    return typical


def _finite(value: Any) -> float | None:
    """A number that is one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
        return None
    return float(value)

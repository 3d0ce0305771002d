"""Parses what the MD driver left: also of runs that were killed, since every finished frame counts."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser

from ..calculations.md import DEFAULTS
from ..runner import files
from ..runner.storage import Checkpoint
from .words import last_words

PHYSICS_FAILURES = {
    "nan": "ERROR_NOT_A_NUMBER",
    "exploded": "ERROR_EXPLODED",
    "dissociated": "ERROR_DISSOCIATED",
    "evaporated": "ERROR_EVAPORATED",
}
RESTARTED = ("walltime", "signal")
SERIES_KEYS = ("potential_energy", "temperature", "dipole_z", "model_dipole_z", "evaporated")


class MlipMdParser(Parser):
    """Frames and series up to the last checkpoint or, where the run ended by itself, up to its end."""

    def parse(self, retrieved_temporary_folder: str | None = None, **_: Any) -> ExitCode | None:
        """See the class. Outputs appear also with an exit code: a restart needs them, and so does the reader."""
        folder = Path(str(retrieved_temporary_folder))
        result = self._result()
        records = self._records()
        if not records or not (folder / files.FRAMES).exists():
            if result is not None and result["status"] in PHYSICS_FAILURES:
                # It failed before its first sample: no frame, but a reason, and a restart would not help.
                self.out("results", orm.Dict({**result, "samples": 0}))
                return self._verdict(result, result["last_step"])
            return self.exit_codes.ERROR_NO_OUTPUT.format(reason=f"there is no frame{last_words(self.retrieved)}")
        checkpoint = self._checkpoint(folder)
        if result is None or result["status"] in RESTARTED:
            if checkpoint is None:
                return self.exit_codes.ERROR_NO_OUTPUT.format(reason="there is no checkpoint")
            # Frames after the checkpoint will be made again by the restart, bit for bit.
            records = [record for record in records if record["step"] <= checkpoint.step]
            cut = self._cut_short(folder, records, checkpoint.step)
        else:
            cut = self._cut_short(folder, records, result["last_step"]) if result["status"] == "finished" else None
        if cut is not None:
            # A disk that was full, or a machine that lost its power: to go on from here would leave a hole.
            return self.exit_codes.ERROR_NO_OUTPUT.format(reason=cut)
        if checkpoint is not None:
            content = (folder / files.CHECKPOINT).read_bytes()
            self.out("checkpoint", orm.SinglefileData(io.BytesIO(content), filename=files.CHECKPOINT))
        self._emit(folder, records, result)
        return self._verdict(result, records[-1]["step"])

    def _cut_short(self, folder: Path, records: list[dict[str, Any]], last: int) -> str | None:
        """A sentence where series or trajectory end before the step ``last``, which they have to reach, or None."""
        if not records or records[-1]["step"] < last:
            return f"the series ends before step {last}, it was cut short"
        stride = {**DEFAULTS, **self.node.inputs.parameters.get_dict()}["frame_stride"]
        wanted = sum(record["step"] % stride == 0 for record in records)
        size = 12 * len(self.node.inputs.structure.sites)  # three float32 an atom
        if (folder / files.FRAMES).stat().st_size // size < wanted:
            return f"the trajectory ends before step {last}, it was cut short"
        return None

    def _verdict(self, result: dict[str, Any] | None, step: int) -> ExitCode | None:
        status = result["status"] if result else "signal"
        if status == "finished":
            return None
        if status == "walltime":
            return self.exit_codes.ERROR_WALLTIME.format(step=step)
        if status == "signal":
            return self.exit_codes.ERROR_INTERRUPTED.format(step=step)
        code: ExitCode = self.exit_codes[PHYSICS_FAILURES[status]].format(reason=result["message"] if result else "")
        return code

    def _result(self) -> dict[str, Any] | None:
        """The driver's own account; None where it never came to writing it."""
        try:
            content = self.retrieved.base.repository.get_object_content(files.RESULT)
        except FileNotFoundError:
            return None
        try:
            account: dict[str, Any] = json.loads(content)
        except json.JSONDecodeError:
            return None
        return account

    def _records(self) -> list[dict[str, Any]]:
        """Lines of the series; a line cut short by a kill ends them."""
        try:
            lines = self.retrieved.base.repository.get_object_content(files.SERIES).splitlines()
        except FileNotFoundError:
            return []
        records = []
        for line in lines:
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return records

    def _checkpoint(self, folder: Path) -> Checkpoint | None:
        """The checkpoint; None where there is none or it cannot be read."""
        path = folder / files.CHECKPOINT
        if not path.exists():
            return None
        try:
            checkpoint = Checkpoint.load(path)
        except ValueError as error:
            self.logger.warning("%s", error)
            return None
        return checkpoint

    def _emit(self, folder: Path, records: list[dict[str, Any]], result: dict[str, Any] | None) -> None:
        structure = self.node.inputs.structure
        symbols = structure.get_ase().get_chemical_symbols()
        settings = {**DEFAULTS, **self.node.inputs.parameters.get_dict()}
        picoseconds = settings["timestep"] * 1e-3
        step = np.array([record["step"] for record in records], dtype=int)
        raw = np.fromfile(folder / files.FRAMES, dtype="<f4")
        # Frames are written at multiples of frame_stride only; their steps need no file of their own.
        stored = step[step % settings["frame_stride"] == 0][: len(raw) // (3 * len(symbols))]
        positions = raw[: stored.size * 3 * len(symbols)].reshape(stored.size, len(symbols), 3)
        if stored.size:
            self.out("trajectory", make_trajectory(structure, symbols, stored, stored * picoseconds, positions))
        self.out("series", make_series(records, step, picoseconds))
        self.out("results", orm.Dict({**(result or {"status": "killed"}), "samples": len(records)}))


def make_series(records: list[dict[str, Any]], step: np.ndarray, picoseconds: float) -> orm.ArrayData:
    """Time series as arrays, one value a sample; ``picoseconds`` is the length of a step."""
    series = orm.ArrayData()
    series.set_array("step", step)
    series.set_array("time_ps", step * picoseconds)
    for key in SERIES_KEYS:
        if key in records[0]:
            series.set_array(key, np.array([record[key] for record in records]))
    return series


def make_trajectory(
    structure: orm.StructureData, symbols: list[str], step: np.ndarray, time: np.ndarray, positions: np.ndarray
) -> orm.TrajectoryData:
    """A trajectory with the cell of ``structure``. Positions have float32 precision; AiiDA's class stores float64.

    :param step: shape (frames,), integers.
    :param time: shape (frames,), ps.
    :param positions: shape (frames, atoms, 3), Å.
    """
    trajectory = orm.TrajectoryData()
    cells = np.repeat(np.array(structure.cell)[None, :, :], len(step), axis=0)
    trajectory.set_trajectory(
        symbols=symbols, positions=positions.astype(float), stepids=step, cells=cells, times=time, pbc=[True] * 3
    )
    return trajectory

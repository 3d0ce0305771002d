"""The driver's files: frames and series grow, the checkpoint is replaced in one step, nothing is opened twice."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from . import files


@dataclass
class Checkpoint:
    """Everything a run needs to go on as if it had never stopped.

    Positions (Å) and momenta (ASE units) are float64, shape (n, 3); ``generator`` is NumPy's bit generator state.
    """

    step: int
    positions: np.ndarray
    momenta: np.ndarray
    cell: np.ndarray
    generator: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write to a neighbour and rename: a reader sees the old file or the new one, never half of one."""
        partial = path.with_suffix(".part")
        with open(partial, "wb") as handle:
            np.savez(
                handle,
                step=self.step,
                positions=self.positions,
                momenta=self.momenta,
                cell=self.cell,
                generator=json.dumps(self.generator),
            )
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(path)

    @classmethod
    def load(cls, path: Path | Any) -> Checkpoint:
        """Read a checkpoint.

        :raises ValueError: if the file is truncated or is no checkpoint.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                return cls(
                    step=int(data["step"]),
                    positions=data["positions"],
                    momenta=data["momenta"],
                    cell=data["cell"],
                    generator=json.loads(str(data["generator"])),
                )
        except Exception as error:  # zipfile, KeyError, JSON: all mean the same here
            raise ValueError(f"the checkpoint cannot be read ({type(error).__name__}: {error})") from error

    @classmethod
    def of(cls, step: int, atoms: Atoms, rng: np.random.Generator) -> Checkpoint:
        """The state of a running trajectory."""
        state: dict[str, Any] = dict(rng.bit_generator.state)
        return cls(step, atoms.get_positions(), atoms.get_momenta(), atoms.cell.array.copy(), state)

    def restore(self, atoms: Atoms, rng: np.random.Generator) -> None:
        """Put this state into ``atoms`` and ``rng``."""
        atoms.set_positions(self.positions, apply_constraint=False)
        atoms.set_momenta(self.momenta, apply_constraint=False)
        rng.bit_generator.state = self.generator


class Output:
    """Appends frames (float32, Å, whole molecules, unwrapped) and one JSON line a sample."""

    def __init__(self, folder: Path) -> None:
        self.frames = open(folder / files.FRAMES, "ab")  # noqa: SIM115  (open for the whole run)
        self.series = open(folder / files.SERIES, "a", encoding="utf-8")  # noqa: SIM115

    def append(self, positions: np.ndarray | None, record: dict[str, Any]) -> None:
        """Write one sample, with a frame or without; flushed, so that a killed run leaves whole frames."""
        if positions is not None:
            self.frames.write(positions.astype("<f4").tobytes())
            self.frames.flush()
        self.series.write(json.dumps(record) + "\n")
        self.series.flush()

    def close(self) -> None:
        """Close both files."""
        self.frames.close()
        self.series.close()

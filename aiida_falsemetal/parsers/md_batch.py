"""Parses a batch of seeds: their folders, and how many of them have ended."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser

from ..calculations.md_batch import port_of
from ..runner import files

ENDED_EARLY = ("walltime", "signal")
"""Statuses of a seed that has not come to its end."""


class MlipMdBatchParser(Parser):
    """A folder for every seed, also of a job that was killed: what is in it, the seed's own parser finds."""

    def parse(self, retrieved_temporary_folder: str | None = None, **_: Any) -> ExitCode | None:
        """See the class."""
        computer, workdir = self.node.computer, PurePosixPath(self.node.get_remote_workdir())
        statuses = {}
        for seed in self.node.inputs.seeds.get_list():
            name = files.seed_folder(seed)
            self.out(f"seeds.{port_of(seed)}", orm.RemoteData(computer=computer, remote_path=str(workdir / name)))
            statuses[str(seed)] = _status(Path(str(retrieved_temporary_folder)) / name / files.RESULT)
        self.out("results", orm.Dict({"statuses": statuses}))
        left = sum(status is None or status in ENDED_EARLY for status in statuses.values())
        return self.exit_codes.ERROR_INTERRUPTED.format(count=left) if left else None


def _status(path: Path) -> str | None:
    """What a seed says of its end; None where it says nothing."""
    try:
        return str(json.loads(path.read_text())["status"])
    except (OSError, ValueError, KeyError):
        return None

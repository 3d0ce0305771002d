"""Parses what a committee says of a trajectory."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser

from ..calculations.committee import kept_frames
from ..runner import committee
from .words import last_words


class CommitteeParser(Parser):
    """See the module."""

    def parse(self, retrieved_temporary_folder: str | None = None, **_: Any) -> ExitCode | None:
        """All or nothing: a committee that was cut off is asked again."""
        try:
            with np.load(Path(str(retrieved_temporary_folder)) / committee.OUTPUT) as arrays:
                found = {key: arrays[key] for key in ("disagreement", "energy")}
            account = json.loads(self.retrieved.base.repository.get_object_content(committee.RESULT))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            return self.exit_codes.ERROR_NO_OUTPUT.format(reason=f"{type(error).__name__}{last_words(self.retrieved)}")
        inputs = self.node.inputs
        kept = kept_frames(inputs.trajectory, inputs.parameters.get_dict()["start"])
        steps = inputs.trajectory.get_stepids()[kept]
        if len(found["disagreement"]) != len(steps):
            return self.exit_codes.ERROR_NO_OUTPUT.format(reason="it is of other frames")
        node = orm.ArrayData()
        for key, values in {"step": steps, **found}.items():
            node.set_array(key, values)
        self.out("committee", node)
        self.out("results", orm.Dict({**account, "frames": len(steps), "members": sorted(inputs.members)}))
        return None

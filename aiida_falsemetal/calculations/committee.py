"""The CalcJob that asks several models about the frames of a trajectory: how far do their forces disagree?"""

from __future__ import annotations

import io
import json

import numpy as np
from aiida import orm
from aiida.common import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from ..data.mlip import MlipData
from ..runner import committee, files
from ..runner.device import DEVICES
from .runner_code import runner_code


def validate_members(members: object, _: object) -> str | None:
    """A sentence where there are too few, or None."""
    count = len(members) if isinstance(members, dict) else 0
    return None if count >= 2 else f"members: {count} models cannot disagree; give two at least."


def validate_parameters(node: orm.Dict, _: object) -> str | None:
    """A sentence on what is wrong with the settings, or None."""
    given = node.get_dict()
    start, device, threads = given.get("start"), given.get("device", "auto"), given.get("threads", 1)
    if not isinstance(start, (int, float)) or start < 0.0:
        return f"parameters: start must be a time in ps, not {start!r}."
    if not isinstance(threads, int) or threads < 1:
        return f"parameters: threads must be a whole number from 1, not {threads!r}."
    return None if device in DEVICES else f"parameters: device must be one of {', '.join(DEVICES)}, not {device!r}."


class CommitteeCalculation(CalcJob):
    """How far the members of a committee disagree on each frame of a trajectory from ``start`` on."""

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Ports and exit codes."""
        super().define(spec)
        spec.input("trajectory", valid_type=orm.TrajectoryData, help="Whole molecules, one cell.")
        spec.input_namespace("members", valid_type=MlipData, dynamic=True, validator=validate_members)
        spec.input(
            "parameters", valid_type=orm.Dict, validator=validate_parameters, help="start (ps); device, threads."
        )
        options = spec.inputs["metadata"]["options"]
        options["parser_name"].default = "falsemetal.committee"
        options["resources"].default = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
        options["withmpi"].default = False
        options["max_wallclock_seconds"].default = 3600
        spec.output("committee", valid_type=orm.ArrayData, help="step, disagreement (eV/Å), energy (members, n) in eV.")
        spec.output("results", valid_type=orm.Dict, help="Members by name, versions, cost.")
        spec.default_output_node = "results"
        spec.exit_code(
            300,
            "ERROR_NO_OUTPUT",
            invalidates_cache=True,
            message="The committee gave nothing: {reason}. Look at `verdi calcjob outputcat PK _scheduler-stderr.txt`.",
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the zipapp, the frames and the models' list; copy the models."""
        kept = kept_frames(self.inputs.trajectory, self.inputs.parameters.get_dict()["start"])
        buffer = io.BytesIO()
        np.savez(
            buffer, positions=self.inputs.trajectory.get_positions()[kept], cell=self.inputs.trajectory.get_cells()[0]
        )
        buffer.seek(0)
        folder.create_file_from_filelike(buffer, committee.FRAMES, mode="wb")
        members = {name: self.inputs.members[name] for name in sorted(self.inputs.members)}
        content = {
            "symbols": list(self.inputs.trajectory.symbols),
            "device": self.inputs.parameters.get_dict().get("device", "auto"),
            "threads": self.inputs.parameters.get_dict().get("threads", 1),
            "members": [
                {"model": _file(name, node), "family": node.family, "kwargs": node.kwargs}
                for name, node in members.items()
            ],
        }
        with folder.open(committee.INPUT, "w") as handle:
            json.dump(content, handle)
        calcinfo = CalcInfo()
        calcinfo.codes_info = [runner_code(self, folder, committee.FLAG)]
        calcinfo.local_copy_list = [(node.uuid, node.filename, _file(name, node)) for name, node in members.items()]
        # The trajectory is an input: a second copy of it would be most of the repository.
        calcinfo.provenance_exclude_list = [committee.FRAMES]
        calcinfo.retrieve_list = [files.LOG, committee.RESULT]
        calcinfo.retrieve_temporary_list = [committee.OUTPUT]
        return calcinfo


def kept_frames(trajectory: orm.TrajectoryData, start: float) -> np.ndarray:
    """Indices of the frames from ``start`` (ps) on, shape (n,). What is said of them is in this order."""
    return np.flatnonzero(trajectory.get_times() >= start - 1e-9)


def _file(name: str, node: MlipData) -> str:
    return f"{name}-{node.filename}"

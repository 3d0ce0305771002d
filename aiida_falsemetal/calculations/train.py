"""The CalcJob that trains a MACE with mace-torch, in the Python of its Code."""

from __future__ import annotations

import json

from aiida import orm
from aiida.common import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from ..runner import files, training
from .runner_code import runner_code

WALLTIME_SHARE = 0.9
"""Share of the scheduler's wall time after which a training ends itself: an epoch may be lost, and predictions of all
labels follow the last one."""
REQUIRED = ("options", "epochs", "threads", "family", "kwargs", "baseline")


def validate_parameters(node: orm.Dict, _: object) -> str | None:
    """A sentence on what is wrong with the settings, or None."""
    missing = [key for key in REQUIRED if key not in node.get_dict()]
    return f"parameters: {missing[0]} is missing; it is required." if missing else None


class MaceTrainCalculation(CalcJob):
    """One job of a training. With ``checkpoint``, an earlier job's, it goes on to the same number of epochs."""

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Ports and exit codes."""
        super().define(spec)
        spec.input("labels", valid_type=orm.SinglefileData, help="Extended XYZ of training_set.")
        spec.input("parameters", valid_type=orm.Dict, validator=validate_parameters, help=", ".join(REQUIRED))
        spec.input("checkpoint", valid_type=orm.SinglefileData, required=False, help="Go on from here.")
        options = spec.inputs["metadata"]["options"]
        options["parser_name"].default = "falsemetal.train"
        options["resources"].default = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
        options["withmpi"].default = False
        options["max_wallclock_seconds"].default = 21600
        spec.output("model", valid_type=orm.SinglefileData, required=False)
        spec.output("predictions", valid_type=orm.ArrayData, required=False, help="energy, forces: of every label.")
        spec.output("history", valid_type=orm.ArrayData, required=False, help="Of the epochs of this job.")
        spec.output("results", valid_type=orm.Dict, required=False, help="Status, facts of the model, versions, cost.")
        spec.output("checkpoint", valid_type=orm.SinglefileData, required=False)
        spec.default_output_node = "results"
        for code, name, message in (
            (300, "ERROR_NO_OUTPUT", "The training left nothing: {reason}. Look at `verdi calcjob outputcat PK`."),
            (301, "ERROR_INTERRUPTED", "The training was interrupted in epoch {epoch}; a restart goes on."),
            (302, "ERROR_WALLTIME", "The wall time ended in epoch {epoch}; a restart goes on."),
            (410, "ERROR_TRAINING", "mace-torch failed: {reason}. Look at `verdi calcjob outputcat PK mace.log`."),
        ):
            spec.exit_code(code, name, invalidates_cache=True, message=message)

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the zipapp and its input, copy labels and checkpoint."""
        seconds = WALLTIME_SHARE * self.inputs.metadata.options.max_wallclock_seconds
        with folder.open(training.INPUT, "w") as handle:
            json.dump({**self.inputs.parameters.get_dict(), "max_seconds": seconds}, handle)
        calcinfo = CalcInfo()
        calcinfo.codes_info = [runner_code(self, folder, training.FLAG)]
        labels = self.inputs.labels
        calcinfo.local_copy_list = [(labels.uuid, labels.filename, training.LABELS)]
        if "checkpoint" in self.inputs:
            node = self.inputs.checkpoint
            calcinfo.local_copy_list.append((node.uuid, node.filename, node.filename))
        calcinfo.retrieve_list = [files.LOG, training.RESULT, training.LOG]
        calcinfo.retrieve_temporary_list = [
            training.MODEL,
            training.PREDICTIONS,
            (f"{training.CHECKPOINTS}/*_epoch-*.pt", ".", 0),
        ]
        return calcinfo

"""The CalcJob that runs several seeds of one interface and model in one process."""

from __future__ import annotations

from aiida import orm
from aiida.common import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from ..data.mlip import MlipData
from ..runner import files
from .md import driver_job, validate_inputs, validate_parameters


def validate_seeds(node: orm.List, _: object) -> str | None:
    """A sentence on what is wrong with the seeds, or None."""
    seeds = node.get_list()
    if not seeds or len(set(seeds)) != len(seeds):
        return "seeds: give each seed once, and one at least."
    if any(not isinstance(seed, int) or isinstance(seed, bool) or seed < 0 for seed in seeds):
        return f"seeds: whole numbers that are not negative, not {seeds!r}."
    return None


class MlipMdBatchCalculation(CalcJob):
    """The runs of :class:`.md.MlipMdCalculation` for several seeds, side by side, as one batch of the model.

    It has no trajectories: what each seed has left is a folder on the machine, which the seed's own
    ``MlipMdCalculation`` takes as its ``batch``. So each seed has the same nodes as without a batch, its own exit code
    among them, and one that has not come to its end goes on from its checkpoint alone.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Ports and exit codes."""
        super().define(spec)
        spec.input("structure", valid_type=orm.StructureData, help="Molecules whole.")
        spec.input("info", valid_type=orm.Dict, help="Of the interface, as MlipMdCalculation's.")
        spec.input("mlip", valid_type=MlipData, help="Of a family that computes several systems at once.")
        spec.input(
            "parameters", valid_type=orm.Dict, validator=validate_parameters, help="As MlipMdCalculation's; any seed."
        )
        spec.input("seeds", valid_type=orm.List, validator=validate_seeds, help="Of velocities and thermostat.")
        spec.inputs.validator = validate_inputs
        options = spec.inputs["metadata"]["options"]
        options["parser_name"].default = "falsemetal.md_batch"
        options["resources"].default = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
        options["withmpi"].default = False
        options["max_wallclock_seconds"].default = 3600
        spec.output_namespace("seeds", valid_type=orm.RemoteData, dynamic=True, help="Folders, as seed_1.")
        spec.output("results", valid_type=orm.Dict, help="Statuses of the seeds that have ended, by seed.")
        spec.default_output_node = "results"
        spec.exit_code(
            301,
            "ERROR_INTERRUPTED",
            invalidates_cache=True,
            message="{count} of the seeds have not ended; each goes on by itself.",
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the zipapp and its input, copy the model."""
        seeds = self.inputs.seeds.get_list()
        calcinfo = driver_job(self, folder, {"seeds": seeds})
        calcinfo.retrieve_list = [files.LOG]
        # With their folders: the last two parts of the path.
        results = [f"{files.seed_folder(seed)}/{files.RESULT}" for seed in seeds]
        calcinfo.retrieve_temporary_list = [(name, ".", 2) for name in results]
        return calcinfo


def port_of(seed: int) -> str:
    """Name of a seed's output in the namespace ``seeds``."""
    return f"seed_{seed}"

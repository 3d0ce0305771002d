"""The CalcJob that runs the MD driver on a compute machine."""

from __future__ import annotations

import json
from typing import Any

from aiida import orm
from aiida.common import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from aiida.engine.processes.calcjobs.calcjob import validate_calc_job
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from ..data.mlip import MlipData
from ..physics.dipoles import atom_charges
from ..runner import files
from ..runner.device import DEVICES
from .runner_code import runner_code

DEFAULTS: dict[str, Any] = {
    "timestep": 1.0,
    "temperature": 300.0,
    "friction": 0.01,
    "stride": 10,
    "frame_stride": 100,
    "hydrogen_mass": 2.014,
    "max_evaporated": 0.1,
    "dipole_charges": None,
    "threads": 1,
    "device": "auto",
}
"""Settings of the driver that an input may leave out; units as in :class:`aiida_falsemetal.runner.driver.Settings`."""
GEOMETRY = ("molecules", "axis", "charges", "fixed_indices", "substrate_indices")
"""What the driver is told of the interface; infos of older versions lack the last three."""
REQUIRED = ("steps", "seed")
BATCH = "batch"
"""Folder of the job with what it has from a batch."""
WALLTIME_SHARE = 0.95
"""Share of the scheduler's wall time after which the driver stops itself, with time left to write."""


def validate_parameters(node: orm.Dict, _: object) -> str | None:
    """A sentence on what is wrong with the driver's settings, or None."""
    given = node.get_dict()
    for key in REQUIRED:
        if key not in given:
            return f"parameters: {key} is missing; it is required."
    unknown = sorted(set(given) - set(DEFAULTS) - set(REQUIRED))
    if unknown:
        return f"parameters: {unknown[0]!r} is not known; known: {', '.join(sorted({*DEFAULTS, *REQUIRED}))}."
    for key in ("steps", "stride", "frame_stride", "threads", "timestep", "temperature", "friction", "hydrogen_mass"):
        value = {**DEFAULTS, **given}[key]
        if not isinstance(value, (int, float)) or value <= 0:
            return f"parameters: {key} must be a positive number, not {value!r}."
    merged = {**DEFAULTS, **given}
    for key in (*REQUIRED, "stride", "frame_stride", "threads"):
        if not isinstance(merged[key], int) or isinstance(merged[key], bool):
            return f"parameters: {key} must be a whole number, not {merged[key]!r}."
    if merged["seed"] < 0:
        return f"parameters: seed must not be negative, not {merged['seed']}."
    if not 0.0 <= merged["max_evaporated"] <= 1.0:
        return f"parameters: max_evaporated is a share between 0 and 1, not {merged['max_evaporated']!r}."
    if merged["device"] not in DEVICES:
        return f"parameters: device must be one of {', '.join(DEVICES)}, not {merged['device']!r}."
    if merged["frame_stride"] % merged["stride"]:
        return f"parameters: frame_stride ({merged['frame_stride']}) must be a multiple of stride ({merged['stride']})."
    return None


def validate_inputs(inputs: Any, context: Any) -> str | None:
    """A sentence on what CalcJob itself refuses, or on what of ``info`` does not fit the structure; or None."""
    refused = validate_calc_job(inputs, context)
    if refused is not None:
        return str(refused)
    if not {"structure", "info", "parameters"} <= set(inputs):
        return None
    info, structure = inputs["info"].get_dict(), inputs["structure"]
    for key in ("molecules", "axis"):
        if key not in info:
            return f"info: {key} is missing; give what the interface's recipe gave."
    count = len(structure.sites)
    members = [index for molecule in info["molecules"] for index in molecule]
    for key, indices in (("molecules", members), *((k, info.get(k, [])) for k in GEOMETRY[3:])):
        if any(not isinstance(index, int) or not 0 <= index < count for index in indices):
            return f"info: {key} holds indices that are of no atom; they go from 0 to {count - 1}."
    if len(set(info.get("fixed_indices", []))) == count:
        return "info: fixed_indices holds every atom, so nothing would move; leave some out."
    try:
        table = inputs["parameters"].get_dict().get("dipole_charges")
        atom_charges([site.kind_name for site in structure.sites], info.get("charges"), table)
    except ValueError as error:
        return str(error)
    return None


class MlipMdCalculation(CalcJob):
    """NVT MD with an MLIP. The driver travels with the job as a zipapp; the machine needs ase and the model's package.

    The Code is a Python interpreter. A ``checkpoint`` continues an earlier job to the *total* number of steps. Where a
    ``batch`` has run this seed with others, its files are taken from there, and nothing is submitted.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Ports and exit codes."""
        super().define(spec)
        spec.input("structure", valid_type=orm.StructureData, help="Molecules whole.")
        spec.input("info", valid_type=orm.Dict, help=f"Of the interface: {', '.join(GEOMETRY)}.")
        spec.input("mlip", valid_type=MlipData)
        spec.input("parameters", valid_type=orm.Dict, validator=validate_parameters, help="See DEFAULTS.")
        spec.input("checkpoint", valid_type=orm.SinglefileData, required=False, help="Continue from this state.")
        spec.input(
            "batch", valid_type=orm.RemoteData, required=False, help="Folder of this seed in a MlipMdBatchCalculation."
        )
        spec.inputs.validator = validate_inputs
        spec.inputs["metadata"]["options"]["parser_name"].default = "falsemetal.md"
        spec.inputs["metadata"]["options"]["resources"].default = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
        spec.inputs["metadata"]["options"]["withmpi"].default = False
        spec.inputs["metadata"]["options"]["max_wallclock_seconds"].default = 3600
        spec.output("trajectory", valid_type=orm.TrajectoryData, required=False, help="Whole molecules, unwrapped.")
        spec.output("series", valid_type=orm.ArrayData, required=False, help="Time series, one value a frame.")
        spec.output("results", valid_type=orm.Dict, required=False, help="Status, timings, versions, threads.")
        spec.output("checkpoint", valid_type=orm.SinglefileData, required=False, help="State to continue from.")
        spec.default_output_node = "results"
        spec.exit_code(
            300,
            "ERROR_NO_OUTPUT",
            invalidates_cache=True,
            message="The driver wrote nothing: {reason}. "
            "Look at its stderr with `verdi calcjob outputcat PK _scheduler-stderr.txt`.",
        )
        spec.exit_code(
            301,
            "ERROR_INTERRUPTED",
            invalidates_cache=True,
            message="The driver was interrupted at step {step}; a restart goes on from the checkpoint.",
        )
        spec.exit_code(
            302,
            "ERROR_WALLTIME",
            invalidates_cache=True,
            message="The wall time ended at step {step}; a restart goes on from the checkpoint.",
        )
        spec.exit_code(
            410,
            "ERROR_NOT_A_NUMBER",
            invalidates_cache=True,
            message="The model gave {reason}. Look at the last frames: use a smaller timestep or retrain.",
        )
        spec.exit_code(
            411,
            "ERROR_EXPLODED",
            invalidates_cache=True,
            message="The run exploded: {reason}. Try a smaller timestep; else the model is unstable here.",
        )
        spec.exit_code(
            412,
            "ERROR_DISSOCIATED",
            invalidates_cache=True,
            message="A molecule broke: {reason}. The model is unstable here, or the timestep too long.",
        )
        spec.exit_code(
            413,
            "ERROR_EVAPORATED",
            invalidates_cache=True,
            message="The film evaporated: {reason}. Lower the temperature or raise max_evaporated.",
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the zipapp and its input, copy the model and the checkpoint; or copy what a batch has made."""
        if "batch" in self.inputs:
            return self._taken_from(self.inputs.batch)
        calcinfo = driver_job(self, folder, {})
        if "checkpoint" in self.inputs:
            node = self.inputs.checkpoint
            calcinfo.local_copy_list.append((node.uuid, node.filename, files.RESTART))
        calcinfo.retrieve_list = [files.LOG, files.RESULT, files.SERIES]
        # Parsed into nodes; keeping a second copy in the retrieved folder would double the repository.
        calcinfo.retrieve_temporary_list = [files.FRAMES, files.CHECKPOINT]
        return calcinfo

    def _taken_from(self, batch: orm.RemoteData) -> CalcInfo:
        """No job: what is missing in the batch's folder is missing here, and the parser says so."""
        calcinfo = CalcInfo()
        calcinfo.codes_info = []
        calcinfo.skip_submit = True
        calcinfo.remote_copy_list = [(batch.computer.uuid, batch.get_remote_path(), BATCH)]
        calcinfo.retrieve_list = [(f"{BATCH}/{name}", ".", 0) for name in (files.LOG, files.RESULT, files.SERIES)]
        calcinfo.retrieve_temporary_list = [(f"{BATCH}/{name}", ".", 0) for name in (files.FRAMES, files.CHECKPOINT)]
        return calcinfo


def driver_job(process: CalcJob, folder: Folder, more: dict[str, Any]) -> CalcInfo:
    """A run of the driver with the process's inputs; what is retrieved is left to the caller.

    :param more: of ``input.json``, beside what every run has.
    """
    mlip: MlipData = process.inputs.mlip
    model = f"model-{mlip.filename}"
    with folder.open(files.INPUT, "w") as handle:
        json.dump({**_driver_input(process, model), **more}, handle)
    calcinfo = CalcInfo()
    calcinfo.codes_info = [runner_code(process, folder)]
    calcinfo.local_copy_list = [(mlip.uuid, mlip.filename, model)]
    return calcinfo


def _driver_input(process: CalcJob, model: str) -> dict[str, Any]:
    """Content of ``input.json``."""
    settings = {**DEFAULTS, **process.inputs.parameters.get_dict()}
    threads, device = settings.pop("threads"), settings.pop("device")
    wallclock = process.inputs.metadata.options.max_wallclock_seconds
    atoms = process.inputs.structure.get_ase()
    info = process.inputs.info.get_dict()
    return {
        "settings": {**settings, "max_seconds": WALLTIME_SHARE * wallclock},
        "threads": threads,
        "device": device,
        "family": process.inputs.mlip.family,
        "kwargs": process.inputs.mlip.kwargs,
        "model": model,
        "atoms": {
            "symbols": atoms.get_chemical_symbols(),
            "positions": atoms.get_positions().tolist(),
            "cell": atoms.cell.array.tolist(),
        },
        "info": {key: info[key] for key in GEOMETRY if key in info},
    }

"""A training to its last epoch, through wall times and kills."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, ProcessHandlerReport, process_handler, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from ..calculations.train import MaceTrainCalculation
from .steady import SteadyWorkChain

FIXED = {
    "model": "MACE",
    "scheduler": "ExponentialLR",
    "ema": True,
    "ema_decay": 0.99,
    "amsgrad": True,
    "clip_grad": 10,
    "device": "cpu",
    "E0s": "average",
    "eval_interval": 1,
    "valid_batch_size": 8,
    "error_table": "PerAtomRMSE",
    "energy_key": "REF_energy",
    "forces_key": "REF_forces",
}
"""Options of mace_run_train that no file changes."""
DECAY = 0.02
"""The learning rate's fall over all epochs."""


def training_parameters(given: dict[str, Any], baseline: dict[str, Any] | None) -> dict[str, Any]:
    """Settings of :class:`MaceTrainCalculation`.

    :param given: the file's ``training``.
    :param baseline: ``charges`` and ``smearing`` of the long-ranged twin, None for the short-ranged one.
    """
    options = {
        **FIXED,
        "num_channels": given["channels"],
        "max_L": given["max_L"],
        "r_max": given["r_max"],
        "num_interactions": given["layers"],
        "correlation": given["correlation"],
        "max_ell": given["max_ell"],
        "batch_size": given["batch_size"],
        "lr": given["lr"],
        "energy_weight": given["energy_weight"],
        "forces_weight": given["forces_weight"],
        "default_dtype": given["dtype"],
        "seed": given["seed"],
        "max_num_epochs": given["epochs"],
        "lr_scheduler_gamma": round(DECAY ** (1.0 / given["epochs"]), 6),
    }
    return {
        "options": options,
        "epochs": given["epochs"],
        "threads": given["threads"],
        "baseline": baseline,
        "family": "mace" if baseline is None else "mace_ewald",
        "kwargs": {} if baseline is None else dict(baseline),
    }


def training_fingerprint(labels: orm.SinglefileData, parameters: dict[str, Any]) -> str:
    """SHA-256 (hexadecimal) of labels, split and settings; threads are left out."""
    content = {key: value for key, value in parameters.items() if key != "threads"}
    text = json.dumps(content, sort_keys=True) + labels.get_content()
    return hashlib.sha256(text.encode()).hexdigest()


class MaceTrainWorkChain(SteadyWorkChain, BaseRestartWorkChain):
    """Restart :class:`MaceTrainCalculation` from its checkpoint until all epochs are done."""

    _process_class = MaceTrainCalculation

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Ports, outline and exit codes."""
        super().define(spec)
        spec.expose_inputs(MaceTrainCalculation, namespace="train")
        spec.inputs["max_iterations"].default = lambda: orm.Int(20)
        spec.expose_outputs(MaceTrainCalculation, exclude=("remote_folder", "remote_stash", "retrieved"))
        spec.outline(cls.setup, while_(cls.should_run_process)(cls.run_process, cls.inspect_process), cls.results)
        spec.exit_code(310, "ERROR_NO_PROGRESS", message="Two jobs in a row got no further; raise training.walltime.")
        spec.exit_code(410, "ERROR_TRAINING", message="{message}")

    def setup(self) -> None:
        """Inputs of the first job, and the extra by which a training is found."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(MaceTrainCalculation, "train"))
        digest = training_fingerprint(self.ctx.inputs.labels, self.ctx.inputs.parameters.get_dict())
        self.node.base.extras.set("falsemetal_training", digest)

    @process_handler(
        priority=500,
        exit_codes=[
            MaceTrainCalculation.exit_codes.ERROR_INTERRUPTED,
            MaceTrainCalculation.exit_codes.ERROR_WALLTIME,
        ],
    )
    def go_on(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Continue from the checkpoint."""
        checkpoint = node.outputs.checkpoint.filename if "checkpoint" in node.outputs else None
        if checkpoint == self.ctx.get("last_checkpoint", ""):
            return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_PROGRESS)
        self.ctx.last_checkpoint = checkpoint
        if checkpoint is not None:
            self.ctx.inputs.checkpoint = node.outputs.checkpoint
        self.report(f"{node.process_label}<{node.pk}>: {node.exit_message}")
        return ProcessHandlerReport(True)

    @process_handler(priority=490, exit_codes=[MaceTrainCalculation.exit_codes.ERROR_NO_OUTPUT])
    def try_again(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """A job that left nothing is tried once more, then given up."""
        before = self.ctx.children[: self.ctx.iteration - 1]
        if before and before[-1].exit_status == node.exit_status:
            return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_PROGRESS)
        return ProcessHandlerReport(True)

    @process_handler(priority=480, exit_codes=[MaceTrainCalculation.exit_codes.ERROR_TRAINING])
    def give_up(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """The program failed: it would fail again."""
        return ProcessHandlerReport(True, self.exit_codes.ERROR_TRAINING.format(message=node.exit_message))

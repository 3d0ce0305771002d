"""MD to a total number of steps, through wall times and kills."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, ProcessBuilder, ProcessHandlerReport, process_handler, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from ..calculations.md import DEFAULTS, MlipMdCalculation
from ..calculations.trajectory import joined
from ..data.mlip import MlipData
from .cleaning import DEFAULT, clean_jobs
from .endings import UNBEGUN, began
from .options import md_options
from .outputs import outputs_of
from .steady import SteadyWorkChain

NOWHERE = 3
"""Runs in a row that get no further, after which the MD is given up: as often as a gap's pw.x may be cut off."""


class MlipMdWorkChain(SteadyWorkChain, BaseRestartWorkChain):
    """Restart :class:`MlipMdCalculation` from its checkpoint until the total number of steps is reached."""

    _process_class = MlipMdCalculation

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Ports, outline and exit codes."""
        super().define(spec)
        spec.expose_inputs(MlipMdCalculation, namespace="md")
        spec.inputs["max_iterations"].default = lambda: orm.Int(20)
        spec.input("keep", valid_type=orm.Str, required=False, help="Work folders that stay: failed, all or none.")
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
        )
        spec.output("trajectory", valid_type=orm.TrajectoryData, required=False)
        spec.output("series", valid_type=orm.ArrayData, required=False)
        spec.output("results", valid_type=orm.Dict, required=False)
        spec.output("checkpoint", valid_type=orm.SinglefileData, required=False, help="State to go on from.")
        spec.exit_code(
            310,
            "ERROR_NO_PROGRESS",
            message="The MD was run again and got no further; raise the walltime, or look at the last job's stderr.",
        )
        spec.exit_code(400, "ERROR_PHYSICS", message="{message}")

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        structure: orm.StructureData,
        info: orm.Dict,
        mlip: MlipData,
        steps: int,
        seed: int,
        overrides: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        batch: orm.RemoteData | None = None,
    ) -> ProcessBuilder:
        """A builder with the driver's default settings.

        :param overrides: keys of :data:`aiida_falsemetal.calculations.md.DEFAULTS`.
        :param options: ``max_wallclock_seconds``, ``resources``, ``slots`` (0: the scheduler shares the cores out),
            ``keep`` (work folders that stay: ``failed``, ``all``, the default, or ``none``).
        :param batch: the seed's folder, where a batch has run it.
        """
        keep = (options or {}).get("keep", DEFAULT)
        parameters = {**DEFAULTS, **(overrides or {}), "steps": steps, "seed": seed}
        builder = cls.get_builder()
        builder.md.code = code
        builder.md.structure = structure
        builder.md.info = info
        builder.md.mlip = mlip
        builder.md.parameters = orm.Dict(parameters)
        builder.md.metadata.options = md_options(options or {}, int(parameters["threads"]))
        if keep != DEFAULT:
            builder.keep = orm.Str(keep)
        if batch is not None:
            builder.md.batch = batch
        return builder

    def on_terminated(self) -> None:
        """Empty the work folders that nobody needs any more: what is in the graph is enough to go on."""
        super().on_terminated()
        clean_jobs(self.node, self.inputs.keep.value if "keep" in self.inputs else DEFAULT)

    def setup(self) -> None:
        """Inputs of the first run."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(MlipMdCalculation, "md"))
        self.ctx.pieces = []

    def inspect_process(self) -> Any:
        """Keep what the run made before a handler decides how to go on."""
        node = self.ctx.children[self.ctx.iteration - 1]
        if "series" in outputs_of(node):
            self.ctx.pieces.append(node.pk)
        return super().inspect_process()

    @process_handler(
        priority=500,
        exit_codes=[
            MlipMdCalculation.exit_codes.ERROR_INTERRUPTED,
            MlipMdCalculation.exit_codes.ERROR_WALLTIME,
        ],
    )
    def go_on(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Continue from the checkpoint."""
        outputs = outputs_of(node)
        if "checkpoint" not in outputs:
            return ProcessHandlerReport(True)
        last_step = int(outputs["series"].get_array("step")[-1])
        if last_step == self.ctx.get("last_step"):
            # Its own wall time would end the next one there, too.
            if self._gets_nowhere() or node.exit_status == MlipMdCalculation.exit_codes.ERROR_WALLTIME.status:
                self._attach()
                return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_PROGRESS)
        else:
            self.ctx.last_step, self.ctx.nowhere = last_step, 0
        self.ctx.inputs.pop("batch", None)
        self.ctx.inputs.checkpoint = outputs["checkpoint"]
        self.report(f"{node.process_label}<{node.pk}>: {node.exit_message} Going on from its checkpoint.")
        return ProcessHandlerReport(True)

    @process_handler(
        priority=490,
        exit_codes=[MlipMdCalculation.exit_codes.ERROR_NO_OUTPUT],
    )
    def try_again(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """A run without a single frame is tried again, without its batch if it had one, then given up."""
        if self.ctx.inputs.pop("batch", None) is not None:
            return ProcessHandlerReport(True)
        unbegun = self.ctx.get("unbegun", 0)
        if not began(node) and unbegun < UNBEGUN:
            self.ctx.unbegun = unbegun + 1  # killed while it waited for its cores
            return ProcessHandlerReport(True)
        if self._gets_nowhere():
            self._attach()
            return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_PROGRESS)
        return ProcessHandlerReport(True)

    def _gets_nowhere(self) -> bool:
        """Count a run that got no further; whether there were enough of them in a row."""
        self.ctx.nowhere = self.ctx.get("nowhere", 0) + 1
        return bool(self.ctx.nowhere >= NOWHERE)

    @process_handler(
        priority=480,
        exit_codes=[
            MlipMdCalculation.exit_codes.ERROR_NOT_A_NUMBER,
            MlipMdCalculation.exit_codes.ERROR_EXPLODED,
            MlipMdCalculation.exit_codes.ERROR_DISSOCIATED,
            MlipMdCalculation.exit_codes.ERROR_EVAPORATED,
        ],
    )
    def give_up(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """The physics failed: a restart would fail again. What was computed until then is kept."""
        self._attach()
        return ProcessHandlerReport(True, self.exit_codes.ERROR_PHYSICS.format(message=node.exit_message))

    def results(self) -> Any:
        """Join the pieces."""
        self._attach()
        return None if self.ctx.is_finished else super().results()

    def _attach(self) -> None:
        """Outputs from what was computed, however the run ended."""
        outputs = {child.pk: outputs_of(child) for child in self.ctx.children}
        for name in ("results", "checkpoint"):
            made = [found[name] for found in outputs.values() if name in found]
            if made:
                self.out(name, made[-1])
        for key, node in joined([outputs[pk] for pk in self.ctx.pieces]).items():
            self.out(key, node)

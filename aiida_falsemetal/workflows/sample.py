"""One sampling run: a film or a bulk liquid, moved by an MLIP, from whose trajectory configurations are chosen."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ToContext, if_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from ..calculations.configurations import build_source, select_configurations
from ..data.mlip import MlipData
from .label import GROUP_PREFIX
from .md import MlipMdWorkChain
from .steady import SteadyWorkChain


class SampleWorkChain(SteadyWorkChain):
    """See the module."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Ports, outline and exit codes."""
        super().define(spec)
        spec.input("run", valid_type=orm.Dict, help="source, sampler, recipe, parameters, md, selection.")
        spec.input("mlip", valid_type=MlipData)
        spec.input("code", valid_type=orm.AbstractCode, help="A Python with ase and the model's package.")
        spec.input("options", valid_type=orm.Dict, help="resources, max_wallclock_seconds, slots.")
        spec.input("fingerprint", valid_type=orm.Str, help="Of what determines the configurations.")
        spec.input("twins", valid_type=orm.Str, help="Name of the twins; becomes extra and group.")
        spec.outline(cls.build, cls.run_md, cls.inspect_md, if_(cls.has_trajectory)(cls.select))
        spec.output_namespace("frames", valid_type=orm.StructureData, dynamic=True, required=False)
        spec.output_namespace("records", valid_type=orm.Dict, dynamic=True, required=False)
        spec.output("selection", valid_type=orm.Dict, required=False)
        spec.exit_code(210, "ERROR_SOURCE", message="The source could not be built: {message}")
        spec.exit_code(310, "ERROR_MD", message="The MD gave no trajectory: {message} Fix the cause and submit again.")

    def found_by(self) -> dict[str, Any]:
        """Extras by which the run is found."""
        return {
            "falsemetal_twins": self.inputs.twins.value,
            "falsemetal_fingerprint": self.inputs.fingerprint.value,
        }

    def build(self) -> Any:
        """Group; the structure that the run starts from."""
        group, _ = orm.Group.collection.get_or_create(label=GROUP_PREFIX + self.inputs.twins.value)
        group.add_nodes(self.node)
        try:
            built = build_source(self.inputs.run, metadata={"call_link_label": "build"})
        except Exception as error:
            return self.exit_codes.ERROR_SOURCE.format(message=str(error))
        self.ctx.structure, self.ctx.info = built["structure"], built["info"]
        return None

    def run_md(self) -> ToContext:
        """Submit the MD."""
        md = self.inputs.run.get_dict()["md"]
        builder = MlipMdWorkChain.get_builder_from_protocol(
            self.inputs.code,
            self.ctx.structure,
            self.ctx.info,
            self.inputs.mlip,
            steps=md["steps"],
            seed=md["seed"],
            overrides=md,
            options=self.inputs.options.get_dict(),
        )
        builder.metadata.call_link_label = "md"
        return ToContext(md=self.submit(builder))

    def inspect_md(self) -> Any:
        """A run that ended early (a broken molecule, an evaporated film) still gives what it reached."""
        self.ctx.whole = "trajectory" in self.ctx.md.outputs and "series" in self.ctx.md.outputs
        if self.ctx.md.is_finished_ok or (self.ctx.md.exit_status == 400 and self.ctx.whole):
            return None
        return self.exit_codes.ERROR_MD.format(message=str(self.ctx.md.exit_message))

    def has_trajectory(self) -> bool:
        """Whether there is something to choose from."""
        return bool(self.ctx.whole)

    def select(self) -> None:
        """Choose the configurations."""
        outputs = self.ctx.md.outputs
        chosen = select_configurations(
            outputs.trajectory,
            outputs.series,
            self.ctx.info,
            self.inputs.run,
            metadata={"call_link_label": "select"},
        )
        for key, node in chosen.items():
            kind, _, step = key.partition("_")
            if key == "selection":
                self.out(key, node)
            else:
                self.out(f"{kind}s.s{step}", node)
        reason = chosen["selection"].get_dict()["reason"]
        if reason:
            self.report(reason)

"""One sampling run: a film or a bulk liquid, moved by an MLIP, from whose trajectory configurations are chosen.

With a committee they are those on which its members disagree.
"""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ToContext, if_, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from ..calculations.committee import CommitteeCalculation
from ..calculations.configurations import build_source, select_configurations
from ..data.mlip import MlipData
from ..names import TWINS_GROUP
from .md import MlipMdWorkChain
from .options import md_options
from .outputs import outputs_of
from .steady import SteadyWorkChain

PHYSICS = MlipMdWorkChain.exit_codes.ERROR_PHYSICS.status
"""Exit status of an MD whose model failed, and not a machine."""
ASKED = 3
"""Times that a committee is asked before it counts as giving no answer: one that was cut off has nothing to go on from,
and the MD that it is about was the dearer part."""


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
        spec.input_namespace("committee", valid_type=MlipData, dynamic=True, required=False, help="By name.")
        spec.input("committee_code", valid_type=orm.AbstractCode, required=False, help="A Python that runs all of it.")
        spec.outline(
            cls.build,
            cls.run_md,
            cls.inspect_md,
            while_(cls.must_ask)(cls.ask_committee, cls.inspect_committee),
            if_(cls.has_trajectory)(cls.select),
        )
        spec.output_namespace("frames", valid_type=orm.StructureData, dynamic=True, required=False)
        spec.output_namespace("records", valid_type=orm.Dict, dynamic=True, required=False)
        spec.output("selection", valid_type=orm.Dict, required=False)
        spec.exit_code(210, "ERROR_SOURCE", message="The source could not be built: {message}")
        spec.exit_code(310, "ERROR_MD", message="The MD gave no trajectory: {message} Fix the cause and submit again.")

        spec.exit_code(320, "ERROR_COMMITTEE", message="The committee gave no answer: {message}")

    def found_by(self) -> dict[str, Any]:
        """Extras by which the run is found."""
        number = self.inputs.run.get_dict().get("round")
        return {
            "falsemetal_twins": self.inputs.twins.value,
            "falsemetal_fingerprint": self.inputs.fingerprint.value,
            **({} if number is None else {"falsemetal_round": number}),
        }

    def build(self) -> Any:
        """Group; the structure that the run starts from."""
        group, _ = orm.Group.collection.get_or_create(label=TWINS_GROUP + self.inputs.twins.value)
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
        """A run that ended early (a broken molecule, an evaporated film) still gives what it reached, or nothing."""
        self.ctx.whole = {"trajectory", "series"} <= set(outputs_of(self.ctx.md))
        if self.ctx.md.is_finished_ok or self.ctx.md.exit_status == PHYSICS:
            if not self.ctx.whole:
                self.report(f"no frame to choose from: {self.ctx.md.exit_message}")
            self.ctx.asked, self.ctx.answered = 0, False
            return None
        return self.exit_codes.ERROR_MD.format(message=str(self.ctx.md.exit_message))

    def has_trajectory(self) -> bool:
        """Whether there is something to choose from."""
        return bool(self.ctx.whole)

    def has_committee(self) -> bool:
        """Whether a committee is to choose, and has something to choose from."""
        return bool(self.ctx.whole and "committee" in self.inputs)

    def must_ask(self) -> bool:
        """Whether the committee has not answered yet."""
        return bool(self.has_committee() and not self.ctx.answered)

    def ask_committee(self) -> ToContext:
        """Submit the committee's job on the trajectory."""
        run, options = self.inputs.run.get_dict(), self.inputs.options.get_dict()
        builder = CommitteeCalculation.get_builder()
        builder.code = self.inputs.committee_code
        builder.trajectory = outputs_of(self.ctx.md)["trajectory"]
        builder.members = dict(self.inputs.committee)
        threads = run["md"]["threads"]
        builder.parameters = orm.Dict({"start": run["selection"]["start"], "threads": threads})
        builder.metadata.options = md_options(options, threads)
        self.ctx.asked += 1
        builder.metadata.call_link_label = f"committee_{self.ctx.asked}"
        return ToContext(committee=self.submit(builder))

    def inspect_committee(self) -> Any:
        """Without its answer there is nothing to choose by."""
        self.ctx.answered = self.ctx.committee.is_finished_ok
        if self.ctx.answered:
            return None
        message = str(self.ctx.committee.exit_message or self.ctx.committee.process_state)
        if self.ctx.asked >= ASKED:
            return self.exit_codes.ERROR_COMMITTEE.format(message=message)
        self.report(f"the committee is asked once more: {message}")
        return None

    def select(self) -> None:
        """Choose the configurations."""
        outputs = outputs_of(self.ctx.md)
        by = {"committee": outputs_of(self.ctx.committee)["committee"]} if self.has_committee() else {}
        chosen = select_configurations(
            outputs["trajectory"],
            outputs["series"],
            self.ctx.info,
            self.inputs.run,
            **by,
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

"""One (interface, MLIP, seed): build, run MD, select frames, compute each one's gap, say what it amounts to.

Where a trajectory is given, it takes the place of building and MD; everything after is the same.
"""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, ToContext, WorkChain, if_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from ..calculations.interface import build_interface
from ..calculations.md import DEFAULTS
from ..calculations.trajectory import select_frames
from ..calculations.verdict import pair_verdict
from ..data.mlip import MlipData
from ..interfaces.registry import recipe_elements
from ..names import EXTRAS
from .gap import GapWorkChain
from .ladder import check_ladder
from .md import MlipMdWorkChain
from .properties import CODE_NAMES, check_properties, property_inputs
from .pseudos import gap_settings, pseudos_of

LABELS = (*EXTRAS, "fingerprint")
GROUP_PREFIX = "falsemetal/"
OWN = ("recipe", "mlip", "md_code", "md_options")
"""Inputs of a pair that runs its MD."""
GIVEN = ("trajectory", "series", "interface", "interface_info")
"""Inputs in their place, see :func:`..calculations.imported.describe_trajectory`; also names of outputs."""
SELECTION = {"stratified": 3, "uniform": 1, "strata": 3, "start": 1.0, "equilibration": "auto"}


def validate_inputs(inputs: Any, _: object) -> str | None:
    """A sentence on what is wrong with the gap's ladder or properties, or None: before the MD, not after it."""
    if "gap" not in inputs:
        return None
    try:
        check_ladder(inputs["gap"].get_dict())
        check_properties(inputs["gap"].get_dict(), property_inputs(inputs))
    except ValueError as error:
        return f"gap: {error}"
    return _where_from(inputs)


def _where_from(inputs: Any) -> str | None:
    """A sentence where inputs are neither those of a pair that runs its MD nor those of one with a trajectory."""
    given = [name for name in GIVEN if name in inputs]
    missing = [name for name in (GIVEN if given else OWN) if name not in inputs]
    if missing:
        instead = "; a trajectory needs all of " + ", ".join(GIVEN) if given else ", or a trajectory in their place"
        return f"{', '.join(missing)}: missing{instead}"
    unused = [name for name in ("recipe", "structure", "md_code", "md_options") if given and name in inputs]
    if unused:
        return f"{', '.join(unused)}: does not go with a trajectory, which is there already"
    return None


class PairWorkChain(WorkChain):
    """See the module."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Ports, outline and exit codes."""
        super().define(spec)
        spec.input("labels", valid_type=orm.Dict, help=f"{', '.join(LABELS)}: become extras of the node.")
        spec.input(
            "recipe", valid_type=orm.Dict, required=False, help="recipe and parameters of the interface, unless given."
        )
        spec.input(
            "structure", valid_type=orm.StructureData, required=False, help="What a recipe like `file` starts from."
        )
        spec.input("mlip", valid_type=MlipData, required=False, help="Not with a trajectory that no model has made.")
        spec.input(
            "md",
            valid_type=orm.Dict,
            help="Settings of the MD driver, with steps and seed; of a given trajectory temperature, timestep (fs "
            "between frames of its file), steps (such frames) and seed.",
        )
        spec.input(
            "md_code", valid_type=orm.AbstractCode, required=False, help="A Python with ase and the model's package."
        )
        spec.input("md_options", valid_type=orm.Dict, required=False, help="resources, max_wallclock_seconds, slots.")
        for name, kind in zip(GIVEN, (orm.TrajectoryData, orm.ArrayData, orm.StructureData, orm.Dict), strict=True):
            spec.input(name, valid_type=kind, required=False, help="Of a trajectory that is there already.")
        spec.input(
            "selection",
            valid_type=orm.Dict,
            help="stratified, uniform, strata, start (ps), seed, equilibration (ps or auto).",
        )
        spec.input("gap", valid_type=orm.Dict, help="Settings of a gap protocol.")
        spec.input("pw_code", valid_type=orm.AbstractCode)
        spec.input("pw_options", valid_type=orm.Dict, help="resources, max_wallclock_seconds, slots.")
        for name in CODE_NAMES:
            spec.input(name, valid_type=orm.AbstractCode, required=False, help="For the gap's properties.")
        spec.inputs.validator = validate_inputs
        spec.outline(
            cls.label,
            if_(cls.is_given)(cls.take_given).else_(cls.build, cls.run_md, cls.inspect_md),
            if_(cls.has_trajectory)(cls.select, cls.run_gaps),
            cls.conclude,
        )
        spec.output("interface", valid_type=orm.StructureData)
        spec.output("interface_info", valid_type=orm.Dict)
        spec.output("trajectory", valid_type=orm.TrajectoryData, required=False)
        spec.output("series", valid_type=orm.ArrayData, required=False)
        spec.output("md_results", valid_type=orm.Dict, required=False)
        spec.output("selection", valid_type=orm.Dict, required=False)
        spec.output("verdict", valid_type=orm.Dict)
        spec.exit_code(210, "ERROR_INTERFACE", message="The interface could not be built: {message}")
        spec.exit_code(
            310, "ERROR_MD_INFRASTRUCTURE", message="The MD could not be run: {message} Fix the cause and submit again."
        )
        spec.exit_code(
            410, "ERROR_MD_PHYSICS", message="The MD ended early: {message} What it reached is in the outputs."
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        md_code: orm.AbstractCode,
        pw_code: orm.AbstractCode,
        mlip: MlipData,
        recipe: str,
        parameters: dict[str, Any],
        steps: int,
        seed: int,
        protocol: str | None = None,
        overrides: dict[str, Any] | None = None,
        labels: dict[str, Any] | None = None,
        codes: dict[str, orm.AbstractCode] | None = None,
        structure: orm.StructureData | None = None,
    ) -> ProcessBuilder:
        """A builder with the defaults of every stage.

        :param recipe: name of an interface recipe, with its ``parameters``.
        :param steps: MD steps.
        :param protocol: gap protocol.
        :param overrides: dictionaries ``md``, ``md_options``, ``selection``, ``gap``, ``pw_options`` with other values.
        :param labels: any of ``LABELS``.
        :param codes: ``projwfc_code``, ``pp_code``, ``average_code``: what the gap protocol's ``properties`` need.
        :param structure: what a recipe like ``file`` starts from; other recipes take none.
        :raises ValueError: if a protocol, a key or a property is not known, a property's code is missing, or ladder,
            family, functional and cutoffs do not fit (:class:`.protocols.DftError`).
        """
        given = {key: dict(value) for key, value in (overrides or {}).items()}
        elements = recipe_elements(recipe, parameters, None if structure is None else structure.get_ase())
        names = {"interface": recipe, "mlip": mlip.label, "seed": seed, **(labels or {})}
        builder = cls._gap_builder(pw_code, elements, protocol, given, names, codes)
        builder.recipe = orm.Dict({"recipe": recipe, "parameters": parameters})
        if structure is not None:
            builder.structure = structure
        builder.mlip = mlip
        builder.md = orm.Dict({**DEFAULTS, **given.get("md", {}), "steps": steps, "seed": seed})
        builder.md_code = md_code
        builder.md_options = orm.Dict(given.get("md_options", {}))
        return builder

    @classmethod
    def get_builder_from_trajectory(
        cls,
        pw_code: orm.AbstractCode,
        trajectory: orm.TrajectoryData,
        series: orm.ArrayData,
        interface: orm.StructureData,
        interface_info: orm.Dict,
        md: dict[str, Any],
        seed: int,
        mlip: MlipData | None = None,
        protocol: str | None = None,
        overrides: dict[str, Any] | None = None,
        labels: dict[str, Any] | None = None,
        codes: dict[str, orm.AbstractCode] | None = None,
    ) -> ProcessBuilder:
        """A builder for a trajectory that is there already, with the defaults of every other stage.

        :param trajectory: with ``series``, ``interface`` and ``interface_info``, see
            :func:`..calculations.imported.describe_trajectory`.
        :param md: ``temperature`` (K), ``timestep`` (fs between frames of its file) and ``steps`` (such frames).
        :param seed: of the selection.
        :param mlip: the model that made it, if one did.
        :param overrides: dictionaries ``selection``, ``gap``, ``pw_options`` with other values.
        :raises ValueError: as :meth:`get_builder_from_protocol`.

        The other parameters are those of :meth:`get_builder_from_protocol`.
        """
        given = {key: dict(value) for key, value in (overrides or {}).items()}
        made_by = "imported" if mlip is None else mlip.label
        names = {"interface": trajectory.label or "imported", "mlip": made_by, "seed": seed, **(labels or {})}
        builder = cls._gap_builder(pw_code, set(trajectory.symbols), protocol, given, names, codes)
        for name, node in zip(GIVEN, (trajectory, series, interface, interface_info), strict=True):
            builder[name] = node
        if mlip is not None:
            builder.mlip = mlip
        builder.md = orm.Dict({**md, "seed": seed})
        return builder

    @classmethod
    def _gap_builder(
        cls,
        pw_code: orm.AbstractCode,
        elements: set[str],
        protocol: str | None,
        given: dict[str, Any],
        labels: dict[str, Any],
        codes: dict[str, orm.AbstractCode] | None,
    ) -> ProcessBuilder:
        """A builder with all that comes after the trajectory; see :meth:`get_builder_from_protocol`."""
        builder = cls.get_builder()
        builder.labels = orm.Dict({"campaign": "", "fingerprint": "", **labels})
        builder.selection = orm.Dict({**SELECTION, "seed": labels["seed"], **given.get("selection", {})})
        builder.gap = orm.Dict(gap_settings(protocol, given.get("gap"), elements))
        builder.pw_code = pw_code
        builder.pw_options = orm.Dict(given.get("pw_options", {}))
        check_properties(builder.gap.get_dict(), set(codes or {}))
        for name, node in (codes or {}).items():
            builder[name] = node
        return builder

    def label(self) -> None:
        """Extras and group, so that the pair can be found; set here, so that nothing can forget them."""
        labels = self.inputs.labels.get_dict()
        self.node.base.extras.set_many({f"falsemetal_{key}": labels[key] for key in LABELS})
        self.node.label = f"{labels['interface']} x {labels['mlip']} x {labels['seed']}"
        if labels["campaign"]:
            group, _ = orm.Group.collection.get_or_create(label=GROUP_PREFIX + labels["campaign"])
            group.add_nodes(self.node)

    def is_given(self) -> bool:
        """Whether the trajectory is there already."""
        return "trajectory" in self.inputs

    def take_given(self) -> Any:
        """Pass on what is given, in the place of building and MD."""
        self.ctx.structure, self.ctx.info = self.inputs.interface, self.inputs.interface_info
        self.ctx.trajectory, self.ctx.series = self.inputs.trajectory, self.inputs.series
        self.ctx.md_message = ""
        self.out("trajectory", self.ctx.trajectory)
        self.out("series", self.ctx.series)
        return self._take_interface()

    def build(self) -> Any:
        """Build the interface."""
        try:
            given = [self.inputs.structure] if "structure" in self.inputs else []
            built = build_interface(self.inputs.recipe, *given, metadata={"call_link_label": "build"})
        except Exception as error:
            return self.exit_codes.ERROR_INTERFACE.format(message=str(error))
        self.ctx.structure, self.ctx.info = built["structure"], built["info"]
        return self._take_interface()

    def _take_interface(self) -> Any:
        """Pass the interface on, if the properties that are asked for can be had of it."""
        try:
            check_properties(self.inputs.gap.get_dict(), property_inputs(self.inputs), bool(self._metal()))
        except ValueError as error:
            return self.exit_codes.ERROR_INTERFACE.format(message=str(error))
        self.out("interface", self.ctx.structure)
        self.out("interface_info", self.ctx.info)
        return None

    def _metal(self) -> list[int]:
        """Indices of the atoms of a metal; none for a film alone."""
        return list(self.ctx.info.get_dict().get("metal_indices", []))

    def run_md(self) -> ToContext:
        """Submit the MD."""
        given = self.inputs.md.get_dict()
        builder = MlipMdWorkChain.get_builder_from_protocol(
            self.inputs.md_code,
            self.ctx.structure,
            self.ctx.info,
            self.inputs.mlip,
            steps=given["steps"],
            seed=given["seed"],
            overrides=given,
            options=self.inputs.md_options.get_dict(),
        )
        builder.metadata.call_link_label = "md"
        return ToContext(md=self.submit(builder))

    def inspect_md(self) -> Any:
        """Pass on what the MD made. A model that fails its MD has a verdict all the same."""
        outputs = self.ctx.md.outputs
        for key, name in (("trajectory", "trajectory"), ("series", "series"), ("results", "md_results")):
            if key in outputs:
                self.out(name, outputs[key])
        self.ctx.trajectory = outputs.trajectory if "trajectory" in outputs else None
        self.ctx.series = outputs.series if "series" in outputs else None
        self.ctx.md_message = "" if self.ctx.md.is_finished_ok else str(self.ctx.md.exit_message)
        if not self.ctx.md.is_finished_ok and self.ctx.md.exit_status != 400:
            return self.exit_codes.ERROR_MD_INFRASTRUCTURE.format(message=self.ctx.md_message)
        return None

    def has_trajectory(self) -> bool:
        """Whether there are frames to choose from."""
        return self.ctx.trajectory is not None

    def select(self) -> None:
        """Choose frames."""
        chosen = select_frames(
            self.ctx.trajectory,
            self.ctx.series,
            self.ctx.info,
            self.inputs.selection,
            metadata={"call_link_label": "select"},
        )
        self.out("selection", chosen["selection"])
        self.ctx.frames = {key[6:]: chosen[key] for key in chosen if key.startswith("frame_")}
        self.ctx.records = {key[7:]: chosen[key] for key in chosen if key.startswith("record_")}

    def run_gaps(self) -> ToContext:
        """Submit a gap for every frame; the slots decide how many run at once."""
        submitted = {}
        substrate = {"substrate": orm.List(self._metal())} if self._metal() else {}
        for key, frame in sorted(self.ctx.frames.items()):
            settings = self.inputs.gap.get_dict()
            inputs = {
                "structure": frame,
                "record": self.ctx.records[key],
                "parameters": self.inputs.gap,
                "code": self.inputs.pw_code,
                "pseudos": pseudos_of(settings["pseudo_family"], frame),
                "options": self.inputs.pw_options,
                **property_inputs(self.inputs),
                **substrate,
                "metadata": {"call_link_label": f"gap_{key}"},
            }
            submitted[f"gap_{key}"] = self.submit(GapWorkChain, **inputs)
        self.ctx.gaps = list(submitted)
        return ToContext(**submitted)

    def conclude(self) -> Any:
        """The verdict, from whatever there is."""
        nodes: dict[str, Any] = {} if self.ctx.series is None else {"series": self.ctx.series}
        for key in self.ctx.get("gaps", []):
            workchain = self.ctx[key]
            if "result" in workchain.outputs:
                nodes[f"result_{key[4:]}"] = workchain.outputs.result
        parameters = {
            "temperature": self.inputs.md.get_dict()["temperature"],
            "equilibration": self.inputs.selection.get_dict()["equilibration"],
            "md_message": self.ctx.md_message,
            "lost": len(self.ctx.get("gaps", [])) - len([key for key in nodes if key.startswith("result_")]),
        }
        self.out(
            "verdict",
            pair_verdict(self.ctx.info, orm.Dict(parameters), **nodes, metadata={"call_link_label": "verdict"}),
        )
        if self.ctx.md_message:
            return self.exit_codes.ERROR_MD_PHYSICS.format(message=self.ctx.md_message)
        return None

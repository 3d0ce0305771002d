"""One (interface, MLIP, seed): build, run MD, select frames, compute each one's gap, say what it amounts to.

Where a trajectory is given, it takes the place of building and MD; everything after is the same. With ``precision`` in
``md`` the run goes on until the dipole's spread is known that well, and with ``most`` in ``selection`` frames are added
batch by batch until the metallized fraction is; both have a limit.
"""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, ToContext, if_, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from ..calculations.film import centred_film
from ..calculations.interface import build_interface
from ..calculations.md import DEFAULTS
from ..calculations.selection import DEFAULTS as SELECTION
from ..calculations.selection import draw_frames, select_frames
from ..calculations.trajectory import joined, plan_md
from ..calculations.verdict import THRESHOLDS, pair_verdict
from ..data.mlip import MlipData
from ..interfaces.registry import recipe_elements
from ..names import CAMPAIGN_GROUP, EXTRAS
from .gap import GapWorkChain
from .ladder import check_ladder
from .md import MlipMdWorkChain
from .memory import refuse_memory
from .options import PLAN
from .outputs import outputs_of
from .properties import CODE_NAMES, check_properties, property_inputs
from .pseudos import gap_settings, pseudos_of
from .steady import SteadyWorkChain

LABELS = (*EXTRAS, "fingerprint")
OWN = ("recipe", "mlip", "md_code", "md_options")
"""Inputs of a pair that runs its MD."""
GIVEN = ("trajectory", "series", "interface", "interface_info")
"""Inputs in their place, see :func:`..calculations.imported.describe_trajectory`; also names of outputs."""
GAPS_AT_ONCE = 8
"""Gaps of one pair under way at once. Each is a chain of processes that wait for each other, and a daemon's worker
takes a limited number of processes: full of those that wait, it would wait for ever (see :func:`pairs_at_once`)."""
GAP_DEPTH = 4
"""Processes of one gap under way at once: GapWorkChain, that of the stripped solvent, PwBaseWorkChain, its job."""
PROCESSES = 1 + GAPS_AT_ONCE * GAP_DEPTH
"""Of one pair under way at once, at most."""


def pairs_at_once(room: int) -> int:
    """How many pairs of a campaign can be under way without filling a worker that takes ``room`` processes."""
    return max(0, (room - 1) // PROCESSES)


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
    unused = [name for name in ("recipe", "structure", "md_code", "md_options", "md_batch") if given and name in inputs]
    if unused:
        return f"{', '.join(unused)}: does not go with a trajectory, which is there already"
    return None


class PairWorkChain(SteadyWorkChain):
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
            help="Settings of the MD driver, with steps and seed; precision (relative half-width of the interval of "
            "the dipole's spread) and max_steps, if the run is to go on for it. Of a given trajectory temperature, "
            "timestep (fs between frames of its file), steps (such frames) and seed.",
        )
        spec.input(
            "md_code", valid_type=orm.AbstractCode, required=False, help="A Python with ase and the model's package."
        )
        spec.input("md_options", valid_type=orm.Dict, required=False, help="resources, max_wallclock_seconds, slots.")
        spec.input(
            "md_batch",
            valid_type=orm.RemoteData,
            required=False,
            help="Where a batch of seeds has run the MD's first job.",
        )
        for name, kind in zip(GIVEN, (orm.TrajectoryData, orm.ArrayData, orm.StructureData, orm.Dict), strict=True):
            spec.input(name, valid_type=kind, required=False, help="Of a trajectory that is there already.")
        spec.input(
            "selection",
            valid_type=orm.Dict,
            help="stratified, uniform, strata, start (ps), seed, equilibration (ps or auto); most, batch, half_width.",
        )
        spec.input("thresholds", valid_type=orm.Dict, default=lambda: orm.Dict(THRESHOLDS), help="Of the verdict.")
        spec.input("gap", valid_type=orm.Dict, help="Settings of a gap protocol.")
        spec.input("pw_code", valid_type=orm.AbstractCode)
        spec.input("pw_options", valid_type=orm.Dict, help="resources, max_wallclock_seconds, slots.")
        for name in CODE_NAMES:
            spec.input(name, valid_type=orm.AbstractCode, required=False, help="For the gap's properties.")
        spec.inputs.validator = validate_inputs
        spec.outline(
            cls.label,
            if_(cls.is_given)(cls.take_given).else_(
                cls.build, while_(cls.md_goes_on)(cls.run_md, cls.inspect_md), cls.take_md
            ),
            if_(cls.has_trajectory)(
                cls.select,
                while_(cls.frames_wait)(cls.run_gaps),
                while_(cls.frames_go_on)(cls.draw, while_(cls.frames_wait)(cls.run_gaps)),
            ),
            cls.conclude,
        )
        spec.output("interface", valid_type=orm.StructureData)
        spec.output("interface_info", valid_type=orm.Dict)
        spec.output("trajectory", valid_type=orm.TrajectoryData, required=False)
        spec.output("series", valid_type=orm.ArrayData, required=False)
        spec.output("md_results", valid_type=orm.Dict, required=False)
        spec.output("selection", valid_type=orm.Dict, required=False)
        spec.output("population", valid_type=orm.ArrayData, required=False)
        spec.output("verdict", valid_type=orm.Dict)
        spec.exit_code(210, "ERROR_INTERFACE", message="The interface could not be built: {message}")
        spec.exit_code(220, "ERROR_RESOURCES", message="The gaps cannot be computed here: {message}")
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
        :param overrides: dictionaries ``md``, ``md_options``, ``selection``, ``gap``, ``pw_options``, ``thresholds``
            with other values.
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
        :param overrides: dictionaries ``selection``, ``gap``, ``pw_options``, ``thresholds`` with other values.
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
        builder.thresholds = orm.Dict({**THRESHOLDS, **given.get("thresholds", {})})
        check_properties(builder.gap.get_dict(), set(codes or {}))
        for name, node in (codes or {}).items():
            builder[name] = node
        return builder

    def found_by(self) -> dict[str, Any]:
        """Extras by which the pair is found, and known again."""
        labels = self.inputs.labels.get_dict()
        return {f"falsemetal_{key}": labels[key] for key in LABELS}

    def label(self) -> None:
        """Label and group, for people."""
        labels = self.inputs.labels.get_dict()
        self.node.label = f"{labels['interface']} x {labels['mlip']} x {labels['seed']}"
        if labels["campaign"]:
            group, _ = orm.Group.collection.get_or_create(label=CAMPAIGN_GROUP + labels["campaign"])
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
        try:
            self._refuse_memory()
        except ValueError as error:
            return self.exit_codes.ERROR_RESOURCES.format(message=str(error))
        self.out("interface", self.ctx.structure)
        self.out("interface_info", self.ctx.info)
        return None

    def _refuse_memory(self) -> None:
        """Before the MD: a gap that does not fit into the memory is none after it either."""
        settings = self.inputs.gap.get_dict()
        film = centred_film(self.ctx.structure.get_ase(), settings["vacuum"])
        pseudos = pseudos_of(settings["pseudo_family"], self.ctx.structure)
        refuse_memory(film, pseudos, settings, self.inputs.pw_options.get_dict(), self.inputs.pw_code.computer)

    def _metal(self) -> list[int]:
        """Indices of the atoms of a metal; none for a film alone."""
        return list(self.ctx.info.get_dict().get("metal_indices", []))

    def md_goes_on(self) -> bool:
        """Whether MD is missing: the first time always, then as long as :meth:`inspect_md` asks for more."""
        if "md_steps" not in self.ctx:
            self.ctx.md_steps, self.ctx.md_runs = self.inputs.md.get_dict()["steps"], []
        return bool(self.ctx.md_steps)

    def run_md(self) -> ToContext:
        """Submit the MD, or its continuation from where the last run ended."""
        given = {key: value for key, value in self.inputs.md.get_dict().items() if key not in PLAN}
        number = len(self.ctx.md_runs)
        builder = MlipMdWorkChain.get_builder_from_protocol(
            self.inputs.md_code,
            self.ctx.structure,
            self.ctx.info,
            self.inputs.mlip,
            steps=self.ctx.md_steps,
            seed=given["seed"],
            overrides=given,
            options=self.inputs.md_options.get_dict(),
            batch=None if number else self.inputs.get("md_batch"),
        )
        if number:
            builder.md.checkpoint = self.ctx[self.ctx.md_runs[-1]].outputs.checkpoint
        builder.metadata.call_link_label = name = f"md_{number}" if number else "md"
        self.ctx.md_runs.append(name)
        return ToContext(**{name: self.submit(builder)})

    def inspect_md(self) -> Any:
        """See whether the run has to go on. A model that fails its MD has a verdict all the same."""
        last, asked = self.ctx[self.ctx.md_runs[-1]], self.inputs.md.get_dict()
        steps, self.ctx.md_steps = self.ctx.md_steps, 0
        self.ctx.md_message = "" if last.is_finished_ok else str(last.exit_message)
        if not last.is_finished_ok and last.exit_status != 400:
            return self.exit_codes.ERROR_MD_INFRASTRUCTURE.format(message=self.ctx.md_message)
        if last.is_finished_ok and asked.get("precision") is not None:
            selection = self.inputs.selection.get_dict()
            settings = {
                **asked,
                "steps": steps,
                "first_steps": asked["steps"],
                "equilibration": selection.get("equilibration", "auto"),
            }
            series = {f"series_{number}": piece["series"] for number, piece in enumerate(self._md_pieces())}
            link = {"call_link_label": f"plan_{len(self.ctx.md_runs)}"}
            plan = plan_md(orm.Dict(settings), **series, metadata=link)
            self.ctx.md_steps = plan["steps"]
            self.report(f"MD after {steps} steps: {plan['reason']}")
        return None

    def _md_pieces(self) -> list[Any]:
        """Outputs of the runs that got somewhere, in their order."""
        outputs = [outputs_of(self.ctx[name]) for name in self.ctx.md_runs]
        return [found for found in outputs if "series" in found]

    def take_md(self) -> None:
        """Pass on what the MD made, all runs as one."""
        whole = joined(self._md_pieces())
        self.ctx.trajectory, self.ctx.series = whole.get("trajectory"), whole.get("series")
        for key, node in whole.items():
            self.out(key, node)
        last = outputs_of(self.ctx[self.ctx.md_runs[-1]])
        if "results" in last:
            self.out("md_results", last["results"])

    def has_trajectory(self) -> bool:
        """Whether there are frames to choose from."""
        return self.ctx.trajectory is not None

    def select(self) -> None:
        """Choose the first frames."""
        chosen = select_frames(
            self.ctx.trajectory,
            self.ctx.series,
            self.ctx.info,
            self.inputs.selection,
            self.inputs.md,
            metadata={"call_link_label": "select"},
        )
        self.out("selection", chosen["selection"])
        if "population" in chosen:
            self.out("population", chosen["population"])
            self.ctx.population = chosen["population"]
        self.ctx.batches, self.ctx.gaps, self.ctx.settled = {}, [], False
        self._take_frames(chosen)

    def _take_frames(self, chosen: Any) -> None:
        """What :meth:`run_gaps` computes next."""
        self.ctx.frames = {key[6:]: chosen[key] for key in chosen if key.startswith("frame_")}
        self.ctx.records = {key[7:]: chosen[key] for key in chosen if key.startswith("record_")}
        self.ctx.batches = {**self.ctx.batches, **{key: chosen[key] for key in chosen if key.startswith("batch_")}}

    def frames_wait(self) -> bool:
        """Whether a chosen frame waits for its gap."""
        return bool(self.ctx.frames)

    def run_gaps(self) -> ToContext:
        """Submit the next gaps, ``GAPS_AT_ONCE`` at most; the slots decide how many run at once."""
        submitted = {}
        substrate = {"substrate": orm.List(self._metal())} if self._metal() else {}
        waiting = sorted(self.ctx.frames.items())
        for key, frame in waiting[:GAPS_AT_ONCE]:
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
        self.ctx.gaps = [*self.ctx.gaps, *submitted]
        self.ctx.frames = dict(waiting[GAPS_AT_ONCE:])
        return ToContext(**submitted)

    def frames_go_on(self) -> bool:
        """Whether more frames may be drawn."""
        most = self.inputs.selection.get_dict().get("most")
        return most is not None and len(self.ctx.gaps) < most and not self.ctx.settled and "population" in self.ctx

    def draw(self) -> None:
        """Choose the next batch of frames, or settle for what is there."""
        settings = {**self.inputs.selection.get_dict(), **self.inputs.thresholds.get_dict()}
        number = len(self.ctx.batches)
        chosen = draw_frames(
            self.ctx.trajectory,
            self.ctx.series,
            self.ctx.info,
            orm.Dict(settings),
            self.ctx.population,
            self.inputs.md,
            **self.ctx.batches,
            **self._results(),
            metadata={"call_link_label": f"draw_{number:02d}"},
        )
        self.ctx.settled = bool(chosen["selection"]["reason"])
        if self.ctx.settled:
            self.report(chosen["selection"]["reason"])
        self._take_frames(chosen)

    def _results(self) -> dict[str, Any]:
        """Results of the frames that have one."""
        outputs = {key[4:]: outputs_of(self.ctx[key]) for key in self.ctx.get("gaps", [])}
        return {f"result_{key}": found["result"] for key, found in outputs.items() if "result" in found}

    def conclude(self) -> Any:
        """The verdict, from whatever there is."""
        results = self._results()
        nodes: dict[str, Any] = {**results, **self.ctx.get("batches", {})}
        if self.ctx.series is not None:
            nodes["series"] = self.ctx.series
        if "population" in self.ctx:
            nodes["population"] = self.ctx.population
        md = self.inputs.md.get_dict()
        parameters = {
            "temperature": md["temperature"],
            "precision": md.get("precision"),
            "dipole_charges": md.get("dipole_charges"),
            "equilibration": self.inputs.selection.get_dict()["equilibration"],
            "facts": self.inputs.mlip.facts if "mlip" in self.inputs else None,
            "md_message": self.ctx.md_message,
            "lost": len(self.ctx.get("gaps", [])) - len(results),
            **self.inputs.thresholds.get_dict(),
        }
        self.out(
            "verdict",
            pair_verdict(self.ctx.info, orm.Dict(parameters), **nodes, metadata={"call_link_label": "verdict"}),
        )
        if self.ctx.md_message:
            return self.exit_codes.ERROR_MD_PHYSICS.format(message=self.ctx.md_message)
        return None

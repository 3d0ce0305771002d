"""The campaign file: interfaces, MLIPs and seeds, each with each, and how each pair is computed; and trajectories that
are there already, each a pair of its own.

    name: quickstart
    interfaces:
      film24: {recipe: film, molecules: 24, lateral: 7.0, vacuum: 25.0, seed: 1}
    mlips:
      spcfw-ewald:                                     # a shipped model of that name
      twin: {preset: twin-sr, md: {steps: 5000}}       # a shipped model, with its own MD settings
      mine: {family: mace, file: models/my.model}      # a file, relative to the campaign file
    trajectories:
      aimd: {trajectory: 573d8e2a-bc17-45c9-bd5c-e9b7fa871b29}     # `falsemetal trajectory import` has stored it
    seeds: [1, 2]
    md: {steps: 10000}
    selection: {stratified: 2, uniform: 1}
    gap: {protocol: fast}
    slots: 2

What needs the model files is checked in :mod:`.check`; everything else here.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from ..interfaces.recipe import InterfaceError, StructureRecipe
from ..interfaces.registry import load_recipe, recipe_elements, recipes, takes_structure
from ..mlips.catalogue import presets
from ..mlips.family import ModelError
from ..mlips.registry import family_names, load_family
from ..mlips.shelf import load_shelf
from ..physics.functionals import FUNCTIONALS, known_functional
from .errors import CampaignError, Location, dotted, fault, refuse_unknown, shown, suggestion, translate
from .source import check_plain, read_source
from .structures import Finder, ResolvedStructure, find_structure, read_structure_file
from .trajectories import ResolvedTrajectory, TrajectoryFinder

PICOSECOND = 1000.0
"""Femtoseconds."""
MAXIMUM_PICOSECONDS = 1.0e6


def _name(value: Any) -> str:
    """A label that is safe as a file name, in an AiiDA group's label and as a key of an extra."""
    allowed = isinstance(value, str) and 1 <= len(value) <= 64 and value.isascii()
    if not allowed or not value[0].isalnum() or not all(c.isalnum() or c in "-_." for c in value):
        remedy = "use letters, digits, `-`, `_` and `.` only, a letter or digit first, at most 64 characters"
        raise fault((), f"{shown(value)} is not a name", remedy, value)
    return str(value)


def _equilibration(value: Any) -> float | Literal["auto"]:
    # A union would put the names of its members into the path of the field.
    if value == "auto":
        return "auto"
    if type(value) not in (int, float) or not 0.0 <= value <= MAXIMUM_PICOSECONDS:
        raise fault((), f"{shown(value)} is neither a time nor `auto`", "give a time of 0 ps or more, or auto", value)
    return float(value)


def _identifier(value: Any) -> Any:
    # A PK is a number in the file; everywhere else it is a text, as a UUID is.
    return str(value) if type(value) is int else value


Name = Annotated[str, BeforeValidator(_name)]
Equilibration = Annotated[float | Literal["auto"], PlainValidator(_equilibration)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Seed = Annotated[int, Field(ge=1, lt=2**31)]


class Section(BaseModel):
    """Base of every part of the file: no unknown key, no silent conversion, no change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _unknown_keys_first(cls, data: Any) -> Any:
        # Before the fields, for a misspelt key makes another one missing, and the misspelling is the cause.
        if isinstance(data, dict):
            refuse_unknown(data, cls.model_fields)
        return data


class MdSettings(Section):
    """Molecular dynamics of every pair: NVT, Langevin thermostat."""

    steps: int = Field(default=10000, ge=1, le=10**9, description="number of MD steps")
    timestep: float = Field(default=1.0, ge=0.05, le=5.0, description="time step in fs")
    temperature: float = Field(default=300.0, ge=1.0, le=2000.0, description="temperature in K")
    friction: float = Field(default=0.01, gt=0.0, le=1.0, description="Langevin damping in 1/fs")
    hydrogen_mass: float = Field(default=2.014, ge=1.0, le=4.1, description="mass of hydrogen in u")
    stride: int = Field(default=10, ge=1, le=10**6, description="steps between samples of dipole, energy, temperature")
    frame_stride: int = Field(default=100, ge=1, le=10**7, description="steps between stored frames")
    equilibration: Equilibration = Field(
        default=2.0, description="time in ps left out of the statistics at the start, or auto to detect it"
    )
    walltime: int = Field(default=3600, ge=10, le=10**7, description="seconds after which one MD job stops itself")
    max_evaporated: float = Field(
        default=0.1, ge=0.0, le=1.0, description="share of molecules that may leave the film before MD stops"
    )
    threads: int = Field(default=1, ge=1, le=1024, description="threads of one MD job")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where MD runs: cpu, cuda (a GPU), or auto for a GPU where torch finds one"
    )
    jobs_per_gpu: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="MD jobs that share one GPU of a machine without a scheduler; null for no limit but the slots",
    )
    batch: int | None = Field(
        default=None,
        ge=2,
        le=64,
        description="seeds of one interface and MLIP that one MD job runs side by side, their forces computed at once: "
        "for a GPU that one film leaves idle; null for a job each",
    )
    precision: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="relative half-width of the interval of the dipole's spread for which MD goes on; null for `steps`",
    )
    max_steps: int | None = Field(
        default=None, ge=1, le=10**9, description="MD steps at most with precision; null for ten times `steps`"
    )

    @property
    def duration(self) -> float:
        """Length of the run in ps."""
        return self.steps * self.timestep / PICOSECOND

    def frames_from(self, start: float) -> int:
        """How many frames are stored at ``start`` (ps) or later, the initial one not counted."""
        first = max(1, math.ceil(start * PICOSECOND / (self.timestep * self.frame_stride) - 1e-9))
        return max(0, self.steps // self.frame_stride - first + 1)

    @model_validator(mode="after")
    def _consistent(self) -> MdSettings:
        if self.frame_stride > self.steps:
            raise fault(
                ("frame_stride",),
                f"{self.frame_stride} is more than the {self.steps} steps of the run, so no frame would be stored",
                "give a smaller frame_stride, or more steps",
            )
        if self.frame_stride % self.stride:
            raise fault(
                ("frame_stride",),
                f"{self.frame_stride} is not a multiple of stride, {self.stride}",
                f"give a multiple of {self.stride}, so that every frame has its dipole",
            )
        self._check_extension()
        if self.jobs_per_gpu is not None and self.device == "cpu":
            remedy = "remove it, or give another device"
            raise fault(("jobs_per_gpu",), "is for jobs on a GPU, and device is cpu", remedy)
        if self.equilibration != "auto" and self.equilibration >= self.duration:
            raise fault(
                ("equilibration",),
                f"{self.equilibration:g} ps is as long as the run of {self.duration:g} ps",
                "give a shorter equilibration, or more steps",
            )
        return self

    def _check_extension(self) -> None:
        """What a run that goes on needs."""
        if self.precision is None:
            if self.max_steps is not None:
                remedy = "give precision, or remove max_steps"
                raise fault(("max_steps",), "is for a run that goes on, and there is no precision", remedy)
            return
        if self.max_steps is not None and self.max_steps < self.steps:
            problem = f"{self.max_steps} is less than the {self.steps} steps that the run begins with"
            raise fault(("max_steps",), problem, "give more, or fewer steps")
        if self.steps % self.frame_stride:
            raise fault(
                ("steps",),
                f"{self.steps} is not a multiple of frame_stride, {self.frame_stride}, and the run may go on",
                f"give a multiple of {self.frame_stride}",
            )


class Selection(Section):
    """Which frames of a trajectory go to DFT."""

    stratified: int = Field(default=2, ge=0, le=10000, description="frames chosen from strata of `potential_range`")
    uniform: int = Field(default=1, ge=0, le=10000, description="frames chosen with equal probability, as control")
    strata: int = Field(default=3, ge=1, le=100, description="number of strata of `potential_range`")
    start: float = Field(default=2.0, ge=0.0, le=MAXIMUM_PICOSECONDS, description="first time in ps to choose from")
    most: int | None = Field(
        default=None,
        ge=1,
        le=10000,
        description="frames at most, a trajectory: more are added batch by batch where they tell most; null for none",
    )
    batch: int = Field(default=8, ge=2, le=1000, description="frames that one batch adds")
    half_width: float = Field(
        default=0.05, gt=0.0, le=0.5, description="of the metallized fraction's interval, for which frames are added"
    )

    @property
    def frames(self) -> int:
        """Number of frames asked for at first, a trajectory."""
        return self.stratified + self.uniform

    @model_validator(mode="after")
    def _not_empty(self) -> Selection:
        if self.frames == 0:
            raise fault(("stratified",), "no frame would be selected", "give stratified or uniform at least 1")
        for name in ("batch", "half_width"):
            if self.most is None and name in self.model_fields_set:
                remedy = f"give most, or remove {name}"
                raise fault((name,), "is for frames that are added, and there is no most", remedy)
        if self.most is not None and self.most < self.frames:
            problem = f"{self.most} is less than the {self.frames} frames of stratified and uniform"
            raise fault(("most",), problem, "give more, or fewer of these")
        return self


class VerdictSettings(Section):
    """What the verdict holds the numbers against. It takes no computing: a finished campaign is judged anew."""

    acceptable: float = Field(default=0.01, ge=0.0, lt=1.0, description="fraction of metallized frames tolerated")
    rhat: float = Field(default=1.1, gt=1.0, le=10.0, description="R-hat above which the seeds do not agree yet")
    reference: Name | None = Field(
        default=None, description="MLIP, or maker of a trajectory, that `false` is relative to at the same interface"
    )


class GapSettings(Section):
    """How the gap of a frame is computed."""

    protocol: Literal["fast", "standard"] = Field(default="fast", description="name of the DFT protocol")
    overrides: dict[str, Any] = Field(default_factory=dict, description="changes to the protocol, nested as there")
    properties: list[Literal["layers", "potential"]] = Field(
        default_factory=list, description="of each frame besides its gap: layers, potential"
    )
    ranks: int = Field(default=1, ge=1, le=4096, description="MPI ranks of one pw.x run")
    functional: Text | None = Field(default=None, description="functional, null for that of the pseudopotentials")
    pseudo_family: Text | None = Field(default=None, description="label of the pseudopotential family, null for ours")

    @field_validator("properties")
    @classmethod
    def _different(cls, value: list[str]) -> list[str]:
        for index, name in enumerate(value):
            if name in value[:index]:
                raise fault((index,), f"the property {name} is given twice", "give every property once")
        return sorted(value)

    @field_validator("functional")
    @classmethod
    def _known_functional(cls, value: str | None) -> str | None:
        try:
            return None if value is None else known_functional(value)
        except ValueError as error:
            problem = f"there is no functional {shown(value)}"
            raise fault((), problem, suggestion(value, FUNCTIONALS), value) from error


class StructureSource(Section):
    """Where a recipe that starts from a structure has it from: a file, or a node of the profile."""

    file: Text | None = Field(default=None, description="structure file that ase reads, relative to the campaign file")
    index: int = Field(default=-1, description="which structure of the file, -1 for the last")
    structure: Annotated[Text | None, BeforeValidator(_identifier)] = Field(
        default=None, description="PK or UUID of a StructureData, instead of `file`"
    )

    @field_validator("file", "structure")
    @classmethod
    def _printable(cls, value: str | None) -> str | None:
        if value is not None and not value.isprintable():
            raise fault((), f"{shown(value)} holds a character that cannot be printed", "give a plain text", value)
        return value

    @model_validator(mode="after")
    def _one_source(self) -> StructureSource:
        if self.file is None and self.structure is None:
            raise fault(("file",), "is missing", "name a structure file, or a node with `structure`")
        for name in ("file", "index"):
            if self.structure is not None and name in self.model_fields_set:
                raise fault((name,), "does not go with `structure`", f"remove {name}, or structure")
        return self

    def resolve(self, folder: Path, find: Finder | None) -> ResolvedStructure:
        """The structure itself.

        :param folder: that a relative path starts from.
        :raises InterfaceError: if it cannot be had.
        """
        if self.structure is not None:
            return find_structure(self.structure, find)
        return read_structure_file(folder / str(self.file), self.index)


class InterfaceSpec(Section):
    """One interface: the name of a recipe, and the recipe's parameters beside it in the file."""

    recipe: str = Field(description="name of the recipe")
    parameters: dict[str, Any] = Field(description="all parameters of the recipe, defaults filled in")
    source: StructureSource | None = Field(default=None, description="of a recipe that starts from a structure")
    _structure: ResolvedStructure | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _unknown_keys_first(cls, data: Any) -> Any:
        """Gather the recipe's parameters and check them."""
        if data is None:
            raise fault((), "is empty", "give `recipe: NAME` and the recipe's parameters")
        if not isinstance(data, dict):
            return data  # pydantic says what is wrong
        known = recipes()
        if "recipe" not in data:
            raise fault(("recipe",), "is missing", f"name a recipe: {', '.join(known)}")
        if data["recipe"] not in list(known):
            problem = f"there is no interface recipe {shown(data['recipe'])}"
            raise fault(("recipe",), problem, suggestion(data["recipe"], known), data["recipe"])
        model = known[data["recipe"]].parameters
        given = {key: value for key, value in data.items() if key != "recipe"}
        origin = list(StructureSource.model_fields) if takes_structure(data["recipe"]) else []
        refuse_unknown(given, [*origin, *model.model_fields])
        spec: dict[str, Any] = {"recipe": data["recipe"]}
        if origin:
            # An instance, for pydantic would put `source` into the path of the field.
            spec["source"] = StructureSource.model_validate({key: given.pop(key) for key in origin if key in given})
        # As JSON, for there a list may become a tuple although `true` may not become a number.
        parameters = model.model_validate_json(json.dumps(given), strict=True)
        # What is not given is left out, so that a recipe may learn new things without its old interfaces changing.
        return {**spec, "parameters": parameters.model_dump(mode="json", exclude_none=True)}

    @property
    def structure(self) -> ResolvedStructure | None:
        """What the recipe starts from, once :meth:`resolve` has found it; None for a recipe that needs nothing."""
        return self._structure

    def resolve(self, folder: Path, find: Finder | None = None) -> None:
        """Find the structure, and see that the recipe can be built on it; nothing for a recipe that needs none.

        :param folder: that a relative path starts from.
        :param find: looks up nodes.
        :raises InterfaceError: naming the fault and the remedy.
        """
        recipe = load_recipe(self.recipe)
        if self.source is not None and isinstance(recipe, StructureRecipe):
            self._structure = self.source.resolve(folder, find)
            recipe.check(recipe.parameters(**self.parameters), self._structure.atoms)

    def elements(self) -> set[str]:
        """Chemical symbols the interface will hold.

        :raises InterfaceError: if the recipe starts from a structure that :meth:`resolve` has not found yet.
        """
        return recipe_elements(self.recipe, self.parameters, None if self._structure is None else self._structure.atoms)


class MlipSpec(Section):
    """One MLIP: a model known by name (``preset``), or one's own (``family`` and, unless it needs none, ``file``)."""

    preset: str | None = Field(default=None, description="name of a model, see `falsemetal model list`")
    family: str | None = Field(default=None, description="name of an MLIP family")
    file: Text | None = Field(default=None, description="the model's file, relative to the campaign file")
    kwargs: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments of the calculator; with a preset they replace its own"
    )
    licence: str = Field(default="", max_length=200, description="SPDX identifier of the model's licence")
    reference: str = Field(default="", max_length=2000, description="where the model and its training are described")
    sha256: str | None = Field(default=None, description="checksum that the file must have")
    environment: Name | None = Field(default=None, description="Python environment, see `falsemetal model env`")
    accept_unsafe: Text | None = Field(
        default=None, description="why a file is loaded although the scan for code that it would run refuses it"
    )
    code: Text | None = Field(default=None, description="label of the AiiDA code that runs the MD")
    md: dict[str, Any] = Field(default_factory=dict, description="MD settings that differ for this MLIP")

    @field_validator("file")
    @classmethod
    def _printable(cls, value: str | None) -> str | None:
        if value is not None and not value.isprintable():
            raise fault((), f"{shown(value)} holds a character that cannot be printed", "give a plain path", value)
        return value

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, value: str | None) -> str | None:
        if value is not None and value not in known_models():
            raise fault((), f"there is no model {shown(value)}", suggestion(value, known_models()), value)
        return value

    @field_validator("family")
    @classmethod
    def _known_family(cls, value: str | None) -> str | None:
        if value is not None and value not in family_names():
            raise fault((), f"there is no MLIP family {shown(value)}", suggestion(value, family_names()), value)
        return value

    @field_validator("sha256")
    @classmethod
    def _hexadecimal(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 64 or set(value.lower()) - set("0123456789abcdef")):
            raise fault((), f"{shown(value)} is not a SHA-256", "give 64 hexadecimal digits, as sha256sum does", value)
        return None if value is None else value.lower()

    @field_validator("md")
    @classmethod
    def _known_md_keys(cls, value: dict[str, Any]) -> dict[str, Any]:
        refuse_unknown(value, MdSettings.model_fields)
        return value

    @model_validator(mode="after")
    def _one_origin(self) -> MlipSpec:
        if self.preset is not None:
            for field in ("family", "file", "sha256", "licence", "reference", "environment", "accept_unsafe"):
                if getattr(self, field):
                    raise fault(
                        (field,), "comes with the preset already", f"remove it, or remove `preset` and give {field}"
                    )
        elif self.family is None:
            raise fault(("family",), "is missing", f"name the family of the file: {', '.join(family_names())}")
        elif self.file is None and load_family(self.family).needs_file:
            raise fault(("file",), "is missing", "give the model's file, relative to the campaign file")
        return self


class TrajectorySpec(Section):
    """One trajectory that is there already: a pair without MD."""

    trajectory: Annotated[Text, BeforeValidator(_identifier)] = Field(
        description="PK or UUID of a trajectory that `falsemetal trajectory import` has stored"
    )
    interface: Name | None = Field(default=None, description="interface of its rows, by default its own name here")
    mlip: Name | None = Field(default=None, description="MLIP of its rows, by default who it says has made it")
    seed: Seed = Field(default=1, description="of the selection of frames, and of its rows")
    equilibration: Equilibration | None = Field(
        default=None, description="time in ps left out of the statistics at the start, or auto; by default that of md"
    )
    _found: ResolvedTrajectory | None = PrivateAttr(default=None)

    @field_validator("trajectory")
    @classmethod
    def _printable(cls, value: str) -> str:
        if not value.isprintable():
            raise fault((), f"{shown(value)} holds a character that cannot be printed", "give a PK or UUID", value)
        return value

    @property
    def found(self) -> ResolvedTrajectory:
        """The trajectory, once :meth:`resolve` has found it.

        :raises LookupError: before that.
        """
        if self._found is None:
            raise LookupError(f"the trajectory {self.trajectory} was not looked up; resolve it first.")
        return self._found

    def resolve(self, find: TrajectoryFinder | None) -> None:
        """Look it up.

        :raises LookupError: saying what is wrong, and after a semicolon what to do.
        """
        if find is None:
            raise LookupError("trajectories cannot be looked up here; leave them out.")
        self._found = find(self.trajectory)


class Campaign(Section):
    """A whole campaign file, see the module for its form. Made by :func:`load_campaign` or :func:`parse_campaign`."""

    name: Name = Field(description="name of the campaign")
    interfaces: dict[Name, InterfaceSpec] = Field(default_factory=dict, description="interfaces by name")
    mlips: dict[Name, MlipSpec] = Field(default_factory=dict, description="MLIPs by name")
    trajectories: dict[Name, TrajectorySpec] = Field(
        default_factory=dict, description="trajectories that are there already, by name"
    )
    seeds: list[Seed] = Field(default=[1], min_length=1, max_length=1000, description="seeds of the MD")
    md: MdSettings = Field(default_factory=MdSettings, description="MD settings of all MLIPs")
    selection: Selection = Field(default_factory=Selection, description="selection of frames")
    gap: GapSettings = Field(default_factory=GapSettings, description="settings of the DFT")
    verdict: VerdictSettings = Field(default_factory=VerdictSettings, description="settings of the verdict")
    unknown_elements: Literal["refuse", "skip"] = Field(
        default="refuse",
        description="of a pair whose interface holds an element that the MLIP does not know: refuse or skip",
    )
    slots: int = Field(default=2, ge=1, le=100000, description="cores in use at once: ranks times threads in flight")
    keep: Literal["failed", "all", "none"] = Field(
        default="failed",
        description="work folders that stay once the result is in the graph: those of failed jobs, all, or none",
    )

    def md_of(self, mlip: str) -> MdSettings:
        """The MD settings of the MLIP called ``mlip``: the campaign's, with the MLIP's own in their place."""
        return MdSettings.model_validate({**self.md.model_dump(), **self.mlips[mlip].md})

    @field_validator("mlips", mode="before")
    @classmethod
    def _name_means_preset(cls, value: Any) -> Any:
        """Let ``spcfw-ewald:`` stand for ``spcfw-ewald: {preset: spcfw-ewald}``."""
        if not isinstance(value, dict):
            return value
        return {name: _with_preset(name, spec) for name, spec in value.items()}

    @field_validator("seeds")
    @classmethod
    def _different(cls, value: list[int]) -> list[int]:
        for index, seed in enumerate(value):
            if seed in value[:index]:
                raise fault((index,), f"the seed {seed} is given twice", "give every seed once")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Campaign:
        self._check_not_empty()
        if self.gap.ranks > self.slots:
            raise _too_few_slots(("gap", "ranks"), self.gap.ranks, self.slots)
        for mlip, spec in self.mlips.items():
            location = ("mlips", mlip, "md") if spec.md else ("md",)
            try:
                md = self.md_of(mlip)
            except ValidationError as error:
                raise _moved(error, location) from error
            if md.threads > self.slots:
                raise _too_few_slots((*location, "threads"), md.threads, self.slots)
            self._check_selection(md, location)
        return self

    def _check_not_empty(self) -> None:
        """Interfaces and MLIPs, or neither where there are trajectories."""
        if self.trajectories and not self.interfaces and not self.mlips:
            return
        for field in ("interfaces", "mlips"):
            if not getattr(self, field):
                problem = "{} is too short" if field in self.model_fields_set else "is missing"
                start = "entries needed: at least 1" if field in self.model_fields_set else "add it"
                remedy = f"{start}, or give `trajectories` alone" if not self.trajectories else f"{start}, or neither"
                raise fault((field,), problem, remedy)

    def _check_selection(self, md: MdSettings, location: Location) -> None:
        start, wanted, stored = self.selection.start, self.selection.frames, md.frames_from(self.selection.start)
        if start >= md.duration:
            problem = f"{start:g} ps is as long as the run of {md.duration:g} ps that `{dotted(location)}` gives"
            raise fault(("selection", "start"), problem, "give an earlier start, or more steps")
        if wanted > stored:
            raise fault(
                (*location, "steps"),
                f"{stored} frames are stored from {start:g} ps on, and selection asks for {wanted}",
                "give more steps, a smaller frame_stride or an earlier selection.start",
            )


def load_campaign(
    path: str | Path, find: Finder | None = None, find_trajectory: TrajectoryFinder | None = None
) -> Campaign:
    """Read and check a campaign file; structure files are read, no model file is looked at.

    :param find: looks up structures that the file names as nodes; without it these are refused.
    :param find_trajectory: looks up trajectories; without it these are refused.
    :raises CampaignError: with the file, the field, the fault and the remedy.
    """
    campaign = parse_campaign(read_source(Path(path)), str(path))
    for name, spec in campaign.interfaces.items():
        resolve_interface(spec, str(path), ("interfaces", name), Path(path).resolve().parent, find)
    for name, trajectory in campaign.trajectories.items():
        resolve_trajectory(campaign, name, trajectory, str(path), find_trajectory)
    _refuse_twice(campaign, str(path))
    _refuse_strange_reference(campaign, str(path))
    return campaign


def resolve_trajectory(
    campaign: Campaign, name: str, spec: TrajectorySpec, file: str, find: TrajectoryFinder | None
) -> None:
    """:meth:`TrajectorySpec.resolve`, and whether the trajectory is long enough for what the campaign wants of it.

    :param file: for messages.
    :raises CampaignError: with the file, the field, the fault and the remedy.
    """
    try:
        spec.resolve(find)
    except LookupError as error:
        problem, _, remedy = str(error.args[0] if error.args else error).partition("; ")
        raise CampaignError(
            file, dotted(("trajectories", name, "trajectory")), problem, remedy or "correct it"
        ) from error
    start, wanted, there = campaign.selection.start, campaign.selection.frames, spec.found.frames_from
    length = f"the trajectory `{name}` of {spec.found.duration:g} ps"
    if start >= spec.found.duration:
        problem = f"{start:g} ps is as long as {length}"
        raise CampaignError(file, "selection.start", problem, "give an earlier start, or a longer trajectory")
    if wanted > there(start):
        problem = f"{length} has {there(start)} frames from {start:g} ps on, and selection asks for {wanted}"
        remedy = "ask for fewer in selection, give an earlier selection.start, or import more frames"
        raise CampaignError(file, dotted(("trajectories", name)), problem, remedy)
    given = campaign.md.equilibration if spec.equilibration is None else spec.equilibration
    if given != "auto" and given >= spec.found.duration:
        problem = f"equilibration {given:g} ps is as long as {length}"
        raise CampaignError(
            file, dotted(("trajectories", name, "equilibration")), problem, "give a shorter one here, or auto"
        )


def names_of(name: str, spec: TrajectorySpec) -> tuple[str, str, int]:
    """Interface, MLIP and seed that the rows of a trajectory go by.

    :param name: its name in the campaign.
    """
    return spec.interface or name, spec.mlip or spec.found.made_by, spec.seed


def _refuse_twice(campaign: Campaign, file: str) -> None:
    """Rows are told apart by interface, MLIP and seed alone.

    :raises CampaignError: naming the trajectory whose names are those of another pair.
    """
    taken: dict[tuple[str, str, int], str] = {
        (interface, mlip, seed): "a pair that the campaign runs itself"
        for interface in campaign.interfaces
        for mlip in campaign.mlips
        for seed in campaign.seeds
    }
    for name, spec in campaign.trajectories.items():
        names = names_of(name, spec)
        if names in taken:
            problem = f"goes by {' x '.join(str(part) for part in names)}, as does {taken[names]}"
            raise CampaignError(
                file, dotted(("trajectories", name)), problem, "give it another interface, mlip or seed"
            )
        taken[names] = f"the trajectory `{name}`"


def _refuse_strange_reference(campaign: Campaign, file: str) -> None:
    """The reference is one of the campaign's own.

    :raises CampaignError: naming those that there are.
    """
    known = [*campaign.mlips, *(names_of(name, spec)[1] for name, spec in campaign.trajectories.items())]
    named = campaign.verdict.reference
    if named is not None and named not in known:
        problem = f"there is no MLIP {shown(named)} in the campaign"
        raise CampaignError(file, "verdict.reference", problem, suggestion(named, known))


def resolve_interface(
    spec: InterfaceSpec, file: str, location: Location, folder: Path, find: Finder | None = None
) -> None:
    """:meth:`InterfaceSpec.resolve`, its faults said as those of a file.

    :param file: for messages; ``location`` is that of the interface in it.
    :raises CampaignError: with the file, the field, the fault and the remedy.
    """
    try:
        spec.resolve(folder, find)
    except InterfaceError as error:
        problem, _, remedy = str(error).partition("; ")
        origin = "structure" if spec.source is not None and spec.source.structure is not None else "file"
        raise CampaignError(file, dotted((*location, origin)), problem, remedy or "correct it") from error


def parse_interface(data: Any, file: str) -> InterfaceSpec:
    """One interface from plain data, as it stands in a campaign file below its name; ``file`` is for messages.

    :raises CampaignError: as :func:`load_campaign`.
    """
    check_plain(data, file)
    try:
        return InterfaceSpec.model_validate(data)
    except ValidationError as error:
        inside = {"interfaces": {"": data}}
        raise translate(error, file, lambda location: _meaning(("interfaces", "", *location), inside)) from error


def parse_campaign(data: Any, file: str = "campaign") -> Campaign:
    """A campaign from plain data, as it stands in a file; ``file`` is for messages.

    :raises CampaignError: as :func:`load_campaign`.
    """
    check_plain(data, file)
    if data is None:
        data = {}  # An empty file lacks its name, and saying that is of more help than "null is not a mapping".
    try:
        return Campaign.model_validate(data)
    except ValidationError as error:
        raise translate(error, file, lambda location: _meaning(location, data)) from error


def known_models() -> list[str]:
    """Names of all models: those of the catalogue, then those that were added.

    :raises ValidationError: if what was added cannot be read.
    """
    try:
        added = load_shelf().models
    except ModelError as error:
        problem, _, remedy = str(error).rstrip(".").partition("; ")
        raise fault((), problem, remedy) from error
    return [*presets(), *(name for name in added if name not in presets())]


_MLIP_ORIGIN = ("preset", "family", "file")


def _with_preset(name: str, spec: Any) -> Any:
    if spec is None:
        spec = {}
    if not isinstance(spec, dict) or any(key in spec for key in _MLIP_ORIGIN):
        return spec
    refuse_unknown(spec, MlipSpec.model_fields, (name,))
    if name not in known_models():
        problem = f"there is no model {shown(name)}"
        raise fault((name,), problem, f"{suggestion(name, known_models())}, or give family and file")
    return {**spec, "preset": name}


def _too_few_slots(location: Location, needed: int, slots: int) -> ValidationError:
    problem = f"{needed} cores are needed at once, and slots is {slots}"
    return fault(location, problem, f"give {needed} slots, or less here")


def _moved(error: ValidationError, location: Location) -> ValidationError:
    """The first line of ``error``, its location inside ``location``, in the words it would have had there."""
    said = translate(error, "", lambda inner: _meaning((*location, *inner), {}))
    return fault((*location, *error.errors()[0]["loc"]), said.problem, said.remedy)


def _meaning(location: Location, data: Any) -> str:
    """Description of the field at ``location``, or an empty text."""
    model: type[BaseModel] = Campaign
    match list(location):
        case ["md", field, *_] | ["mlips", _, "md", field, *_]:
            model = MdSettings
        case ["selection", field, *_]:
            model = Selection
        case ["gap", field, *_]:
            model = GapSettings
        case ["verdict", field, *_]:
            model = VerdictSettings
        case ["mlips", _, field, *_]:
            model = MlipSpec
        case ["trajectories", _, field, *_]:
            model = TrajectorySpec
        case ["interfaces", name, field, *_]:
            recipe = data.get("interfaces", {}).get(name, {}).get("recipe")
            model = recipes()[recipe].parameters if recipe in recipes() else InterfaceSpec
            if recipe in recipes() and takes_structure(recipe) and field in StructureSource.model_fields:
                model = StructureSource
        case [field]:
            pass
        case _:
            return ""
    info = model.model_fields.get(str(field))
    return (info.description or "") if info is not None else ""

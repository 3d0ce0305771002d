"""The campaign file: interfaces, MLIPs and seeds, each with each, and how each pair is computed.

    name: quickstart
    interfaces:
      film24: {recipe: film, molecules: 24, lateral: 7.0, vacuum: 25.0, seed: 1}
    mlips:
      spcfw-ewald:                                     # a shipped model of that name
      twin: {preset: twin-sr, md: {steps: 5000}}       # a shipped model, with its own MD settings
      mine: {family: mace, file: models/my.model}      # a file, relative to the campaign file
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
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from ..interfaces.registry import load_recipe, recipes
from ..mlips.catalogue import presets
from ..mlips.registry import family_names
from ..physics.functionals import FUNCTIONALS, known_functional
from .errors import Location, dotted, fault, refuse_unknown, shown, suggestion, translate
from .source import check_plain, read_source

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
        if self.equilibration != "auto" and self.equilibration >= self.duration:
            raise fault(
                ("equilibration",),
                f"{self.equilibration:g} ps is as long as the run of {self.duration:g} ps",
                "give a shorter equilibration, or more steps",
            )
        return self


class Selection(Section):
    """Which frames of a trajectory go to DFT."""

    stratified: int = Field(default=2, ge=0, le=10000, description="frames chosen from strata of the dipole")
    uniform: int = Field(default=1, ge=0, le=10000, description="frames chosen with equal probability, as control")
    strata: int = Field(default=3, ge=1, le=100, description="number of strata of |M_z| per area")
    start: float = Field(default=2.0, ge=0.0, le=MAXIMUM_PICOSECONDS, description="first time in ps to choose from")

    @property
    def frames(self) -> int:
        """Number of frames asked for, a trajectory."""
        return self.stratified + self.uniform

    @model_validator(mode="after")
    def _not_empty(self) -> Selection:
        if self.frames == 0:
            raise fault(("stratified",), "no frame would be selected", "give stratified or uniform at least 1")
        return self


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


class InterfaceSpec(Section):
    """One interface: the name of a recipe, and the recipe's parameters beside it in the file."""

    recipe: str = Field(description="name of the recipe")
    parameters: dict[str, Any] = Field(description="all parameters of the recipe, defaults filled in")

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
        refuse_unknown(given, model.model_fields)
        # As JSON, for there a list may become a tuple although `true` may not become a number.
        parameters = model.model_validate_json(json.dumps(given), strict=True)
        # What is not given is left out, so that a recipe may learn new things without its old interfaces changing.
        return {"recipe": data["recipe"], "parameters": parameters.model_dump(mode="json", exclude_none=True)}

    def elements(self) -> set[str]:
        """Chemical symbols the interface will hold."""
        recipe = load_recipe(self.recipe)
        return set(recipe.elements(recipe.parameters.model_validate_json(json.dumps(self.parameters))))


class MlipSpec(Section):
    """One MLIP: a shipped model (``preset``) or a file of one's own (``family`` and ``file``)."""

    preset: str | None = Field(default=None, description="name of a shipped model")
    family: str | None = Field(default=None, description="name of an MLIP family")
    file: Text | None = Field(default=None, description="the model's file, relative to the campaign file")
    kwargs: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments of the calculator; with a preset they replace its own"
    )
    licence: str = Field(default="", max_length=200, description="SPDX identifier of the model's licence")
    reference: str = Field(default="", max_length=2000, description="where the model and its training are described")
    sha256: str | None = Field(default=None, description="checksum that the file must have")
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
        if value is not None and value not in presets():
            raise fault((), f"there is no shipped model {shown(value)}", suggestion(value, presets()), value)
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
            for field in ("family", "file", "sha256", "licence", "reference"):
                if getattr(self, field):
                    raise fault(
                        (field,), "comes with the preset already", f"remove it, or remove `preset` and give {field}"
                    )
        elif self.family is None:
            raise fault(("family",), "is missing", f"name the family of the file: {', '.join(family_names())}")
        elif self.file is None:
            raise fault(("file",), "is missing", "give the model's file, relative to the campaign file")
        return self


class Campaign(Section):
    """A whole campaign file, see the module for its form. Made by :func:`load_campaign` or :func:`parse_campaign`."""

    name: Name = Field(description="name of the campaign")
    interfaces: dict[Name, InterfaceSpec] = Field(min_length=1, description="interfaces by name")
    mlips: dict[Name, MlipSpec] = Field(min_length=1, description="MLIPs by name")
    seeds: list[Seed] = Field(default=[1], min_length=1, max_length=1000, description="seeds of the MD")
    md: MdSettings = Field(default_factory=MdSettings, description="MD settings of all MLIPs")
    selection: Selection = Field(default_factory=Selection, description="selection of frames")
    gap: GapSettings = Field(default_factory=GapSettings, description="settings of the DFT")
    slots: int = Field(default=2, ge=1, le=100000, description="cores in use at once: ranks times threads in flight")

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


def load_campaign(path: str | Path) -> Campaign:
    """Read and check a campaign file; no model file is looked at.

    :raises CampaignError: with the file, the field, the fault and the remedy.
    """
    return parse_campaign(read_source(Path(path)), str(path))


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


_MLIP_ORIGIN = ("preset", "family", "file")


def _with_preset(name: str, spec: Any) -> Any:
    if spec is None:
        spec = {}
    if not isinstance(spec, dict) or any(key in spec for key in _MLIP_ORIGIN):
        return spec
    refuse_unknown(spec, MlipSpec.model_fields, (name,))
    if name not in presets():
        problem = f"there is no shipped model {shown(name)}"
        raise fault((name,), problem, f"{suggestion(name, presets())}, or give family and file")
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
        case ["mlips", _, field, *_]:
            model = MlipSpec
        case ["interfaces", name, field, *_]:
            recipe = data.get("interfaces", {}).get(name, {}).get("recipe")
            model = recipes()[recipe].parameters if recipe in recipes() else InterfaceSpec
        case [field]:
            pass
        case _:
            return ""
    info = model.model_fields.get(str(field))
    return (info.description or "") if info is not None else ""

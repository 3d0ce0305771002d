"""The file of a pair of twins: where configurations come from, how they are labelled, and how both twins are trained.

    name: water
    samplers: {spcfw-ewald: null}      # MLIPs by name, as in a campaign
    sources:
      film24:
        film: {molecules: 24, lateral: 7.0, vacuum: 25.0, seed: 1}
        sampler: spcfw-ewald
        temperatures: [300, 450]                              # one run each
        frames: 12                                            # of each run
        seed: 101
      bulk32: {bulk: {molecules: 32}, sampler: spcfw-ewald, frames: 12, seed: 201}
    sampling: {steps: 6000, equilibration: 2.0}
    label: {ecutwfc: 60.0}
    split: {test: 0.1}
    training: {epochs: 40}
    rounds: {number: 1, frames: 6}                            # active rounds
    slots: 2

What needs the samplers' files is checked by :func:`.twin_runs.check_samplers`; everything else here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from ..interfaces.bulk import BulkParameters
from ..interfaces.film import FilmParameters
from ..interfaces.solvents import solvent
from ..mlips.catalogue import presets
from ..physics.continuum import continuum_charges
from ..physics.functionals import FUNCTIONALS, known_functional
from .errors import Location, fault, shown, suggestion, translate
from .schema import PICOSECOND, MlipSpec, Name, Section, Seed, Text, known_models
from .source import check_plain, read_source

NEUTRAL = 1e-8
"""e: a molecule's charge below which a film of hundreds is neutral to what the Ewald sum demands."""


class Sampling(Section):
    """The runs that configurations are chosen from: NVT, Langevin thermostat."""

    steps: int = Field(default=6000, ge=1, le=10**8, description="number of MD steps of each run")
    equilibration: float = Field(default=2.0, ge=0.0, le=1e6, description="time in ps that no frame is chosen from")
    timestep: float = Field(default=1.0, ge=0.05, le=5.0, description="time step in fs")
    friction: float = Field(default=0.01, gt=0.0, le=1.0, description="Langevin damping in 1/fs")
    hydrogen_mass: float = Field(default=2.014, ge=1.0, le=4.1, description="mass of hydrogen in u")
    stride: int = Field(default=10, ge=1, le=10**6, description="steps between samples of the dipole")
    frame_stride: int = Field(default=50, ge=1, le=10**7, description="steps between stored frames")
    max_evaporated: float = Field(
        default=0.3, ge=0.0, le=1.0, description="share of molecules that may leave a film before its run stops"
    )
    walltime: int = Field(default=7200, ge=10, le=10**7, description="seconds after which one MD job stops itself")
    threads: int = Field(default=1, ge=1, le=1024, description="threads of one MD job")

    @model_validator(mode="after")
    def _consistent(self) -> Sampling:
        if self.frame_stride % self.stride:
            problem = f"{self.frame_stride} is not a multiple of stride, {self.stride}"
            raise fault(("frame_stride",), problem, f"give a multiple of {self.stride}")
        if self.frame_stride > self.steps:
            problem = f"{self.frame_stride} is more than the {self.steps} steps of the run"
            raise fault(("frame_stride",), problem, "give a smaller frame_stride, or more steps")
        if self.equilibration * PICOSECOND >= self.steps * self.timestep:
            problem = f"{self.equilibration:g} ps is as long as the run"
            raise fault(("equilibration",), problem, "give a shorter equilibration, or more steps")
        return self

    @property
    def stored(self) -> int:
        """Frames that are stored after the equilibration."""
        return int((self.steps - self.equilibration * PICOSECOND / self.timestep) // self.frame_stride)


def _check_temperatures(temperatures: list[float]) -> None:
    """In range, and none of them twice."""
    for index, kelvin in enumerate(temperatures):
        if not 1.0 <= kelvin <= 2000.0:
            raise fault(("temperatures", index), f"{kelvin:g} K is out of range", "give 1 to 2000 K")
        if kelvin in temperatures[:index]:
            raise fault(("temperatures", index), f"{kelvin:g} K is given twice", "give every temperature once")


class Source(Section):
    """One kind of configurations: a film or a bulk liquid, the MLIP that moves it, and how many frames to take."""

    film: dict[str, Any] | None = Field(default=None, description="parameters of the recipe film")
    bulk: dict[str, Any] | None = Field(default=None, description="molecules, solvent, seed of a periodic liquid")
    sampler: Name = Field(description="name of one of `samplers`")
    temperatures: list[float] = Field(
        default=[300.0], min_length=1, max_length=50, description="temperatures in K, one run each"
    )
    frames: int = Field(ge=1, le=10000, description="configurations from each run")
    close: int = Field(default=0, ge=0, le=10000, description="of these, the ones with the closest contacts")
    seed: Seed = Field(description="of the MD of the first temperature; the others take the next numbers")
    sampling: dict[str, Any] = Field(default_factory=dict, description="sampling settings that differ for this source")

    @model_validator(mode="after")
    def _consistent(self) -> Source:
        if (self.film is None) == (self.bulk is None):
            raise fault(("film",), "film or bulk is wanted, and one only", "give `film: {...}` or `bulk: {...}`")
        _check_temperatures(self.temperatures)
        if self.close > self.frames:
            raise fault(("close",), f"{self.close} is more than {self.frames} frames", "give fewer, or more frames")
        return self

    @property
    def recipe(self) -> str:
        """``film`` or ``bulk``."""
        return "film" if self.bulk is None else "bulk"

    def parameters(self) -> FilmParameters | BulkParameters:
        """Parameters of the recipe, checked."""
        if self.bulk is not None:
            return BulkParameters.model_validate_json(json.dumps(self.bulk), strict=True)
        return FilmParameters.model_validate_json(json.dumps(self.film), strict=True)

    def elements(self) -> set[str]:
        """Chemical symbols of the configurations."""
        return {symbol for unit in self.units() for symbol in unit}

    def units(self) -> list[list[str]]:
        """Symbols of a molecule of the solvent, and of a pair of each salt's ions."""
        parameters = self.parameters()
        if isinstance(parameters, BulkParameters):
            return [list(solvent(parameters.solvent).symbols)]
        liquid = parameters.liquid()
        return [list(liquid.kind.symbols), *(list(kind.ions) for kind, _ in liquid.salts)]


class LabelSettings(Section):
    """The DFT of the labels, one setting throughout."""

    protocol: Literal["fast", "standard"] = Field(default="fast", description="gap protocol that settings come from")
    functional: Text | None = Field(default=None, description="functional, null for that of the pseudopotentials")
    pseudo_family: Text | None = Field(default=None, description="label of the pseudopotential family, null for ours")
    ecutwfc: float | None = Field(default=None, ge=10.0, le=400.0, description="cutoff in Ry, null for the rules'")
    ecutrho: float | None = Field(default=None, ge=40.0, le=4000.0, description="cutoff in Ry, null for the rules'")
    conv_thr: float = Field(default=1e-7, gt=0.0, le=1e-3, description="of the SCF cycle, Ry")
    degauss: float = Field(default=0.001, gt=0.0, le=0.1, description="Fermi-Dirac smearing in Ry")
    vacuum: float = Field(default=12.0, ge=8.5, le=100.0, description="vacuum of films in Å")
    max_drop: float = Field(
        default=2.5, gt=0.0, le=100.0, description="expected |drop| in V above which a frame is not labelled"
    )
    ranks: int = Field(default=1, ge=1, le=4096, description="MPI ranks of one pw.x run")
    rescue: bool = Field(default=True, description="once more with calmer mixing where pw.x does not converge")
    walltime: int = Field(default=7200, ge=60, le=10**7, description="seconds of one pw.x run")
    at_once: int = Field(default=50, ge=1, le=200, description="labels under way at once; slots bound the computing")
    most: int | None = Field(
        default=None, ge=1, description="labels of the sources, the first of every run before the second; null for all"
    )

    @field_validator("functional")
    @classmethod
    def _known_functional(cls, value: str | None) -> str | None:
        try:
            return None if value is None else known_functional(value)
        except ValueError as error:
            problem = f"there is no functional {shown(value)}"
            raise fault((), problem, suggestion(value, FUNCTIONALS), value) from error


class Split(Section):
    """Which labels are for what; the same for both twins."""

    test: float = Field(default=0.1, gt=0.0, lt=1.0, description="share of each run's labels held out for the errors")
    valid: float = Field(default=0.08, gt=0.0, lt=1.0, description="share of the others that watches the training")
    seed: Seed = Field(default=1, description="of the draw")

    @model_validator(mode="after")
    def _room(self) -> Split:
        if self.test + self.valid >= 0.9:
            raise fault(("test",), "test and valid leave next to nothing to train on", "give smaller shares")
        return self


class Training(Section):
    """Both twins' MACE, and how it is trained."""

    channels: int = Field(default=32, ge=1, le=1024, description="channels of a feature")
    r_max: float = Field(default=4.5, ge=2.0, le=12.0, description="cutoff in Å")
    layers: int = Field(default=2, ge=1, le=6, description="message-passing layers")
    correlation: int = Field(default=2, ge=1, le=4, description="body order less one of a layer")
    max_ell: int = Field(default=2, ge=1, le=4, description="highest order of spherical harmonics")
    max_L: int = Field(default=0, ge=0, le=3, description="highest order of a message")
    epochs: int = Field(default=60, ge=1, le=100000, description="epochs")
    batch_size: int = Field(default=4, ge=1, le=10000, description="configurations in a batch")
    lr: float = Field(default=0.01, gt=0.0, le=1.0, description="learning rate; it falls fifty-fold over the epochs")
    energy_weight: float = Field(default=10.0, gt=0.0, description="weight of energies in the loss")
    forces_weight: float = Field(default=100.0, gt=0.0, description="weight of forces in the loss")
    dtype: Literal["float32", "float64"] = Field(default="float32", description="precision")
    seed: Seed = Field(default=1, description="of the weights and of the batches")
    threads: int = Field(default=1, ge=1, le=1024, description="threads of one training")
    walltime: int = Field(default=21600, ge=60, le=10**7, description="seconds after which one job stops itself")
    max_jobs: int = Field(default=20, ge=1, le=1000, description="jobs of one training, the last one going on")
    code: Text | None = Field(default=None, description="label of the AiiDA code with mace-torch, null for ours")


class Outliers(Section):
    """Frames of a campaign, for which DFT has been asked already, whose energy an MLIP misses most."""

    campaign: Name = Field(description="name of a campaign in the graph")
    mlip: Name = Field(description="name of one of its MLIPs")
    frames: int = Field(ge=1, le=10000, description="configurations, at most")


class Rounds(Section):
    """Active rounds: a committee that is trained on the labels so far moves sources, and says what to label next."""

    number: int = Field(default=0, ge=0, le=50, description="active rounds; 0 for none")
    committee: int = Field(
        default=2, ge=2, le=20, description="models of a round: short-ranged and long-ranged in turn, then other seeds"
    )
    sources: list[Name] | None = Field(default=None, description="names of the sources to move, null for all")
    temperatures: list[float] | None = Field(default=None, description="in K, one run each; null for the sources' own")
    frames: int = Field(default=6, ge=1, le=10000, description="configurations from each run, at most")
    apart: float = Field(default=0.2, ge=0.0, le=1e6, description="time in ps between two of them, at least")
    least: float = Field(default=0.05, ge=0.0, description="disagreement in eV/Å below which a frame teaches little")
    most: float = Field(default=1.0, gt=0.0, description="disagreement in eV/Å above which a frame may be no physics")
    training: dict[str, Any] = Field(default_factory=dict, description="training settings that differ in the rounds")
    sampling: dict[str, Any] = Field(default_factory=dict, description="sampling settings that differ in the rounds")

    @model_validator(mode="after")
    def _consistent(self) -> Rounds:
        _check_temperatures(self.temperatures or [])
        if self.least >= self.most:
            problem = f"{self.least:g} eV/Å is not less than most, {self.most:g}"
            raise fault(("least",), problem, "give a smaller least, or a larger most")
        for key, values in (("sources", self.sources), ("temperatures", self.temperatures)):
            if values is not None and not values:
                raise fault((key,), "an empty list moves nothing", "leave it out, or name some")
        if len(set(self.sources or [])) < len(self.sources or []):
            raise fault(("sources",), "a source is named twice", "name every source once")
        return self


class Ewald(Section):
    """The long-ranged twin's fixed charges: MACE learns what their Ewald sum leaves of the labels."""

    charges: dict[str, float] | None = Field(
        default=None, description="e by element; null for sqrt(eps_inf) times the screened charges of water"
    )
    smearing: float = Field(default=1.4, gt=0.3, le=5.0, description="width of the charges in Å")

    def table(self) -> dict[str, float]:
        """Charges in e by element."""
        return dict(continuum_charges() if self.charges is None else self.charges)


class Twins(Section):
    """A whole file, see the module. Made by :func:`load_twins`."""

    name: Name = Field(description="name of the pair of twins")
    samplers: dict[Name, MlipSpec] = Field(min_length=1, description="MLIPs that move the configurations, by name")
    sources: dict[Name, Source] = Field(min_length=1, max_length=500, description="kinds of configurations, by name")
    sampling: Sampling = Field(default_factory=Sampling, description="settings of all runs")
    label: LabelSettings = Field(default_factory=LabelSettings, description="settings of the DFT")
    split: Split = Field(default_factory=Split, description="training, validation and test")
    training: Training = Field(default_factory=Training, description="settings of the training")
    ewald: Ewald = Field(default_factory=Ewald, description="the long-ranged twin's charges")
    outliers: dict[Name, Outliers] = Field(
        default_factory=dict, max_length=100, description="frames of campaigns to label, by a name of their own"
    )
    rounds: Rounds = Field(default_factory=Rounds, description="active rounds before the training")
    licence: str = Field(default="", max_length=200, description="SPDX identifier of the twins' licence")
    slots: int = Field(default=2, ge=1, le=100000, description="cores in use at once: ranks times threads in flight")

    @field_validator("samplers", mode="before")
    @classmethod
    def _name_means_preset(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: _with_preset(name, spec) for name, spec in value.items()}

    def sampling_of(self, source: str) -> Sampling:
        """Sampling settings of a source."""
        return Sampling.model_validate({**self.sampling.model_dump(), **self.sources[source].sampling})

    def round_sampling_of(self, source: str) -> Sampling:
        """Sampling settings of a source in an active round."""
        return Sampling.model_validate({**self.sampling_of(source).model_dump(), **self.rounds.sampling})

    @property
    def moved(self) -> list[str]:
        """Names of the sources that an active round moves."""
        return list(self.sources) if self.rounds.sources is None else self.rounds.sources

    @property
    def configurations(self) -> int:
        """How many are asked for in all, those of active rounds left aside."""
        asked = sum(source.frames * len(source.temperatures) for source in self.sources.values())
        return asked if self.label.most is None else min(asked, self.label.most)

    @model_validator(mode="after")
    def _consistent(self) -> Twins:
        for name, source in self.sources.items():
            self._check_source(name, source)
        unused = [name for name in self.samplers if all(s.sampler != name for s in self.sources.values())]
        if unused:
            raise fault(("samplers", unused[0]), "moves none of the sources", "remove it, or name it in a source")
        for name, sampler in self.samplers.items():
            if sampler.md:
                remedy = "give it in `sampling`, or in `sampling` of a source"
                raise fault(("samplers", name, "md"), "a sampler has no MD settings of its own", remedy)
        self._check_slots(("label", "ranks"), self.label.ranks)
        self._check_slots(("training", "threads"), self.training.threads)
        for name in self.outliers:
            if name in self.sources:
                raise fault(("outliers", name), "is the name of a source, too", "give another name")
        self._check_rounds()
        self._check_charges()
        return self

    def _check_slots(self, location: Location, needed: int) -> None:
        """A job that needs more cores than there are never starts."""
        if needed > self.slots:
            problem = f"{needed} cores are needed at once, and slots is {self.slots}"
            raise fault(location, problem, f"give {needed} slots, or less here")

    def _check_charges(self) -> None:
        """The long-ranged twin's: of every element, and neutral. Else the labels would be in vain."""
        charges = self.ewald.table()
        for source in self.sources.values():
            missing = sorted(source.elements() - set(charges))
            if missing:
                problem = f"there is no charge for {', '.join(missing)}"
                raise fault(("ewald", "charges"), problem, "give a charge in e for every element")
            for unit in source.units():
                total = sum(charges[symbol] for symbol in unit)
                if abs(total) > NEUTRAL:
                    problem = f"{''.join(unit)} has a charge of {total:g} e"
                    raise fault(("ewald", "charges"), problem, "give charges that add up to zero")

    def _check_rounds(self) -> None:
        """Sources, sampling and training of the active rounds."""
        if "code" in self.rounds.training:
            location = ("rounds", "training", "code")
            raise fault(location, "all models are trained with one code", "give it in training.code")
        try:
            training = Training.model_validate({**self.training.model_dump(), **self.rounds.training})
        except ValidationError as error:
            raise _moved(error, ("rounds", "training")) from error
        self._check_slots(("rounds", "training", "threads"), training.threads)
        for name in self.moved:
            if name not in self.sources:
                problem = f"there is no source {shown(name)}"
                raise fault(("rounds", "sources"), problem, suggestion(name, self.sources))
            where = ("rounds", "sampling") if self.rounds.sampling else ("sampling",)
            try:
                sampling = self.round_sampling_of(name)
            except ValidationError as error:
                raise _moved(error, where) from error
            self._check_slots((*where, "threads"), sampling.threads)
            if self.rounds.number and self.rounds.frames > sampling.stored:
                problem = f"{self.rounds.frames} frames are asked for and a run of `{name}` stores {sampling.stored}"
                raise fault(("rounds", "frames"), problem, "ask for fewer, or give more steps in rounds.sampling")

    def _check_source(self, name: str, source: Source) -> None:
        """Parameters, sampler, sampling and number of frames of one source."""
        try:
            source.parameters()
        except ValidationError as error:
            raise _moved(error, ("sources", name, source.recipe)) from error
        if source.sampler not in self.samplers:
            problem = f"there is no sampler {shown(source.sampler)}"
            raise fault(("sources", name, "sampler"), problem, suggestion(source.sampler, self.samplers))
        where = ("sources", name, "sampling") if source.sampling else ("sampling",)
        try:
            sampling = self.sampling_of(name)
        except ValidationError as error:
            raise _moved(error, where) from error
        self._check_slots((*where, "threads"), sampling.threads)
        if source.frames > sampling.stored:
            problem = f"{source.frames} frames are asked for and a run stores {sampling.stored} after its equilibration"
            raise fault(("sources", name, "frames"), problem, "ask for fewer, or give more steps")


def load_twins(path: Path) -> Twins:
    """Read and check a file; no model file is looked at.

    :raises CampaignError: with the file, the field, the fault and the remedy.
    """
    return parse_twins(read_source(path), str(path))


def parse_twins(data: Any, file: str = "twins") -> Twins:
    """The same from plain data; ``file`` is for messages."""
    check_plain(data, file)
    try:
        return Twins.model_validate({} if data is None else data)
    except ValidationError as error:
        raise translate(error, file, _meaning) from error


def _with_preset(name: str, spec: Any) -> Any:
    """Let ``spcfw-ewald:`` stand for ``spcfw-ewald: {preset: spcfw-ewald}``."""
    if spec is None or (isinstance(spec, dict) and not {"preset", "family", "file"} & set(spec)):
        if name not in presets() and name not in known_models():
            problem = f"there is no model {shown(name)}"
            raise fault((name,), problem, f"{suggestion(name, known_models())}, or give family and file")
        return {**(spec or {}), "preset": name}
    return spec


def _moved(error: ValidationError, location: Location) -> ValidationError:
    """The first line of ``error``, its location inside ``location``."""
    said = translate(error, "", lambda _: "")
    return fault((*location, *error.errors()[0]["loc"]), said.problem, said.remedy)


_SECTIONS: dict[str, type[BaseModel]] = {
    "sampling": Sampling,
    "label": LabelSettings,
    "split": Split,
    "training": Training,
    "ewald": Ewald,
    "rounds": Rounds,
}


def _meaning(location: Location) -> str:
    """Description of the field at ``location``, or an empty text."""
    model: type[BaseModel] = Twins
    match list(location):
        case ["sources", _, field]:
            model = Source
        case ["samplers", _, field, *_]:
            model = MlipSpec
        case ["outliers", _, field]:
            model = Outliers
        case [section, field, *_] if section in _SECTIONS:
            model = _SECTIONS[str(section)]
        case [field]:
            pass
        case _:
            return ""
    info = model.model_fields.get(str(field))
    return (info.description or "") if info is not None else ""

"""Checks a campaign against its model files, before anything is submitted.

All that takes milliseconds comes first, for every MLIP: files, checksums, elements. Only when none of it fails are
the models loaded by their own packages, which for MACE means importing torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..mlips.catalogue import model_path, presets
from ..mlips.family import ModelError, ModelFacts
from ..mlips.registry import load_family
from .errors import CampaignError, dotted
from .peek import peek_mace
from .schema import Campaign, MlipSpec

TORCH = "torch"
Facts = TypeVar("Facts", ModelFacts, ModelFacts | None)


@dataclass(frozen=True)
class ResolvedModel:
    """One MLIP of a campaign with everything looked up.

    :param name: its name in the campaign.
    :param preset: the shipped model it is, or None.
    :param family: name of the MLIP family.
    :param path: absolute path of its file.
    :param sha256: checksum of the file.
    :param kwargs: keyword arguments of the calculator, the preset's with the campaign's in their place.
    :param facts: what the file says of itself, with licence and reference from the catalogue or the campaign.
    :param code: label of the AiiDA code for its MD, or None for the default.
    """

    name: str
    preset: str | None
    family: str
    path: Path
    sha256: str
    kwargs: dict[str, Any]
    facts: ModelFacts
    code: str | None


@dataclass(frozen=True)
class _Model:
    """An MLIP whose file is known but not yet understood."""

    name: str
    spec: MlipSpec
    family: str
    path: Path
    kwargs: dict[str, Any]
    licence: str
    reference: str

    @property
    def field(self) -> str:
        """The field of the campaign file that leads to the model's file."""
        return dotted(("mlips", self.name, "preset" if self.spec.preset else "file"))


def check_campaign(campaign: Campaign, path: str | Path) -> list[ResolvedModel]:
    """Check everything that needs model files, and say what the models are, in the campaign's order.

    :param path: the campaign file; relative model files are looked up beside it.
    :raises CampaignError: with the file, the field, the fault and the remedy.
    """
    check = _Check(campaign, str(path))
    models = [check.locate(name, spec) for name, spec in campaign.mlips.items()]
    checksums = {model.name: check.checksum(model) for model in models}
    for model in models:
        facts = check.glance(model)
        if facts is not None:
            check.elements(model, facts)
    # Loading may take seconds. What the user wrote is more likely wrong than what is shipped: it comes first.
    loaded: dict[str, ModelFacts] = {}
    for model in sorted(models, key=lambda m: m.spec.preset is not None and not m.spec.kwargs):
        loaded[model.name] = check.inspect(model)
        check.elements(model, loaded[model.name])
    return [
        ResolvedModel(
            name=model.name,
            preset=model.spec.preset,
            family=model.family,
            path=model.path,
            sha256=checksums[model.name],
            kwargs=model.kwargs,
            facts=loaded[model.name],
            code=model.spec.code,
        )
        for model in models
    ]


class _Check:
    """The steps of :func:`check_campaign`; each raises ``CampaignError``."""

    def __init__(self, campaign: Campaign, file: str) -> None:
        self.campaign = campaign
        self.file = file
        self.interfaces = {name: spec.elements() for name, spec in campaign.interfaces.items()}

    def locate(self, name: str, spec: MlipSpec) -> _Model:
        """Find the model's file."""
        if spec.preset is not None:
            entry = presets()[spec.preset]
            kwargs = {**entry.kwargs, **spec.kwargs}
            model = _Model(name, spec, entry.family, model_path(entry), kwargs, entry.licence, entry.reference)
            remedy = "install the package again, or use another preset"
        else:
            # Neither is None here: MlipSpec has seen to it.
            family, file = str(spec.family), str(spec.file)
            place = Path(self.file).resolve().parent / file
            model = _Model(name, spec, family, place, dict(spec.kwargs), spec.licence, spec.reference)
            remedy = "give its path relative to the campaign file"
        try:
            found = model.path.is_file()
        except (OSError, ValueError):
            found = False
        if not found:
            raise CampaignError(self.file, model.field, f"there is no model file {model.path}", remedy)
        return model

    def checksum(self, model: _Model) -> str:
        """SHA-256 of the model's file, compared with the pinned one."""
        try:
            with open(model.path, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise CampaignError(
                self.file, model.field, f"{model.path} cannot be read ({error.strerror})", "allow this user to read it"
            ) from error
        if model.spec.sha256 not in (None, digest):
            raise CampaignError(
                self.file,
                dotted(("mlips", model.name, "sha256")),
                f"{model.path.name} has the checksum {digest}",
                "use the file that was pinned, or pin this one",
            )
        return digest

    def glance(self, model: _Model) -> ModelFacts | None:
        """What can be said of the model without importing torch; None if nothing."""
        if TORCH not in load_family(model.family).requires:
            return self.inspect(model)
        return self._asked(model, lambda: peek_mace(model.path))

    def inspect(self, model: _Model) -> ModelFacts:
        """What the model's own package says of it."""
        family = load_family(model.family)
        facts = self._asked(model, lambda: family.inspect(model.path, model.kwargs))
        return replace(facts, licence=model.licence or facts.licence, reference=model.reference or facts.reference)

    def elements(self, model: _Model, facts: ModelFacts) -> None:
        """Every interface meets every MLIP, so each element must be known to each model."""
        for interface, elements in self.interfaces.items():
            for element in sorted(elements - set(facts.elements)):
                raise CampaignError(
                    self.file,
                    dotted(("mlips", model.name)),
                    f"the model {model.path.name} does not know {element}, which the interface `{interface}` holds"
                    f" (it knows {', '.join(facts.elements)})",
                    f"use a model made for {element}, or remove one of the two",
                )

    def _asked(self, model: _Model, question: Callable[[], Facts]) -> Facts:
        try:
            return question()
        except ModelError as error:
            raise self._model_error(model, error) from error
        except ImportError as error:
            needed = " and ".join(load_family(model.family).requires)
            problem = f"family `{model.family}` cannot be used here ({error})"
            raise CampaignError(self.file, dotted(("mlips", model.name)), problem, f"install {needed}") from error
        except Exception as error:  # a family met a keyword's value that it did not expect
            problem = f"family `{model.family}` cannot use these values ({type(error).__name__}: {error})"
            field = dotted(("mlips", model.name, "kwargs"))
            raise CampaignError(self.file, field, problem, "correct the keyword arguments") from error

    def _model_error(self, model: _Model, error: ModelError) -> CampaignError:
        problem, _, remedy = str(error).rstrip(".").partition("; ")
        # The families say in words whether the file or a keyword is at fault; the file's name tells which.
        field = model.field if model.path.name in str(error) else dotted(("mlips", model.name, "kwargs"))
        return CampaignError(self.file, field, problem, remedy or "correct it")

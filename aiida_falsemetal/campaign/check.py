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

from ..mlips.family import ModelError, ModelFacts
from ..mlips.registry import load_family
from .errors import CampaignError, dotted
from .origin import Origin, find_origin
from .peek import peek_mace
from .schema import Campaign, MlipSpec

TORCH = "torch"
MACE_FILES = ("mace", "mace_ewald")
"""Families whose files :mod:`.peek` understands."""
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
    :param accepted: why a file that the scan refuses is loaded all the same, None where that is not needed.
    """

    name: str
    preset: str | None
    family: str
    path: Path
    sha256: str
    kwargs: dict[str, Any]
    facts: ModelFacts
    code: str | None
    accepted: str | None = None


def check_campaign(campaign: Campaign, path: str | Path) -> list[ResolvedModel]:
    """Check everything that needs model files, and say what the models are, in the campaign's order.

    :param path: the campaign file; relative model files are looked up beside it.
    :raises CampaignError: with the file, the field, the fault and the remedy.
    """
    check = _Check(campaign, str(path))
    models = [check.locate(name, spec) for name, spec in campaign.mlips.items()]
    checksums = {model.name: check.checksum(model) for model in models}
    for model in models:
        check.device(model)
        check.batch(model)
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
            code=model.code,
            accepted=model.accepted,
        )
        for model in models
    ]


class _Check:
    """The steps of :func:`check_campaign`; each raises ``CampaignError``."""

    def __init__(self, campaign: Campaign, file: str) -> None:
        self.campaign = campaign
        self.file = file
        self.interfaces = {name: spec.elements() for name, spec in campaign.interfaces.items()}

    def locate(self, name: str, spec: MlipSpec) -> Origin:
        """Find the model's file."""
        try:
            model = find_origin(name, spec, Path(self.file).resolve().parent)
        except ModelError as error:
            raise self._said(error, dotted(("mlips", name, "preset" if spec.preset else "file"))) from error
        try:
            found = model.path.is_file()
        except (OSError, ValueError):
            found = False
        if not found:
            remedy = "give its path relative to the campaign file"
            if model.known is not None:
                remedy = f"add it again with `falsemetal model add {spec.preset}`"
            elif spec.preset is not None:
                remedy = "install the package again, or use another preset"
            raise CampaignError(self.file, field(model), f"there is no model file {model.path}", remedy)
        return model

    def device(self, model: Origin) -> None:
        """A GPU is asked for where the family can use one. Whether there is one, the job will find."""
        asked = self.campaign.md_of(model.name).device
        if asked == "cuda" and not load_family(model.family).gpu:
            remedy = "give auto, or give cuda at the MLIPs that can"
            raise self._cannot(model, "device", "is not run on a GPU through torch", remedy)

    def batch(self, model: Origin) -> None:
        """Seeds are run side by side where the family can."""
        if self.campaign.md_of(model.name).batch is not None and not load_family(model.family).batches:
            remedy = "remove it, or give it at the MLIPs of the families mace and mace_ewald"
            raise self._cannot(model, "batch", "computes one system at a time", remedy)

    def _cannot(self, model: Origin, key: str, problem: str, remedy: str) -> CampaignError:
        """What to say of a setting in ``md``, the model's own or that of all, which its family cannot do."""
        own = key in self.campaign.mlips[model.name].md
        where = ("mlips", model.name, "md", key) if own else ("md", key)
        return CampaignError(
            self.file, dotted(where), f"the family `{model.family}` of `{model.name}` {problem}", remedy
        )

    def checksum(self, model: Origin) -> str:
        """SHA-256 of the model's file, compared with the pinned one."""
        try:
            with open(model.path, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise CampaignError(
                self.file, field(model), f"{model.path} cannot be read ({error.strerror})", "allow this user to read it"
            ) from error
        if model.spec.sha256 not in (None, digest):
            raise CampaignError(
                self.file,
                dotted(("mlips", model.name, "sha256")),
                f"{model.path.name} has the checksum {digest}",
                "use the file that was pinned, or pin this one",
            )
        if model.known is not None and model.known.sha256 != digest:
            remedy = f"add it again with `falsemetal model add {model.spec.preset}`, or restore the file"
            raise CampaignError(self.file, field(model), f"{model.path} has changed since it was added", remedy)
        return digest

    def glance(self, model: Origin) -> ModelFacts | None:
        """What can be said of the model without importing a package that takes seconds; None if nothing."""
        family = load_family(model.family)
        if model.known is not None or model.python is not None:
            return self.inspect(model) if model.known is not None else None
        if TORCH not in family.requires:
            return self.inspect(model)
        return self._asked(model, lambda: peek_mace(model.path)) if model.family in MACE_FILES else None

    def inspect(self, model: Origin) -> ModelFacts:
        """What the model's own package says of it, where the scan lets it be loaded."""
        facts = self._asked(model, model.facts)
        return replace(facts, licence=model.licence or facts.licence, reference=model.reference or facts.reference)

    def elements(self, model: Origin, facts: ModelFacts) -> None:
        """Every interface meets every MLIP: each element must be known to each model, unless such pairs are skipped."""
        if self.campaign.unknown_elements == "skip" and any(e <= set(facts.elements) for e in self.interfaces.values()):
            return
        for interface, elements in self.interfaces.items():
            for element in sorted(elements - set(facts.elements)):
                raise CampaignError(
                    self.file,
                    dotted(("mlips", model.name)),
                    f"the model {model.path.name} does not know {element}, which the interface `{interface}` holds"
                    f" (it knows {', '.join(facts.elements)})",
                    f"use a model made for {element}, or remove one of the two",
                )

    def _asked(self, model: Origin, question: Callable[[], Facts]) -> Facts:
        try:
            return question()
        except ModelError as error:
            raise self._model_error(model, error) from error
        except ImportError as error:
            needed = " and ".join(load_family(model.family).requires)
            problem = f"family `{model.family}` cannot be used here ({error})"
            name = load_family(model.family).environment
            remedy = f"install {needed}" + (f", or run `falsemetal model env {name}`" if name else "")
            raise CampaignError(self.file, dotted(("mlips", model.name)), problem, remedy) from error
        except Exception as error:  # a family met a keyword's value that it did not expect
            problem = f"family `{model.family}` cannot use these values ({type(error).__name__}: {error})"
            field = dotted(("mlips", model.name, "kwargs"))
            raise CampaignError(self.file, field, problem, "correct the keyword arguments") from error

    def _model_error(self, model: Origin, error: ModelError) -> CampaignError:
        # The families say in words whether the file or a keyword is at fault; the file's name tells which.
        at_fault = field(model) if model.path.name in str(error) else dotted(("mlips", model.name, "kwargs"))
        return self._said(error, at_fault)

    def _said(self, error: ModelError, where: str) -> CampaignError:
        problem, _, remedy = str(error).rstrip(".").partition("; ")
        return CampaignError(self.file, where, problem, remedy or "correct it")


def field(model: Origin) -> str:
    """The field of the campaign file that leads to the model's file."""
    part = "preset" if model.spec.preset else "file" if model.spec.file else "kwargs"
    return dotted(("mlips", model.name, part))

"""Expands a campaign into its pairs: every interface with every MLIP and every seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .check import ResolvedModel
from .schema import Campaign, names_of
from .structures import ResolvedStructure
from .trajectories import ResolvedTrajectory

FINGERPRINT_VERSION = 2
"""Raised when the meaning of a setting changes, so that old results are not taken for new ones.

2: ``gap`` has a ladder of smearings in place of one width, and a ``pseudo_family`` other than the protocol's brings its
own cutoffs.
"""

RESOURCES = {"md": ("walltime", "threads", "device", "jobs_per_gpu", "batch"), "gap": ("ranks",)}
"""Settings that change how long a result takes and not what it means."""
ADAPTIVE = {"md": ("precision", "max_steps"), "selection": ("most", "batch", "half_width")}
"""Settings that mean something only where the first of them is given. Where it is not, they are no part of a
fingerprint: results that are older than these settings stay in force."""


@dataclass(frozen=True)
class Pair:
    """One interface with one MLIP and one seed, and all that is needed to compute it.

    :param interface: label in the campaign.
    :param recipe: name of the interface's recipe.
    :param parameters: all parameters of the recipe.
    :param mlip: label in the campaign.
    :param family: name of the MLIP family.
    :param path: absolute path of the model's file.
    :param sha256: checksum of that file.
    :param kwargs: keyword arguments of the calculator.
    :param md: all of ``MdSettings``, the MLIP's own values merged in.
    :param selection: all of ``Selection``.
    :param gap: all of ``GapSettings``.
    :param seed: seed of the MD.
    :param code: label of the AiiDA code for the MD, or None for the default.
    :param structure: what the recipe starts from, or None.
    """

    interface: str
    recipe: str
    parameters: dict[str, Any]
    mlip: str
    family: str
    path: Path
    sha256: str
    kwargs: dict[str, Any]
    md: dict[str, Any]
    selection: dict[str, Any]
    gap: dict[str, Any]
    seed: int
    code: str | None = None
    structure: ResolvedStructure | None = None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) of what determines the result.

        Labels, the places of the model's and the structure's files (their content counts), the code and the resources
        (``RESOURCES``, slots) are left out, so renaming things or running elsewhere leaves a finished result in force.
        """
        content = {
            "version": FINGERPRINT_VERSION,
            "recipe": self.recipe,
            "parameters": self.parameters,
            "family": self.family,
            "model": self.sha256,
            "kwargs": self.kwargs,
            "md": _without(_adaptive("md", self.md), RESOURCES["md"]),
            "selection": _adaptive("selection", self.selection),
            "gap": _without(self.gap, RESOURCES["gap"]),
            "seed": self.seed,
        }
        if self.structure is not None:
            content["structure"] = self.structure.content
        return hashlib.sha256(canonical(content).encode("ascii")).hexdigest()


@dataclass(frozen=True)
class TrajectoryPair:
    """A trajectory that is there already, and all that is needed to judge it.

    :param interface: label of its rows.
    :param mlip: label of its rows.
    :param seed: of the selection.
    :param trajectory: what was found.
    :param equilibration: ps, or ``auto``.
    :param selection: all of ``Selection``.
    :param gap: all of ``GapSettings``.
    """

    interface: str
    mlip: str
    seed: int
    trajectory: ResolvedTrajectory
    equilibration: float | str
    selection: dict[str, Any]
    gap: dict[str, Any]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) of what determines the result, as :attr:`Pair.fingerprint`."""
        content = {
            "version": FINGERPRINT_VERSION,
            "trajectory": self.trajectory.content,
            "equilibration": self.equilibration,
            "selection": _adaptive("selection", self.selection),
            "gap": _without(self.gap, RESOURCES["gap"]),
            "seed": self.seed,
        }
        return hashlib.sha256(canonical(content).encode("ascii")).hexdigest()


def expand_trajectories(campaign: Campaign) -> list[TrajectoryPair]:
    """A pair for each of the campaign's trajectories, in its order.

    :raises LookupError: if one was not looked up.
    """
    pairs = []
    for name, spec in campaign.trajectories.items():
        interface, mlip, seed = names_of(name, spec)
        pairs.append(
            TrajectoryPair(
                interface=interface,
                mlip=mlip,
                seed=seed,
                trajectory=spec.found,
                equilibration=campaign.md.equilibration if spec.equilibration is None else spec.equilibration,
                selection=campaign.selection.model_dump(),
                gap=campaign.gap.model_dump(),
            )
        )
    return pairs


def expand(campaign: Campaign, models: Iterable[ResolvedModel]) -> list[Pair]:
    """All pairs: interfaces outermost, then MLIPs, then seeds, each in the campaign's order; see :func:`skipped`.

    :param models: what :func:`.check.check_campaign` found; one for each of the campaign's MLIPs.
    :raises KeyError: if ``models`` lacks one.
    """
    found = {model.name: model for model in models}
    left_out = skipped(campaign, found.values())
    return [
        Pair(
            interface=interface,
            recipe=spec.recipe,
            parameters=dict(spec.parameters),
            mlip=mlip,
            family=found[mlip].family,
            path=found[mlip].path,
            sha256=found[mlip].sha256,
            kwargs=dict(found[mlip].kwargs),
            md=campaign.md_of(mlip).model_dump(),
            selection=campaign.selection.model_dump(),
            gap=campaign.gap.model_dump(),
            seed=seed,
            code=found[mlip].code,
            structure=spec.structure,
        )
        for interface, spec in campaign.interfaces.items()
        for mlip in campaign.mlips
        if (interface, mlip) not in left_out
        for seed in campaign.seeds
    ]


def skipped(campaign: Campaign, models: Iterable[ResolvedModel]) -> dict[tuple[str, str], list[str]]:
    """Pairs (interface, MLIP) that a campaign with ``unknown_elements: skip`` leaves out, and the unknown elements."""
    if campaign.unknown_elements != "skip":
        return {}
    models = list(models)
    found = {}
    for interface, spec in campaign.interfaces.items():
        elements = spec.elements()
        for model in models:
            unknown = sorted(elements - set(model.facts.elements))
            if unknown:
                found[interface, model.name] = unknown
    return found


def canonical(value: Any) -> str:
    """JSON text that is the same for equal values: keys sorted, no spaces, ``6.0`` written as ``6``.

    :raises ValueError: if a number is not finite.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _without(settings: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: item for key, item in settings.items() if key not in keys}


def _adaptive(section: str, settings: dict[str, Any]) -> dict[str, Any]:
    """``settings`` without those of ``ADAPTIVE`` that mean nothing."""
    names = ADAPTIVE[section]
    return settings if settings.get(names[0]) is not None else _without(settings, names)

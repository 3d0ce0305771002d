"""What a file of twins asks for: sampling runs, those of active rounds, and the samplers' files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..mlips.family import ModelError
from .errors import CampaignError, dotted
from .expand import canonical
from .origin import find_origin
from .twins import Source, Twins

FINGERPRINT_VERSION = 1
"""Raised when the meaning of a run's settings changes."""
RESOURCES = ("walltime", "threads")


@dataclass(frozen=True)
class Run:
    """One sampling run: a source at one temperature.

    :param source: name in the file.
    :param sampler: name in the file.
    :param content: what :class:`..workflows.sample.SampleWorkChain` is given: ``source``, ``recipe``, ``parameters``,
        ``md``, ``selection``.
    :param fingerprint: SHA-256 of what determines the configurations; names and resources are left out.
    """

    source: str
    sampler: str
    content: dict[str, Any]
    fingerprint: str


@dataclass(frozen=True)
class Sampler:
    """An MLIP of the file with everything looked up; fields as of :class:`.check.ResolvedModel`."""

    name: str
    family: str
    path: Path
    sha256: str
    kwargs: dict[str, Any]
    facts: dict[str, Any]
    code: str | None
    accepted: str | None


def check_samplers(twins: Twins, path: Path) -> dict[str, Sampler]:
    """Find every sampler's file and see that it knows the elements of its sources.

    :raises CampaignError: with the file, the field, the fault and the remedy.
    """
    found = {}
    for name, spec in twins.samplers.items():
        where = dotted(("samplers", name))
        try:
            origin = find_origin(name, spec, path.resolve().parent)
            with open(origin.path, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            facts = origin.facts()
        except (ModelError, OSError, ImportError) as error:
            problem, _, remedy = str(error).rstrip(".").partition("; ")
            raise CampaignError(str(path), where, problem, remedy or "use another model") from error
        if spec.sha256 not in (None, digest):
            raise CampaignError(str(path), where, f"the file has the checksum {digest}", "pin this one")
        for source_name, source in twins.sources.items():
            unknown = sorted(source.elements() - set(facts.elements))
            if source.sampler == name and unknown:
                problem = f"the model does not know {unknown[0]}, which the source `{source_name}` holds"
                raise CampaignError(str(path), where, problem, "use another model")
        found[name] = Sampler(
            name, origin.family, origin.path, digest, origin.kwargs, facts.as_dict(), origin.code, origin.accepted
        )
    return found


def expand_runs(twins: Twins, samplers: dict[str, Sampler]) -> list[Run]:
    """All sampling runs, in the file's order."""
    runs = []
    for name, source in twins.sources.items():
        sampling = twins.sampling_of(name).model_dump()
        equilibration = sampling.pop("equilibration")
        walltime = sampling.pop("walltime")
        sampler = samplers[source.sampler]
        for number, kelvin in enumerate(source.temperatures):
            seed = source.seed + number
            selection = {
                "frames": source.frames,
                "close": source.close,
                "start": equilibration,
                "max_drop": twins.label.max_drop,
                "seed": seed,
            }
            content = _content(source, {**sampling, "temperature": kelvin, "seed": seed}, selection)
            identity = {
                **content,
                "md": {key: value for key, value in content["md"].items() if key not in RESOURCES},
                "version": FINGERPRINT_VERSION,
                "family": sampler.family,
                "model": sampler.sha256,
                "kwargs": sampler.kwargs,
            }
            digest = hashlib.sha256(canonical(identity).encode("ascii")).hexdigest()
            whole = {**content, "source": name, "sampler": source.sampler, "walltime": walltime}
            runs.append(Run(name, source.sampler, whole, digest))
    return runs


def expand_rounds(twins: Twins) -> list[dict[str, Any]]:
    """What the active rounds move, in order: ``round`` (from 1 on), ``source``, ``recipe``, ``parameters``, ``md``,
    ``selection``, ``walltime``.

    Each is run by the short-ranged and by the long-ranged model of its round, whose files are not known yet: so it has
    no sampler and no fingerprint.
    """
    runs = []
    for number in range(1, twins.rounds.number + 1):
        for name in twins.moved:
            source = twins.sources[name]
            sampling = twins.round_sampling_of(name).model_dump()
            equilibration, walltime = sampling.pop("equilibration"), sampling.pop("walltime")
            for index, kelvin in enumerate(twins.rounds.temperatures or source.temperatures):
                # Another seed in every round: the same start is the same run where the potential is nearly the same.
                seed = (source.seed + index + 1000 * number) % (2**31 - 1)
                selection = {
                    "frames": twins.rounds.frames,
                    "start": equilibration,
                    "max_drop": twins.label.max_drop,
                    **{key: getattr(twins.rounds, key) for key in ("apart", "least", "most")},
                }
                content = _content(source, {**sampling, "temperature": kelvin, "seed": seed}, selection)
                runs.append({**content, "round": number, "source": name, "walltime": walltime})
    return runs


def _content(source: Source, md: dict[str, Any], selection: dict[str, Any]) -> dict[str, Any]:
    """What decides a run's configurations, but for the model that moves it."""
    if source.recipe == "bulk":
        md["max_evaporated"] = 1.0  # a liquid without a surface has nothing to leave
    return {
        "recipe": source.recipe,
        "parameters": source.parameters().model_dump(mode="json", exclude_none=True),
        "md": md,
        "selection": selection,
    }

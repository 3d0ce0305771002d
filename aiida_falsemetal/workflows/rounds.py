"""Active rounds of twins: who is in a committee, and what its sampling runs are called and found by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from ..data.mlip import MlipData
from .train import training_parameters

VERSION = 1
"""Raised when the meaning of an active run's settings changes."""
RESOURCES = ("threads", "device")
MOVERS = 2
"""Members that move the sources: the first two, a short-ranged and a long-ranged one."""


@dataclass(frozen=True)
class Member:
    """A model of a committee.

    :param name: its place, as a port: ``m00``, ``m01``, ...
    :param label: of its node.
    :param parameters: of its training, see :func:`.train.training_parameters`.
    """

    name: str
    label: str
    parameters: dict[str, Any]


def round_training(content: dict[str, Any]) -> dict[str, Any]:
    """Training settings of a committee: those of the twins, and what differs in the rounds."""
    return {**content["training"], **content["rounds"]["training"]}


def committee(content: dict[str, Any], number: int) -> list[Member]:
    """The members of a round: short-ranged and long-ranged in turn, every two with the next seed.

    The first two have the training's own seed: the twins of the labels so far, as far as ``rounds.training`` is empty.

    :param content: of the file of twins, with ``baseline``.
    """
    members = []
    common = round_training(content)
    for place in range(content["rounds"]["committee"]):
        long_ranged, later = bool(place % 2), place // 2
        training = {**common, "seed": common["seed"] + later}
        suffix = ("lr" if long_ranged else "sr") + (f"{later + 1}" if later else "")
        parameters = training_parameters(training, content["baseline"] if long_ranged else None)
        members.append(Member(f"m{place:02d}", f"{content['name']}-r{number}-{suffix}", parameters))
    return members


def active_run(run: dict[str, Any], mover: str, models: dict[str, MlipData], slots: int) -> dict[str, Any]:
    """A run of a round with its sampler and its fingerprint, as :class:`.sample.SampleWorkChain` takes it.

    :param run: of the file's active runs.
    :param mover: name of the member that moves.
    :param models: all members, by name.
    """
    identity = {
        **{key: run[key] for key in ("recipe", "parameters", "selection")},
        "md": {key: value for key, value in run["md"].items() if key not in RESOURCES},
        "version": VERSION,
        "mover": _identity(models[mover]),
        "committee": sorted(json.dumps(_identity(node), sort_keys=True) for node in models.values()),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    more = {"sampler": models[mover].label, "sampler_number": mover, "slots": slots, "fingerprint": digest}
    return {**run, **more}


def _identity(node: MlipData) -> dict[str, Any]:
    return {"family": node.family, "sha256": node.sha256, "kwargs": node.kwargs}

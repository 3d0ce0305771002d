"""Pairs of a campaign whose MD runs in one process: seeds of one interface and MLIP, with equal settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from ..calculations.interface import build_interface
from ..calculations.md import DEFAULTS as DRIVER
from ..calculations.md_batch import MlipMdBatchCalculation
from .cleaning import DEFAULT
from .options import PLAN, md_options

Pairs = Mapping[str, Mapping[str, Any]]
"""Inputs of PairWorkChains by any key."""


def batches_of(pairs: Pairs) -> list[list[str]]:
    """Keys of pairs that go together, at least two and at most as many as they ask for; others are in none."""
    alike: dict[str, list[str]] = {}
    for key, inputs in pairs.items():
        common = _common(inputs)
        if common is not None:
            alike.setdefault(common, []).append(key)
    found = []
    for keys in alike.values():
        size = _size(pairs[keys[0]])
        found += [keys[start : start + size] for start in range(0, len(keys), size)]
    return [keys for keys in found if len(keys) > 1]


def batch_builder(pairs: Pairs, keys: list[str]) -> ProcessBuilder:
    """The batch of these pairs. Builds the interface, which each pair does again for itself: it comes out the same.

    Has to be called in a process, so that the interface is linked to what has made it.

    :raises Exception: whatever building raises; the pairs will say so themselves.
    """
    first = pairs[keys[0]]
    given = [first["structure"]] if "structure" in first else []
    built = build_interface(first["recipe"], *given, metadata={"call_link_label": f"build_{keys[0]}"})
    options = first["md_options"].get_dict()
    parameters = {**DRIVER, **{key: value for key, value in first["md"].get_dict().items() if key not in PLAN}}
    builder = MlipMdBatchCalculation.get_builder()
    builder.code = first["md_code"]
    builder.structure, builder.info = built["structure"], built["info"]
    builder.mlip = first["mlip"]
    builder.parameters = orm.Dict(parameters)
    builder.seeds = orm.List([seed_of(pairs[key]) for key in keys])
    builder.metadata.options = md_options(options, int(parameters["threads"]))
    # By which it is known whose MD this is, while the pairs have no process yet.
    builder.metadata.label = "{interface} x {mlip}".format(**first["labels"].get_dict())
    return builder


def seed_of(inputs: Mapping[str, Any]) -> int:
    """Seed of a pair's MD."""
    return int(inputs["md"].get_dict()["seed"])


def keep_of(inputs: Mapping[str, Any]) -> str:
    """Which work folders of its MD stay."""
    return str(inputs["md_options"].get_dict().get("keep", DEFAULT))


def _size(inputs: Mapping[str, Any]) -> int:
    return int(inputs["md_options"].get_dict().get("batch", 1))


def _common(inputs: Mapping[str, Any]) -> str | None:
    """What pairs of one batch have in common, as text; None of a pair that is in none."""
    if "md_options" not in inputs or "recipe" not in inputs or _size(inputs) < 2:
        return None
    md = {key: value for key, value in inputs["md"].get_dict().items() if key != "seed"}
    nodes = [str(inputs[name].uuid) for name in ("mlip", "md_code", "structure") if name in inputs]
    labels = inputs["labels"].get_dict()
    names = [labels["interface"], labels["mlip"]]
    return json.dumps([names, inputs["recipe"].get_dict(), md, inputs["md_options"].get_dict(), nodes], sort_keys=True)

"""The pairs of a large campaign, as names of stored nodes in files instead of inputs of its workchain.

A workchain's inputs and children are in its checkpoint, which AiiDA writes anew several times a step. With every node
of every pair in it, a campaign of N pairs would write a number of steps and a number of bytes that both grow as N. From
a plan the workchain reads the pairs that it submits next, and nothing else; each pair's inputs are linked to the pair.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from aiida import orm

COUNT = "pairs.json"
CHUNK = 64
"""Pairs in one file."""


def make_plan(pairs: Mapping[str, Mapping[str, Any]]) -> orm.FolderData:
    """A plan, not stored. The nodes that it names have to be stored before it is used.

    :param pairs: inputs of one PairWorkChain each, by any key. Whatever is no node (``metadata``) is left out.
    """
    plan = orm.FolderData()
    keys = sorted(pairs)
    for number, start in enumerate(range(0, len(keys), CHUNK)):
        entries = [
            [key, fingerprint_of(pairs[key]), {name: node.uuid for name, node in pairs[key].items() if _is_node(node)}]
            for key in keys[start : start + CHUNK]
        ]
        _put(plan, _file(number), entries)
    _put(plan, COUNT, len(keys))
    return plan


def planned_nodes(pairs: Mapping[str, Mapping[str, Any]]) -> Iterator[orm.Node]:
    """The nodes that a plan of these pairs names, each once."""
    seen: set[str] = set()
    for inputs in pairs.values():
        for node in inputs.values():
            if _is_node(node) and node.uuid not in seen:
                seen.add(node.uuid)
                yield node


def plan_length(plan: orm.FolderData) -> int:
    """How many pairs it has."""
    return int(json.loads(plan.base.repository.get_object_content(COUNT)))


def plan_fingerprints(plan: orm.FolderData) -> list[str]:
    """Fingerprints of all its pairs."""
    found = []
    for number in range(0, plan_length(plan), CHUNK):
        entries = json.loads(plan.base.repository.get_object_content(_file(number // CHUNK)))
        found += [fingerprint for _, fingerprint, _ in entries]
    return found


def fingerprint_of(pair: Mapping[str, Any]) -> str:
    """A pair's fingerprint, which is in its labels; empty where there is none."""
    return str(pair["labels"].get_dict().get("fingerprint", ""))


def read_plan(plan: orm.FolderData, start: int, count: int) -> dict[str, dict[str, Any]]:
    """Inputs of ``count`` pairs from the one of number ``start`` on, by their keys."""
    found: dict[str, dict[str, Any]] = {}
    for number in range(start, min(start + count, plan_length(plan))):
        if number == start or number % CHUNK == 0:
            entries = json.loads(plan.base.repository.get_object_content(_file(number // CHUNK)))
        key, _, names = entries[number % CHUNK]
        found[key] = {name: orm.load_node(uuid=uuid) for name, uuid in names.items()}
    return found


def _is_node(value: Any) -> bool:
    return isinstance(value, orm.Node)


def _file(number: int) -> str:
    return f"{number:06d}.json"


def _put(plan: orm.FolderData, name: str, content: Any) -> None:
    plan.base.repository.put_object_from_filelike(io.BytesIO(json.dumps(content).encode()), name)

"""One pair and its frames of a real campaign, as rows of AiiDA's tables to make many of."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from aiida import orm

GAP, BASE = "aiida.workflows:falsemetal.gap", "aiida.workflows:quantumespresso.pw.base"
PAIR = "aiida.workflows:falsemetal.pair"
OF_A_FRAME = re.compile(r"(record|frame)_\d+")
LONG_TEXTS = ("prepend_text",)
"""Of a job's attributes, what is long, the same in all, and asked for by nobody: left out."""
COLUMNS = (
    *("id", "uuid", "node_type", "process_type", "label", "description", "ctime", "mtime", "attributes", "extras"),
    *("repository_metadata", "dbcomputer_id", "user_id"),
)
LINK_COLUMNS = ("id", "input_id", "output_id", "label", "type")


@dataclass
class Part:
    """Nodes that are made together, and the links that each of these has to another of them or to what is shared.

    :param root: pk of its workchain.
    :param nodes: by pk: ``node_type``, ``process_type``, ``label``, ``attributes``, ``extras``,
        ``repository_metadata``, ``computer``.
    :param links: pk of the input, pk of the output, label, type.
    :param roles: pks of the nodes whose values differ.
    """

    root: int
    nodes: dict[int, dict[str, Any]] = field(default_factory=dict)
    links: list[tuple[int, int, str, str]] = field(default_factory=list)
    roles: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Template:
    """A pair, a frame with the fewest runs of pw.x, one with the most, and the two functions that conclude.

    :param cell: the verdict on all seeds of an interface and MLIP; in its links, what goes in is a pair's verdict.
    :param law: the gap law of an interface, without what went in.
    """

    pair: Part
    plain: Part
    long: Part
    cell: Part
    law: Part


def read_template(campaign: str) -> Template:
    """The parts of the first pair of a campaign in the loaded profile.

    :raises LookupError: if there is none that has finished frames.
    """
    query = orm.QueryBuilder()
    filters = {"process_type": PAIR, "extras.falsemetal_campaign": campaign, "attributes.exit_status": 0}
    query.append(orm.WorkChainNode, filters=filters, tag="pair", project=["*"])
    query.append(orm.WorkChainNode, filters={"process_type": GAP}, with_incoming="pair", tag="gap", project=["*"])
    query.append(orm.WorkChainNode, filters={"process_type": BASE}, with_incoming="gap", project=["id"])
    query.order_by([{"pair": "id"}, {"gap": "id"}])
    runs: dict[int, int] = {}
    nodes: dict[int, tuple[orm.WorkChainNode, orm.WorkChainNode]] = {}
    for pair, gap, _ in query.iterall():
        runs[gap.pk] = runs.get(gap.pk, 0) + 1
        nodes[gap.pk] = (pair, gap)
    if not runs:
        raise LookupError(f"campaign {campaign!r}: no finished pair with runs of pw.x to take as a template.")
    plain, long = min(runs, key=lambda pk: (runs[pk], pk)), max(runs, key=lambda pk: (runs[pk], -pk))
    ends = [_conclusion(kind, campaign) for kind in ("cell", "law")]
    return Template(_pair(nodes[plain][0]), _frame(nodes[plain][1]), _frame(nodes[long][1]), *ends)


def _conclusion(kind: str, campaign: str) -> Part:
    """A function that concluded, and what it made."""
    query = orm.QueryBuilder()
    filters = {"extras.falsemetal_kind": kind, "extras.falsemetal_campaign": campaign}
    query.append(orm.CalcFunctionNode, filters=filters, tag="function", project=["*"])
    query.order_by([{"function": "id"}])
    function = query.first()[0]
    made = function.outputs.result
    part = Part(function.pk, {node.pk: _row(node) for node in (function, made)}, roles={"made": made.pk})
    part.links = [link for link in _links(part) if link[1] == made.pk]
    return part


def _pair(pair: orm.WorkChainNode) -> Part:
    """A pair with all that it called and made, but not its frames."""
    part = Part(pair.pk)
    given = {entry.link_label: entry.node for entry in pair.base.links.get_incoming().all()}
    made = _descendants(pair, lambda entry: entry.node.process_type == GAP or OF_A_FRAME.fullmatch(entry.link_label))
    for node in [*(given[name] for name in ("recipe", "md")), *made]:
        part.nodes[node.pk] = _row(node)
    for entry in pair.base.links.get_outgoing().all():
        if entry.link_label == "verdict" and isinstance(entry.node, orm.Dict):
            part.roles["verdict"] = entry.node.pk
        if entry.link_label == "select":
            part.roles["select"] = entry.node.pk
    part.roles["md"] = given["md"].pk
    part.links = _links(part)
    return part


def _frame(gap: orm.WorkChainNode) -> Part:
    """A frame: its record, its GapWorkChain, runs and jobs of pw.x, the function that made its result, and the result.

    Structures, bands and the Dicts that pw.x was given are left out: no table shows them.
    """
    part = Part(gap.pk)
    part.roles = {"gap": gap.pk, "record": gap.inputs.record.pk, "result": gap.outputs.result.pk}
    made = [node for node in _descendants(gap, lambda entry: False) if isinstance(node, orm.ProcessNode)]
    function = next(node for node in made if node.process_label == "frame_result")
    part.roles["function"] = function.pk
    kept = [node for node in made if isinstance(node, (orm.WorkChainNode, orm.CalcJobNode)) or node is function]
    for node in [gap.inputs.record, *kept, gap.outputs.result]:
        part.nodes[node.pk] = _row(node)
    part.links = [link for link in _links(part) if not OF_A_FRAME.fullmatch(link[2]) and not link[2].startswith("gap_")]
    return part


def _descendants(root: orm.ProcessNode, left_out: Any) -> list[orm.Node]:
    """A process, what it called, and what these made; oldest first."""
    found: dict[int, orm.Node] = {root.pk: root}
    ahead: list[orm.ProcessNode] = [root]
    while ahead:
        for entry in ahead.pop().base.links.get_outgoing().all():
            if entry.node.pk in found or left_out(entry):
                continue
            found[entry.node.pk] = entry.node
            if isinstance(entry.node, orm.ProcessNode):
                ahead.append(entry.node)
    return [found[pk] for pk in sorted(found)]


def _row(node: orm.Node) -> dict[str, Any]:
    attributes = dict(node.base.attributes.all)
    if isinstance(node, orm.ProcessNode):
        attributes.update({name: "" for name in LONG_TEXTS if name in attributes})
        called = (attributes.get("metadata_inputs") or {}).get("metadata", {}).get("call_link_label")
        if called is not None:
            attributes["metadata_inputs"] = {"metadata": {"call_link_label": called}}
    return {
        "node_type": node.node_type,
        "process_type": node.process_type,
        "label": node.label,
        "attributes": attributes,
        "extras": dict(node.base.extras.all),
        "repository_metadata": json.dumps(node.base.repository.metadata),
        "computer": node.computer.pk if node.computer is not None else None,
    }


def _links(part: Part) -> list[tuple[int, int, str, str]]:
    """Links between nodes of the part, and to those that are not made anew but shared: inputs from outside."""
    query = orm.QueryBuilder()
    query.append(orm.Node, tag="input", project=["id"])
    query.append(
        orm.Node,
        filters={"id": {"in": list(part.nodes)}},
        with_incoming="input",
        project=["id"],
        edge_project=["label", "type"],
    )
    return [(source, target, label, kind) for source, target, label, kind in query.iterall()]

"""The nodes that one frame's gap came from, found by the names of their links."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.common.links import LinkType

from ..names import CELL, NEWEST_FIRST, OLDEST_FIRST
from .tokens import QueryError

GAP, PAIR, MD = (f"aiida.workflows:falsemetal.{name}" for name in ("gap", "pair", "md"))
BASE, PW = "aiida.workflows:quantumespresso.pw.base", "aiida.calculations:quantumespresso.pw"
WORDS = {
    GAP: "a GapWorkChain",
    PAIR: "a PairWorkChain",
    MD: "an MlipMdWorkChain",
    BASE: "a PwBaseWorkChain",
    PW: "a run of pw.x",
    "aiida.workflows:falsemetal.screen": "a ScreenWorkChain",
    "aiida.calculations:falsemetal.md": "a run of the MD driver",
    "aiida.calculations:falsemetal.md_batch": "a run of the MD driver for several seeds",
}
"""What a process is, in a sentence."""
LARGEST = 2**31 - 1
"""pk that every database can be asked for; of a larger one they say that it does not fit, each in its own way."""
SOME = 5
"""pks that a sentence names."""


@dataclass
class Lineage:
    """Nodes behind a frame. What is not there, or not yet, is None.

    :param gap: its GapWorkChain.
    :param attempts: label of the link, and job, of every run of pw.x, in their order.
    :param pair: None for a structure whose gap was asked for by itself.
    :param cell: newest verdict on the interface and MLIP that the pair's verdict went into.
    """

    gap: orm.WorkChainNode
    attempts: list[tuple[str, orm.CalcJobNode]] = field(default_factory=list)
    pair: orm.WorkChainNode | None = None
    md_jobs: list[orm.CalcJobNode] = field(default_factory=list)
    cell: orm.Dict | None = None

    def given(self, name: str) -> Any:
        """An input of the GapWorkChain."""
        return linked(self.gap, name, incoming=True)

    def made(self, name: str) -> Any:
        """An output of the GapWorkChain."""
        return linked(self.gap, name)

    def pair_given(self, name: str) -> Any:
        """An input of the PairWorkChain."""
        return None if self.pair is None else linked(self.pair, name, incoming=True)

    def pair_made(self, name: str) -> Any:
        """An output of the PairWorkChain."""
        return None if self.pair is None else linked(self.pair, name)

    @property
    def chosen_by(self) -> orm.ProcessNode | None:
        """The calcfunction that chose the frame."""
        record = self.given("record")
        return None if record is None else record.creator


def linked(node: orm.Node, name: str, incoming: bool = False) -> Any:
    """What is linked to a process as its input or output ``name``; None where nothing is."""
    kinds = (LinkType.INPUT_WORK, LinkType.INPUT_CALC) if incoming else (LinkType.RETURN, LinkType.CREATE)
    links = node.base.links
    found = (links.get_incoming if incoming else links.get_outgoing)(link_type=kinds, link_label_filter=name).all()
    return next((entry.node for entry in found if entry.link_label == name), None)


def find_lineage(pk: int) -> Lineage:
    """The nodes behind a frame.

    :param pk: of its result, its GapWorkChain, or one of its runs of pw.x.
    :raises QueryError: if it is anything else; the sentence says what, and which pks to ask for.
    """
    try:
        if not 0 < pk <= LARGEST:
            raise NotExistent
        node = orm.load_node(pk=pk)
    except NotExistent:
        raise QueryError(f"there is no node {pk} in this profile; {_remedy()}.") from None
    gap = _gap_of(node)
    if gap is None:
        raise QueryError(f"{pk} is {_what(node)}; {_frames_of(node)}.")
    # The run of a solvent without its metal is a part of the frame's own.
    while gap.caller is not None and gap.caller.process_type == GAP:
        gap = gap.caller
    pair = gap.caller if gap.caller is not None and gap.caller.process_type == PAIR else None
    found = Lineage(gap, _attempts(gap), pair)
    if pair is not None:
        found.md_jobs = _md_jobs(pair)
        found.cell = _cell_of(found.pair_made("verdict"))
    return found


def _gap_of(node: orm.Node) -> orm.WorkChainNode | None:
    """The GapWorkChain that a node stands for."""
    if isinstance(node, orm.ProcessNode):
        if node.process_type == GAP:
            return node
        if node.process_type in (PW, BASE) and node.caller is not None:
            return _gap_of(node.caller)
        return None
    query = orm.QueryBuilder()
    query.append(orm.Dict, filters={"id": node.pk}, tag="result")
    query.append(
        orm.WorkChainNode,
        filters={"process_type": GAP},
        with_outgoing="result",
        edge_filters={"label": "result"},
        project=["*"],
    )
    query.limit(1)
    return query.first(flat=True)


def _what(node: orm.Node) -> str:
    """A node in words."""
    if isinstance(node, orm.ProcessNode):
        return WORDS.get(node.process_type or "", f"the process {node.process_label or node.process_type}")
    query = orm.QueryBuilder()
    query.append(type(node), filters={"id": node.pk}, tag="node")
    query.append(orm.ProcessNode, with_outgoing="node", project=["attributes.process_label"], edge_project=["label"])
    query.limit(1)
    made = query.first()
    name = type(node).__name__
    kind = f"{'an' if name[0] in 'AEIM' else 'a'} {name}"
    return kind if made is None else f"{kind}, the output {made[1]} of {made[0] or 'a process'}"


def _frames_of(node: orm.Node) -> str:
    """Which pks to ask for instead: the frames of a pair, where the node is one."""
    if not isinstance(node, orm.WorkChainNode) or node.process_type != PAIR:
        return _remedy()
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": node.pk}, tag="pair")
    query.append(orm.WorkChainNode, filters={"process_type": GAP}, with_incoming="pair", tag="gap", project=["id"])
    query.order_by([{"gap": "id"}])
    pks = query.all(flat=True)
    if not pks:
        return "it has no frames yet, and a story is that of a frame"
    shown = ", ".join(str(pk) for pk in pks[:SOME]) + ", ..." * (len(pks) > SOME)
    return f"ask for one of its frames: {shown}"


def _remedy() -> str:
    return "ask for the pk of a frame: `falsemetal query frames --columns result_pk,gap_pk,pw_pk` lists them"


def _attempts(gap: orm.WorkChainNode) -> list[tuple[str, orm.CalcJobNode]]:
    """Every run of pw.x, with the link label of its PwBaseWorkChain, which may have tried several times."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": gap.pk}, tag="gap")
    query.append(
        orm.WorkChainNode, filters={"process_type": BASE}, with_incoming="gap", tag="base", edge_project=["label"]
    )
    query.append(orm.CalcJobNode, with_incoming="base", tag="job", project=["*"])
    # What is projected of a link comes after what is projected of nodes.
    return sorted(((label, job) for job, label in query.iterall()), key=lambda entry: (entry[1].ctime, entry[1].pk))


def _md_jobs(pair: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    """Every run of the MD driver, oldest first."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": pair.pk}, tag="pair")
    query.append(orm.WorkChainNode, filters={"process_type": MD}, with_incoming="pair", tag="md")
    query.append(orm.CalcJobNode, with_incoming="md", tag="job", project=["*"])
    query.order_by([{"job": OLDEST_FIRST}])
    return list(query.all(flat=True))


def _cell_of(verdict: orm.Dict | None) -> orm.Dict | None:
    """The newest verdict on all seeds that a pair's verdict went into."""
    if verdict is None:
        return None
    query = orm.QueryBuilder()
    query.append(orm.Dict, filters={"id": verdict.pk}, tag="verdict")
    query.append(
        orm.CalcFunctionNode, filters={"extras.falsemetal_kind": CELL}, with_incoming="verdict", tag="function"
    )
    query.append(orm.Dict, with_incoming="function", tag="cell", project=["*"])
    query.order_by([{"cell": NEWEST_FIRST}])
    query.limit(1)
    return query.first(flat=True)


def batch_of(lineage: Lineage, step: int) -> tuple[int, Any] | None:
    """Number and node of the batch that a frame was drawn in; None for frames of versions before there were batches."""
    function, population = lineage.chosen_by, lineage.pair_made("population")
    if function is None or population is None:
        return None
    steps = population.get_array("step")
    for entry in function.base.links.get_outgoing(link_type=LinkType.CREATE).all():
        named = re.fullmatch(r"batch_(\d+)", entry.link_label)
        if named and step in steps[entry.node.get_array("index")].tolist():
            return int(named[1]), entry.node
    return None

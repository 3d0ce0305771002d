"""What keeps a workchain from being lost or doubled when something is killed.

Two moments are dangerous. A process whose extras are set after it was stored cannot be found by them if its maker is
killed in between, and is submitted again. And a step that was cut off is done again when a daemon continues the
workchain: what it had submitted would be submitted a second time. So extras are stored with the node, in the same
transaction, and a child that is there already is taken.

A process whose maker is killed while it makes it is stored and has no checkpoint: it never began and cannot. Its maker
makes another, and whoever starts a daemon marks it as :data:`NEVER_BEGAN`. A calcfunction that was cut off with its
workchain's worker is called again; the first is marked as :data:`CUT_OFF` when the workchain ends or a daemon starts.
"""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState, WorkChain

from ..names import ENDED

ANY_LABEL = "CALL"
"""AiiDA's label of a call whose caller gives none: of such children nobody knows which is which."""
NEVER_BEGAN = "its maker was killed while it made this; it makes another"
"""Status of such a process, which counts as killed."""
CUT_OFF = "the daemon was killed; its workchain calls it again"
"""The same of such a calcfunction."""


def end_process(node: orm.ProcessNode, status: str) -> None:
    """Mark a process that nobody will go on with as killed."""
    node.set_process_state(ProcessState.KILLED)
    node.set_process_status(status)
    node.seal()


def cut_off(callers: dict[str, Any]) -> list[orm.CalcFunctionNode]:
    """Calcfunctions that have not ended, of callers that meet these conditions."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters=callers, tag="caller")
    active = {"attributes.process_state": {"!in": list(ENDED)}}
    query.append(orm.CalcFunctionNode, with_incoming="caller", filters=active, project=["*"])
    return list(query.all(flat=True))


class SteadyWorkChain(WorkChain):
    """See the module. Children are told apart by their ``call_link_label``, which a workchain must give only once."""

    def found_by(self) -> dict[str, Any]:
        """Extras that are stored with the node. The inputs are there already."""
        return {}

    def _setup_metadata(self, metadata: dict[str, Any]) -> None:
        """Called by AiiDA just before the node is stored."""
        super()._setup_metadata(metadata)
        self.node.base.extras.set_many(self.found_by())

    def on_terminated(self) -> None:
        """What was cut off has been called again by now, or never will be."""
        super().on_terminated()
        for node in cut_off({"id": self.node.pk}):
            end_process(node, CUT_OFF)

    def submit(self, process: Any, inputs: Any = None, **kwargs: Any) -> orm.ProcessNode:
        """Submit a child, or take the one of the same label that this very step has submitted before it was cut off.

        :raises ValueError: if another child has that label already: this one would be taken for it.
        """
        given = {**(inputs or {}), **kwargs} or process
        label = (given.get("metadata") or {}).get("call_link_label", ANY_LABEL) if hasattr(given, "get") else ANY_LABEL
        child = None
        if label != ANY_LABEL:
            child = self._child(label)
            # Of this object alone: one that a daemon has loaded again knows none, and may do its last step again.
            labels = self.__dict__.setdefault("_labels", set())
            if label in labels:
                raise ValueError(f"{self.node.process_label} calls two children {label}")
            labels.add(label)
        if child is None:
            return super().submit(process, inputs, **kwargs)
        if child.process_state is ProcessState.CREATED and self.runner.controller is not None:
            # Its maker may have been killed before it told the daemon. A worker ignores what it is told twice.
            self.runner.controller.continue_process(child.pk, nowait=False, no_reply=True)
        self.report(f"{child.process_label}<{child.pk}> ({label}) was submitted before this step was cut off")
        return child

    def _child(self, label: str) -> orm.ProcessNode | None:
        """The child of a label that has ended or can go on, but none that never began."""
        kinds = (LinkType.CALL_CALC, LinkType.CALL_WORK)
        links = self.node.base.links.get_outgoing(link_type=kinds, link_label_filter=label)
        whole = [
            child
            for child in links.all_nodes()
            if child.checkpoint is not None or (child.is_terminated and child.process_status != NEVER_BEGAN)
        ]
        return whole[-1] if whole else None

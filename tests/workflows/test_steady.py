"""What a workchain leaves behind when it ends."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState, WorkChain, run_get_node
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_falsemetal.cli import daemon
from aiida_falsemetal.workflows.steady import CUT_OFF, SteadyWorkChain


def cut(caller: orm.WorkChainNode, state: ProcessState | None) -> orm.CalcFunctionNode:
    """A calcfunction whose worker was killed in the middle of it."""
    node = orm.CalcFunctionNode()
    node.base.links.add_incoming(caller, LinkType.CALL_CALC, f"cut_{state.value if state else None}")
    if state is not None:
        node.set_process_state(state)
    return node.store()


class Disturbed(SteadyWorkChain):
    """Its step was cut off in the middle of a calcfunction, and has been done again."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        super().define(spec)
        spec.outline(cls.twice)

    def twice(self) -> None:
        for state in (None, ProcessState.CREATED, ProcessState.RUNNING, ProcessState.FINISHED):
            cut(self.node, state)


def test_calcfunctions_that_were_cut_off_are_ended(aiida_profile: Any) -> None:
    _, node = run_get_node(Disturbed)
    assert node.is_finished_ok
    ends = {child.process_status: child.is_sealed for child in node.called if child.is_killed}
    assert ends == {CUT_OFF: True} and sum(child.is_killed for child in node.called) == 3
    assert all(child.is_terminated for child in node.called)


def test_those_of_an_earlier_version_are_ended_when_a_daemon_starts(aiida_profile: Any) -> None:
    callers = [orm.WorkChainNode(process_type=name) for name in ("aiida.workflows:falsemetal.pair", "somebody.else")]
    left = []
    for caller in callers:
        caller.set_process_state(ProcessState.FINISHED)
        left.append(cut(caller.store(), ProcessState.CREATED))
    daemon.end_cut_off()
    assert [node.is_killed for node in left] == [True, False]


class Namesakes(SteadyWorkChain):
    """Calls children of these names."""

    NAMES = ("label_a", "label_b", "label_a")

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        super().define(spec)
        spec.outline(cls.call)

    def call(self) -> None:
        for name in self.NAMES:
            self.submit(Disturbed, metadata={"call_link_label": name})


def test_two_children_of_one_name_are_no_accident_that_passes(
    aiida_profile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second would be taken for the first, and never be computed."""
    called = []
    monkeypatch.setattr(WorkChain, "submit", lambda *_, **given: called.append(given["metadata"]["call_link_label"]))
    with pytest.raises(ValueError, match="Namesakes calls two children label_a"):
        run_get_node(Namesakes)
    assert called == ["label_a", "label_b"]

"""Runs a workchain for real, with finished nodes instead of what it would submit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiida import orm
from aiida.engine import ProcessBuilder, run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

Answer = Callable[[int, dict[str, Any]], orm.ProcessNode]


@dataclass
class Driven:
    """A workchain that has run.

    :param submitted: class and inputs of everything it submitted, in order.
    :param answers: what it was given instead, in the same order.
    """

    node: orm.WorkChainNode
    outputs: dict[str, Any]
    submitted: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    answers: list[orm.ProcessNode] = field(default_factory=list)

    def jobs(self) -> list[orm.CalcJobNode]:
        """Jobs of what it was given. A query would find those of other tests too."""
        return [job for answer in self.answers for job in answer.called if isinstance(job, orm.CalcJobNode)]

    def check_inputs(self) -> None:
        """Let the submitted classes validate what they were given."""
        for process_class, inputs in self.submitted:
            instantiate_process(get_manager().get_runner(), process_class, **inputs)

    def report(self) -> str:
        """Everything the workchain reported."""
        logs = orm.Log.collection.get_logs_for(self.node)
        return "\n".join(log.message for log in logs)


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Driven]:
    """``drive(process_class, answer, **inputs)``; ``answer(number, inputs)`` gives the node of a submission."""

    def drive(process_class: Any, answer: Answer, **inputs: Any) -> Driven:
        submitted: list[tuple[Any, dict[str, Any]]] = []
        answers: list[orm.ProcessNode] = []
        labels: set[str | None] = set()

        def submit(_: Any, what: Any, inputs: dict[str, Any] | None = None, **more: Any) -> orm.ProcessNode:
            own = dict(what) if isinstance(what, ProcessBuilder) else {}
            given = {**own, **(inputs or {}), **more}
            # The real one takes the child of that label for this one.
            label = (given.get("metadata") or {}).get("call_link_label")
            assert label is None or label not in labels, f"two children are called {label}"
            labels.add(label)
            # The workchain may change its dictionaries before the next submission.
            copied = {key: dict(value) if isinstance(value, dict) else value for key, value in given.items()}
            submitted.append((what, copied))
            answers.append(answer(len(submitted) - 1, given))
            return answers[-1]

        monkeypatch.setattr(process_class, "submit", submit)
        outputs, node = run_get_node(process_class, **inputs)
        return Driven(node, outputs, submitted, answers)

    return drive

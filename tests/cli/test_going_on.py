"""How a daemon is told to go on with what an earlier one has left."""

from __future__ import annotations

from typing import Any

import pytest
from aiida.manage.manager import Manager

from aiida_falsemetal.cli import daemon
from tests.data import nodes


class Controller:
    """In place of AiiDA's, which needs a broker: what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, dict[str, Any]]] = []

    def continue_process(self, pk: int, **how: Any) -> None:
        self.asked.append((pk, how))


def test_the_task_stays_until_the_process_has_ended(aiida_profile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """``nowait`` would take it out of the queue at once: a worker that is killed later would leave it to nobody."""
    controller = Controller()
    monkeypatch.setattr(Manager, "get_process_controller", lambda self: controller)
    left = [nodes.workchain("falsemetal.pair", exit_status=None) for _ in range(2)]
    daemon._go_on_with(left)
    assert controller.asked == [(node.pk, {"nowait": False, "no_reply": True}) for node in left]

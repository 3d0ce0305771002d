"""kill -9 of everything that takes part, one at a time and all at once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.screen.conftest import Workspace

from .harness import MD, PW, Census, assert_survived, disturbed, kill, pw

pytestmark = [pytest.mark.qe, pytest.mark.slow]

Command = subprocess.Popen[str]
Injection = Callable[[Workspace, Command], None]
SAMPLES = 60
"""Of the MD: it is under way."""


def md(space: Workspace, command: Command) -> None:
    kill([space.wait_for_md(SAMPLES)])


def pw_x(space: Workspace, command: Command) -> None:
    kill([pw(space)])


def worker_in_md(space: Workspace, command: Command) -> None:
    space.wait_for_md(SAMPLES)
    kill(space.processes("daemon", "worker"))


def worker_in_pw(space: Workspace, command: Command) -> None:
    pw(space)
    kill(space.processes("daemon", "worker"))


def broker(space: Workspace, command: Command) -> None:
    space.wait_for_md(SAMPLES)
    kill(space.processes("daemon", "broker"))


def daemon(space: Workspace, command: Command) -> None:
    space.wait_for_md(SAMPLES)
    kill(space.processes("start-circus") or space.processes("circusd"))


def command_itself(space: Workspace, command: Command) -> None:
    space.wait_for_md(SAMPLES)
    command.kill()


def machine_in_md(space: Workspace, command: Command) -> None:
    space.wait_for_md(SAMPLES)
    kill(space.processes(""))


def machine_in_pw(space: Workspace, command: Command) -> None:
    pw(space)
    kill(space.processes(""))


FAULTS = [
    (md, 0, MD),
    (pw_x, 0, PW),
    (worker_in_md, 0, None),
    (worker_in_pw, 0, None),
    (broker, 0, None),
    (daemon, 0, None),
    (command_itself, 1, None),
    (machine_in_md, 1, MD),
    (machine_in_pw, 1, PW),
]
"""What is killed, how often the command is given again, and what must have been lost."""


@pytest.mark.parametrize(("kill_it", "again", "cost"), FAULTS, ids=[kill_it.__name__ for kill_it, *_ in FAULTS])
def test_killed(space: Workspace, reference: Census, kill_it: Injection, again: int, cost: str | None) -> None:
    name = "killed-" + kill_it.__name__.replace("_", "-")
    disturbed(space, name, kill_it, again=again)
    assert_survived(space, name, reference, cost)

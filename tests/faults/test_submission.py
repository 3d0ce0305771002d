"""Two commands that submit the same campaign at once, and commands that are killed while they submit it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.screen.conftest import Workspace

from .harness import CHANGES, Census, assert_survived, census, kill, wait_for

pytestmark = [pytest.mark.qe, pytest.mark.slow]

BEFORE_CHECKPOINT = "from aiida.engine.persistence import AiiDAPersister as where; name = 'save_checkpoint'"
AFTER_START = "from aiida_falsemetal.cli import daemon as where; name = '_await_broker'"
BEFORE_MESSAGE = "from plumpy.process_comms import RemoteProcessThreadController as where; name = 'continue_process'"


def killed_at(space: Workspace, where: str, *arguments: str) -> None:
    """Run ``falsemetal``, killed with -9 where it would make the call ``where``."""
    lines = textwrap.dedent(
        f"""
        import os, signal, sys
        {where}
        setattr(where, name, lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL))
        from aiida_falsemetal.cli.main import main
        sys.argv = ["falsemetal", *{list(arguments)!r}]
        main()
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", lines],
        cwd=space.folder,
        env=space.environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == -9, done.stdout + done.stderr


@pytest.mark.parametrize("where", [BEFORE_CHECKPOINT, BEFORE_MESSAGE], ids=["before-checkpoint", "before-message"])
def test_killed_while_it_submits(space: Workspace, reference: Census, where: str) -> None:
    """The node is stored: the next command must know it, and go on with it or put another in its place."""
    name = "killed-" + ("before-checkpoint" if where == BEFORE_CHECKPOINT else "before-message")
    file = space.campaign(name, **CHANGES)
    killed_at(space, where, "screen", file.name, "--follow")
    screens = f"print(json.dumps(orm.QueryBuilder().append(orm.WorkChainNode, filters={{'label': {name!r}}}).count()))"
    assert space.python(screens) == 1
    dry = space.run("screen", file.name, "--dry-run")
    assert "1 pairs, 1 in the graph already, 0 to submit" in dry
    for _ in range(2):  # a node without a checkpoint cannot go on, and is told as failed first
        command = space.start("screen", file.name, "--follow")
        output, _ = command.communicate(timeout=600)
        if command.returncode == 0:
            break
    assert command.returncode == 0, output
    assert_survived(space, name, reference)


def test_worker_is_killed_that_went_on_with_it(space: Workspace, reference: Census) -> None:
    """What a killed command has stored is nobody's task; the worker that gets it may be killed like any other."""
    name = "killed-then-worker"
    file = space.campaign(name, **CHANGES)
    killed_at(space, BEFORE_MESSAGE, "screen", file.name, "--follow")
    command = space.start("screen", file.name, "--follow")
    space.wait_for_md(60)
    kill(space.processes("daemon", "worker"))
    output, _ = command.communicate(timeout=900)
    assert command.returncode == 0, output
    assert_survived(space, name, reference)


def test_killed_while_it_starts_the_daemon(space: Workspace, reference: Census) -> None:
    """The daemon runs, and nobody has told whose it is: the next command takes it for its own, and stops it."""
    name = "killed-after-start"
    file = space.campaign(name, **CHANGES)
    killed_at(space, AFTER_START, "screen", file.name, "--follow")
    assert space.processes("start-circus")
    space.run("screen", file.name, "--follow", timeout=900)
    assert_survived(space, name, reference)


@pytest.mark.parametrize("name", ["at-once-1"])
def test_two_commands_at_once(space: Workspace, reference: Census, name: str) -> None:
    """Both start the daemon, submit, follow, judge and write the report. One pair, one of everything."""
    file = space.campaign(name, **CHANGES)
    commands = [space.start("screen", file.name, "--follow", "--output", f"results/{name}-{n}") for n in range(2)]
    with ThreadPoolExecutor(2) as pool:
        outputs = [output for output, _ in pool.map(lambda command: command.communicate(timeout=900), commands)]
    assert [command.returncode for command in commands] == [0, 0], "\n=====\n".join(outputs)
    assert sum("submitted ScreenWorkChain" in output for output in outputs) == 1, outputs
    assert_survived(space, name, reference)
    assert not census(space, name).lost


def test_the_one_that_started_the_daemon_is_killed(space: Workspace, reference: Census) -> None:
    """The other goes on, and stops the daemon at its end."""
    name = "first-killed"
    file = space.campaign(name, **CHANGES)
    first = space.start("screen", file.name, "--follow")
    wait_for(lambda: space.processes("daemon", "worker"), "a worker")
    second = space.start("screen", file.name, "--follow", "--output", f"results/{name}-2")
    space.wait_for_md(60)
    first.kill()
    first.communicate()
    output, _ = second.communicate(timeout=900)
    assert second.returncode == 0, output
    assert_survived(space, name, reference)

"""The mechanisms by which faults are survived, without computing: what the slow tests beside this one go through."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from plumpy import ProcessState

from aiida_falsemetal.cli import daemon
from aiida_falsemetal.cli.locks import campaign_lock, file_lock
from aiida_falsemetal.cli.screen import read_campaign
from aiida_falsemetal.cli.submit import existing_pairs, missing_pairs, screen_builder
from aiida_falsemetal.workflows.pair import PairWorkChain
from tests.cli.test_submit import campaign, ready  # noqa: F401  (a fixture)
from tests.data import nodes

from .clock import Clock


def made(builder: Any) -> Any:
    """The process that a submission makes and stores, before it is handed to the daemon."""
    return instantiate_process(get_manager().get_runner(), builder)


def test_a_stored_screen_is_known(ready: None, tmp_path: Path) -> None:  # noqa: F811
    """Killed right after it was stored, a submission is not repeated."""
    content, pairs = read_campaign(campaign(tmp_path))
    half = missing_pairs(pairs, existing_pairs(content.name))[:3]
    made(screen_builder(content, half))
    assert len(missing_pairs(pairs, existing_pairs(content.name))) == len(pairs) - 3


def test_a_stored_pair_has_its_extras(ready: None, tmp_path: Path) -> None:  # noqa: F811
    content, pairs = read_campaign(campaign(tmp_path))
    builder = screen_builder(content, pairs[:1])
    node = made_pair(builder)
    assert node.base.extras.get("falsemetal_campaign") == "stored"
    assert existing_pairs(content.name).active == {node.base.extras.get("falsemetal_fingerprint")}


def made_pair(screen: Any) -> orm.WorkChainNode:
    """The first pair of a screen, stored."""
    (inputs,) = screen.pairs.values()
    given = {name: value for name, value in inputs.items() if name != "metadata"}
    node: orm.WorkChainNode = instantiate_process(get_manager().get_runner(), PairWorkChain, **given).node
    return node


def loaded_anew(process: Any) -> None:
    """As a daemon loads it: the children that this very object has called are not in a checkpoint."""
    process.__dict__.pop("_labels")


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_step_that_is_done_again_takes_its_child(
    ready: None,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    checkpoint: bool,
) -> None:
    """Unless that has neither ended nor a checkpoint, from which it could go on."""
    content, pairs = read_campaign(campaign(tmp_path))
    process = made(screen_builder(content, pairs[:2]))
    runner = process.runner
    submitted: list[str] = []

    def submit(what: Any, inputs: Any = None, **more: Any) -> Any:
        submitted.append(more["metadata"]["call_link_label"])
        child = instantiate_process(runner, what, **more)
        if not checkpoint:
            child.node.delete_checkpoint()
        return child.node

    monkeypatch.setattr(runner, "submit", submit)
    with process._process_scope():
        process.setup()
        first = process.run_some()
        loaded_anew(process)
        process.setup()
        again = process.run_some()
    taken = {key: node.pk for key, node in first.items()} == {key: node.pk for key, node in again.items()}
    assert taken is checkpoint
    assert len(submitted) == (2 if checkpoint else 4)


@pytest.mark.parametrize("state", [ProcessState.CREATED, None])
def test_a_child_that_never_began_is_ended_and_another_is_made(
    ready: None,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    state: ProcessState | None,
) -> None:
    """Its maker was killed between storing it and its checkpoint. A daemon that was told to go on with it would have it
    except, and the caller, done again, would take that for the end of its child."""
    content, pairs = read_campaign(campaign(tmp_path))
    process = made(screen_builder(content, pairs[:1]))

    def submit(what: Any, inputs: Any = None, **more: Any) -> Any:
        return instantiate_process(process.runner, what, **more).node

    monkeypatch.setattr(process.runner, "submit", submit)
    with process._process_scope():
        process.setup()
        (first,) = process.run_some().values()
        first.delete_checkpoint()
        first.set_process_state(state)
        assert [node.pk for node in daemon._unfinished()] == [process.node.pk]
        daemon.end_cut_off()
        assert first.is_killed and first.is_sealed
        loaded_anew(process)
        process.setup()
        (again,) = process.run_some().values()
    assert again.pk != first.pk and again.checkpoint is not None
    assert {node.pk for node in daemon._unfinished()} == {process.node.pk, again.pk}


def _hold(path: Path, seconds: float, order: Any) -> None:
    with file_lock(path):
        order.append(time.monotonic())
        time.sleep(seconds)
        order.append(time.monotonic())


def test_a_lock_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        times = manager.list()
        held = [context.Process(target=_hold, args=(tmp_path / "lock", 0.3, times)) for _ in range(3)]
        for process in held:
            process.start()
        for process in held:
            process.join()
        (a, b, c, d, e, f) = list(times)
    assert a < b <= c < d <= e < f and f - a >= 0.9


def test_a_killed_process_frees_its_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        times = manager.list()
        holder = context.Process(target=_hold, args=(tmp_path / "lock", 600.0, times))
        holder.start()
        while not times:
            time.sleep(0.01)
        holder.kill()
        holder.join()
    with file_lock(tmp_path / "lock"):
        pass


def test_campaigns_have_locks_of_their_own(aiida_profile_clean: Any) -> None:
    with campaign_lock("campaign", "x" * 300), campaign_lock("campaign", "other"), campaign_lock("twins", "other"):
        pass


def test_a_calcfunction_that_was_cut_off_is_ended(
    ready: None,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content, pairs = read_campaign(campaign(tmp_path))
    screen = made(screen_builder(content, pairs[:1])).node
    cut = orm.CalcFunctionNode()
    cut.base.links.add_incoming(screen, link_type=nodes.LinkType.CALL_CALC, link_label="cut")
    cut.set_process_state(ProcessState.RUNNING)
    cut.store()
    daemon.end_cut_off()
    assert cut.is_killed and cut.is_sealed
    assert [node.pk for node in daemon._unfinished()] == [screen.pk]


def test_a_clock_of_its_own(tmp_path: Path) -> None:
    """Set while the program runs; neither its sleep nor its monotonic clock knows."""
    clock = Clock(tmp_path)
    lines = """
        import time
        def look():
            print(round(time.time()), time.monotonic(), flush=True)
            input()
        look()
        begun = time.monotonic()
        time.sleep(0.1)
        look()
        print(time.monotonic() - begun)
    """
    environment = {**os.environ, **clock.environment}
    line = [sys.executable, "-c", textwrap.dedent(lines)]
    program = subprocess.Popen(line, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdin is not None and program.stdout is not None
    seen = []
    for seconds in (-7200, 0):
        seen.append([float(word) for word in program.stdout.readline().split()])
        clock.set_ahead(seconds)
        program.stdin.write("\n")
        program.stdin.flush()
    slept = float(program.communicate(timeout=60)[0])
    (first, then), (later, after) = seen
    assert later - first == pytest.approx(after - then - 7200, abs=2.0)
    assert 0.1 <= slept < 60.0

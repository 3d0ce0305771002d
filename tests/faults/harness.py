"""A tiny campaign that is disturbed while it runs, and what must be the same as without the disturbance."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from aiida_falsemetal.names import ENDED
from tests.screen.conftest import Workspace
from tests.screen.test_campaign import assert_same

CHANGES: dict[str, Any] = {
    "mlips": {"spcfw-ewald": None},
    "md": {"steps": 2000, "equilibration": 0.2, "frame_stride": 50},
    "gap": {"protocol": "fast", "overrides": {"ecutwfc": 20.0, "vacuum": 8.0}},
}
"""Of the tiny campaign: one control, two gaps of some seconds each. The gaps are real, if not converged."""
CENSUS = """
from aiida.common.links import LinkType
def of(node, taken=True):
    state = node.process_state.value if node.process_state else None  # none yet where its maker was killed
    code = node.exit_status if taken or node.exit_status != 0 else 'not taken'
    found = [[node.process_label, state, code]]
    for child in node.called:
        found += of(child, (node.process_label, node.exit_status) != ('PwBaseWorkChain', MISSING_OUTPUT))
    return found
q = orm.QueryBuilder().append(orm.WorkChainNode, filters={'process_type': {'like': '%falsemetal.pair'},
    'extras.falsemetal_campaign': NAME}, project=['*', 'extras.falsemetal_fingerprint'])
pairs = [[fingerprint, of(node)] for node, fingerprint in q.all()]
q = orm.QueryBuilder().append(orm.WorkChainNode, filters={'process_type': {'like': '%falsemetal.screen'},
    'extras.falsemetal_campaign': NAME}, project=['*'])
screens = [of(node) for (node,) in q.all()]
verdicts = orm.QueryBuilder().append(orm.CalcFunctionNode, filters={'extras.falsemetal_campaign': NAME},
    project=['extras.falsemetal_kind']).all()
from aiida_falsemetal.query.rows import current_rows
print(json.dumps([pairs, screens, verdicts, current_rows(NAME)[0]]))
"""
UNFINISHED = """
from plumpy import ProcessState
q = orm.QueryBuilder().append(orm.ProcessNode, filters={'attributes.process_state': {'!in': ENDED}}, project=['*'])
for node in q.all(flat=True):
    node.set_process_state(ProcessState.KILLED)
    node.set_process_status('its test has failed')
    if not node.is_sealed:
        node.seal()
print(json.dumps(q.count()))
"""
JOINING = ("join_trajectories", "join_series")
"""Calcfunctions that there are only where an MD was interrupted."""
MD, PW = "MlipMdCalculation", "PwCalculation"
MISSING_OUTPUT = 11
"""AiiDA's exit status of a workchain that lacks an output, which a worker killed at certain moments brings about."""


@dataclass(frozen=True)
class Census:
    """Processes of a campaign.

    :param finished: pairs that have finished well, by fingerprint.
    :param inside: processes under these pairs that have finished well, by type.
    :param under_way: processes of the campaign that have not ended.
    :param verdicts: calcfunctions that judge the campaign, by kind.
    :param lost: processes that have ended otherwise, by type and exit status: what the disturbance has cost. A job
        of which AiiDA has lost an output is one of them, whatever it says: its workchain does not take its result.
    :param rows: one for each frame.
    """

    finished: Counter[str]
    inside: Counter[str]
    under_way: list[Any]
    verdicts: Counter[str]
    lost: Counter[tuple[str, Any]]
    rows: list[dict[str, Any]]


def census(space: Workspace, name: str) -> Census:
    """Count."""
    pairs, screens, verdicts, rows = space.python(f"NAME, MISSING_OUTPUT = {name!r}, {MISSING_OUTPUT}\n{CENSUS}")
    well: list[tuple[str, Any]] = [(mark, nodes) for mark, nodes in pairs if nodes[0][1:] == ["finished", 0]]
    every = [node for _, nodes in pairs for node in nodes] + [node for nodes in screens for node in nodes]
    return Census(
        finished=Counter(mark for mark, _ in well),
        inside=Counter(
            label
            for _, nodes in well
            for label, state, code in nodes
            if (state, code) == ("finished", 0) and label not in JOINING
        ),
        under_way=[node for node in every if node[1] not in ENDED],
        verdicts=Counter(kind for (kind,) in verdicts),
        lost=Counter((label, code) for _, nodes in pairs for label, _, code in nodes if code != 0),
        rows=rows,
    )


def undisturbed(space: Workspace, *options: str, name: str = "undisturbed", **changes: Any) -> Census:
    """Run the campaign without a disturbance."""
    file = space.campaign(name, **{**CHANGES, **changes})
    space.run("screen", file.name, "--follow", *options, timeout=900)
    found = census(space, name)
    assert len(found.rows) == 2 and all(row["exit_code"] == 0 for row in found.rows)
    assert not found.under_way and set(found.finished.values()) == {1}
    return found


def assert_survived(space: Workspace, name: str, reference: Census, cost: str | None = None) -> None:
    """The rows of the undisturbed campaign; no process lost, none doubled, none left behind.

    :param cost: type of a process that the disturbance must have ended; else it has disturbed nothing.
    """
    found = census(space, name)
    print(f"{name}: lost on the way {dict(found.lost)}")
    assert cost is None or cost in {label for label, _ in found.lost}
    assert_same(found.rows, reference.rows)
    assert found.under_way == []
    assert found.finished == reference.finished
    assert found.inside == reference.inside
    assert found.verdicts == reference.verdicts
    assert space.processes("daemon") == []


def disturbed(
    space: Workspace,
    name: str,
    inject: Callable[[Workspace, subprocess.Popen[str]], None],
    *options: str,
    again: int = 0,
    timeout: float = 900.0,
    **changes: Any,
) -> list[str]:
    """Start the campaign, inject a fault, and give the same command again, as a user would.

    :param inject: waits for its moment and does it.
    :param again: how often the same command may be given again until it ends well; 0: the first has to.
    :return: what each command has printed.
    """
    file = space.campaign(name, **{**CHANGES, **changes})
    command = space.start("screen", file.name, "--follow", *options)
    outputs = []
    try:
        inject(space, command)
        outputs.append(command.communicate(timeout=timeout)[0])
    finally:
        command.kill()
    code = command.returncode
    while code != 0 and again > 0:
        again -= 1
        command = space.start("screen", file.name, "--follow", *options)
        outputs.append(command.communicate(timeout=timeout)[0])
        code = command.returncode
    assert code == 0, "\n=====\n".join(outputs)
    print(f"{name}: the command was given {len(outputs)} times")
    return outputs


def wait_for(found: Callable[[], Any], what: str, timeout: float = 900.0) -> Any:
    """The first true value of ``found``."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            value = found()
        except (psutil.Error, OSError):
            value = None
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"never seen: {what}")


def pw(space: Workspace) -> psutil.Process:
    """A pw.x that iterates."""

    def found() -> psutil.Process | None:
        for process in space.processes("pw.x"):
            output = Path(process.cwd()) / "aiida.out"
            if process.name() == "pw.x" and "iteration #" in output.read_text():
                return process
        return None

    found_one: psutil.Process = wait_for(found, "a pw.x that iterates")
    return found_one


def under_way(space: Workspace, moment: str) -> psutil.Process:
    """The process that computes at a moment: ``md`` the driver after some samples, ``pw`` a pw.x that iterates."""
    return space.wait_for_md(60) if moment == "md" else pw(space)


def kill(processes: list[psutil.Process]) -> None:
    """kill -9, all at once."""
    assert processes
    for process in processes:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def give_up(space: Workspace) -> None:
    """End what a test has left: all processes of its workspace, and in the graph what a daemon would go on with."""
    while found := space.processes(""):
        kill(found)
        time.sleep(0.2)
    space.python(f"ENDED = {list(ENDED)!r}\n{UNFINISHED}")


@contextmanager
def stopped(process: psutil.Process) -> Iterator[None]:
    """A process that does nothing inside the block, as on a machine that is busy with something else."""
    process.suspend()
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()


@contextmanager
def tmpfs(folder: Path, megabytes: int) -> Iterator[Path]:
    """A small disk at ``folder``, which exists. As root only.

    :raises PermissionError: for others: these tests are asked for, so they do not skip.
    """
    if os.getuid() != 0:
        raise PermissionError("a small disk is mounted for this test, as root.")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "falsemetal", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """A disk without a free byte inside the block."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(bytes(2**20)):
                continue
        with suppress(OSError):
            while file.write(bytes(512)):
                continue
    assert os.statvfs(disk).f_bavail == 0
    try:
        yield
    finally:
        ballast.unlink()

"""What failed, why, and what to do next: from graphs made by hand."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from plumpy.process_states import ProcessState

from aiida_falsemetal.query import failures as room
from aiida_falsemetal.query.failures import explain, failures, find_failures
from tests.data import nodes

from .test_rows import RECORD, Graph, graph  # noqa: F401  (a fixture)


def folder(**files: str) -> orm.FolderData:
    node = orm.FolderData()
    for name, text in files.items():
        node.base.repository.put_object_from_filelike(io.BytesIO(text.encode()), name.replace("__", "."))
    return node


def failed_md(graph: Graph, seed: int = 1, code: int = 411, **files: str) -> tuple[orm.WorkChainNode, orm.CalcJobNode]:  # noqa: F811
    """A pair whose MD failed, with a job before it that was interrupted."""
    pair = graph.pair(seed=seed, exit_status=410)
    md = nodes.workchain("falsemetal.md", caller=pair, label="md", exit_status=400, exit_message="it failed")
    nodes.calculation("falsemetal.md", graph.computer, caller=md, exit_status=301, exit_message="interrupted")
    outputs = {"retrieved": folder(**files)} if files else {}
    job = nodes.calculation(
        "falsemetal.md", graph.computer, outputs=outputs, caller=md, exit_status=code, exit_message="The run exploded."
    )
    return pair, job


def failed_frame(graph: Graph, pair: orm.WorkChainNode, step: int, text: str = "") -> tuple[Any, orm.CalcJobNode]:  # noqa: F811
    """A frame whose pw.x did not converge, after a property of it had failed, too."""
    record = orm.Dict({"step": step, **RECORD})
    gap = nodes.workchain("falsemetal.gap", {"record": record}, {}, pair, f"gap_{step}", 401, "no gap")
    base = nodes.workchain("quantumespresso.pw.base", caller=gap, label="pw_run_1", exit_status=402)
    outputs = {"retrieved": folder(aiida__out=text)} if text else {}
    job = nodes.calculation("quantumespresso.pw", graph.computer, outputs=outputs, caller=base, exit_status=410)
    job.set_exit_message("The electronic minimization cycle did not reach self-consistency.")
    nodes.calculation("quantumespresso.projwfc", graph.computer, caller=gap, exit_status=303)
    return gap, job


def test_a_pair_whose_md_exploded(graph: Graph) -> None:  # noqa: F811
    log = "step 10 of 1000, 5 s left, 300 K\n\x1b[31mstep 20 of 1000\x1b[0m, 5 s left, 90000 K\n"
    pair, job = failed_md(graph, driver__log=log)
    failed_frame(graph, pair, 100)  # fails, too, and is not what the pair's exit code is about
    found = failures(graph.campaign)
    assert [(one.failing.kind, one.failed_pk) for one in found][0] == ("pair", job.pk)
    (failure, _) = found
    assert failure.cause == f"a run of the MD driver (pk {job.pk}) ended with exit code 411: The run exploded."
    (shown,) = failure.logs
    assert shown.name == "driver.log"
    assert shown.lines == ("step 10 of 1000, 5 s left, 300 K", "step 20 of 1000, 5 s left, 90000 K")
    commands = [command.line for command in failure.commands]
    assert any(line.endswith(f"calcjob outputcat {job.pk}") for line in commands)
    assert any(line.endswith(f"process report {pair.pk}") for line in commands)
    assert commands[-1] == "falsemetal screen FILE" and "not repeated" in failure.commands[-1].purpose


def test_a_frame_whose_pw_did_not_converge(graph: Graph) -> None:  # noqa: F811
    text = (Path(__file__).parents[1] / "fixtures" / "pw" / "not_converged" / "aiida.out").read_text()
    pair = graph.pair()
    gap, job = failed_frame(graph, pair, 700, text)
    (failure,) = failures(graph.campaign)
    failing = failure.failing
    assert (failing.kind, failing.step, failing.pk, failing.pair_pk) == ("frame", 700, gap.pk, pair.pk)
    assert failing.title == "film8 x sr, seed 1, frame of step 700"
    assert failure.failed_pk == job.pk and "exit code 410: The electronic minimization" in failure.cause
    assert failure.logs[0].name == "aiida.out" and len(failure.logs[0].lines) <= 15
    assert "convergence NOT achieved after   3 iterations: stopping" in failure.logs[0].lines
    assert failure.commands[0].line == f"falsemetal why {gap.pk}"
    assert "gap.overrides.rescues" in failure.commands[-1].purpose


def test_only_the_pairs_that_count(graph: Graph) -> None:  # noqa: F811
    """A pair that was submitted again has not failed any more; its first frames do not count either."""
    pair, _ = failed_md(graph)
    failed_frame(graph, pair, 100)
    again = graph.pair()
    assert find_failures(graph.campaign) == []
    failed_frame(graph, again, 300)
    assert [one.step for one in find_failures(graph.campaign)] == [300]


def test_what_excepted_or_was_killed(graph: Graph, tmp_path: Path) -> None:  # noqa: F811
    excepted = graph.pair(seed=1, exit_status=None)
    function = orm.CalcFunctionNode()
    function.set_process_label("select_frames")
    function.base.links.add_incoming(excepted, nodes.LinkType.CALL_CALC, "select")
    function.store()
    for node in (function, excepted):
        node.set_process_state(ProcessState.EXCEPTED)
    function.set_exception("Traceback\nValueError: \x1b[1mno frames\x1b[0m")
    function.logger.error("Traceback (most recent call last):\nValueError: no frames")
    killed = graph.pair(seed=2, exit_status=None)
    md = nodes.workchain("falsemetal.md", caller=killed, label="md", exit_status=None)
    job = nodes.calculation("falsemetal.md", graph.computer, caller=md, exit_status=None)
    (tmp_path / "driver.log").write_text("step 10 of 1000, 5 s left, 300 K\n")
    job.set_remote_workdir(str(tmp_path))
    for node in (job, md, killed):
        node.set_process_state(ProcessState.KILLED)
    job.set_process_status("Killed by a user")
    first, second = failures(graph.campaign)
    assert first.cause == f"the process select_frames (pk {function.pk}) ended with an exception: ValueError: no frames"
    assert first.commands[0].line.endswith(f"process report {function.pk}")
    assert second.cause == f"a run of the MD driver (pk {job.pk}) was killed: Killed by a user"
    # Nothing was retrieved, so that its folder on this machine is looked at.
    assert [(log.name, log.lines) for log in second.logs] == [("driver.log", ("step 10 of 1000, 5 s left, 300 K",))]
    assert "submits it again" in second.commands[-1].purpose


def test_frames_that_were_killed_with_their_pair_say_nothing_of_their_own(graph: Graph) -> None:  # noqa: F811
    pair = graph.pair(exit_status=None)
    gap = nodes.workchain("falsemetal.gap", {"record": orm.Dict({"step": 1})}, {}, pair, "gap_1", None)
    for node in (gap, pair):
        node.set_process_state(ProcessState.KILLED)
    assert [one.kind for one in find_failures(graph.campaign)] == ["pair"]


def test_a_screen_that_broke_off(graph: Graph) -> None:  # noqa: F811
    """Without a pair in the graph, that is all there is to say."""
    screen = nodes.workchain("falsemetal.screen", exit_status=None)
    screen.base.extras.set("falsemetal_campaign", graph.campaign)
    assert find_failures(graph.campaign) == []
    screen.set_process_state(ProcessState.EXCEPTED)
    screen.set_exception("RuntimeError: the database went away")
    (failure,) = failures(graph.campaign)
    assert failure.failing.kind == "screen" and failure.cause.endswith("RuntimeError: the database went away")


def test_as_many_queries_for_many_failures_as_for_one(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    pair = graph.pair()
    for step in range(4):
        failed_frame(graph, pair, step)
    found = find_failures(graph.campaign)
    asked: list[int] = []
    ask = room._failed_children
    monkeypatch.setattr(room, "_failed_children", lambda pks: [asked.append(len(pks)), ask(pks)][1])
    assert len(explain(found)) == 4 and asked == [4, 4, 4]

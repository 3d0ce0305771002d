"""One tiny campaign all the way: MD, pw.x, the graph, the report; and the same again through kills."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import psutil
import pytest

from .conftest import Workspace, comparable

pytestmark = pytest.mark.qe

REQUIRED = (
    "interface mlip seed step Mz_per_area drop gap vbm cbm metallic exit_code pw_pk pair_pk stratum probability".split()
)


def assert_same(rows: list[dict[str, Any]], reference: list[dict[str, Any]]) -> None:
    """The same frames with the same results. Both are deterministic, so the tolerance is that of printing."""
    ours, theirs = comparable(rows), comparable(reference)
    assert len(ours) == len(theirs)
    for row, other in zip(ours, theirs, strict=True):
        for key, value in other.items():
            expected = pytest.approx(value, rel=1e-6, abs=1e-9) if isinstance(value, float) else value
            assert row[key] == expected, (key, row[key], value)


def test_every_frame_has_its_row(undisturbed: tuple[str, list[dict[str, Any]]]) -> None:
    _, rows = undisturbed
    assert len(rows) == 4
    for row in rows:
        assert set(REQUIRED) <= set(row)
        assert row["exit_code"] == 0
        assert row["cbm"] - row["vbm"] == pytest.approx(row["gap"])
        assert 0.5 < row["gap"] < 7.0  # an insulating film of water in PBE
        assert 0 < row["probability"] <= 1
        # Screened point charges stand for the DFT drop; 0.02459 e/Å is 4.45 V.
        assert row["expected_drop"] == pytest.approx(row["Mz_per_area"] * 4.45 / 0.02459, rel=1e-3)
        assert row["drop"] == pytest.approx(row["expected_drop"], abs=1.0)


def test_every_pw_pk_is_a_finished_run(workspace: Workspace, undisturbed: tuple[str, list[dict[str, Any]]]) -> None:
    pks = [row["pw_pk"] for row in undisturbed[1]]
    found = workspace.python(
        f"nodes = [orm.load_node(pk) for pk in {pks}]\n"
        "print(json.dumps([[n.process_label, n.exit_status, n.computer.label,"
        " 'JOB DONE' in n.outputs.retrieved.base.repository.get_object_content('aiida.out')] for n in nodes]))"
    )
    assert found == [["PwCalculation", 0, "localhost", True]] * 4


def test_report_and_numbers_lie_where_the_command_says(
    workspace: Workspace, undisturbed: tuple[str, list[dict[str, Any]]]
) -> None:
    output, rows = undisturbed
    assert "results/undisturbed/report.html" in output
    folder = workspace.folder / "results" / "undisturbed"
    page = (folder / "report.html").read_text()
    assert all(str(row["pw_pk"]) in page for row in rows)
    assert len(json.loads((folder / "results.json").read_text())["frames"]) == 4
    assert len((folder / "results.csv").read_text().splitlines()) == 5


def test_progress_was_shown(undisturbed: tuple[str, list[dict[str, Any]]]) -> None:
    output, _ = undisturbed
    assert "film8 x spcfw-ewald x 1: MD" in output.replace("\n", " ") or "gaps" in output
    assert "left" in output


def test_nothing_runs_on_afterwards(workspace: Workspace, undisturbed: tuple[str, list[dict[str, Any]]]) -> None:
    assert workspace.processes("daemon") == []


def test_second_time_computes_nothing(workspace: Workspace, undisturbed: tuple[str, list[dict[str, Any]]]) -> None:
    count = "print(json.dumps(orm.QueryBuilder().append(orm.ProcessNode).count()))"
    before = workspace.python(count)
    output = workspace.run("screen", "undisturbed.yaml", "--follow")
    assert "nothing to compute" in output
    assert workspace.python(count) == before
    assert workspace.rows("undisturbed") == undisturbed[1]


def test_labels_on_pairs_and_group(workspace: Workspace, undisturbed: tuple[str, list[dict[str, Any]]]) -> None:
    found = workspace.python(
        "group = orm.load_group('falsemetal/undisturbed')\n"
        "print(json.dumps(sorted([n.base.extras.get('falsemetal_' + k) for k in"
        " ('campaign', 'interface', 'mlip', 'seed')] for n in group.nodes if isinstance(n, orm.WorkChainNode))))"
    )
    assert found == [["undisturbed", "film8", mlip, 1] for mlip in ("spcfw-ewald", "spcfw-truncated")]


def test_killed_md_ends_with_the_same_rows(workspace: Workspace, undisturbed: tuple[str, list[dict[str, Any]]]) -> None:
    file = workspace.campaign("killed-md")
    command = workspace.start("screen", file.name, "--follow")
    workspace.wait_for_md(120).kill()
    output, _ = command.communicate(timeout=600)
    assert command.returncode == 0, output
    assert "nothing to compute" in workspace.run("screen", file.name, "--follow")
    assert_same(workspace.rows("killed-md"), undisturbed[1])
    restarts = workspace.python(
        "q = orm.QueryBuilder().append(orm.CalcJobNode, filters={'process_type': {'like': '%falsemetal.md'},"
        " 'attributes.exit_status': 301})\nprint(json.dumps(q.count()))"
    )
    assert restarts >= 1


def test_killed_daemon_ends_with_the_same_rows(
    workspace: Workspace, undisturbed: tuple[str, list[dict[str, Any]]]
) -> None:
    file = workspace.campaign("killed-daemon")
    command = workspace.start("screen", file.name, "--follow")
    workspace.wait_for_md(60)
    command.send_signal(signal.SIGKILL)
    command.communicate()
    for process in workspace.processes("daemon"):
        try:
            os.kill(process.pid, signal.SIGKILL)
        except (ProcessLookupError, psutil.Error):
            continue
    time.sleep(1.0)
    workspace.run("screen", file.name, "--follow")
    assert_same(workspace.rows("killed-daemon"), undisturbed[1])
    assert workspace.processes("daemon") == []


def test_interrupt_loses_nothing(workspace: Workspace, undisturbed: tuple[str, list[dict[str, Any]]]) -> None:
    file = workspace.campaign("interrupted")
    command = workspace.start("screen", file.name, "--follow")
    workspace.wait_for_md(60)
    command.send_signal(signal.SIGINT)
    output, _ = command.communicate(timeout=120)
    assert command.returncode == 130, output
    assert "goes on from here" in output
    assert workspace.processes("daemon") == []
    workspace.run("screen", file.name, "--follow")
    assert_same(workspace.rows("interrupted"), undisturbed[1])


def test_verdicts_are_in_the_graph_and_can_be_had_anew(
    workspace: Workspace, undisturbed: tuple[str, list[dict[str, Any]]]
) -> None:
    """Two thousand steps of eight molecules decide nothing; the rule says why, and other thresholds are heard."""
    first = json.loads(workspace.run("verdict", "undisturbed", "--format", "json"))
    assert [row["mlip"] for row in first] == ["spcfw-ewald", "spcfw-truncated"]
    for row in first:
        assert row["verdict"] in ("safe", "undecided") and row["reason"]
        assert (row["converged"], row["selected"], row["seeds"]) == (2, 2, 1)
        assert row["metallized_low"] <= row["metallized"] <= row["metallized_high"]
        assert row["sd_ratio_low"] < row["sd_ratio"] < row["sd_ratio_high"]
    again = json.loads(workspace.run("verdict", "undisturbed", "--format", "json"))
    assert [row["verdict_pk"] for row in again] == [row["verdict_pk"] for row in first]
    other = json.loads(
        workspace.run("verdict", "undisturbed", "--reference", "spcfw-ewald", "--rhat", "5", "--format", "json")
    )
    assert {row["mlip"]: row["reference"] for row in other}["spcfw-truncated"] == "spcfw-ewald"
    refused = workspace.run("verdict", "undisturbed", "--reference", "nobody", code=1)
    assert "'nobody' is no MLIP of undisturbed" in refused


def test_md_goes_on_and_frames_are_added(workspace: Workspace) -> None:
    """The real thing: an MD that is extended from its checkpoint, and gaps that are asked for batch by batch."""
    file = workspace.campaign(
        "adaptive",
        mlips={"spcfw-ewald": None},
        md={"steps": 500, "equilibration": 0.1, "frame_stride": 50, "precision": 0.35, "max_steps": 4000},
        selection={"stratified": 1, "uniform": 1, "strata": 1, "start": 0.1, "most": 4, "batch": 2, "half_width": 0.01},
    )
    workspace.run("screen", file.name, "--follow")
    found = workspace.python(
        "q = orm.QueryBuilder().append(orm.WorkChainNode, filters={'extras.falsemetal_campaign': 'adaptive',"
        " 'process_type': {'like': '%falsemetal.pair'}})\n"
        "pair = q.one()[0]\n"
        "calls = [node.process_label for node in sorted(pair.called, key=lambda node: node.pk)]\n"
        "print(json.dumps([calls, pair.outputs.series.get_array('step').tolist(), pair.outputs.verdict.get_dict()]))"
    )
    calls, steps, verdict = found
    runs = calls.count("MlipMdWorkChain")
    assert runs >= 2 and calls.count("plan_md") == runs
    # One run: samples every ten steps from the first to the last, across the seams.
    assert steps == list(range(0, steps[-1] + 1, 10)) and 500 < steps[-1] <= 4000
    half = (verdict["sd_high"] - verdict["sd_low"]) / 2 / verdict["sd_Mz_per_area"]
    assert half <= 0.35 or steps[-1] == 4000
    draws = calls.count("draw_frames")
    assert draws >= 1 and 2 <= verdict["selected"] <= 4
    settled = "By the gap law" in str(workspace.run("verdict", "adaptive")) or verdict["selected"] == 4
    assert settled and calls.count("GapWorkChain") == verdict["selected"] == verdict["converged"]

"""Rows of a graph made by hand: what has not finished, or failed, is a row like any other."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_falsemetal.cli.submit import mark_superseded
from aiida_falsemetal.names import FRAME_COLUMNS, SUPERSEDED
from aiida_falsemetal.query.graph import labels_of
from aiida_falsemetal.query.progress import campaign_progress
from aiida_falsemetal.query.rows import frame_rows, latest_pairs, pair_rows, pair_series
from aiida_falsemetal.workflows.protocols import load_protocol
from tests.data import nodes

RECORD: dict[str, Any] = {
    "time_ps": 0.1,
    "Mz": 0.3,
    "Mz_per_area": 0.007,
    "expected_drop": 1.3,
    "stratum": 1,
    "probability": 0.5,
}
GEOMETRY = {"area": 42.25, "thickness": 5.7, "vacuum": 20.0}
MD = {"steps": 4000, "timestep": 0.5, "temperature": 330.0}
SELECTION = {"stratified": 3, "uniform": 1}
INFO = {**GEOMETRY, "molecules": [[0, 1, 2], [3, 4, 5]]}


@dataclass
class Graph:
    """Nodes of one campaign."""

    computer: orm.Computer
    campaign: str = field(default_factory=lambda: uuid.uuid4().hex)

    def pair(
        self, seed: int = 1, exit_status: int | None = 0, fingerprint: str = "f00", **outputs: orm.Data
    ) -> orm.WorkChainNode:
        """A PairWorkChain with its extras; under way where ``exit_status`` is None."""
        md, selection = orm.Dict(MD), orm.Dict(SELECTION)
        message = f"failed with {exit_status}" if exit_status else ""
        inputs = {"md": md, "selection": selection, "gap": orm.Dict(load_protocol("gap")), "mlip": nodes.mlip()}
        node = nodes.workchain("falsemetal.pair", inputs, outputs, exit_status=exit_status, exit_message=message)
        labels = {
            "campaign": self.campaign,
            "interface": "film8",
            "mlip": "sr",
            "seed": seed,
            "fingerprint": fingerprint,
        }
        node.base.extras.set_many({f"falsemetal_{key}": value for key, value in labels.items()})
        return node

    def gap(
        self, pair: orm.WorkChainNode, step: int, exit_status: int | None = 0, gap: float | None = 4.0, runs: int = 1
    ) -> tuple[orm.WorkChainNode, list[orm.CalcJobNode]]:
        """A GapWorkChain and its pw.x jobs; a result where it finished with one."""
        record = orm.Dict({"step": step, **RECORD})
        outputs = {}
        if exit_status is not None and exit_status != 999:
            code = {"exit_code": 0 if gap else 410, "exit_message": "" if gap else "not converged"}
            outputs["result"] = orm.Dict({"step": step, **RECORD, "gap": gap, "wall_seconds": 9.0, **code})
        node = nodes.workchain(
            "falsemetal.gap",
            {"record": record},
            outputs,
            pair,
            f"gap_{step:08d}",
            exit_status,
            "no gap" * bool(exit_status),
        )
        jobs = []
        for number in range(runs):
            base = nodes.workchain("quantumespresso.pw.base", caller=node, label=f"pw_attempt_{number + 1}")
            jobs.append(nodes.calculation("quantumespresso.pw", self.computer, caller=base))
        return node, jobs


def several_pairs(pairs: int, frames: int) -> str:
    """A campaign of so many pairs, each with so many frames, of gaps 0, 0.5, 1 eV and so on, and one without a result.

    :return: its name.
    """
    names = {"hostname": "localhost", "transport_type": "core.local", "scheduler_type": "core.direct"}
    graph = Graph(orm.Computer(label=uuid.uuid4().hex, **names).store())
    for seed in range(pairs):
        pair = graph.pair(seed=seed)
        for step in range(frames):
            graph.gap(pair, step, gap=0.5 * step)
        graph.gap(pair, 100, exit_status=None)
    return graph.campaign


@pytest.fixture
def graph(aiida_localhost: orm.Computer) -> Graph:
    return Graph(aiida_localhost)


def test_frame_row_of_a_result(graph: Graph) -> None:
    pair = graph.pair()
    gap, jobs = graph.gap(pair, 100, runs=2)
    (row,) = frame_rows(graph.campaign)
    assert tuple(row) == FRAME_COLUMNS
    assert (row["campaign"], row["interface"], row["mlip"], row["seed"]) == (graph.campaign, "film8", "sr", 1)
    assert (row["step"], row["gap"], row["probability"], row["exit_code"]) == (100, 4.0, 0.5, 0)
    assert (row["pair_pk"], row["gap_pk"], row["result_pk"]) == (pair.pk, gap.pk, gap.outputs.result.pk)
    # The last attempt is the one that gave the result.
    assert row["pw_pk"] == jobs[-1].pk


def test_functional_is_a_column_and_none_in_older_results(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = graph.pair()
    graph.gap(pair, 100)
    monkeypatch.setitem(RECORD, "functional", "revPBE")
    graph.gap(pair, 200)
    assert [row["functional"] for row in frame_rows(graph.campaign)] == [None, "revPBE"]


def test_energy_of_the_mlip_is_a_column_and_none_in_older_results(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = graph.pair(exit_status=None)
    graph.gap(pair, 100)
    monkeypatch.setitem(RECORD, "energy_mlip", -12.5)
    graph.gap(pair, 200)
    graph.gap(pair, 300, exit_status=None)  # runs: only the record is known
    assert [row["energy_mlip"] for row in frame_rows(graph.campaign)] == [None, -12.5, -12.5]


def test_every_frame_that_was_asked_for_is_a_row(graph: Graph) -> None:
    pair = graph.pair(exit_status=None)
    graph.gap(pair, 400, exit_status=None, runs=0)  # waits
    graph.gap(pair, 300, exit_status=None)  # runs
    graph.gap(pair, 200, exit_status=401, gap=None)  # failed, with a result
    graph.gap(pair, 100)
    graph.gap(pair, 500, exit_status=999)  # failed, without
    rows = frame_rows(graph.campaign)
    assert [row["step"] for row in rows] == [100, 200, 300, 400, 500]
    assert [row["gap"] for row in rows] == [4.0, None, None, None, None]
    assert [row["exit_code"] for row in rows] == [0, 410, None, None, 999]
    assert [row["result_pk"] is None for row in rows] == [False, False, True, True, True]
    assert [row["pw_pk"] is None for row in rows] == [False, False, False, True, False]
    assert {row["Mz"] for row in rows} == {0.3}
    assert rows[4]["exit_message"] == "no gap"


def test_campaigns_do_not_mix(graph: Graph) -> None:
    other = Graph(graph.computer)
    for one, step in ((graph, 100), (other, 200)):
        one.gap(one.pair(), step)
    assert [row["step"] for row in frame_rows(graph.campaign)] == [100]
    assert {row["campaign"] for row in frame_rows()} >= {graph.campaign, other.campaign}
    assert [row["campaign"] for row in pair_rows(other.campaign)] == [other.campaign]
    assert frame_rows("no such campaign") == pair_rows("no such campaign") == []


def test_pair_row(graph: Graph) -> None:
    verdict = orm.Dict({"verdict": "metallized", "min_gap": 0.1})
    pair = graph.pair(interface_info=orm.Dict(INFO), verdict=verdict)
    (row,) = pair_rows(graph.campaign)
    assert (row["pair_pk"], row["state"], row["exit_code"], row["exit_message"]) == (pair.pk, "finished", 0, "")
    assert (row["molecules"], row["frames_wanted"]) == (2, 4)
    assert row.items() >= {**GEOMETRY, "verdict": "metallized", "min_gap": 0.1, "fingerprint": "f00"}.items()
    # 4000 steps of 0.5 fs.
    assert (row["md_steps"], row["md_ps"], row["temperature"]) == (4000, pytest.approx(2.0), 330.0)
    model = pair.inputs.mlip
    assert row["sha256"] == model.sha256
    assert all(row[key] == model.facts[key] for key in ("long_ranged", "cutoff", "layers", "receptive_field"))


def test_frames_of_the_verdict_are_not_in_the_row(graph: Graph) -> None:
    """They are there for machines; every frame has a row of its own."""
    graph.pair(verdict=orm.Dict({"verdict": "safe", "computed_frames": [{"step": 100}]}))
    (row,) = pair_rows(graph.campaign)
    assert row["verdict"] == "safe" and "computed_frames" not in row


def test_pair_row_of_an_imported_trajectory_without_a_model(graph: Graph) -> None:
    own = graph.pair()
    trajectory = nodes.trajectory([0, 10])
    trajectory.base.extras.set("falsemetal_origin", {"path": "/data/run 7.xyz"})
    inputs = {"md": orm.Dict(MD), "selection": orm.Dict(SELECTION), "trajectory": trajectory}
    given = nodes.workchain("falsemetal.pair", inputs, {"interface_info": orm.Dict(INFO)})
    labels = {"campaign": graph.campaign, "interface": "film8", "mlip": "AIMD, PBE", "seed": 1, "fingerprint": "f01"}
    given.base.extras.set_many({f"falsemetal_{key}": value for key, value in labels.items()})
    graph.gap(given, 10)
    rows = pair_rows(graph.campaign)
    assert [(row["pair_pk"], row["imported_from"]) for row in rows] == [(own.pk, None), (given.pk, "run 7.xyz")]
    assert rows[1].keys() == rows[0].keys()
    assert [rows[1][key] for key in ("mlip", "md_steps", "area", "sha256")] == ["AIMD, PBE", 4000, 42.25, None]
    assert all(rows[1][key] is None for key in ("long_ranged", "cutoff", "layers", "receptive_field"))
    assert [row["mlip"] for row in frame_rows(graph.campaign)] == ["AIMD, PBE"]


def test_a_pair_of_an_imported_trajectory_has_no_md_to_wait_for(graph: Graph) -> None:
    inputs = {"md": orm.Dict(MD), "selection": orm.Dict(SELECTION), "trajectory": nodes.trajectory([0, 10])}
    given = nodes.workchain("falsemetal.pair", inputs, exit_status=None)
    labels = {"campaign": graph.campaign, "interface": "film8", "mlip": "AIMD", "seed": 1, "fingerprint": "f01"}
    given.base.extras.set_many({f"falsemetal_{key}": value for key, value in labels.items()})
    (item,) = campaign_progress(graph.campaign)
    assert (item.stage, item.detail) == ("selecting", "selecting") and item.seconds


def test_pairs_without_a_verdict_are_rows(graph: Graph) -> None:
    started = graph.pair(seed=1, exit_status=None)
    built = graph.pair(seed=2, exit_status=None, interface_info=orm.Dict(INFO))
    failed = graph.pair(seed=3, exit_status=310)
    rows = pair_rows(graph.campaign)
    assert [row["pair_pk"] for row in rows] == [started.pk, built.pk, failed.pk]
    assert [row["state"] for row in rows] == ["waiting", "waiting", "finished"]
    assert [row["exit_code"] for row in rows] == [None, None, 310]
    assert [row["area"] for row in rows] == [None, 42.25, None]
    assert [row["molecules"] for row in rows] == [None, 2, None]
    assert rows[2]["exit_message"] == "failed with 310"
    assert not any("verdict" in row for row in rows)


def latest(graph: Graph) -> list[int]:
    return [row["pair_pk"] for row in latest_pairs(pair_rows(graph.campaign))]


def test_finished_pair_counts_before_later_ones(graph: Graph) -> None:
    good = graph.pair()
    graph.pair(exit_status=310)
    graph.pair(exit_status=None)
    assert latest(graph) == [good.pk]


def made(node: orm.Node, day: int) -> None:
    """Say when a node was made: an import keeps that, and gives the nodes pks in no order."""
    entity = node.backend_entity.model
    entity.ctime = datetime(2026, 1, day, tzinfo=UTC)
    entity.save()


def test_the_newest_counts_and_not_the_one_with_the_largest_pk(graph: Graph) -> None:
    new, old = graph.pair(), graph.pair()
    made(new, 2)
    made(old, 1)
    assert latest(graph) == [new.pk]
    assert [row["pair_pk"] for row in latest_pairs(labels_of(graph.campaign))] == [new.pk]


def test_a_pair_with_a_verdict_counts_before_a_later_one_that_was_killed(graph: Graph) -> None:
    """It is not run again, so nothing would ever take its place."""
    failed = graph.pair(exit_status=410)
    graph.pair(exit_status=310)
    graph.pair(exit_status=None)
    assert latest(graph) == [failed.pk]


def test_the_last_run_of_a_frame_is_the_newest(graph: Graph) -> None:
    pair = graph.pair()
    _, jobs = graph.gap(pair, 100, runs=3)
    for job, day in zip(sorted(jobs, key=lambda job: job.pk), (3, 5, 4), strict=True):
        made(job, day)
    (row,) = frame_rows(graph.campaign)
    assert row["pw_pk"] == sorted(job.pk for job in jobs)[1]


def test_a_pair_of_a_file_that_was_changed_does_not_count_beside_its_successor(graph: Graph) -> None:
    """A model is trained anew under its old name and fails: the old model's verdict must not stand for it."""
    graph.pair(fingerprint="old model").base.extras.set(SUPERSEDED, True)
    failed = graph.pair(exit_status=410, fingerprint="new model")
    assert latest(graph) == [failed.pk]
    assert [row["superseded"] for row in pair_rows(graph.campaign)] == [True, False]
    assert [row["pair_pk"] for row in latest_pairs(labels_of(graph.campaign))] == [failed.pk]
    # One that nothing has followed is still the result of its labels.
    alone = graph.pair(seed=7)
    alone.base.extras.set(SUPERSEDED, True)
    assert latest(graph) == [failed.pk, alone.pk]


def test_a_file_marks_what_it_means_no_more_and_takes_it_back(graph: Graph) -> None:
    pair = SimpleNamespace(interface="film8", mlip="sr", seed=1, fingerprint="a")
    old = graph.pair(fingerprint="a/film8/sr")
    other = graph.pair(seed=2, fingerprint="b/film8/sr")
    for fingerprint, marked in (("a", False), ("c", True), ("a", False)):
        pair.fingerprint = fingerprint
        mark_superseded(graph.campaign, [(pair, None)])
        assert old.base.extras.get(SUPERSEDED, False) is marked
        assert other.base.extras.get(SUPERSEDED, False) is False


def test_newest_counts_among_equals(graph: Graph) -> None:
    graph.pair()
    newest = graph.pair()
    assert latest(graph) == [newest.pk]


def test_newest_counts_where_none_has_finished(graph: Graph) -> None:
    graph.pair(exit_status=310)
    newest = graph.pair(exit_status=None)
    assert latest(graph) == [newest.pk]


def test_each_seed_has_its_own_latest_pair(graph: Graph) -> None:
    first, second = graph.pair(seed=2), graph.pair(seed=1)
    assert latest(graph) == [second.pk, first.pk]


def test_series_of_the_pairs_that_have_one(graph: Graph) -> None:
    series = nodes.series([0, 10, 20], np.array([1.0, 2.0, 3.0]))
    with_series, without = graph.pair(series=series), graph.pair(exit_status=None)
    found: dict[int, dict[str, Any]] = pair_series([with_series.pk, without.pk])
    assert list(found) == [with_series.pk]
    assert set(found[with_series.pk]) == {"step", "time_ps", "dipole_z", "temperature"}
    assert found[with_series.pk]["dipole_z"].tolist() == [1.0, 2.0, 3.0]
    assert pair_series([]) == {}

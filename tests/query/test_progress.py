"""How far pairs are said to be: runs that go on beyond their first number of steps, frames that come in batches."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm

from aiida_falsemetal.query.estimate import GAP_SECONDS, LATENCY
from aiida_falsemetal.query.progress import campaign_progress, overview
from tests.data import nodes

from .test_rows import Graph, graph  # noqa: F401  (a fixture)


def md_job(
    graph: Graph,  # noqa: F811
    pair: orm.WorkChainNode,
    label: str,
    steps: int,
    results: dict[str, float] | None = None,
    log: Path | None = None,
) -> orm.CalcJobNode:
    """A job of one of a pair's MD workchains: over where it has ``results``; what it says is in the folder ``log``."""
    over = None if results is None else 0
    caller = nodes.workchain("falsemetal.md", caller=pair, label=label, exit_status=over)
    outputs: dict[str, orm.Data] = {} if results is None else {"results": orm.Dict(results)}
    inputs = {"parameters": orm.Dict({"steps": steps})}
    job = nodes.calculation("falsemetal.md", graph.computer, inputs, outputs, caller, exit_status=over)
    if log is not None:
        job.set_remote_workdir(str(log))
    return job


def progress_of(graph: Graph) -> tuple[str, float | None]:  # noqa: F811
    """What is said of the one pair."""
    (item,) = campaign_progress(graph.campaign)
    return item.detail, item.seconds


FIRST = {"first_step": 0, "last_step": 4000, "wall_seconds": 400.0}


def test_md_under_way(graph: Graph, tmp_path: Path) -> None:  # noqa: F811
    pair = graph.pair(exit_status=None)
    assert progress_of(graph) == ("building", None)
    md_job(graph, pair, "md", 4000, log=tmp_path)
    assert progress_of(graph)[0] == "MD queued"
    (tmp_path / "driver.log").write_text("step 1000 of 4000, 300 s left, 331 K\n")
    assert progress_of(graph)[0] == "MD 25 %"


def test_a_run_that_goes_on_counts_to_its_new_total(graph: Graph, tmp_path: Path) -> None:  # noqa: F811
    pair = graph.pair(exit_status=None)
    md_job(graph, pair, "md", 4000, FIRST)
    assert progress_of(graph)[0] == "MD 100 %"
    md_job(graph, pair, "md_1", 10000, log=tmp_path)
    detail, waiting = progress_of(graph)
    # Queued, but what the first run reached is not lost; 6000 steps of 0.1 s are left, and the gaps.
    assert detail == "MD 40 %" and waiting is not None and waiting > 600.0
    (tmp_path / "driver.log").write_text("step 9000 of 10000, 100 s left, 331 K\n")
    detail, seconds = progress_of(graph)
    assert detail == "MD 90 %" and seconds == pytest.approx(waiting - 500.0)
    md_job(graph, pair, "md_2", 12000, {"first_step": 10000, "last_step": 12000, "wall_seconds": 200.0})
    assert progress_of(graph)[0] == "MD 100 %"


def test_a_share_is_never_above_the_whole(graph: Graph, tmp_path: Path) -> None:  # noqa: F811
    """A log may know more than the inputs of a pair and of its jobs."""
    pair = graph.pair(exit_status=None)
    (tmp_path / "driver.log").write_text("step 9000 of 9000, 0 s left, 331 K\n")
    md_job(graph, pair, "md_1", 5000, log=tmp_path)
    assert progress_of(graph)[0] == "MD 100 %"


def test_frames_of_later_batches_count(graph: Graph) -> None:  # noqa: F811
    """Four frames were wanted at first; those that were submitted since are not forgotten."""
    pair = graph.pair(exit_status=None)
    for step in range(4):
        graph.gap(pair, 100 + step)
    for step in range(3):
        graph.gap(pair, 200 + step, exit_status=None)
    detail, seconds = progress_of(graph)
    assert detail == "gaps 4/7"
    # Nine seconds each, as measured.
    assert seconds == pytest.approx(27.0)


def test_batch_of_pairs_that_wait(graph: Graph, tmp_path: Path) -> None:  # noqa: F811
    """Seeds whose MD runs in one process have no process of their own before it has ended."""
    asked = {
        **{"slots": 2, "selection": {"stratified": 2, "uniform": 1}, "md": {"threads": 1, "precision": None}},
        "mlips": {"sr": {"md": {"threads": 2}}},
    }
    screen = nodes.workchain("falsemetal.screen", {"campaign": orm.Dict(asked)}, exit_status=None)
    waiting = [f"f{seed}/film8/sr" for seed in range(3)]
    screen.base.extras.set_many({"falsemetal_campaign": graph.campaign, "falsemetal_fingerprints": waiting})
    assert [item.detail for item in overview(graph.campaign).progress] == 3 * ["queued"]
    inputs = {"seeds": orm.List([1, 2])}
    job = nodes.calculation("falsemetal.md_batch", graph.computer, inputs, {}, screen, exit_status=None)
    job.label = "film8 x sr"
    job.set_remote_workdir(str(tmp_path))
    assert sorted(item.detail for item in overview(graph.campaign).progress) == [
        "MD queued, batch of 2",
        "MD queued, batch of 2",
        "queued",
    ]
    (tmp_path / "driver.log").write_text("seed 1: step 900 of 4000, 31 s left, 331 K\nseed 2: step 1000 of 4000, 30 s")
    found = overview(graph.campaign)
    batch = [item for item in found.progress if item.detail == "MD 22 %, batch of 2"]
    assert len(batch) == 2 and found.done == 0
    # The 31 s that the job's two cores have left are shared by its seeds, and both wait for all of them; then there
    # are three gaps each, whose time is guessed.
    gap, latency = GAP_SECONDS, LATENCY
    for item in batch:
        assert item.work.seconds == pytest.approx(31.0 / 2 * 2 + 3 * gap)
        assert item.work.chain == pytest.approx(31.0 + latency + 2 * gap + latency)
        assert item.work.open_end  # as no gap was measured
    # The third seed has nothing to go by yet, so that this is a lower bound.
    assert not found.left.whole and found.left.seconds == pytest.approx(batch[0].work.chain)
    assert campaign_progress(graph.campaign) == []
    nodes.finish(job)
    assert [item.detail for item in overview(graph.campaign).progress] == 3 * ["queued"]

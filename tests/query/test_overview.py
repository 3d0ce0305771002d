"""A campaign as a whole: pairs that wait to be submitted, resubmitted ones, campaigns without pairs."""

from __future__ import annotations

import time
from typing import Any

import pytest
from aiida import orm
from plumpy.process_states import ProcessState

from aiida_falsemetal.query.progress import campaign_names, campaign_progress, overview
from aiida_falsemetal.query.rows import current_rows
from aiida_falsemetal.report.matrix import squares
from tests.data import nodes

from .test_rows import Graph, graph  # noqa: F401  (a fixture)


def screen(campaign: str, fingerprints: list[str], slots: int = 2) -> orm.WorkChainNode:
    """A ScreenWorkChain under way."""
    node = nodes.workchain("falsemetal.screen", {"campaign": orm.Dict({"slots": slots})}, exit_status=None)
    node.base.extras.set_many({"falsemetal_campaign": campaign, "falsemetal_fingerprints": fingerprints})
    return node


def said(campaign: str) -> list[tuple[Any, ...]]:
    return [(item.interface, item.mlip, item.seed, item.stage) for item in overview(campaign).progress]


def test_pairs_that_wait_to_be_submitted(graph: Graph) -> None:  # noqa: F811
    first = screen(graph.campaign, ["f/film8/sr", "g/film9/sr"])
    assert graph.campaign in campaign_names()
    found = overview(graph.campaign)
    assert (found.done, len(found.progress), found.active, found.slots) == (0, 2, True, 2)
    assert not found.left.whole
    pair = graph.pair(exit_status=None)
    pair.base.extras.set("falsemetal_fingerprint", "f/film8/sr")
    assert said(graph.campaign) == [("film8", "sr", 1, "building"), ("film9", "sr", None, "waiting")]
    assert [item.interface for item in campaign_progress(graph.campaign)] == ["film8"]
    for node in (pair, first):
        node.set_process_state(ProcessState.KILLED)
    found = overview(graph.campaign)
    # What was never submitted is not waited for.
    assert [item.detail for item in found.progress] == ["killed"] and not found.active and found.left.seconds == 0.0


def test_a_pair_that_is_to_be_submitted_again(graph: Graph) -> None:  # noqa: F811
    pair = graph.pair(exit_status=310)
    pair.base.extras.set("falsemetal_fingerprint", "f/film8/sr")
    assert said(graph.campaign) == [("film8", "sr", 1, "failed")]
    screen(graph.campaign, ["f/film8/sr"])
    assert said(graph.campaign) == [("film8", "sr", None, "waiting")]
    again = graph.pair(exit_status=None)
    again.base.extras.set("falsemetal_fingerprint", "f/film8/sr")
    assert said(graph.campaign) == [("film8", "sr", 1, "building")]


def test_time_left_of_gaps_that_were_measured(graph: Graph) -> None:  # noqa: F811
    begun = screen(graph.campaign, [], slots=1).ctime.timestamp()
    pair = graph.pair(exit_status=None)
    for step in range(4):
        graph.gap(pair, 100 + step)
    for step in range(6):
        graph.gap(pair, 200 + step, exit_status=None)
    found = overview(graph.campaign, now=begun)
    # Six gaps of 9 s on one core; these results came at once, so that nothing is added for AiiDA.
    assert found.left.whole and found.left.seconds == pytest.approx(6 * 9.0)
    assert overview(graph.campaign, now=begun + 90.0).elapsed == pytest.approx(90.0)


def test_frames_that_a_verdict_counts_are_not_read_when_all_is_over(graph: Graph) -> None:  # noqa: F811
    counts = {"selected": 3, "converged": 2, "metallic": 1, "failed": {"410": 1}, "min_gap": 0.1}
    judged = orm.Dict({"verdict": "metallized", "reason": "A gap has closed.", **counts})
    pairs = [graph.pair(verdict=judged), graph.pair(seed=2, exit_status=401)]
    for pair in pairs:
        for step, gap in enumerate((0.1, 3.0, None)):
            graph.gap(pair, step, gap=gap, exit_status=0 if gap else 401)
    found = overview(graph.campaign)
    # The second one has no verdict, so that only its frames tell what became of it.
    assert {row["pair_pk"] for row in found.frames} == {pairs[1].pk} and len(found.frames) == 3
    whole = current_rows(graph.campaign)
    assert [one.lines() for one in squares(found.frames, found.pairs, [], found.progress)] == [
        one.lines() for one in squares(*whole, [], found.progress)
    ]
    screen(graph.campaign, [])
    assert len(overview(graph.campaign).frames) == 6


def test_a_campaign_that_nobody_knows() -> None:
    found = overview("no such campaign", now=time.time())
    assert (found.progress, found.active, found.elapsed, found.left.seconds) == ([], False, 0.0, 0.0)

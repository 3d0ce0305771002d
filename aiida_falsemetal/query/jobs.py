"""How far jobs are and how fast: from the graph, and from their folders on this machine while they run."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiida import orm

from ..names import ENDED
from .graph import MD_BATCH, SCREEN, named
from .logs import MD_LOG, remote_tail

_LINE = re.compile(r"step (\d+) of (\d+), (\S+) s left")
LOG_BYTES = 400
LEAST_SHARE = 0.02
"""Share of its steps that a run must have made to tell how fast the MLIP is."""

STARTED = "falsemetal-started"
"""A file that a job writes when it has its cores, see :mod:`..workflows.slots`."""


@dataclass
class MdState:
    """The MD of a pair, all its jobs together.

    :param done: steps reached.
    :param total: steps that the newest job is to reach.
    :param left: seconds until then, as its driver prints them; None where it has not said.
    :param per_step: seconds a step, of the newest job that says.
    :param running: whether the newest job has begun to compute.
    """

    done: int = 0
    total: int | None = None
    left: float | None = None
    per_step: float | None = None
    running: bool = False


def md_states(pair_pks: list[int]) -> dict[int, MdState]:
    """The MD of every pair that has begun one. A run that goes on has several workchains, and one that was killed
    several jobs: a job that waits in a queue has said nothing, and what those before it said counts.
    """
    jobs = _jobs(pair_pks)
    results = _results(pair_pks)
    states: dict[int, MdState] = {}
    for pair_pk, pk, steps, folder, transport in jobs:
        state = states.setdefault(pair_pk, MdState())
        state.total, state.left, state.running = steps, None, False
        if pk in results:
            _ended(state, results[pk])
        else:
            _says(state, remote_tail(folder, transport, MD_LOG, LOG_BYTES))
    return states


def _jobs(pair_pks: list[int]) -> list[tuple[int, int, int | None, str | None, str | None]]:
    """Pair, pk, steps, folder and transport of every MD job, oldest first."""
    query = _md_jobs(pair_pks)
    query.add_projection("pair", "id")
    query.add_projection("job", ["id", "attributes.remote_workdir"])
    query.append(orm.Computer, with_node="job", project=["transport_type"])
    query.append(
        orm.Dict, with_outgoing="job", edge_filters=named("parameters"), project=["attributes.steps"], tag="given"
    )
    found = [(pair, pk, steps, folder, kind) for pair, pk, folder, kind, steps in query.iterall()]
    return sorted(found, key=lambda entry: entry[1])


def _results(pair_pks: list[int]) -> dict[int, dict[str, float]]:
    """What the driver said at its end, by the pk of its job."""
    query = _md_jobs(pair_pks)
    query.add_projection("job", "id")
    keys = ("first_step", "last_step", "wall_seconds", "batch")
    query.append(
        orm.Dict,
        with_incoming="job",
        edge_filters=named("results"),
        project=[f"attributes.{key}" for key in keys],
    )
    return {pk: dict(zip(keys, (value or 0 for value in values), strict=True)) for pk, *values in query.iterall()}


def _md_jobs(pair_pks: list[int]) -> orm.QueryBuilder:
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": pair_pks}}, tag="pair")
    query.append(orm.WorkChainNode, with_incoming="pair", edge_filters={"label": {"like": "md%"}}, tag="md")
    query.append(orm.CalcJobNode, with_incoming="md", tag="job")
    return query


def _ended(state: MdState, result: dict[str, float]) -> None:
    steps = result["last_step"] - result["first_step"]
    state.done = max(state.done, int(result["last_step"]))
    # The wall time has the relaxation in it, which is most of a run that ended after a few steps.
    if steps > 0 and steps >= LEAST_SHARE * (state.total or 0):
        # Of a batch, the time is that of all its seeds.
        state.per_step = result["wall_seconds"] / steps / max(1, result["batch"])


def _says(state: MdState, log: str) -> None:
    lines = _LINE.findall(log)
    if not lines:
        return
    done, total, left = int(lines[-1][0]), int(lines[-1][1]), _number(lines[-1][2])
    state.running = True
    state.done, state.total = max(state.done, done), total
    if left is not None and total > done:
        state.left, state.per_step = left, left / (total - done)


def _number(text: str) -> float | None:
    """A number; None of NaN, which the driver says before it knows, and of what is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Submission:
    """The newest ScreenWorkChain of a campaign.

    :param slots: cores that the campaign may use at once.
    :param fingerprints: of the pairs that it runs.
    """

    pk: int
    begun: datetime
    active: bool
    slots: int
    fingerprints: tuple[str, ...]


def submissions(campaign: str) -> list[Submission]:
    """Every ScreenWorkChain of a campaign, oldest first."""
    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode,
        filters={"process_type": SCREEN, "extras.falsemetal_campaign": campaign},
        project=["id", "ctime", "attributes.process_state", "extras.falsemetal_fingerprints"],
        tag="screen",
    )
    query.append(orm.Dict, with_outgoing="screen", edge_filters=named("campaign"), project=["attributes.slots"])
    found = [
        Submission(pk, begun, state not in ENDED, int(slots or 1), tuple(str(one) for one in prints or ()))
        for pk, begun, state, prints, slots in query.iterall()
    ]
    return sorted(found, key=lambda one: (one.begun, one.pk))


@dataclass(frozen=True)
class Batch:
    """MD of several pairs in one job, before they have a process of their own.

    :param seeds: how many.
    :param mlip: their MLIP.
    :param campaign: what the campaign's file asks for, as it was submitted.
    """

    state: MdState
    seeds: int
    mlip: str
    campaign: dict[str, Any]

    @property
    def threads(self) -> int:
        """Cores that its job has."""
        return int(self._md().get("threads") or 1)

    @property
    def open_end(self) -> bool:
        """Whether its seeds may go on for their precision."""
        return self._md().get("precision") is not None

    @property
    def frames(self) -> int:
        """Gaps that each of its seeds asks for."""
        given = self.campaign.get("selection") or {}
        return int(given.get("stratified") or 0) + int(given.get("uniform") or 0)

    def _md(self) -> dict[str, Any]:
        own = (self.campaign.get("mlips") or {}).get(self.mlip) or {}
        return {**(self.campaign.get("md") or {}), **(own.get("md") or {})}


def batches_under_way(screen_pks: list[int]) -> dict[str, Batch]:
    """The newest batch that has not ended, by its label: interface and MLIP."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": [*screen_pks, 0]}}, tag="screen")
    query.append(orm.Dict, with_outgoing="screen", edge_filters=named("campaign"), project=["attributes"])
    query.append(
        orm.CalcJobNode,
        with_incoming="screen",
        filters={"process_type": MD_BATCH, "attributes.process_state": {"!in": list(ENDED)}},
        project=["id", "label", "attributes.remote_workdir"],
        tag="job",
    )
    query.append(orm.Computer, with_node="job", project=["transport_type"])
    query.append(orm.List, with_outgoing="job", edge_filters=named("seeds"), project=["attributes.list"])
    found = {}
    for campaign, _, label, folder, transport, seeds in sorted(query.all(), key=lambda row: row[1]):
        state = MdState()
        _says(state, remote_tail(folder, transport, MD_LOG, LOG_BYTES))
        found[str(label)] = Batch(state, len(seeds or ()), str(label).rpartition(" x ")[2], campaign)
    return found


LATENCIES = 100
"""Newest gaps from which the latency is measured."""


def gap_latency(pair_pks: list[int]) -> float | None:
    """Seconds from asking for a gap to its result, its computing not counted; None where there is no gap yet.

    The smallest of the newest gaps: others have waited for a core besides.
    """
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": pair_pks}}, tag="pair")
    query.append(
        orm.WorkChainNode, with_incoming="pair", edge_filters={"label": {"like": "gap%"}}, tag="gap", project=["ctime"]
    )
    query.append(
        orm.Dict,
        with_incoming="gap",
        edge_filters=named("result"),
        project=["ctime", "attributes.wall_seconds"],
        tag="result",
    )
    query.order_by([{"result": [{"id": {"order": "desc"}}]}])
    query.limit(LATENCIES)
    found = [(there - asked).total_seconds() - (wall or 0.0) for asked, there, wall in query.iterall()]
    return max(0.0, min(found)) if found else None


@dataclass
class UnderWay:
    """Gaps of a pair that have been asked for and are not there.

    :param waited: seconds since the oldest of them was asked for.
    :param computed: seconds that their runs of pw.x have had, where their folders are on this machine.
    """

    waited: float = 0.0
    computed: float = 0.0


def gaps_under_way(pair_pks: list[int], now: float) -> dict[int, UnderWay]:
    """Gaps under way, by pair."""
    if not pair_pks:
        return {}
    active = {"attributes.process_state": {"!in": list(ENDED)}}
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": pair_pks}}, tag="pair", project=["id"])
    query.append(
        orm.WorkChainNode,
        with_incoming="pair",
        edge_filters={"label": {"like": "gap%"}},
        filters=active,
        project=["ctime"],
        tag="gap",
    )
    found: dict[int, UnderWay] = {}
    for pk, asked in query.iterall():
        entry = found.setdefault(pk, UnderWay())
        entry.waited = max(entry.waited, now - asked.timestamp())
    query.append(orm.WorkChainNode, with_incoming="gap", tag="base")
    query.append(
        orm.CalcJobNode, with_incoming="base", filters=active, project=["attributes.remote_workdir"], tag="job"
    )
    query.append(orm.Computer, with_node="job", project=["transport_type"])
    for pk, _, folder, transport in query.iterall():
        try:
            had = now - float(remote_tail(folder, transport, STARTED, 64).strip())
        except ValueError:
            continue
        found[pk].computed += max(0.0, had)
    return found

"""What failed in a campaign, and why: cause, last lines of the log, pks, and what to do next.

Looking for failures takes one query a kind. Explaining them takes one query a level of processes (pair, workchain, job)
for all of them together, and their logs are read only then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiida import orm

from ..names import EXTRAS, NEWEST_FIRST, OLDEST_FIRST
from .advice import Command, commands_for
from .graph import SCREEN, called, named, pair_query
from .lineage import GAP, PAIR, WORDS, linked
from .logs import Log, clean, log_tail
from .rows import latest_pairs, pair_rows

LONGEST = 600
"""Characters of a cause."""
DEEPEST = 8
"""Levels of processes below a pair or a frame; there are four."""
LABELS = {(PAIR, 210): "build", (PAIR, 310): "md", (PAIR, 410): "md", (GAP, 401): "pw_run"}
"""How the link to the process begins that an exit code is about: others may have failed too, and not be its cause."""
CHUNK = 500
"""pks in one query."""
_FAILED: dict[str, Any] = {
    "or": [{"attributes.process_state": {"in": ["excepted", "killed"]}}, {"attributes.exit_status": {">": 0}}]
}


@dataclass(frozen=True)
class Failing:
    """A pair or a frame that failed, or a ScreenWorkChain that broke off.

    :param kind: ``screen``, ``pair`` or ``frame``.
    :param pk: of its workchain.
    :param pair_pk: of the pair; None of a screen.
    :param step: of the frame; None of others.
    :param exit_code: of its workchain; None where it excepted or was killed.
    """

    kind: str
    pk: int
    campaign: str
    interface: str | None = None
    mlip: str | None = None
    seed: int | None = None
    step: int | None = None
    pair_pk: int | None = None
    exit_code: int | None = None
    state: str = "finished"

    @property
    def alike(self) -> tuple[Any, ...]:
        """What failures of one kind in one cell have in common."""
        return self.campaign, self.kind, self.interface, self.mlip, self.exit_code, self.state

    @property
    def title(self) -> str:
        """What failed, in words."""
        if self.kind == "screen":
            return clean(f"the screen of {self.campaign}")
        seed = f", seed {self.seed}" if self.seed is not None else ""
        step = f", frame of step {self.step}" if self.kind == "frame" else ""
        return clean(f"{self.interface} x {self.mlip}{seed}{step}")


@dataclass(frozen=True)
class Failure:
    """A failure, explained. All text is clean, see :func:`.logs.clean`.

    :param failing: what failed.
    :param cause: one sentence or several: which process failed how.
    :param failed_pk: of the deepest process that failed.
    :param logs: of that process.
    :param commands: what to do next.
    """

    failing: Failing
    cause: str
    failed_pk: int
    logs: tuple[Log, ...]
    commands: tuple[Command, ...]


def failures(campaign: str, most: int | None = None) -> list[Failure]:
    """Failures of a campaign, explained; the newest ``most`` of them unless that is None."""
    found = find_failures(campaign)
    return explain(found if most is None else found[max(0, len(found) - most) :])


def find_failures(campaign: str, pairs: Sequence[dict[str, Any]] | None = None) -> list[Failing]:
    """What failed, oldest first: of pairs that were submitted again only what counts now.

    :param pairs: the rows that count, see :func:`.rows.latest_pairs`, where they are known already.
    """
    counted = latest_pairs(pair_rows(campaign)) if pairs is None else pairs
    by_pk = {pair["pair_pk"]: pair for pair in counted if pair["campaign"] == campaign}
    found = [*_screen(campaign), *(_pair(pair) for pair in by_pk.values() if _has_failed(pair))]
    return sorted([*found, *_frames(campaign, by_pk)], key=lambda failing: failing.pk)


def _has_failed(pair: dict[str, Any]) -> bool:
    return bool(pair["exit_code"]) or pair["state"] in ("excepted", "killed")


def _pair(pair: dict[str, Any]) -> Failing:
    names = {name: pair[name] for name in EXTRAS}
    ended = {"exit_code": pair["exit_code"], "state": pair["state"]}
    return Failing("pair", pair["pair_pk"], pair_pk=pair["pair_pk"], **names, **ended)


def _screen(campaign: str) -> list[Failing]:
    """The newest ScreenWorkChain, if it broke off: its pairs' failures are their own, but those that wait are lost."""
    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode,
        filters={"process_type": SCREEN, "extras.falsemetal_campaign": campaign},
        project=["id", "attributes.process_state"],
        tag="screen",
    )
    query.order_by([{"screen": NEWEST_FIRST}])
    newest = query.first()
    if newest is None or newest[1] not in ("excepted", "killed"):
        return []
    return [Failing("screen", newest[0], campaign, state=newest[1])]


def _frames(campaign: str, pairs: dict[int, dict[str, Any]]) -> list[Failing]:
    """Frames that failed. Those that were killed with their pair are not worth a word of their own."""
    query = pair_query(campaign, ["id"])
    state = ["id", "attributes.process_state", "attributes.exit_status"]
    called(query, GAP, "pair", "gap", filters=_FAILED, project=state)
    query.append(orm.Dict, with_outgoing="gap", edge_filters=named("record"), project=["attributes.step"])
    found = []
    for pair_pk, pk, state, status, step in query.iterall():
        pair = pairs.get(pair_pk)
        if pair is None or (state == pair["state"] == "killed"):
            continue
        names = {name: pair[name] for name in EXTRAS}
        found.append(Failing("frame", pk, step=step, pair_pk=pair_pk, exit_code=status, state=state, **names))
    return found


def explain(found: Sequence[Failing]) -> list[Failure]:
    """Cause, log and next commands of each, in the same order."""
    deepest = _deepest([failing.pk for failing in found])
    nodes = _nodes([deepest[failing.pk] for failing in found])
    return [_explained(failing, nodes[deepest[failing.pk]]) for failing in found]


def _explained(failing: Failing, node: orm.ProcessNode) -> Failure:
    try:
        logs = tuple(log_tail(node))
    except (OSError, KeyError, ValueError) as error:
        # A folder that cannot be read, as in a damaged repository, takes nothing from the cause.
        logs = (Log("report", (clean(f"the log cannot be read: {error}"),)),)
    return Failure(failing, _cause(node), node.pk, logs, commands_for(failing.kind, failing.pk, node))


def _deepest(pks: Sequence[int]) -> dict[int, int]:
    """The last process that failed at the end of the calls below each process; itself where none below failed."""
    ends = {pk: pk for pk in pks}
    waiting = list(pks)
    for _ in range(DEEPEST):
        below = _failed_children([ends[pk] for pk in waiting])
        waiting = [pk for pk in waiting if ends[pk] in below]
        ends.update({pk: below[ends[pk]] for pk in waiting})
        if not waiting:
            break
    return ends


def _failed_children(pks: list[int]) -> dict[int, int]:
    """By the pk of a process, that of the last one it called that failed: of those that its exit code is about."""
    found: dict[int, int] = {}
    for start in range(0, len(pks), CHUNK):
        query = orm.QueryBuilder()
        query.append(
            orm.ProcessNode,
            filters={"id": {"in": pks[start : start + CHUNK]}},
            tag="caller",
            project=["id", "process_type", "attributes.exit_status"],
        )
        query.append(
            orm.ProcessNode,
            with_incoming="caller",
            filters=_FAILED,
            tag="child",
            project=["id"],
            edge_project=["label"],
        )
        query.order_by([{"child": OLDEST_FIRST}])
        for pk, kind, status, child, label in query.iterall():
            if str(label).startswith(LABELS.get((kind, status), "")):
                found[pk] = child
    return found


def _nodes(pks: list[int]) -> dict[int, orm.ProcessNode]:
    found: dict[int, orm.ProcessNode] = {}
    for start in range(0, len(pks), CHUNK):
        query = orm.QueryBuilder()
        query.append(orm.ProcessNode, filters={"id": {"in": pks[start : start + CHUNK]}}, project=["id", "*"])
        found.update(dict(query.iterall()))
    return found


def _cause(node: orm.ProcessNode) -> str:
    """Which process failed how: its exit code and message, or what it excepted with."""
    what = WORDS.get(node.process_type or "", f"the process {node.process_label or node.process_type}")
    return clean(f"{what} (pk {node.pk}) {_how(node)}", LONGEST)


def _how(node: orm.ProcessNode) -> str:
    state = node.process_state.value if node.process_state is not None else "ended"
    if state == "excepted":
        raised = (node.exception or "").strip().splitlines()
        return f"ended with an exception: {raised[-1]}" if raised else "ended with an exception"
    if state == "killed":
        said = node.exit_message or node.process_status or ""
        return f"was killed{': ' if said else ''}{said}"
    said = node.exit_message or "it left no message."
    step = _last_step(node)
    return f"ended with exit code {node.exit_status}{step}: {said}"


def _last_step(node: orm.ProcessNode) -> str:
    """How far an MD came, where its message does not say it."""
    if node.process_type != "aiida.calculations:falsemetal.md" or "step" in (node.exit_message or ""):
        return ""
    results = linked(node, "results")
    reached = None if results is None else results.get_dict().get("last_step")
    return f" at step {reached}" if reached is not None else ""

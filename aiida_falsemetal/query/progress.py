"""How far every pair of a campaign is, and how long the rest will take at the speeds measured so far."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiida import orm

from ..names import ENDED
from .estimate import Speeds, TimeLeft, Work, gap_work, md_work, measure, time_left
from .frame_query import find_frames
from .graph import named
from .jobs import (
    Batch,
    MdState,
    Submission,
    UnderWay,
    batches_under_way,
    gap_latency,
    gaps_under_way,
    md_states,
    submissions,
)
from .rows import latest_pairs, pair_rows

COUNTED = ("selected", "converged", "metallic", "failed", "min_gap")
"""What a pair's verdict says of its frames; verdicts of older versions lack some."""


@dataclass
class PairProgress:
    """One pair.

    :param seed: None of a pair that waits to be submitted.
    :param stage: ``waiting``, ``building``, ``MD``, ``selecting`` (of an imported trajectory), ``gaps``, ``done`` or
        ``failed``.
    :param detail: what a line says.
    :param seconds: core-seconds that are left, None where nothing was measured yet.
    :param work: the same with its uncertainty.
    """

    interface: str
    mlip: str
    seed: int | None
    stage: str
    detail: str
    work: Work = field(default_factory=Work)
    pair_pk: int | None = None

    @property
    def seconds(self) -> float | None:
        """Core-seconds that are left."""
        return self.work.seconds

    @property
    def over(self) -> bool:
        """Whether it has ended, well or not."""
        return self.stage in ("done", "failed")


@dataclass
class Overview:
    """A campaign as it is now.

    :param progress: of every pair, those that wait to be submitted too.
    :param pairs: rows of the pairs that count, and
    :param frames: rows of their frames, see :func:`.frame_query.find_frames`. Of a campaign that is over, without those
        of the pairs whose verdict says all that is shown of them.
    :param active: whether a process of it has not ended.
    :param elapsed: seconds since it was submitted last, or, where it is over, that this took.
    """

    campaign: str
    progress: list[PairProgress]
    pairs: list[dict[str, Any]]
    frames: list[dict[str, Any]]
    active: bool
    slots: int
    elapsed: float
    left: TimeLeft

    @property
    def done(self) -> int:
        """Pairs that have ended."""
        return sum(item.over for item in self.progress)


def campaign_names() -> list[str]:
    """Campaigns of the profile that have a pair, or were submitted."""
    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode,
        filters={
            "extras": {"has_key": "falsemetal_campaign"},
            "process_type": {"in": [f"aiida.workflows:falsemetal.{name}" for name in ("pair", "screen")]},
        },
        project=["extras.falsemetal_campaign"],
    )
    query.distinct()
    return sorted({str(name) for (name,) in query.iterall() if name})


def campaign_progress(campaign: str) -> list[PairProgress]:
    """Progress of every pair of the campaign that has a node, in the order of interface, MLIP, seed."""
    return [item for item in overview(campaign).progress if item.stage != "waiting"]


def overview(campaign: str, now: float | None = None) -> Overview:
    """How far a campaign is.

    :param now: seconds since 1970; the clock's unless given.
    """
    now = time.time() if now is None else now
    every = pair_rows(campaign)
    submitted = submissions(campaign)
    waiting = _waiting(submitted, every)
    pairs = [pair for pair in latest_pairs(every) if pair["fingerprint"] not in waiting or _goes_on(pair)]
    counted = {pair["pair_pk"] for pair in pairs}
    active = any(one.active for one in submitted) or any(_goes_on(pair) for pair in every)
    # Of a campaign under way all frames are read, for how long they took.
    wanted = None if active else {pair["pair_pk"] for pair in pairs if not _counted(pair)}
    rows = find_frames(campaign, of_pairs=wanted)
    frames: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        frames.setdefault(row["pair_pk"], []).append(row)
    # Of one that is over nothing is estimated.
    state = _State(every if active else [], frames, now, max((one.slots for one in submitted), default=1))
    progress = [state.progress(pair) for pair in pairs]
    progress += state.waiting(waiting, [one.pk for one in submitted if one.active])
    elapsed = _elapsed(submitted, every, active, now)
    return Overview(
        campaign,
        sorted(progress, key=lambda item: (str(item.interface), str(item.mlip), str(item.seed))),
        pairs,
        [row for row in rows if row["pair_pk"] in counted],
        active,
        state.slots,
        elapsed,
        time_left((item.work for item in progress if not item.over), state.slots),
    )


def _goes_on(pair: dict[str, Any]) -> bool:
    return pair["state"] not in ENDED


def _counted(pair: dict[str, Any]) -> bool:
    """Whether a pair's verdict says what a look at its frames would."""
    return pair.get("verdict") is not None and all(key in pair for key in COUNTED)


def _waiting(submitted: Sequence[Submission], pairs: Sequence[dict[str, Any]]) -> list[str]:
    """Fingerprints of the pairs that a ScreenWorkChain under way has not submitted yet. A pair that failed before and
    is to be submitted again is one of them."""
    newest: dict[str, int] = {}
    for pair in pairs:
        newest[pair["fingerprint"]] = max(pair["pair_pk"], newest.get(pair["fingerprint"], 0))
    return [
        name
        for one in submitted
        if one.active
        for name in one.fingerprints
        if newest.get(name, 0) < one.pk and name.count("/") >= 2
    ]


def _elapsed(submitted: Sequence[Submission], pairs: Sequence[dict[str, Any]], active: bool, now: float) -> float:
    if not submitted:
        return 0.0
    begun = submitted[-1].begun.timestamp()
    if active:
        return max(0.0, now - begun)
    query = orm.QueryBuilder()
    query.append(
        orm.ProcessNode,
        filters={"id": {"in": [pair["pair_pk"] for pair in pairs] + [0]}},
        project=["mtime"],
        tag="pair",
    )
    query.order_by([{"pair": [{"mtime": {"order": "desc"}}]}])
    ended = query.first(flat=True)
    return 0.0 if ended is None else max(0.0, float(ended.timestamp()) - begun)


def _inputs(pks: list[int], label: str) -> dict[int, dict[str, Any]]:
    """Content of the input ``label`` of every pair that has it."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": pks}}, tag="pair", project=["id"])
    query.append(orm.Dict, with_outgoing="pair", edge_filters=named(label), project=["attributes"])
    return dict(query.iterall())


class _State:
    """What was measured of a campaign."""

    def __init__(
        self, pairs: list[dict[str, Any]], frames: dict[int, list[dict[str, Any]]], now: float, slots: int
    ) -> None:
        self.pairs, self.frames, self.now, self.slots = pairs, frames, now, slots
        pks = [pair["pair_pk"] for pair in pairs]
        self.jobs: dict[int, MdState] = md_states(pks) if pks else {}
        self.asked = _inputs(pks, "selection") if pks else {}
        self.md = _inputs(pks, "md") if pks else {}
        self.ranks = {pk: _ranks(given) for pk, given in (_inputs(pks, "pw_options") if pks else {}).items()}
        self.under_way = gaps_under_way([pair["pair_pk"] for pair in pairs if pair["state"] not in ENDED], now)
        self.speeds: Speeds = measure(pairs, frames, self.jobs, self.ranks)
        latency = gap_latency(pks) if pks else None
        if latency is not None:
            self.speeds.latency = latency

    def progress(self, pair: dict[str, Any]) -> PairProgress:
        """How far a pair is."""
        frames, job = self.frames.get(pair["pair_pk"], []), self.jobs.get(pair["pair_pk"])
        names, pk = (pair["interface"], pair["mlip"], pair["seed"]), pair["pair_pk"]
        if pair["state"] in ENDED:
            if pair.get("verdict"):
                stage = "done" if pair["exit_code"] == 0 else "failed"
                return PairProgress(*names, stage, _outcome(pair), pair_pk=pk)
            code = pair["exit_code"]
            how = pair["state"] if code is None else f"failed [{code}]"
            return PairProgress(*names, "failed", how, pair_pk=pk)
        if frames:
            # Batches may have made them more than ``frames_wanted``, and a short trajectory fewer: those that were
            # submitted count.
            over = [row for row in frames if row["result_pk"] is not None or row["exit_code"] is not None]
            # Code 0 without a gap: it has ended since its result was asked for.
            failed = sum(row["gap"] is None and row["exit_code"] != 0 for row in over)
            detail = f"gaps {len(over)}/{len(frames)}" + (f", {failed} failed" * bool(failed))
            return PairProgress(*names, "gaps", detail, self._gaps(pair, len(frames) - len(over), len(frames)), pk)
        if pair["imported_from"] is not None:
            return PairProgress(*names, "selecting", "selecting", self._gaps(pair, pair["frames_wanted"]), pk)
        if job is None:
            return PairProgress(*names, "building", "building", self._md(pair, pair["md_steps"], None), pk)
        # A run that goes on beyond its first number of steps has another total.
        job.total = max(pair["md_steps"], job.total or 0, job.done)
        left = self._md(pair, job.total - job.done, job.left)
        return PairProgress(*names, "MD", _md_detail(job), left, pk)

    def waiting(self, fingerprints: list[str], screens: list[int]) -> list[PairProgress]:
        """Pairs that are not submitted yet, of which a fingerprint says interface and MLIP. Of what another pair of the
        same MLIP takes, the rest is guessed. A batch is said of as many of them as it has seeds."""
        found = []
        batches = batches_under_way(screens) if fingerprints else {}
        said: Counter[str] = Counter()
        for name in fingerprints:
            _, interface, mlip = name.split("/", 2)
            alike = [pair for pair in self.pairs if pair["mlip"] == mlip]
            alike.sort(key=lambda pair: pair["interface"] != interface)
            work = Work(None)
            if alike:
                pair = {**alike[0], "interface": interface}
                given = pair["imported_from"] is not None
                work = self._gaps(pair, pair["frames_wanted"]) if given else self._md(pair, pair["md_steps"], None)
            batch, detail = batches.get(label := f"{interface} x {mlip}"), "queued"
            if batch is not None and said[label] < batch.seeds:
                said[label] += 1
                detail = f"{_md_detail(batch.state)}, batch of {batch.seeds}"
                work = self._batch(batch, interface, mlip) or work
            found.append(PairProgress(interface, mlip, None, "waiting", detail, work))
        return found

    def _batch(self, batch: Batch, interface: str, mlip: str) -> Work | None:
        """What one seed of a batch has left, None as long as the batch's driver has not said how long it takes.

        The seeds share a job: each has its part of what the job takes, and waits for the whole.
        """
        whole = batch.state.left
        if whole is None:
            return None
        after = gap_work(self.speeds, (interface, mlip), batch.frames, self.slots)
        part = md_work(0, 0.0, whole / batch.seeds, batch.threads, self.speeds.latency, after, batch.open_end)
        return replace(part, chain=part.chain + whole - whole / batch.seeds)

    def _gaps(self, pair: dict[str, Any], count: int, chosen: int = 0) -> Work:
        pk = pair["pair_pk"]
        more = max(0, (self.asked.get(pk, {}).get("most") or 0) - max(chosen, count))
        under_way = self.under_way.get(pk, UnderWay()) if chosen else UnderWay()
        done = under_way.computed * self.ranks.get(pk, 1)
        return gap_work(self.speeds, (pair["interface"], pair["mlip"]), count, self.slots, done, under_way.waited, more)

    def _md(self, pair: dict[str, Any], steps: int, left: float | None) -> Work:
        per_step = self.speeds.per_step(pair["interface"], pair["mlip"])
        if per_step is None and left is None:
            return Work(None)
        given = self.md.get(pair["pair_pk"], {})
        after = self._gaps(pair, pair["frames_wanted"])
        open_end = given.get("precision") is not None
        threads = int(given.get("threads") or 1)
        return md_work(steps, per_step or 0.0, left, threads, self.speeds.latency, after, open_end)


def _md_detail(job: MdState) -> str:
    if job.done and job.total:
        return f"MD {100 * job.done / job.total:.0f} %"
    return "MD 0 %" if job.running else "MD queued"


def _ranks(options: dict[str, Any]) -> int:
    resources = options.get("resources") or {}
    return int(resources.get("num_machines", 1)) * int(resources.get("num_mpiprocs_per_machine", 1))


def _outcome(pair: dict[str, Any]) -> str:
    gap = pair.get("min_gap")
    return f"{pair['verdict']}" + (f", min gap {gap:.2f} eV" if gap is not None else "")

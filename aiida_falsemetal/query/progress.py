"""How far every pair of a campaign is, and how long the rest will take at the speeds measured so far."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiida import orm

from ..names import ENDED
from .rows import frame_rows, latest_pairs, pair_rows

_LINE = re.compile(r"step (\d+) of (\d+), (\S+) s left")


@dataclass
class PairProgress:
    """One pair.

    :param stage: ``waiting``, ``building``, ``MD``, ``selecting`` (of an imported trajectory), ``gaps``, ``done`` or
        ``failed``.
    :param detail: what a cell of the table says.
    :param seconds: core-seconds that are left, None where nothing was measured yet.
    """

    interface: str
    mlip: str
    seed: int
    stage: str
    detail: str
    seconds: float | None = None


GAP_SECONDS = 35.0
GAP_MOLECULES = 24
"""Until a gap of the campaign is there to measure: protocol ``fast``, 24 waters, one core of a laptop-class machine
(and the square of the number of molecules)."""


@dataclass
class _Speeds:
    """Measured speeds: seconds a step by MLIP, seconds a gap."""

    step: dict[str, float]
    gap: float | None

    def gaps(self, count: int, molecules: int | None) -> float:
        """Seconds that ``count`` gaps take: measured, or a guess."""
        if self.gap is not None:
            return count * self.gap
        return count * GAP_SECONDS * ((molecules or GAP_MOLECULES) / GAP_MOLECULES) ** 2


def campaign_progress(campaign: str) -> list[PairProgress]:
    """Progress of every pair of the campaign that has a node, in the order of interface, MLIP, seed."""
    pairs = latest_pairs(pair_rows(campaign))
    frames: dict[int, list[dict[str, Any]]] = {}
    for row in frame_rows(campaign):
        frames.setdefault(row["pair_pk"], []).append(row)
    jobs = _md_jobs([pair["pair_pk"] for pair in pairs])
    speeds = _measure(pairs, frames, jobs)
    return [_progress(pair, frames.get(pair["pair_pk"], []), jobs.get(pair["pair_pk"]), speeds) for pair in pairs]


def time_left(progress: list[PairProgress], slots: int) -> tuple[float, bool]:
    """Seconds of wall time until all is done, and whether that is all: False while a pair's speed is not known, and the
    time is a lower bound."""
    known = [pair.seconds for pair in progress if pair.seconds is not None]
    return sum(known) / max(1, slots), len(known) == len(progress) and bool(progress)


def _md_jobs(pair_pks: list[int]) -> dict[int, dict[str, Any]]:
    """The MD of every pair that has begun one, see :func:`_md_of`. A run that goes on has several workchains."""
    if not pair_pks:
        return {}
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": {"in": pair_pks}}, tag="pair", project=["id"])
    query.append(orm.WorkChainNode, with_incoming="pair", edge_filters={"label": {"like": "md%"}}, tag="md")
    query.append(orm.CalcJobNode, with_incoming="md", project=["*"])
    jobs: dict[int, list[orm.CalcJobNode]] = {}
    for pk, job in query.iterall():
        jobs.setdefault(pk, []).append(job)
    return {pk: _md_of(sorted(found, key=lambda job: job.pk)) for pk, found in jobs.items()}


def _md_of(jobs: list[orm.CalcJobNode]) -> dict[str, Any]:
    """What the jobs of one pair, oldest first, say of its MD.

    :return: ``done`` (steps), ``total`` (steps that the newest job is to reach), ``left`` (seconds, as its driver
        prints them), ``per_step`` (seconds). A job that waits in a queue has said nothing: ``done`` and ``per_step``
        are then those of the jobs before it.
    """
    found: dict[str, Any] = {"done": 0, "total": None, "left": None, "per_step": None}
    for job in jobs:
        said = _md_job(job)
        found.update(total=said["total"], left=said["left"], done=max(found["done"], said["done"]))
        found["per_step"] = said["per_step"] or found["per_step"]
    return found


def _md_job(job: orm.CalcJobNode) -> dict[str, Any]:
    found: dict[str, Any] = {"done": 0, "total": None, "left": None, "per_step": None}
    if "parameters" in job.inputs:
        found["total"] = job.inputs.parameters.get_dict().get("steps")
    if "results" in job.outputs:
        result = job.outputs.results.get_dict()
        steps = result.get("last_step", 0) - result.get("first_step", 0)
        if steps > 0:
            found.update(done=result["last_step"], per_step=result["wall_seconds"] / steps)
        return found
    match = _LINE.findall(_log_tail(job))
    if match:
        done, total, left = int(match[-1][0]), int(match[-1][1]), float(match[-1][2])
        found.update(done=done, total=total)
        if left == left and total > done:  # not NaN
            found.update(left=left, per_step=left / (total - done))
    return found


def _log_tail(job: orm.CalcJobNode) -> str:
    """End of the driver's log while it runs, where the job's folder is on this machine; else empty."""
    folder = job.get_remote_workdir()
    if not folder or job.computer is None or job.computer.transport_type != "core.local":
        return ""
    try:
        with open(Path(folder) / "driver.log", "rb") as handle:
            handle.seek(0, 2)
            handle.seek(max(0, handle.tell() - 400))
            return handle.read().decode(errors="replace")
    except OSError:
        return ""


def _measure(
    pairs: list[dict[str, Any]], frames: dict[int, list[dict[str, Any]]], jobs: dict[int, dict[str, Any]]
) -> _Speeds:
    step = {}
    for pair in pairs:
        per_step = jobs.get(pair["pair_pk"], {}).get("per_step")
        if per_step:
            step[pair["mlip"]] = per_step
    walls = [row["wall_seconds"] for rows in frames.values() for row in rows if row["wall_seconds"]]
    return _Speeds(step, sum(walls) / len(walls) if walls else None)


def _progress(
    pair: dict[str, Any], frames: list[dict[str, Any]], job: dict[str, Any] | None, speeds: _Speeds
) -> PairProgress:
    names = (pair["interface"], pair["mlip"], pair["seed"])
    if pair["state"] in ENDED:
        if pair.get("verdict"):
            return PairProgress(*names, "done" if pair["exit_code"] == 0 else "failed", _outcome(pair), 0.0)
        return PairProgress(*names, "failed", f"failed [{pair['exit_code']}]", 0.0)
    if frames:
        # Batches may have made them more than ``frames_wanted``, and a short trajectory fewer: those submitted count.
        done = sum(row["result_pk"] is not None for row in frames)
        failed = sum(row["result_pk"] is not None and row["gap"] is None for row in frames)
        detail = f"gaps {done}/{len(frames)}" + (f", {failed} failed" * bool(failed))
        return PairProgress(*names, "gaps", detail, speeds.gaps(len(frames) - done, pair["molecules"]))
    if pair["imported_from"] is not None:
        return PairProgress(*names, "selecting", "selecting", speeds.gaps(pair["frames_wanted"], pair["molecules"]))
    if job is None:
        return PairProgress(*names, "building", "building", _md_left(pair, pair["md_steps"], speeds))
    # A run that goes on beyond its first number of steps has another total.
    total = max(pair["md_steps"], job["total"] or 0, job["done"])
    left = _md_left(pair, total - job["done"], speeds)
    if job["left"] is not None:
        left = job["left"] + speeds.gaps(pair["frames_wanted"], pair["molecules"])
    return PairProgress(*names, "MD", f"MD {100 * job['done'] / total:.0f} %" if job["done"] else "MD queued", left)


def _md_left(pair: dict[str, Any], steps: int, speeds: _Speeds) -> float | None:
    """Seconds for so many steps more and the gaps after them."""
    per_step = speeds.step.get(pair["mlip"])
    if per_step is None:
        return None
    return float(steps * per_step) + speeds.gaps(pair["frames_wanted"], pair["molecules"])


def _outcome(pair: dict[str, Any]) -> str:
    gap = pair.get("min_gap")
    return f"{pair['verdict']}" + (f", min gap {gap:.2f} eV" if gap is not None else "")

"""How a job ended, by its own output: by itself, or cut off from outside; and whether it ever began."""

from __future__ import annotations

from aiida import orm
from aiida.engine import Process

from ..runner.files import LOG

INTERRUPTIONS = 3
"""Runs of pw.x of one configuration that may be cut off from outside before it counts as a failure."""
UNBEGUN = 10
"""The same of runs that were cut off before they began: jobs that wait for their cores are killed with a machine, too,
and that says nothing of them. A program that cannot be started looks alike, and must come to an end."""
OUTPUTS = ("aiida.out", "pp.out", LOG)
"""What a job's program writes to: pw.x and projwfc.x, pp.x, our own drivers."""
LAST_WORDS = ("JOB DONE", "Error in routine", "convergence NOT achieved", "Maximum CPU time exceeded")
"""What pw.x writes at its end, however it ends by itself."""


def iterated(job: orm.CalcJobNode) -> bool:
    """Whether it came to its first iteration; also where nobody knows."""
    text = _output(job)
    return text is None or "iteration #" in text


def ended_itself(job: orm.CalcJobNode) -> bool:
    """Whether it said how it ended; also where nobody knows. One that was killed did not come to it."""
    text = _output(job)
    return text is None or any(words in text for words in LAST_WORDS)


def began(job: orm.CalcJobNode) -> bool:
    """Whether it printed anything; also where nobody knows."""
    return _output(job) != ""


def may_go_again(jobs: list[orm.CalcJobNode], counts: dict[str, int]) -> bool:
    """Count a run that was cut off; whether there were few enough of them.

    :param jobs: of the run.
    :param counts: ``begun`` and ``unbegun`` runs that were cut off, to be changed.
    """
    kind, limit = ("begun", INTERRUPTIONS) if any(map(began, jobs)) else ("unbegun", UNBEGUN)
    counts[kind] = counts.get(kind, 0) + 1
    return counts[kind] <= limit


def was_cut_off(run: orm.WorkChainNode, jobs: list[orm.CalcJobNode]) -> bool:
    """Whether a run that failed was ended from outside.

    pw.x was killed, or its machine went down; or the daemon's worker was, at the moment between AiiDA's noting that
    a job is uploaded and its storing the job's ``remote_folder``, which nobody makes again then.

    :param run: a PwBaseWorkChain.
    :param jobs: those that it has called.
    """
    if run.exit_status == Process.exit_codes.ERROR_MISSING_OUTPUT.status:
        return any(job.is_finished_ok for job in jobs)
    return bool(jobs) and not any(map(ended_itself, jobs))


def _output(job: orm.CalcJobNode) -> str | None:
    """What it printed, empty where it printed nothing; None where nothing was retrieved."""
    if "retrieved" not in job.outputs:
        return None
    repository = job.outputs.retrieved.base.repository
    names = set(repository.list_object_names()) & set(OUTPUTS)
    return "".join(str(repository.get_object_content(name)) for name in sorted(names))

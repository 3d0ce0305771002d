"""How a run of pw.x ended, by its own output: by itself, or cut off from outside; and whether it ever began."""

from __future__ import annotations

from aiida import orm
from aiida.engine import Process

INTERRUPTIONS = 3
"""Runs of pw.x of one configuration that may be cut off from outside before it counts as a failure."""
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
    try:
        return str(job.outputs.retrieved.base.repository.get_object_content("aiida.out"))
    except FileNotFoundError:
        return ""

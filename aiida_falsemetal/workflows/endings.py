"""How a run of pw.x ended, by its own output: by itself, or cut off from outside; and whether it ever began."""

from __future__ import annotations

from aiida import orm

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


def _output(job: orm.CalcJobNode) -> str | None:
    """What it printed, empty where it printed nothing; None where nothing was retrieved."""
    if "retrieved" not in job.outputs:
        return None
    try:
        return str(job.outputs.retrieved.base.repository.get_object_content("aiida.out"))
    except FileNotFoundError:
        return ""

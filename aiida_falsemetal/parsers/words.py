"""What a job said last, for the message of its exit code."""

from __future__ import annotations

from aiida import orm

STDERR = "_scheduler-stderr.txt"


def last_words(retrieved: orm.FolderData) -> str:
    """The last line that the job wrote to stderr, in brackets; where Python raised, it names the error."""
    try:
        lines = str(retrieved.base.repository.get_object_content(STDERR)).strip().splitlines()
    except FileNotFoundError:
        lines = []
    return f" ({lines[-1].strip()[:300]})" if lines else ""

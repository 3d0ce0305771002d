"""Work folders: which stay when a result is in the graph.

pw.x leaves its wavefunctions and density in every one, 29 MB for 16 waters at 50 Ry, and nobody reads them again once
the gap and its properties are there. What was retrieved stays in the graph whatever is removed here.
"""

from __future__ import annotations

from typing import Any

from aiida import orm

DEFAULT = "all"
"""For a workchain that is not told, as AiiDA has it. A campaign says ``failed`` by itself."""


def clean_jobs(process: orm.WorkChainNode, keep: str) -> list[int]:
    """Empty the work folders of all jobs of a process that has ended, as far as ``keep`` says so.

    ``all`` stay, ``none`` stay, or those of workchains that have ``failed``, which someone may want to look at.
    A folder that cannot be reached stays; so do those of jobs that were taken from the cache, which are another's.

    :return: pks of the jobs whose folders are empty now.
    """
    jobs = [job for job in process.called_descendants if isinstance(job, orm.CalcJobNode)]
    return [job.pk for job in jobs if clean_job(job, process, keep)]


def clean_job(job: orm.CalcJobNode, process: orm.ProcessNode, keep: str) -> bool:
    """Empty the work folder of one job, as far as ``keep`` says so of the process; returns whether it did."""
    if keep == "all" or (keep == "failed" and not process.is_finished_ok) or job.base.caching.is_created_from_cache:
        return False
    try:
        folder = job.outputs.remote_folder
        if folder.is_cleaned:
            return False
        folder._clean()
    except Exception as error:
        # No result hangs on it, and a connection may fail in many ways.
        process.logger.warning("the work folder of job %s stays: %s", job.pk, error)
        return False
    return True


def is_gone(folder: Any) -> bool:
    """Whether a work folder that a job is to start from was emptied, by whichever workchain."""
    job = folder.creator
    # To look means to connect, and only of a job that came from the cache the folder is another's to empty.
    return bool(folder.is_cleaned or (job is not None and job.base.caching.is_created_from_cache and folder.is_empty))

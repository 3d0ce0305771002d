"""Options of the jobs, from what a user gives for a stage: resources, wall time, slots, the scheduler's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .slots import gpu_prepend, slots_prepend

SCHEDULER_KEYS = ("queue_name", "account", "qos", "custom_scheduler_commands", "max_memory_kb")
"""Passed on as they are."""
ONE_PROCESS = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
PLAN = ("precision", "max_steps")
"""Settings in ``md`` of a pair that are not the driver's."""
DEFAULT_WALLTIME = 3600
"""Seconds."""


def md_options(options: dict[str, Any], threads: int) -> dict[str, Any]:
    """Options of the MD job: one process; waits for its place on a GPU, where ``jobs_per_gpu`` is given, and its slots.

    In this order: who waits for a GPU keeps no core from others.
    """
    gpu = gpu_prepend(int(options.get("jobs_per_gpu", 0)))
    return _job_options(options, gpu + slots_prepend(int(options.get("slots", 0)), threads))


def pw_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options of a Quantum ESPRESSO job: one rank without MPI unless told otherwise; waits for its slots."""
    ranks = ranks_of(options)
    lines = "export OMP_NUM_THREADS=1\n" + slots_prepend(int(options.get("slots", 0)), ranks)
    return {**_job_options(options, lines), "withmpi": ranks > 1}


def ranks_of(options: Mapping[str, Any]) -> int:
    """MPI ranks of a run."""
    resources = options.get("resources") or ONE_PROCESS
    return int(resources.get("num_machines", 1)) * int(resources.get("num_mpiprocs_per_machine", 1))


def _job_options(options: dict[str, Any], prepend: str) -> dict[str, Any]:
    return {
        "resources": options.get("resources", dict(ONE_PROCESS)),
        "max_wallclock_seconds": int(options.get("max_wallclock_seconds", DEFAULT_WALLTIME)),
        "prepend_text": prepend,
        **{key: options[key] for key in SCHEDULER_KEYS if key in options},
    }

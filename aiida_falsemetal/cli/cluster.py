"""`falsemetal setup --scheduler slurm --host ...`: a machine with a scheduler as a computer of the profile."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from .machine import HERE, OPTION_KEYS, PROPERTY
from .probe import LOCAL, Found, Wanted, probe
from .profile import PLUGINS, PREPEND, PYTHON_PREPEND, ensure_code
from .setup_cluster import Cluster

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
FOLDER = re.compile(r"/[A-Za-z0-9_./{}+=,:-]*")
HOUR = 3600
"""Seconds; of a pw.x job unless it is said."""
NEEDED = ("pw.x", "projwfc.x")
MPIRUN = {"slurm": "srun -n {tot_num_mpiprocs}"}
"""Where it is not AiiDA's own ``mpirun -np {tot_num_mpiprocs}``."""

Echo = Callable[[str], Any]


def wanted(cluster: Cluster) -> Wanted:
    """What :func:`.probe.probe` looks for."""
    return Wanted(
        host=cluster.host,
        transport=cluster.transport,
        scheduler=cluster.scheduler,
        queue=cluster.queue,
        workdir=cluster.work_dir,
        programs=cluster.programs,
        needed=NEEDED,
        prepend=cluster.prepend,
        python=cluster.python,
        python_prepend=joined(PYTHON_PREPEND, cluster.prepend_md),
    )


def settings(cluster: Cluster, found: Found) -> dict[str, Any]:
    """What MD and pw.x jobs ask of the scheduler, and how long they may be."""
    common = {"queue_name": cluster.queue, "account": cluster.account, "qos": cluster.qos}
    lines = {"md": (*cluster.lines, *cluster.lines_md), "pw": cluster.lines}
    given: dict[str, dict[str, Any]] = {
        kind: {**common, "custom_scheduler_commands": "\n".join(lines[kind])} for kind in ("md", "pw")
    }
    given["pw"]["max_memory_kb"] = int(cluster.memory * 1e9 / 1024.0) if cluster.memory is not None else None
    asked = {kind: {key: options[key] for key in OPTION_KEYS if options.get(key)} for kind, options in given.items()}
    longest = found.longest or HOUR
    return {**asked, "walltime": cluster.walltime or min(HOUR, longest)}


def check_cluster(cluster: Cluster) -> Found:
    """Look at the machine, before anything is made.

    :raises click.ClickException: if an option is not usable, or the machine lacks something.
    """
    if not LABEL.fullmatch(cluster.computer):
        raise click.ClickException(
            f"--computer {cluster.computer!r} is no label; use letters, digits, `-`, `_` and `.` only."
        )
    if cluster.computer == HERE:
        raise click.ClickException(f"--computer {HERE} is this machine without a scheduler; give another label.")
    if not FOLDER.fullmatch(cluster.work_dir):
        raise click.ClickException(
            f"--work-dir {cluster.work_dir!r} is no absolute folder of plain letters; give one as in "
            "'/scratch/{username}/aiida'."
        )
    if (cluster.host is None) != (cluster.transport == LOCAL):
        raise click.ClickException("--host goes with --transport asyncssh or openssh, and local without it.")
    found = probe(wanted(cluster))
    if cluster.walltime is not None and found.longest is not None and cluster.walltime > found.longest:
        raise click.ClickException(
            f"--walltime {cluster.walltime} is more than the {found.longest} s that the partition takes, where such a "
            "job would wait for ever; give less, or another --queue."
        )
    return found


def ensure_cluster(cluster: Cluster, found: Found, echo: Echo) -> None:
    """Make sure of the computer and its codes in the loaded profile. What the scheduler is asked for is set anew.

    :raises click.ClickException: if there is another computer of that label.
    """
    computer = _computer(cluster, echo)
    computer.set_property(PROPERTY, settings(cluster, found))
    computer.set_mpirun_command(
        (cluster.mpirun or MPIRUN.get(cluster.scheduler, "mpirun -np {tot_num_mpiprocs}")).split()
    )
    computer.set_minimum_job_poll_interval(cluster.poll)
    computer.set_default_mpiprocs_per_machine(cluster.cores)
    computer.store()
    authentication: dict[str, Any] = {"safe_interval": min(cluster.poll, 15.0)}
    if cluster.transport != LOCAL:
        authentication.update(host=cluster.host, backend=cluster.transport)
    computer.configure(**authentication)
    for name, path in found.programs.items():
        ensure_code(name.removesuffix(".x"), PLUGINS[name], path, computer, echo, joined(PREPEND, cluster.prepend))
    prepend = joined(PYTHON_PREPEND, cluster.prepend_md)
    ensure_code("python-mlip", "falsemetal.md", found.python, computer, echo, prepend)


def _computer(cluster: Cluster, echo: Echo) -> Any:
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    given = {
        "hostname": cluster.host or "localhost",
        "transport_type": "core.local" if cluster.transport == LOCAL else "core.ssh_async",
        "scheduler_type": f"core.{cluster.scheduler}",
    }
    try:
        computer = orm.load_computer(cluster.computer)
    except NotExistent:
        computer = orm.Computer(label=cluster.computer, workdir=cluster.work_dir, **given)
        echo(f"computer {cluster.computer}: created")
        return computer
    there = {key: getattr(computer, key) for key in given}
    if there != given:
        kept = ", ".join(str(value) for value in there.values())
        raise click.ClickException(
            f"there is a computer {cluster.computer!r} already ({kept}), which stays so; give another --computer."
        )
    computer.set_workdir(cluster.work_dir)
    return computer


def joined(first: str, then: str) -> str:
    """Shell lines after others."""
    return f"{first}\n{then}" if then else first

"""The options of `falsemetal setup` that are about a cluster, and what they say together."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

LOCAL = "local"
SCHEDULERS = ("slurm", "pbspro", "torque", "sge", "lsf", "direct")
WORK_DIR = "/scratch/{username}/aiida"
PROGRAMS = ("pw.x", "projwfc.x", "pp.x", "average.x")

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--scheduler", type=click.Choice(SCHEDULERS), help="Add a cluster: what shares its nodes out."),
    click.option("--host", metavar="HOST", help="The cluster as in `ssh HOST`; this machine by default."),
    click.option(
        "--computer", metavar="LABEL", help="Its name in AiiDA; by default that of --host, or of --scheduler."
    ),
    click.option(
        "--transport",
        type=click.Choice(["asyncssh", "openssh", LOCAL]),
        help="How it is reached: AiiDA's core.ssh_async with the library asyncssh (the default with --host) or the "
        "program ssh; local without --host.",
    ),
    click.option("--work-dir", metavar="FOLDER", default=WORK_DIR, show_default=True, help="There; for jobs' files."),
    click.option("--python", metavar="PATH", default="python3", show_default=True, help="There; has ase and models."),
    click.option("--prepend", metavar="LINES", default="", help="There, before Quantum ESPRESSO: 'module load qe'."),
    click.option("--prepend-md", metavar="LINES", default="", help="There, before the Python of MD jobs."),
    click.option("--mpirun", metavar="LINE", help="There; `srun -n {tot_num_mpiprocs}` with SLURM, else mpirun."),
    click.option("--cores", type=click.IntRange(1), default=1, show_default=True, help="Of one node."),
    click.option(
        "--poll",
        type=click.FloatRange(0.1),
        default=10.0,
        show_default=True,
        help="Seconds between looks at the queue; also between logins, but never more than 15.",
    ),
    click.option(
        "--walltime",
        type=click.IntRange(60),
        metavar="SECONDS",
        help="Longest job; pw.x may take all of it. By default an hour, or what SLURM's partition takes, if less.",
    ),
    click.option("--queue", metavar="NAME", help="Partition or queue of the jobs."),
    click.option("--account", metavar="NAME", help="Account of the jobs."),
    click.option("--qos", metavar="NAME", help="Quality of service of the jobs."),
    click.option(
        "--memory",
        type=click.FloatRange(min=0.1),
        metavar="GB",
        help="Memory that a pw.x job asks for; larger films are refused. By default what the scheduler gives.",
    ),
    click.option("--line", "lines", multiple=True, metavar="LINE", help="For every job script: '#SBATCH --mem=4G'."),
    click.option("--line-md", "lines_md", multiple=True, metavar="LINE", help="For MD jobs: '#SBATCH --gres=gpu:1'."),
)


def cluster_options(command: Command) -> Command:
    """The options, in the order of the help."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Cluster:
    """What `falsemetal setup` was told of a machine; names as those of its options.

    :param host: None for this machine.
    :param programs: Quantum ESPRESSO's by name: a path, or the name itself for the one on PATH.
    """

    computer: str
    host: str | None
    scheduler: str
    transport: str
    work_dir: str
    programs: dict[str, str]
    python: str
    prepend: str
    prepend_md: str
    mpirun: str | None
    cores: int
    poll: float
    walltime: int | None
    queue: str | None
    account: str | None
    qos: str | None
    memory: float | None
    lines: tuple[str, ...]
    lines_md: tuple[str, ...]


def read_cluster(given: dict[str, Any], pw: str | None, projwfc: str | None) -> Cluster | None:
    """What the options say of a cluster, None where none is asked for.

    :raises click.ClickException: if one of them is there without --scheduler.
    """
    defaults = {option.name: option.default for option in _parameters()}
    if given["scheduler"] is None:
        for name, value in given.items():
            # A default that was never given is a sentinel to some versions of click, and None to others.
            if value and value != defaults[name]:
                flag = {"lines": "line", "lines_md": "line-md"}.get(name, name.replace("_", "-"))
                raise click.ClickException(f"--{flag} is for a cluster; add its --scheduler, as in --scheduler slurm.")
        return None
    host = given["host"]
    label = given["computer"] or re.sub(r"[^A-Za-z0-9_.-]", "-", (host or given["scheduler"]).rpartition("@")[2])
    programs = {name: name for name in PROGRAMS}
    programs.update({name: path for name, path in (("pw.x", pw), ("projwfc.x", projwfc)) if path is not None})
    transport = given["transport"] or (LOCAL if host is None else "asyncssh")
    return Cluster(**{**given, "computer": label, "transport": transport, "programs": programs})


def _parameters() -> list[click.Parameter]:
    @cluster_options
    def nothing() -> None:
        """Stands for a command."""

    return list(click.command()(nothing).params)

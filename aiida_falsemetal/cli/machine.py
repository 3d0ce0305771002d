"""The machine where the jobs of a campaign run: its codes, and what its jobs ask of its scheduler.

`falsemetal setup` keeps the latter with the computer, in its property ``falsemetal``, so that a campaign file says
nothing of a cluster, and is the same everywhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import click

HERE = "localhost"
VARIABLE = "FALSEMETAL_COMPUTER"
"""Names the computer where a command does not."""
PROPERTY = "falsemetal"
OPTION_KEYS = ("queue_name", "account", "qos", "custom_scheduler_commands", "max_memory_kb")
DIRECT = "core.direct"
"""AiiDA's scheduler of a machine that has none: there slots share the cores out."""

computer_option = click.option(
    "--computer",
    metavar="LABEL",
    envvar=VARIABLE,
    default=HERE,
    show_default=True,
    help=f"Computer where the jobs run, as `falsemetal setup --computer` made it; also {VARIABLE}.",
)


@dataclass(frozen=True)
class Machine:
    """A computer of the profile.

    :param label: of the computer.
    :param scheduled: whether it has a scheduler that shares the cores out.
    :param settings: ``md`` and ``pw``, each with keys of ``OPTION_KEYS``; ``walltime``, the longest job in seconds.
    """

    label: str = HERE
    scheduled: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def code(self, name: str) -> str:
        """Label of one of its codes."""
        return f"{name}@{self.label}"

    def own(self, label: str) -> str:
        """The code here in place of the one that a Python environment of this package has on ``localhost``."""
        name, _, computer = label.partition("@")
        return self.code(name) if computer == HERE else label

    def slots(self, wanted: int) -> int:
        """Cores that our locks share out: ``wanted``, or 0 where a scheduler does."""
        return 0 if self.scheduled else wanted

    def md_options(self, slots: int, md: dict[str, Any]) -> dict[str, Any]:
        """Options of MD jobs: one process with its threads.

        :param md: of a pair. Its ``walltime`` (s) becomes that of the machine where that is less; MD then goes on in
            further jobs. Its ``jobs_per_gpu`` is for machines without a scheduler; its ``batch`` is read by
            ScreenWorkChain.
        """
        walltime = int(md["walltime"])
        seconds = min(walltime, self.settings.get("walltime", walltime))
        options = {"slots": self.slots(slots), "max_wallclock_seconds": seconds, **self.settings.get("md", {})}
        if self.scheduled:
            options["resources"] = _resources(1, md["threads"])
        elif md.get("jobs_per_gpu") is not None:
            options["jobs_per_gpu"] = md["jobs_per_gpu"]
        if md.get("batch") is not None:
            options["batch"] = md["batch"]
        return options

    def pw_options(self, slots: int, ranks: int) -> dict[str, Any]:
        """Options of Quantum ESPRESSO's jobs: ranks of one thread on one node, as long as the machine takes them."""
        options = {"slots": self.slots(slots), "resources": _resources(ranks, 1 if self.scheduled else None)}
        if "walltime" in self.settings:
            options["max_wallclock_seconds"] = self.settings["walltime"]
        return {**options, **self.settings.get("pw", {})}


def _resources(ranks: int, threads: int | None) -> dict[str, int]:
    """AiiDA's resources of a job on one node."""
    resources = {"num_machines": 1, "num_mpiprocs_per_machine": ranks}
    return resources if threads is None else {**resources, "num_cores_per_mpiproc": threads}


def find_machine(label: str | None = None) -> Machine:
    """A computer of the profile; by default the one named by ``FALSEMETAL_COMPUTER``, else ``localhost``.

    :raises click.ClickException: if there is none of that label, or it was not configured.
    """
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    name = label or os.environ.get(VARIABLE) or HERE
    try:
        computer = orm.load_computer(name)
    except NotExistent as error:
        remedy = "run `falsemetal setup`"
        if name != HERE:
            labels = orm.QueryBuilder().append(orm.Computer, project="label").all(flat=True)
            remedy = (
                f"there are {', '.join(sorted(labels)) or 'none'}; make it with `falsemetal setup --computer {name}`"
            )
        raise click.ClickException(f"the profile has no computer {name!r}; {remedy}.") from error
    return machine_of(computer)


def machine_of(computer: Any) -> Machine:
    """What an AiiDA computer is to this package."""
    return Machine(computer.label, computer.scheduler_type != DIRECT, dict(computer.get_property(PROPERTY, {})))

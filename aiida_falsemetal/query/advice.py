"""What to do about a failure: the commands to run next, the nearest first."""

from __future__ import annotations

from dataclasses import dataclass

from aiida import orm
from aiida.manage import get_manager

from .lineage import PW
from .logs import STDERR, informative, job_texts

MD_JOB = "aiida.calculations:falsemetal.md"
AGAIN = "falsemetal screen FILE"
PW_ADVICE = {
    400: "the wall time was too short: let fewer atoms, a coarser protocol or more ranks do",
    410: "pw.x did not converge: give more or calmer gap.overrides.rescues, with which every pair is computed anew",
}
"""By exit code of pw.x's job."""


@dataclass(frozen=True)
class Command:
    """A command and what it is for.

    :param line: what to type; empty where there is nothing to type.
    """

    line: str
    purpose: str


def commands_for(kind: str, pk: int, deepest: orm.ProcessNode) -> tuple[Command, ...]:
    """Commands for a failure.

    :param kind: ``screen``, ``pair`` or ``frame``.
    :param pk: of the workchain that failed.
    :param deepest: the process that made it fail.
    """
    manager = get_manager()
    profile = manager.get_profile()
    if manager.get_profile_storage().read_only or profile is None:
        return (Command("verdi archive import FILE.aiida", "then ask `falsemetal status` there: here it is only read"),)
    verdi = f"verdi -p {profile.name}"
    found = [Command(f"falsemetal why {pk}", "the frame's story")] if kind == "frame" else []
    if isinstance(deepest, orm.CalcJobNode):
        found += _of_job(verdi, deepest)
    report = pk if kind != "screen" and deepest.exit_status else deepest.pk
    found.append(Command(f"{verdi} process report {report}", "what AiiDA wrote down"))
    return (*found, _again(kind, deepest))


def _of_job(verdi: str, job: orm.CalcJobNode) -> list[Command]:
    if "retrieved" not in job.outputs:
        return [Command(f"{verdi} calcjob gotocomputer {job.pk}", "its folder: nothing was retrieved from it")]
    found = [Command(f"{verdi} calcjob outputcat {job.pk}", "its whole output")]
    if informative(job_texts(job).get(STDERR, "")):
        found.append(Command(f"{verdi} calcjob outputcat {job.pk} {STDERR}", "what it wrote to stderr"))
    return found


def _again(kind: str, deepest: orm.ProcessNode) -> Command:
    """How to have it computed again, or that it will not be."""
    code = deepest.exit_status or 0
    if kind == "frame":
        known = PW_ADVICE.get(code, "") if deepest.process_type == PW else ""
        first = f"{known}; " if known else ""
        return Command(
            AGAIN, f"{first}a frame that failed counts as unknown and is not repeated until its settings change"
        )
    if kind == "pair" and deepest.process_type == MD_JOB and 410 <= code < 420:
        return Command(AGAIN, "this is a result of the model and is not repeated, unless its settings change")
    return Command(AGAIN, "when the cause is mended: the same command submits it again")

"""Processes an hour, against aiida-core's additions: ``python -m benchmarks.throughput.processes FOLDER --pairs 20``.

One profile (FOLDER, with the stand-ins of :mod:`benchmarks.growth`), one daemon with one worker, one computer, so that
all waits and locks are the same. In turn:

- aiida-core's ``ArithmeticAddCalculation``, as many as are asked for, submitted at once;
- its ``MultiplyAddWorkChain``, of three processes (a workchain, a calcfunction, an addition), which is nearer to what a
  campaign consists of;
- a campaign whose programs compute nothing;
- both of the first again.

Wall time is from the first process to the end of the last one; CPU time is that of the daemon's worker and of the
shells that it starts. Both for one finished process. On a busy machine only the CPU times mean something.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiida_falsemetal.names import ENDED
from benchmarks.growth.place import Place
from benchmarks.growth.run import follow
from benchmarks.growth.standins import install
from benchmarks.growth.watch import Watch

NAME = "processes"
SUBMIT = """
from aiida.engine import submit
from aiida.plugins import CalculationFactory, WorkflowFactory
from aiida_falsemetal.cli.profile import ensure_code
computer = orm.load_computer('localhost')
ensure_code('bash', 'core.arithmetic.add', {bash!r}, computer, print)
code = orm.load_code('bash@localhost')
for number in range({count}):
    if {chains}:
        submit(WorkflowFactory('core.arithmetic.multiply_add'), x=orm.Int(1), y=orm.Int(2), z=orm.Int(3), code=code)
    else:
        submit(CalculationFactory('core.arithmetic.add'), x=orm.Int(1), y=orm.Int(2), code=code)
"""
ASK = """
import json
since = orm.QueryBuilder().append(orm.ProcessNode, filters={{'id': {{'>': {after}}}}},
    project=['id', 'ctime', 'mtime', 'attributes.process_state', 'attributes.exit_status']).all()
print(json.dumps([[pk, a.timestamp(), b.timestamp(), state, status] for pk, a, b, state, status in since]))
"""
DAEMON = "from aiida_falsemetal.cli.daemon import {0}\n{0}()"


@dataclass
class Share:
    """What some processes took.

    :param wall: s.
    :param cpu: s, of the worker.
    """

    what: str
    processes: int
    wall: float
    cpu: float

    def __str__(self) -> str:
        """A line of the table."""
        each = self.cpu / self.processes
        rate = 3600 * self.processes / self.wall
        return f"| {self.what} | {self.processes} | {self.wall:.0f} | {rate:.0f} | {each:.3f} | {3600 / each:.0f} |"


def since(place: Place, after: int) -> list[Any]:
    """Processes that are younger than a node: pk, creation, last change, state, exit status."""
    found: list[Any] = json.loads(place.python(ASK.format(after=after)))
    return found


def measured(place: Place, what: str, action: Any) -> Share:
    """Do it, and wait until every process has ended.

    :raises RuntimeError: if one did not end well.
    """
    watch = Watch(place)
    before = watch.sample()["worker_cpu_s"]
    newest = max((pk for pk, *_ in since(place, 0)), default=0)
    action()
    while True:
        cpu = watch.sample()["worker_cpu_s"] - before
        rows = since(place, newest)
        if rows and all(state in ENDED for *_, state, _ in rows):
            break
        time.sleep(10)
    if any(status != 0 for *_, status in rows):
        raise RuntimeError(f"processes of {what} failed")
    wall = max(end for _, _, end, *_ in rows) - min(begin for _, begin, *_ in rows)
    return Share(what, len(rows), wall, cpu)


def main() -> None:
    """Run all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="becomes an AiiDA configuration; must not be one yet")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--additions", type=int, default=100)
    given = parser.parse_args()
    place = Place(given.folder)
    if (place.folder / "bin").exists():
        raise SystemExit(f"{given.folder} has been used; name another folder.")
    install(place, 0.0, 0.0)
    place.python(DAEMON.format("ensure_daemon"))

    def submitted(count: int, chains: bool) -> None:
        place.python(SUBMIT.format(bash="/bin/bash", count=count, chains=chains))

    def campaign() -> None:
        code, _ = follow(place, place.campaign(NAME, given.pairs), 3.0)
        if code:
            raise RuntimeError("the campaign failed; see follow.log")

    additions = "additions", lambda: submitted(given.additions, False)
    chains = "multiply and add", lambda: submitted(given.additions // 3, True)
    print("| what | processes | wall s | an hour | worker's CPU s each | an hour of its CPU time |")
    print("|---|---|---|---|---|---|")
    shares = []
    try:
        for what, action in (additions, chains, (f"campaign of {given.pairs} pairs", campaign), additions, chains):
            shares.append(measured(place, what, action))
            print(shares[-1], flush=True)
    finally:
        place.python(DAEMON.format("stop_daemon"))
    ours = shares[2]
    for what in ("additions", "multiply and add"):
        theirs = [share for share in shares if share.what == what]
        number, wall, cpu = (sum(getattr(one, key) for one in theirs) for key in ("processes", "wall", "cpu"))
        rate, cost = ours.processes / ours.wall * wall / number, cpu / number * ours.processes / ours.cpu
        print(f"campaign over {what}: {rate:.2f} by wall time, {cost:.2f} by the worker's CPU time")
    print(f"load {os.getloadavg()[1]:.1f}")


if __name__ == "__main__":
    main()

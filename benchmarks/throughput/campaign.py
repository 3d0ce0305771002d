"""What of a finished campaign's wall time its jobs computed in: ``python -m benchmarks.throughput.campaign CAMPAIGN``.

Reads the graph of the profile (``AIIDA_PROFILE``, else ``falsemetal``); nothing is run. The campaign must have been run
in one go, with nothing else on the machine. Wall time is from the first process to the end of the last one; the cores'
time is what MD (``wall_seconds`` of the driver: without Python's start and the model's loading) and pw.x (its own WALL
time) say, times their cores. Their ratio, wall × slots over the sum, is 1 where no core ever waits.

Of the rest it says how much of it is at the end, where fewer jobs are left than slots: there no engine can help it.
"""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta

from aiida import orm

from aiida_falsemetal.cli.common import load_profile
from aiida_falsemetal.query.jobs import submissions

MD, PW = "aiida.calculations:falsemetal.md", "aiida.calculations:quantumespresso.pw"
PARSED = "output_parameters"
Span = tuple[datetime, datetime, int]
"""Begin and end of a job's computing, and its cores."""


def jobs(screen: orm.WorkChainNode) -> list[tuple[str, float, int, datetime, datetime]]:
    """Kind, seconds of computing, cores, creation and end of every job of MD and pw.x of the submission.

    A job that left no results has computed nothing that counts.
    """
    found = []
    for node in screen.called_descendants:
        if node.process_type not in (MD, PW):
            continue
        label, key = ("results", "wall_seconds") if node.process_type == MD else (PARSED, "wall_time_seconds")
        took = node.outputs[label].get(key, 0.0) if label in node.outputs else 0.0
        resources = node.get_option("resources") or {}
        cores = int(resources.get("num_mpiprocs_per_machine", 1)) if node.process_type == PW else 1
        found.append((node.process_type, float(took), cores, node.ctime, node.mtime))
    return found


def tail(spans: list[Span], slots: int) -> float:
    """Core-seconds that are free at the end, from when fewer cores are asked for than there are slots."""
    ends = sorted(((end, cores) for _, end, cores in spans), reverse=True)
    free, busy, last = 0.0, 0, ends[0][0]
    for end, cores in ends:
        free += max(0, slots - busy) * (last - end).total_seconds()
        busy, last = busy + cores, end
        if busy >= slots:
            break
    return free


def main() -> None:
    """Print the ratio and where the rest went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaign")
    name = parser.parse_args().campaign
    load_profile()
    submitted = submissions(name)
    if len(submitted) != 1:
        raise SystemExit(f"{name} was submitted {len(submitted)} times; once is what can be measured.")
    slots, screen = submitted[0].slots, orm.load_node(submitted[0].pk)
    wall = (max(node.mtime for node in [screen, *screen.called_descendants]) - screen.ctime).total_seconds()
    every = jobs(screen)
    md, pw = (sum(took * cores for what, took, cores, *_ in every if what == kind) for kind in (MD, PW))
    total = md + pw
    spans = [(end - timedelta(seconds=took), end, cores) for _, took, cores, _, end in every]
    print(f"{name}: {len(every)} jobs, {slots} slots, {len(screen.called_descendants)} processes")
    print(f"wall {wall:.0f} s x {slots} = {wall * slots:.0f} core-seconds")
    print(f"computed {total:.0f} core-seconds: MD {md:.0f}, pw.x {pw:.0f}")
    print(f"ratio {wall * slots / total:.3f}; without the end, {(wall * slots - tail(spans, slots)) / total:.3f}")


if __name__ == "__main__":
    main()

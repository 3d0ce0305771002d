"""Processes of a campaign under way: their memory and CPU time, sampled."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import psutil

from .place import Place
from .standins import log_of

ROLES = ("worker", "daemon", "broker", "command")


def role(line: list[str]) -> str | None:
    """What a process is, by its command line; None of a job's and of what ``falsemetal`` starts for a moment."""
    text = " ".join(line)
    for found, words in (
        ("worker", "daemon worker"),
        ("broker", "daemon broker"),
        ("daemon", "daemon start-circus"),
        ("daemon", "circus import stats"),
        ("command", "falsemetal screen"),
    ):
        if words in text:
            return found
    return None


@dataclass
class Watch:
    """Samples of a place's processes.

    A process that ends takes its CPU time along: what it had at the last sample counts.
    """

    place: Place
    begun: float = field(default_factory=time.time)
    cpu: dict[str, dict[tuple[int, float], float]] = field(default_factory=lambda: {name: {} for name in ROLES})

    def sample(self) -> dict[str, Any]:
        """One row: seconds, jobs done, and of each role MB of resident memory (all its processes) and CPU seconds."""
        memory = dict.fromkeys(ROLES, 0.0)
        for process in self.place.processes():
            try:
                name = role(process.cmdline())
                if name is None:
                    continue
                times = process.cpu_times()
                memory[name] += process.memory_info().rss / 1e6
                used = times.user + times.system
                if name == "worker":
                    # Of the programs that it started and waited for, too: bash for every job.
                    used += times.children_user + times.children_system
                self.cpu[name][process.pid, process.create_time()] = used
            except psutil.Error:
                continue
        row: dict[str, Any] = {"seconds": round(time.time() - self.begun, 1), **self.jobs()}
        for name in ROLES:
            row[f"{name}_MB"] = round(memory[name], 1)
            row[f"{name}_cpu_s"] = round(sum(self.cpu[name].values()), 2)
        return row

    def jobs(self) -> dict[str, int]:
        """Jobs that have ended, by kind."""
        file = log_of(self.place)
        text = file.read_text() if file.exists() else ""
        return {"md": text.count("md ended"), "pw": text.count("pw.x ended")}

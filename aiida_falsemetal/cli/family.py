"""Processes of this machine that belong to a profile's daemon: found by their command lines, told apart, ended."""

from __future__ import annotations

import os
from typing import Any

LATER = 1.0
"""Seconds; a daemon starts its broker before its workers, at almost the same time."""


def is_deaf(pid: int | None) -> bool:
    """Whether a worker of the daemon ``pid`` is older than its ZeroMQ broker. The broker was killed then and started
    again, and its new self knows nothing of the worker, which waits for ever."""
    import psutil

    begun: dict[str, list[float]] = {"worker": [], "broker": []}
    for process in family(pid):
        try:
            line = process.cmdline()
            for kind, times in begun.items():
                if kind in line:
                    times.append(process.create_time())
        except psutil.Error:
            continue
    return bool(begun["broker"] and begun["worker"]) and max(begun["broker"]) > min(begun["worker"]) + LATER


def family(pid: int | None) -> list[Any]:
    """Workers and broker that the daemon ``pid`` has started; not the jobs, which end by themselves."""
    import psutil

    found = []
    try:
        if pid is not None and is_daemon(pid):
            found = [child for child in psutil.Process(pid).children() if _belongs(child.cmdline(), _profile().name)]
    except psutil.Error:
        pass  # it has just ended; what it left is an orphan
    return found


def is_daemon(pid: int) -> bool:
    """Whether ``pid`` is a circus daemon of this user: pids are used again."""
    import psutil

    try:
        process = psutil.Process(pid)
        line = " ".join(process.cmdline())
        return process.status() != psutil.STATUS_ZOMBIE and ("circusd" in line or "start-circus" in line)
    except psutil.Error:
        return False


def _belongs(line: list[str], profile: str) -> bool:
    """Whether a command line is that of a daemon's worker or broker of ``profile``, or of circus's statistics."""
    if any("from circus import stats" in word for word in line):
        return True
    if "daemon" not in line or not {"worker", "broker"} & set(line) or "-p" not in line:
        return False
    return line[line.index("-p") + 1] == profile


def orphans() -> list[Any]:
    """Workers and brokers of this profile, of this AIIDA_PATH and this user, that no daemon looks after."""
    import psutil
    from aiida.manage.configuration import get_config

    folder, name, found = str(get_config().dirpath), _profile().name, []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if process.uids().real != os.getuid() or not _belongs(line, name):
                continue
            parent = process.parent()
            home = process.environ().get("AIIDA_PATH", os.path.expanduser("~"))
            here = folder in (home, os.path.join(home, ".aiida"))
            if here and (parent is None or not is_daemon(parent.pid)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def end(processes: list[Any]) -> None:
    """Ask processes to end; kill those that do not."""
    import psutil

    for process in processes:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, stubborn = psutil.wait_procs(processes, timeout=10)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=5)


def _profile() -> Any:
    from aiida.manage.configuration import get_profile

    return get_profile()

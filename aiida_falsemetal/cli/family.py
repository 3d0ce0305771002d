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


def daemons() -> list[Any]:
    """Circus daemons of this profile, of this AIIDA_PATH and this user: also those that have not written their process
    id yet, or do not answer."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            named = "start-circus" in line and "-p" in line and line[line.index("-p") + 1] == _profile().name
            if named and _is_here(process) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, IndexError):
            continue
    return found


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

    name, found = _profile().name, []
    for process in psutil.process_iter():
        try:
            if not _belongs(process.cmdline(), name) or not _is_here(process):
                continue
            parent = process.parent()
            if parent is None or not is_daemon(parent.pid):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _is_here(process: Any) -> bool:
    """Whether a process is of this AIIDA_PATH and this user."""
    from aiida.manage.configuration import get_config

    if process.uids().real != os.getuid():
        return False
    folder, home = str(get_config().dirpath), process.environ().get("AIIDA_PATH", os.path.expanduser("~"))
    return folder in (home, os.path.join(home, ".aiida"))


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

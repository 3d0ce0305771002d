"""Faults of the engines: PostgreSQL and RabbitMQ that restart, ssh that is away, SLURM's node and jobs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.engines.base import wait_until
from tests.engines.conftest import HOST
from tests.engines.slurm import Slurm
from tests.screen.conftest import Workspace

from .harness import MD, PW, Census, assert_survived, disturbed, kill, stopped, under_way, wait_for

pytestmark = [pytest.mark.qe, pytest.mark.slow]

Command = subprocess.Popen[str]
AWAY_SECONDS = 20.0


HOLDS = """
import sys, time
from aiida_falsemetal.cli.locks import campaign_lock
with campaign_lock("campaign", "same"):
    print("[1", flush=True)
    begun = time.time()
    time.sleep({seconds})
    ended = time.time()
print(",", begun, ",", ended, "]")
"""


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_lock_of_postgresql(servers: Workspace, how: str) -> None:
    """Two commands, maybe of two machines: the second waits for the first, however that ends."""
    held = HOLDS.format(seconds=20 if how == "ends" else 600)
    lines = f"from aiida import load_profile\nload_profile('falsemetal')\n{held}"
    first = subprocess.Popen([sys.executable, "-c", lines], env=servers.environment, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None and first.stdout.readline().startswith("[1")
    if how == "is killed":
        first.kill()
    _, begun, _ = servers.python(HOLDS.format(seconds=0))
    rest = first.communicate(timeout=60)[0]
    if how == "ends":
        assert begun >= float(rest.strip(", ]\n").split(",")[-1])


def started_in(folder: Path, name: str) -> list[psutil.Process]:
    """Processes called ``name`` that were started with a path in ``folder``."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name().startswith(name) and str(folder) in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def restart_postgres(folder: Path) -> None:
    """Stop it at once, as a crash does, and start it again after some seconds."""
    (server,) = (process for process in started_in(folder, "postgres") if "-D" in process.cmdline())
    _, _, data, *flags = server.cmdline()
    line = [str(Path(server.exe()).parent / "pg_ctl"), "-D", data, "-w"]
    stop, start = [*line, "-m", "immediate", "stop"], [*line, "-l", f"{folder}/log", "-o", shlex.join(flags), "start"]
    with (folder / "commands.log").open("ab") as log:
        for number, words in enumerate((stop, start)):
            time.sleep(5.0 * number)
            given = ["su", "postgres", "-s", "/bin/sh", "-c", shlex.join(words)] if os.getuid() == 0 else words
            subprocess.run(given, check=True, cwd="/", stdout=log, stderr=log)


@pytest.mark.parametrize("moment", ["md", "pw"])
def test_database_restarts(servers: Workspace, short: Path, reference: Census, moment: str) -> None:
    """At once, as after a crash: all connections are cut, whatever they were in the middle of."""

    def inject(space: Workspace, command: Command) -> None:
        under_way(space, moment)
        restart_postgres(short / "pg")

    disturbed(servers, f"database-{moment}", inject, again=2)
    assert_survived(servers, f"database-{moment}", reference)


@pytest.mark.parametrize("how", ["hangs", "refuses"])
def test_ssh_is_away(cluster: Workspace, batch: Slurm, short: Path, reference: Census, how: str) -> None:
    """Sessions are cut, and nobody answers for a while, or nobody is there. Jobs of SLURM go on, and are fetched
    later."""
    name = f"ssh-{how}"
    log = cluster.folder / ".aiida" / "daemon" / "log" / "aiida-falsemetal.log"

    def failures() -> int:
        return log.read_text().count("excepted, retrying after") if log.exists() else 0

    before = failures()

    def inject(space: Workspace, command: Command) -> None:
        wait_for(lambda: "RUNNING" in batch.ask("squeue", "-h", "-o", "%T"), "a job that runs")
        (server,) = started_in(short / "sshd", "sshd")  # its sessions have other titles
        with stopped(server):
            for session in server.children(recursive=True):  # there may be none at the moment
                with suppress(psutil.NoSuchProcess):  # ended with the one before it
                    session.kill()
            if how == "refuses":
                server.kill()  # started again after some seconds
            else:
                time.sleep(AWAY_SECONDS)

    disturbed(cluster, name, inject, "--computer", HOST)
    assert_survived(cluster, name, reference)
    assert how == "hangs" or failures() > before


def running_job(batch: Slurm) -> str:
    """A job of SLURM that has run for some seconds."""

    def found() -> str | None:
        for line in batch.ask("squeue", "-h", "-o", "%i %T %M").splitlines():
            job, state, since = line.split()
            if state == "RUNNING" and int(since.rpartition(":")[2]) >= 3:
                return job
        return None

    job: str = wait_for(found, "a job that runs")
    return job


def test_node_is_drained(cluster: Workspace, batch: Slurm, reference: Census) -> None:
    """The job that runs goes on; the next ones wait until the node is back."""

    def inject(space: Workspace, command: Command) -> None:
        running_job(batch)
        node = batch.ask("sinfo", "-h", "-o", "%n").split()[0]
        batch.ask("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
        wait_for(lambda: "PENDING" in batch.ask("squeue", "-h", "-o", "%T"), "a job that waits")
        time.sleep(5.0)
        batch.ask("scontrol", "update", f"NodeName={node}", "State=RESUME")

    disturbed(cluster, "drained", inject, "--computer", HOST)
    assert_survived(cluster, "drained", reference)


def test_node_goes_down(cluster: Workspace, batch: Slurm, short: Path, reference: Census) -> None:
    """SLURM gives its job up; the node comes back, and is told only then."""

    def inject(space: Workspace, command: Command) -> None:
        running_job(batch)
        node = batch.ask("sinfo", "-h", "-o", "%n").split()[0]
        (slurmd,) = started_in(short / "slurm", "slurmd")
        with stopped(slurmd):  # else it answers, and is back in service at once
            batch.ask("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
            time.sleep(8.0)
            assert batch.ask("sinfo", "-h", "-o", "%T").startswith("down")
        with suppress(subprocess.CalledProcessError):  # refused if it is back already
            batch.ask("scontrol", "update", f"NodeName={node}", "State=RESUME")
        wait_until(lambda: batch.ask("sinfo", "-h", "-o", "%t").strip() in ("idle", "mix", "alloc"), "SLURM's node")

    disturbed(cluster, "node-down", inject, "--computer", HOST)
    assert_survived(cluster, "node-down", reference, MD)


@pytest.mark.parametrize("which", ["md", "pw"])
def test_job_is_cancelled(cluster: Workspace, batch: Slurm, reference: Census, which: str) -> None:
    """scancel, by an operator."""

    def inject(space: Workspace, command: Command) -> None:
        first = running_job(batch)
        if which == "pw":
            job = wait_for(
                lambda: [j for j in batch.ask("squeue", "-h", "-t", "R", "-o", "%i").split() if j != first], "pw.x"
            )
            first = job[0]
        batch.ask("scancel", first)

    disturbed(cluster, f"cancelled-{which}", inject, "--computer", HOST)
    assert_survived(cluster, f"cancelled-{which}", reference, MD if which == "md" else PW)


def test_job_is_out_of_memory(cluster: Workspace, batch: Slurm, short: Path, reference: Census) -> None:
    """What the kernel does to the largest process of a node that is full; SLURM's job fails with signal 9."""

    def inject(space: Workspace, command: Command) -> None:
        running_job(batch)

        def driver() -> list[psutil.Process]:
            found = [p for p in psutil.process_iter(["name", "cmdline"]) if p.info["cmdline"]]  # None of one that ends
            found = [p for p in found if "runner.pyz" in " ".join(p.info["cmdline"])]
            return [p for p in found if "python" in p.info["name"] and p.cwd().startswith(str(short))]

        kill(wait_for(driver, "the driver"))

    disturbed(cluster, "slurm-memory", inject, "--computer", HOST)
    assert_survived(cluster, "slurm-memory", reference, MD)

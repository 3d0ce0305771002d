"""A SLURM of one node: munged, slurmctld and slurmd of Debian's packages, in a folder and on ports of their own.

It runs as root or as any other user, who then is the only one whose jobs run. No cgroups are used: jobs are tracked by
their processes (``proctrack/linuxproc``), so that it works in a container too. There is no accounting database.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .base import daemon, free_port, program, wait_until

CONF = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2
MpiDefault=none
ReturnToService=2
MinJobAge=300
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
PartitionName=debug Nodes={host} Default=NO MaxTime=10 State=UP OverSubscribe=NO
"""


@dataclass(frozen=True)
class Slurm:
    """One that runs.

    :param folder: everything of it; logs too.
    :param conf: its slurm.conf, to be named in ``SLURM_CONF``.
    """

    folder: Path
    conf: Path

    def ask(self, *line: str) -> str:
        """What a command of SLURM prints."""
        environment = {**os.environ, "SLURM_CONF": str(self.conf)}
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout


@contextmanager
def slurm(folder: Path, cpus: int = 2) -> Iterator[Slurm]:
    """A SLURM that has started, until the end of the block.

    :param folder: empty; its path must be short, for it holds a socket.
    :param cpus: what the node offers. More than the machine has is all right.
    """
    names = {"munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client"}
    found = {name: program(name, package) for name, package in names.items()}
    for part in ("state", "spool"):
        (folder / part).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    conf = folder / "slurm.conf"
    host = socket.gethostname().partition(".")[0]
    ports = {"controller_port": free_port(), "node_port": free_port()}
    conf.write_text(CONF.format(folder=folder, host=host, user=getpass.getuser(), cpus=cpus, **ports))
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    munge_files = [f"--{what}={folder / ('munged.' + what[:4])}" for what in ("pid-file", "log-file", "seed-file")]
    munge = [found["munged"], "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"]
    running = Slurm(folder, conf)
    with (
        daemon([*munge, *munge_files], folder / "munged.out"),
        daemon([found["slurmctld"], "-D", "-i", "-f", str(conf)], folder / "slurmctld.out", environment),
        # -b: fit to fight at once. -N: this node, whatever else the machine is called.
        daemon([found["slurmd"], "-D", "-b", "-N", host, "-f", str(conf)], folder / "slurmd.out", environment),
    ):
        wait_until(lambda: _idle(running), "SLURM's node", folder / "slurmd.log")
        yield running


def _idle(running: Slurm) -> bool:
    try:
        return "idle" in running.ask("sinfo", "-h", "-o", "%t")
    except subprocess.CalledProcessError:
        return False

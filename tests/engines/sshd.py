"""An sshd of Debian's package on a port of its own, and a client's configuration that leads there."""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .base import daemon, free_port, port_open, program, wait_until

SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
{variables}
"""
CLIENT = """\
Host {alias}
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {home}/.ssh/known_hosts
"""


BACK_SECONDS = 20
"""After which a server that was killed is there again."""


@contextmanager
def sshd(folder: Path, home: Path, alias: str, variables: Mapping[str, str]) -> Iterator[None]:
    """An sshd that has started, until the end of the block; ``ssh ALIAS`` leads there for programs with ``HOME=home``.

    :param folder: empty; keys and logs.
    :param home: gets a folder ``.ssh``.
    :param variables: environment of its sessions.
    """
    server, keygen = program("sshd", "openssh-server"), program("ssh-keygen", "openssh-client")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # wanted by every sshd of root
    for name in ("host_key", "key"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized_keys").write_text((folder / "key.pub").read_text())
    port = free_port()
    lines = "SetEnv " + " ".join(f'"{name}={value}"' for name, value in variables.items()) if variables else ""
    config = folder / "sshd_config"
    config.write_text(SERVER.format(port=port, folder=folder, variables=lines))
    own = home / ".ssh"
    own.mkdir(mode=0o700, exist_ok=True)
    own.joinpath("config").write_text(
        CLIENT.format(alias=alias, port=port, user=getpass.getuser(), folder=folder, home=home)
    )
    kind, key, *_ = (folder / "host_key.pub").read_text().split()
    own.joinpath("known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    serve = shlex.join([server, "-D", "-e", "-f", str(config)])
    with daemon(["sh", "-c", f"while :; do {serve}; sleep {BACK_SECONDS}; done"], folder / "sshd.log"):
        wait_until(lambda: port_open(port), "sshd", folder / "sshd.log")
        yield

"""A PostgreSQL of Debian's packages in a folder and on a port of its own, with passwords as a real one has them."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.query.test_postgres import programs

from .base import free_port, program

USER, NAME = "falsemetal", "falsemetal"


@dataclass(frozen=True)
class Postgres:
    """One that runs, with the role and the empty database ``falsemetal``."""

    port: int
    password: str

    @property
    def url(self) -> str:
        """What `falsemetal setup --database` takes."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{NAME}"


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL that has started, until the end of the block. As root, it runs as the user ``postgres``.

    :param folder: empty; its path must be short, for it holds a socket.
    """
    found = programs()
    if found is None:
        raise FileNotFoundError("initdb is not installed; run `apt-get install postgresql`, or leave this test out.")
    root = os.getuid() == 0
    start = [program("su", "util-linux"), "postgres", "-s", "/bin/sh", "-c"] if root else ["sh", "-c"]
    port, data, word = free_port(), folder / "data", secrets.token_hex(8)
    pwfile = folder / "password"
    pwfile.write_text(word)
    if root:
        for path in (folder, pwfile):
            shutil.chown(path, "postgres")

    def run(*command: str) -> None:
        line = shlex.join([str(found / command[0]), *command[1:]])
        environment = {**os.environ, "PGPASSWORD": word}
        # pg_ctl's server keeps what it was given as output, and a pipe would never end.
        with (folder / "commands.log").open("ab") as log:
            subprocess.run([*start, line], check=True, cwd="/", stdout=log, stderr=log, timeout=300, env=environment)

    run("initdb", "-D", str(data), "-U", USER, "-A", "scram-sha-256", f"--pwfile={pwfile}", "-E", "UTF8")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", USER, NAME)
        yield Postgres(port, word)
    finally:
        run("pg_ctl", "-D", str(data), "-w", "-m", "fast", "stop")

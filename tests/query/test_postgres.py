"""The tests of rows and conditions once more, on PostgreSQL: a cluster of their own, where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import STORAGE

ROOT = Path(__file__).parents[2]
AGAIN = ("test_pushdown.py", "test_rows.py", "test_subjects.py", "test_speed.py")


def programs() -> Path | None:
    """Folder of ``initdb``: on the path, or where Debian has it."""
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@pytest.fixture
def storage() -> Iterator[dict[str, object]]:
    """A database of a cluster that lives as long as the test, as AiiDA's configuration of it."""
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    if os.getuid() == 0 and shutil.which("su") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no su to become its user with")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="falsemetal-pg-") as name:
        folder, data = Path(name), Path(name) / "data"
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")

        def run(*command: str) -> None:
            line = " ".join(f"'{word}'" for word in (str(bin_folder / command[0]), *command[1:]))
            start = ["su", "postgres", "-s", "/bin/sh", "-c"] if os.getuid() == 0 else ["sh", "-c"]
            subprocess.run([*start, line], check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=300)

        run("initdb", "-D", str(data), "-U", "falsemetal", "-A", "trust", "-E", "UTF8")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            run("createdb", "-h", str(folder), "-p", str(port), "-U", "falsemetal", "falsemetal")
            yield {
                **{"database_engine": "postgresql_psycopg", "database_hostname": "127.0.0.1", "database_port": port},
                **{"database_username": "falsemetal", "database_password": "any", "database_name": "falsemetal"},
            }
        finally:
            run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")


@pytest.mark.slow
def test_rows_and_conditions_on_postgresql(storage: dict[str, object], tmp_path: Path) -> None:
    settings = {**storage, "repository_uri": (tmp_path / "repository").as_uri()}
    files = [str(ROOT / "tests" / "query" / name) for name in AGAIN]
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:warnings", "-p", "no:cacheprovider", *files]
    done = subprocess.run(
        line, cwd=ROOT, env={**os.environ, STORAGE: json.dumps(settings)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "passed" in done.stdout

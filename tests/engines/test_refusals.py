"""What `falsemetal setup` says of a cluster that is there, but not as it should be: nothing is made then."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.screen.conftest import Workspace

from .conftest import HOST
from .slurm import Slurm

pytestmark = [pytest.mark.slow, pytest.mark.qe]

Change = Callable[[Path], None]


def nothing(own: Path) -> None:
    """The client stays as it is."""


def another_key(own: Path) -> None:
    """A key that the host does not know."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(own / "other")], check=True)
    lines = (own / "config").read_text().splitlines()
    other = [f"  IdentityFile {own}/other" if "IdentityFile" in line else line for line in lines]
    (own / "config").write_text("\n".join(other) + "\n")


def unknown_host(own: Path) -> None:
    """A host whose key was never accepted."""
    (own / "known_hosts").write_text("")
    (own / "config").write_text((own / "config").read_text().replace("UserKnownHostsFile", "#"))


CASES: dict[str, tuple[Change, tuple[str, ...], tuple[str, ...]]] = {
    "no key": (another_key, (), ("does not log in without a password", f"ssh-copy-id {HOST}")),
    "unknown host key": (unknown_host, (), ("does not log in without a password", f"`ssh {HOST}` and accept")),
    "no such partition": (nothing, ("--queue", "gpu"), ("no partition 'gpu'", "debug, main")),
    "longer than the partition": (
        nothing,
        ("--queue", "debug", "--walltime", "7200"),
        ("more than the 600 s", "another --queue"),
    ),
    "another scheduler": (nothing, ("--scheduler", "lsf"), (f"{HOST} has no bsub", "name the scheduler")),
    "no pw.x": (nothing, ("--pw", "/opt/none/pw.x"), (f"/opt/none/pw.x is no program at {HOST}", "--prepend")),
}


@pytest.mark.parametrize("transport", ["asyncssh", "openssh"])
@pytest.mark.parametrize("case", CASES)
def test_refused(case: str, transport: str, batch: Slurm, short: Path, tmp_path: Path) -> None:
    change, options, words = CASES[case]
    home = tmp_path / "home"
    shutil.copytree(short / "home", home)
    change(home / ".ssh")
    space = Workspace(tmp_path)
    space.environment["HOME"] = str(home)
    if transport == "openssh":
        # The program ssh takes the home folder of the user's entry, not HOME: a wrapper names the configuration.
        wrapper(tmp_path / "bin", home / ".ssh", space)
    line = ["setup", "--scheduler", "slurm", "--host", HOST, "--transport", transport, "--work-dir", f"{short}/work"]
    said = space.run(*line, "--python", sys.executable, *options, code=1)
    errors = [text for text in said.splitlines() if text.startswith("Error: ")]
    assert len(errors) == 1 and "Traceback" not in said, said
    for word in words:
        assert word in errors[0]
    assert not (tmp_path / ".aiida" / "repository").exists()


def wrapper(folder: Path, own: Path, space: Workspace) -> None:
    """``ssh`` and ``scp`` with a configuration of their own, first on the workspace's PATH."""
    folder.mkdir()
    known = f"-o UserKnownHostsFile={own}/known_hosts"
    for name in ("ssh", "scp", "sftp"):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {shutil.which(name)} -F {own}/config {known} "$@"\n')
        program.chmod(0o755)
    space.environment["PATH"] = f"{folder}:{space.environment['PATH']}"

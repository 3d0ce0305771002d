"""What this machine has: executables, libraries, packages. No AiiDA here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import click

APT_PACKAGES = ("quantum-espresso", "libopenblas0-pthread")
APT_LINE = f"apt-get install -y {' '.join(APT_PACKAGES)}"
CONDA_LINE = "conda install -c conda-forge qe"


def find_executable(name: str) -> Path | None:
    """Absolute path of an executable file, by name on PATH or by path; None where there is none."""
    found = shutil.which(name)
    return None if found is None else Path(found).absolute()


def missing_message(names: list[str]) -> str:
    """What to run where Quantum ESPRESSO is missing."""
    prefix = "" if is_root() else "sudo "
    return (
        f"{' and '.join(names)} not found. Run `{prefix}apt-get update && {prefix}{APT_LINE}` (Debian, Ubuntu), "
        f"or `{CONDA_LINE}`, or give the path with `falsemetal setup --pw PATH --projwfc PATH`."
    )


def is_root() -> bool:
    """Whether this user may install packages of the system."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def install_with_apt(echo: Callable[[str], object]) -> None:
    """Install Quantum ESPRESSO and OpenBLAS with apt, as root.

    :raises click.ClickException: if this user is not root, there is no apt, or apt fails.
    """
    if not is_root() or shutil.which("apt-get") is None:
        raise click.ClickException(missing_message(["pw.x", "projwfc.x"]))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for line in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *APT_PACKAGES]):
        echo(f"apt-get {' '.join(line)}")
        done = subprocess.run(["apt-get", *line], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            tail = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise click.ClickException(f"`apt-get {' '.join(line)}` failed: {tail[0]}")


def linked_blas(executable: Path) -> str | None:
    """Name of the BLAS that an executable is linked to: the file behind the library's symbolic links.

    None where that cannot be told (a static binary, no ``ldd``).
    """
    if shutil.which("ldd") is None:
        return None
    done = subprocess.run(["ldd", str(executable)], capture_output=True, text=True, check=False)
    paths = re.findall(r"=> (\S*(?:blas|mkl|blis)\S*)", done.stdout)
    return str(Path(paths[0]).resolve()) if paths else None


def is_reference_blas(path: str) -> bool:
    """Whether a BLAS is the slow reference one. Debian keeps it in a folder called ``blas``."""
    return not any(name in path.lower() for name in ("openblas", "mkl", "blis", "atlas"))


def pw_version(executable: Path) -> str | None:
    """Version that pw.x prints when it starts, None where it does not start."""
    try:
        done = subprocess.run(
            [str(executable)],
            input="",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            cwd="/tmp",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"Program PWSCF v\.?(\S+)", done.stdout)
    return match.group(1) if match else None


def package_version(name: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def module_exists(name: str) -> bool:
    """Whether a module could be imported; it is not."""
    return importlib.util.find_spec(name) is not None

"""What this machine has: executables, libraries, packages.

Uses the standard library only, and loads in an old Python, for ``make`` asks here first:
``python3 -m aiida_falsemetal.cli.environment --system`` makes sure of Quantum ESPRESSO before anything is downloaded.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

MINIMUM_PYTHON = (3, 11)
VENV_PACKAGE = "python3-venv"
OPENBLAS = "libopenblas0-pthread"
APT_PACKAGES = ("quantum-espresso", OPENBLAS)
APT_LINE = f"apt-get install -y {' '.join(APT_PACKAGES)}"
CONDA_LINE = "conda install -c conda-forge qe"
VARIABLES = {"pw.x": "FALSEMETAL_PW", "projwfc.x": "FALSEMETAL_PROJWFC"}
"""Environment variables that name an executable which is not on PATH."""
OPTIONAL = {"pp.x": "FALSEMETAL_PP", "average.x": "FALSEMETAL_AVERAGE"}
"""The same for those that only the averaged potential needs. They come with projwfc.x, and are looked for there."""


class MissingError(RuntimeError):
    """Something is not there; the message names the line to run."""


def find_executable(name: str) -> Path | None:
    """Absolute path of an executable file, by name on PATH or by path; None where there is none."""
    found = shutil.which(name)
    return None if found is None else Path(found).absolute()


def own_programs_first() -> None:
    """Put the folder of this Python's programs first on PATH.

    AiiDA starts its daemon with the ``verdi`` on PATH, and finds none, or another one, where this environment was not
    activated.
    """
    folder = str(Path(sys.executable).parent)
    rest = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([folder, *(entry for entry in rest if entry != folder)])


def missing_message(names: list[str]) -> str:
    """What to run where Quantum ESPRESSO is missing."""
    prefix = "" if is_root() else "sudo "
    return (
        f"{' and '.join(names)} not found. Run `{prefix}apt-get update && {prefix}{APT_LINE}` (Debian, Ubuntu), "
        f"or `{CONDA_LINE}`, or give their paths: `export FALSEMETAL_PW=PATH FALSEMETAL_PROJWFC=PATH`."
    )


def is_root() -> bool:
    """Whether this user may install packages of the system."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def espresso(given: Mapping[str, Path | None], system: bool, echo: Callable[[str], object]) -> dict[str, Path]:
    """Absolute paths of pw.x and projwfc.x.

    :param given: by name, the path that the user gave; else the one in ``VARIABLES``, else the one on PATH is taken.
    :param system: as root, install with apt what is missing, an optimized BLAS too.
    :raises MissingError: if one is missing, with the line to run.
    """
    wanted = {name: str(given.get(name) or os.environ.get(variable) or name) for name, variable in VARIABLES.items()}
    for name, path in wanted.items():
        if path != name and find_executable(path) is None:
            raise MissingError(f"{path} is not an executable file; give the path of {name}, or leave it out.")
    found = {name: find_executable(path) for name, path in wanted.items()}
    if system and can_install():
        if None in found.values():
            install_with_apt(APT_PACKAGES, echo)
            found = {name: find_executable(path) for name, path in wanted.items()}
        elif is_reference_blas(linked_blas(Path(str(found["pw.x"]))) or OPENBLAS):
            install_with_apt((OPENBLAS,), echo)
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise MissingError(missing_message(missing))
    return {name: path for name, path in found.items() if path is not None}


def optional_espresso(projwfc: Path) -> dict[str, Path]:
    """Absolute paths of the programs of ``OPTIONAL`` that are there: named by a variable, beside projwfc.x, on PATH."""
    found = {}
    for name, variable in OPTIONAL.items():
        places = [os.environ.get(variable), str(projwfc.with_name(name)), name]
        paths = [path for place in places if place and (path := find_executable(place)) is not None]
        if paths:
            found[name] = paths[0]
    return found


def check_python(system: bool, echo: Callable[[str], object]) -> None:
    """Make sure that this Python is new enough and can make virtual environments.

    :raises MissingError: with the line to run.
    """
    if sys.version_info < MINIMUM_PYTHON:
        needed = ".".join(map(str, MINIMUM_PYTHON))
        raise MissingError(
            f"{sys.executable} is Python {platform.python_version()}, and {needed} or newer is needed; "
            f"name another one: `make PYTHON=python{needed} ...`."
        )
    if importlib.util.find_spec("ensurepip") is None:
        if not (system and can_install()):
            prefix = "" if is_root() else "sudo "
            raise MissingError(f"Python's venv is not installed. Run `{prefix}apt-get install -y {VENV_PACKAGE}`.")
        install_with_apt((VENV_PACKAGE,), echo)


def can_install() -> bool:
    """Whether packages of the system can be installed here: by root, with apt."""
    return is_root() and shutil.which("apt-get") is not None


def install_with_apt(packages: Sequence[str], echo: Callable[[str], object]) -> None:
    """Install packages with apt.

    :raises MissingError: if apt fails.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for line in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        echo(f"apt-get {' '.join(line)}")
        done = subprocess.run(["apt-get", *line], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            tail = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise MissingError(
                f"`apt-get {' '.join(line)}` failed ({tail[0]}); mend that, then run `apt-get install -y "
                f"{' '.join(packages)}`."
            )


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


def blas_speed(library: str) -> float | None:
    """GFLOP/s of one core in double precision (``dgemm``), through the very library; None where it cannot be loaded.

    A quarter of a second.
    """
    said = ask_library(_DGEMM, library)
    try:
        return None if said is None else float(said)
    except ValueError:
        return None


def ask_library(script: str, library: str) -> str | None:
    """What a Python script prints that is given a library, on one core; None where it fails.

    In a process of its own, so that a library that crashes takes nothing with it. ``OPENBLAS_CORETYPE`` and the like
    stay as they are, for pw.x will meet them too.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", script, library],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env=environment,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


_DGEMM = """
import ctypes, sys, time
n = 256
library = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
a, b, c = ((ctypes.c_double * (n * n))(*[value] * (n * n)) for value in (1.0, 0.5, 0.0))
size, one, zero = ctypes.byref(ctypes.c_int(n)), ctypes.byref(ctypes.c_double(1)), ctypes.byref(ctypes.c_double(0))
length = ctypes.c_size_t(1)
best, end = float("inf"), time.perf_counter() + 0.15
while time.perf_counter() < end:
    start = time.process_time()
    for first in (b"T", b"N"):
        library.dgemm_(first, b"N", size, size, size, one, a, size, b, size, zero, c, size, length, length)
    best = min(best, time.process_time() - start)
assert c[0] == c[n * n - 1] == 0.5 * n
print(4e-9 * n**3 / best)
"""
"""Prints GFLOP/s: of the two products that pw.x makes in equal parts, projections and updates of wavefunctions.

Time of the core, and the best of several, so that other programs slow it down little.
"""


def optimized_blas(library: str) -> str | None:
    """An optimized BLAS that is installed beside another one, Debian's way: ``.../openblas-pthread/libblas.so.3``.

    :param library: the BLAS in use.
    """
    folders = [Path(library).resolve().parent.parent, *sorted(Path("/usr/lib").glob("*-linux-gnu"))]
    for folder in folders:
        for candidate in sorted(folder.glob("*/libblas.so.3")):
            if not is_reference_blas(str(candidate)):
                return str(candidate)
    return None


def pw_version(executable: Path) -> str | None:
    """Version that pw.x prints when it starts, None where it does not start."""
    # pw.x copies its input and leaves a CRASH file where it runs.
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(
                [str(executable)],
                input="",
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
                env=environment,
                cwd=folder,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    match = re.search(r"Program PWSCF v\.?(\S+)", done.stdout)
    return match.group(1) if match else None


def is_open_mpi() -> bool:
    """Whether the ``mpirun`` on PATH is Open MPI's."""
    mpirun = find_executable("mpirun")
    if mpirun is None:
        return False
    done = subprocess.run([str(mpirun), "--version"], capture_output=True, text=True, check=False)
    return "Open MPI" in done.stdout


def tested_versions() -> dict[str, str]:
    """Version of each package that the tests run with, by normalized name; empty outside of a checkout."""
    lock = Path(__file__).parents[2] / "requirements.lock"
    if not lock.is_file():
        return {}
    pins = re.findall(r"^([\w.-]+)==(\S+)$", lock.read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def package_version(name: str) -> str | None:
    """Version of an installed distribution without a build's suffix (``+cpu``), or None."""
    try:
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def import_fault(module: str) -> str | None:
    """Why a module cannot be imported; None where it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a library built against another version of a second one raises anything
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
    return None


def main(arguments: list[str]) -> int:
    """Report whether what ``make`` needs is there; with ``--system``, install it where that is allowed."""

    def echo(line: str) -> None:
        print(line, flush=True)

    system = "--system" in arguments
    try:
        check_python(system, echo)
        found = espresso({}, system, echo)
    except MissingError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    for name, path in found.items():
        print(f"{name}: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

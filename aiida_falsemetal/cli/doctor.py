"""`falsemetal doctor`: looks at what a campaign needs; a line is OK, a note, a warning or a fault, with its remedy."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from .common import PROFILE, format_option, print_rows
from .environment import (
    OPENBLAS,
    OPTIONAL,
    VARIABLES,
    blas_speed,
    find_executable,
    import_fault,
    is_reference_blas,
    linked_blas,
    missing_message,
    optimized_blas,
    optional_espresso,
    package_version,
    pw_version,
    tested_versions,
)
from .kernels import blas_kernel, has_avx2, is_too_old

MINIMUM_DISK = 5e9
REFERENCE_GFLOPS = 8.0
"""The reference BLAS does 1 to 4 on any core; what does more is another one, whatever its file is called."""
PW_SLOWDOWN = "2.8 to 3"
"""Measured: 32 waters at 60 Ry on two ranks, and 16 at 45 Ry on one; ``benchmarks/blas.py`` measures it here."""
OLD_KERNEL = (
    "{blas}, {rate}: this OpenBLAS does not know the processor and takes the routines of an old one ({kernel}); "
    "a newer OpenBLAS makes pw.x faster here"
)
PACKAGES = ("aiida-core", "aiida-quantumespresso", "aiida-pseudo", "ase", "numpy", "pymatgen")
EXTRAS = {
    "mace": ("mace-torch", "graph-longrange", "torch", "torch-pme"),
    "openmm": ("openmm",),
}


@dataclass(frozen=True)
class Finding:
    """One line.

    ``state`` is ``OK``, ``note`` (works, but could be better), ``warn`` (works, but much slower) or ``FAIL``.
    """

    what: str
    state: str
    detail: str


@click.command()
@format_option
def doctor(form: str) -> None:
    """Check this installation. Exits with 1 where something is broken."""
    findings = [finding for check in CHECKS for finding in _guarded(check)]
    if form == "table":
        for finding in findings:
            click.echo(f"{finding.state:5s} {finding.what}: {finding.detail}")
    else:
        print_rows([vars(finding) for finding in findings], form)
    if any(finding.state == "FAIL" for finding in findings):
        raise SystemExit(1)


def _guarded(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """A check's findings; a check that breaks is a finding too."""
    try:
        return list(check())
    except Exception as error:
        name = check.__name__.removeprefix("check_")
        return [Finding(name, "FAIL", f"{type(error).__name__}: {error}; run `falsemetal setup`")]


def check_python() -> Iterator[Finding]:
    """Python and the packages, against the versions that the tests run with."""
    yield Finding("Python", "OK", f"{sys.version.split()[0]} at {sys.executable}")
    tested = tested_versions()
    for name in PACKAGES:
        yield version_finding(name, package_version(name), tested.get(name), f"pip install {name}", "FAIL")
    for extra, names in EXTRAS.items():
        for name in names:
            remedy = f"pip install 'aiida-falsemetal[{extra}]'"
            yield version_finding(name, package_version(name), tested.get(name), remedy, "note")


def version_finding(name: str, version: str | None, tested: str | None, remedy: str, absent: str) -> Finding:
    """Judge a package's version.

    :param version: the installed one, None where there is none.
    :param tested: the one in the lock file, None where that is not known.
    :param remedy: the line that installs the package.
    :param absent: the state of a package that is not installed.
    """
    if version is None:
        return Finding(name, absent, f"not installed; run `{remedy}`")
    if tested not in (None, version):
        return Finding(name, "note", f"{version}, and the tests run with {tested}; `make install` brings that")
    return Finding(name, "OK", version)


def check_models() -> Iterator[Finding]:
    """Packages of the MLIP families, really imported, and torch's threads."""
    from ..mlips.registry import family_names, load_family

    for name in family_names():
        required = load_family(name).requires
        faults = {module: fault for module in required if (fault := import_fault(module)) is not None}
        if not faults:
            yield Finding(f"family {name}", "OK", "imports " + ", ".join(required))
            continue
        module, fault = next(iter(faults.items()))
        extra = "openmm" if name == "openmm" else "mace"
        # What was never installed is a choice; what is installed and does not work is a fault.
        state = "note" if fault.startswith("ModuleNotFoundError") else "FAIL"
        detail = f"{module} cannot be imported ({fault}); run `pip install 'aiida-falsemetal[{extra}]'`"
        yield Finding(f"family {name}", state, detail)
    if import_fault("torch") is None:
        import torch

        device = "GPU" if torch.cuda.is_available() else "CPU"
        yield Finding("torch threads", "OK", f"{torch.get_num_threads()} here, on {device}; an MD job takes md.threads")


def check_packmol() -> Iterator[Finding]:
    """Check the packer."""
    from ..interfaces.packing import find_packmol
    from ..interfaces.recipe import InterfaceError

    try:
        yield Finding("packmol", "OK", find_packmol())
    except InterfaceError as error:
        yield Finding("packmol", "FAIL", str(error))


def check_espresso() -> Iterator[Finding]:
    """Quantum ESPRESSO and the BLAS behind it: what `falsemetal setup` would take."""
    for name, variable in VARIABLES.items():
        path = find_executable(os.environ.get(variable) or name)
        if path is None:
            yield Finding(name, "note", missing_message([name]) + " Codes that are set up are judged below.")
            continue
        if name != "pw.x":
            yield Finding(name, "OK", str(path))
            continue
        version = pw_version(path)
        if version is None:
            yield Finding(name, "FAIL", f"{path} does not start; reinstall quantum-espresso")
            continue
        yield Finding(name, "OK", f"{version} at {path}")
        yield _blas(path)
    projwfc = find_executable(os.environ.get(VARIABLES["projwfc.x"]) or "projwfc.x")
    found = optional_espresso(projwfc or Path("projwfc.x"))
    for name, variable in OPTIONAL.items():
        absent = f"not found; only the averaged potential needs it: `export {variable}=PATH`, then `falsemetal setup`"
        yield Finding(name, "OK" if name in found else "note", str(found.get(name, absent)))


def _blas(path: Path) -> Finding:
    """The BLAS behind pw.x and how fast it is."""
    blas = linked_blas(path)
    if blas is None:
        return Finding("BLAS of pw.x", "note", "cannot be told")
    speed, kernel = blas_speed(blas), blas_kernel(blas)
    if is_too_old(kernel, has_avx2()):
        return Finding("BLAS of pw.x", "note", OLD_KERNEL.format(blas=blas, rate=_rate(speed), kernel=kernel))
    return judge_blas(blas, speed, optimized_blas(blas))


def _rate(speed: float | None) -> str:
    return "its speed cannot be measured" if speed is None else f"{speed:.3g} GFLOP/s on one core"


def judge_blas(blas: str, speed: float | None, better: str | None) -> Finding:
    """Judge a BLAS by its name and its speed.

    :param blas: its file.
    :param speed: GFLOP/s of one core, None where it could not be measured.
    :param better: an optimized BLAS that is installed too, None where there is none.
    """
    rate = _rate(speed)
    if not is_reference_blas(blas) or (speed is not None and speed > REFERENCE_GFLOPS):
        return Finding("BLAS of pw.x", "OK", f"{blas}, {rate}")
    detail = f"{blas} is the reference BLAS: {rate}"
    remedy = f"run `apt-get install -y {OPENBLAS}`"
    if better is not None:
        faster = blas_speed(better)
        if speed is not None and faster is not None:
            detail += f", {faster / speed:.0f} times slower than {better} on this machine"
        name = f"{Path(better).name}-{Path(better).parent.parent.name}"
        remedy = f"run `update-alternatives --set {name} {better}`"
        lapack = Path(better).with_name("liblapack.so.3")
        if lapack.exists():
            remedy += f" and `update-alternatives --set {name.replace('blas', 'lapack')} {lapack}`"
    return Finding("BLAS of pw.x", "warn", f"{detail}; pw.x takes {PW_SLOWDOWN} times as long with it; {remedy}")


def check_mpi() -> Iterator[Finding]:
    """MPI is needed for more than one rank only."""
    path = find_executable("mpirun")
    if path is None:
        yield Finding("mpirun", "note", "not found; gap.ranks must stay 1, which is fastest on one machine anyway")
    else:
        yield Finding("mpirun", "OK", str(path))


def check_profile() -> Iterator[Finding]:
    """Check the profile, its broker and its daemon."""
    from aiida import load_profile
    from aiida.manage.configuration import get_config, get_profile

    name = os.environ.get("AIIDA_PROFILE", PROFILE)
    profile = get_profile()
    if profile is None:
        if name not in get_config(create=True).profile_names:
            yield Finding("profile", "FAIL", f"there is no profile {name!r}; run `falsemetal setup`")
            return
        profile = load_profile(name)
    yield Finding("profile", "OK", f"{profile.name}, storage {profile.storage_backend}, in {get_config().dirpath}")
    broker = profile.process_control_backend
    if broker is None:
        yield Finding("broker", "FAIL", "the profile has none; `falsemetal setup` makes a profile with ZeroMQ")
        return
    yield _broker(broker, profile.process_control_config)
    from .daemon import daemon_runs

    state = "runs" if daemon_runs() else "does not run; a followed screen starts it"
    yield Finding("daemon", "OK", state)


def _broker(broker: str, config: dict[str, Any]) -> Finding:
    """The broker; a RabbitMQ is asked for its version."""
    from .engines import BACKENDS, RABBITMQ, check_rabbitmq, patience_note

    if broker != BACKENDS[RABBITMQ]:
        return Finding("broker", "OK", broker)
    try:
        version = check_rabbitmq(config)
    except click.ClickException as error:
        return Finding("broker", "FAIL", error.message)
    note = patience_note(version)
    return Finding("broker", "OK" if note is None else "note", note or f"RabbitMQ {version}")


def check_codes() -> Iterator[Finding]:
    """The codes' executables, where their computer is this machine."""
    from aiida.manage.configuration import get_profile

    from .machine import find_machine
    from .submit import load_code

    if get_profile() is None:
        return
    machine = find_machine()
    needless_codes = (machine.code("pp"), machine.code("average"))
    for label in (*map(machine.code, ("pw", "projwfc")), *needless_codes, machine.code("python-mlip")):
        try:
            code = load_code(label)
        except click.ClickException as error:
            needless = label in needless_codes
            detail = f"only the averaged potential needs it: {error.message}" if needless else error.message
            yield Finding(f"code {label}", "note" if needless else "FAIL", detail)
            continue
        path = str(code.filepath_executable)
        here = code.computer.transport_type == "core.local"
        if here and find_executable(path) is None:
            yield Finding(f"code {label}", "FAIL", f"{path} is gone; run `falsemetal setup`")
        else:
            yield Finding(f"code {label}", "OK", path)


def check_pseudos() -> Iterator[Finding]:
    """The offline pseudopotential family."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent
    from aiida.manage.configuration import get_profile

    from .profile import PSEUDO_FAMILY

    if get_profile() is None:
        return
    try:
        group: Any = orm.load_group(PSEUDO_FAMILY)
    except NotExistent:
        yield Finding("pseudopotentials", "FAIL", f"{PSEUDO_FAMILY} is not installed; run `falsemetal setup`")
        return
    yield Finding("pseudopotentials", "OK", f"{PSEUDO_FAMILY}, {group.count()} elements")


def check_disk() -> Iterator[Finding]:
    """Room for results."""
    from aiida.manage.configuration import get_config

    folder = get_config(create=True).dirpath
    free = shutil.disk_usage(folder).free
    state = "OK" if free > MINIMUM_DISK else "note"
    yield Finding("disk", state, f"{free / 1e9:.0f} GB free at {folder}")


CHECKS = (
    check_python,
    check_models,
    check_packmol,
    check_espresso,
    check_mpi,
    check_profile,
    check_codes,
    check_pseudos,
    check_disk,
)

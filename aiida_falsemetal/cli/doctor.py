"""`falsemetal doctor`: looks at everything a campaign needs; each line is OK, a note, or a fault with its remedy."""

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
    APT_PACKAGES,
    find_executable,
    is_reference_blas,
    linked_blas,
    missing_message,
    module_exists,
    package_version,
    pw_version,
)

MINIMUM_DISK = 5e9
PACKAGES = ("aiida-core", "aiida-quantumespresso", "aiida-pseudo", "ase", "numpy", "pymatgen")


@dataclass(frozen=True)
class Finding:
    """One line. ``state`` is ``OK``, ``note`` (works, but could be better) or ``FAIL``."""

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
    """Python and the packages."""
    yield Finding("Python", "OK", f"{sys.version.split()[0]} at {sys.executable}")
    for name in PACKAGES:
        version = package_version(name)
        if version is None:
            yield Finding(name, "FAIL", f"not installed; run `pip install {name}`")
        else:
            yield Finding(name, "OK", version)


def check_models() -> Iterator[Finding]:
    """Packages of the MLIP families, and torch's threads."""
    from ..mlips.registry import family_names, load_family

    for name in family_names():
        missing = [module for module in load_family(name).requires if not module_exists(module)]
        if missing:
            extra = "openmm" if name == "openmm" else "mace"
            yield Finding(
                f"family {name}", "note", f"{missing[0]} is missing; `pip install 'aiida-falsemetal[{extra}]'`"
            )
        else:
            yield Finding(f"family {name}", "OK", "importable")
    if module_exists("torch"):
        import torch

        device = "GPU" if torch.cuda.is_available() else "CPU"
        detail = f"{torch.__version__}, {device}, {torch.get_num_threads()} threads here; an MD job takes md.threads"
        yield Finding("torch", "OK", detail)


def check_packmol() -> Iterator[Finding]:
    """The packer."""
    from ..interfaces.packing import find_packmol
    from ..interfaces.recipe import InterfaceError

    try:
        yield Finding("packmol", "OK", find_packmol())
    except InterfaceError as error:
        yield Finding("packmol", "FAIL", str(error))


def check_espresso() -> Iterator[Finding]:
    """pw.x, projwfc.x and the BLAS behind them."""
    for name in ("pw.x", "projwfc.x"):
        path = find_executable(name)
        if path is None:
            yield Finding(name, "note", f"not on PATH: {missing_message([name])}")
            continue
        version = pw_version(path) if name == "pw.x" else "found"
        if version is None:
            yield Finding(name, "FAIL", f"{path} does not start; reinstall quantum-espresso")
        else:
            yield Finding(name, "OK", f"{version} at {path}")
        if name == "pw.x":
            yield _blas(path)


def _blas(path: Path) -> Finding:
    blas = linked_blas(path)
    if blas is None:
        return Finding("BLAS of pw.x", "note", "cannot be told")
    if is_reference_blas(blas):
        remedy = f"install {APT_PACKAGES[1]}: it was 2.8 times as fast"
        return Finding("BLAS of pw.x", "note", f"{blas} is the reference BLAS; {remedy}")
    return Finding("BLAS of pw.x", "OK", blas)


def check_mpi() -> Iterator[Finding]:
    """MPI is needed for more than one rank only."""
    path = find_executable("mpirun")
    if path is None:
        yield Finding("mpirun", "note", "not found; gap.ranks must stay 1, which is fastest on one machine anyway")
    else:
        yield Finding("mpirun", "OK", str(path))


def check_profile() -> Iterator[Finding]:
    """The profile, its broker and its daemon."""
    from aiida import load_profile
    from aiida.manage.configuration import get_config, get_profile

    name = os.environ.get("AIIDA_PROFILE", PROFILE)
    if get_profile() is None:
        if name not in get_config(create=True).profile_names:
            yield Finding("profile", "FAIL", f"there is no profile {name!r}; run `falsemetal setup`")
            return
        load_profile(name)
    profile = get_profile()
    yield Finding("profile", "OK", f"{profile.name}, storage {profile.storage_backend}, in {get_config().dirpath}")
    broker = profile.process_control_backend
    if broker is None:
        yield Finding("broker", "FAIL", "the profile has none; `falsemetal setup` makes a profile with ZeroMQ")
        return
    yield Finding("broker", "OK", str(broker))
    from .daemon import daemon_runs

    state = "runs" if daemon_runs() else "does not run; a followed screen starts it"
    yield Finding("daemon", "OK", state)


def check_codes() -> Iterator[Finding]:
    """The codes' executables, where their computer is this machine."""
    from aiida.manage.configuration import get_profile

    from .profile import MD_CODE, PROJWFC_CODE, PW_CODE
    from .submit import load_code

    if get_profile() is None:
        return
    for label in (PW_CODE, PROJWFC_CODE, MD_CODE):
        try:
            code = load_code(label)
        except click.ClickException as error:
            yield Finding(f"code {label}", "FAIL", error.message)
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

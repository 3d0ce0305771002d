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
    OPENBLAS,
    VARIABLES,
    find_executable,
    import_fault,
    is_reference_blas,
    linked_blas,
    missing_message,
    package_version,
    pw_version,
    tested_versions,
)

MINIMUM_DISK = 5e9
PACKAGES = ("aiida-core", "aiida-quantumespresso", "aiida-pseudo", "ase", "numpy", "pymatgen")
EXTRAS = {
    "mace": ("mace-torch", "graph-longrange", "torch", "torch-pme"),
    "openmm": ("openmm",),
}


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


def _blas(path: Path) -> Finding:
    blas = linked_blas(path)
    if blas is None:
        return Finding("BLAS of pw.x", "note", "cannot be told")
    if is_reference_blas(blas):
        remedy = f"run `apt-get install -y {OPENBLAS}`"
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

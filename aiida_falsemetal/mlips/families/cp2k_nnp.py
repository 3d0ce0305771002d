"""Committees of Behler-Parrinello networks through CP2K: one layer, short-ranged, in double precision.

The C-NNP for water of Schran, Brezina and Marsalek (J. Chem. Phys. 153, 104105 (2020)) comes with Debian's `cp2k-data`;
energy and forces are the committee's mean, computed by `cp2k_shell` as a process of its own, which ASE's calculator
talks to. A model is many small files, and is kept as one zip file: ``nnp-1/input.nn`` and ``nnp-1/scaling.data`` (the
symmetry functions, which all members share) and ``nnp-N/weights.*.data``, as n2p2 and RuNNer write them.

The zero of CP2K's energy is not that of the free atoms; differences and forces are what counts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.data import atomic_numbers

from ..family import Family, ModelError, ModelFacts
from ._tools import bundle, unbundled

KIND = "bundle of CP2K networks"
PROGRAMS = ("cp2k_shell.psmp", "cp2k_shell.ssmp", "cp2k_shell")
VARIABLE = "FALSEMETAL_CP2K_SHELL"
INSTALL = "install CP2K and its data (on Debian: apt-get install cp2k cp2k-data)"
DATA = Path("/usr/share/cp2k")
"""Where Debian has CP2K's data; the variable CP2K_DATA_DIR is asked first."""


class Cp2kNnpFamily(Family):
    """Zip files as :meth:`locate` makes them of a folder of CP2K's ``NNP`` data."""

    name = "cp2k_nnp"
    requires = ("ase",)

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`. Elements and the largest cutoff are those of ``input.nn``, which is in bohr."""
        self.check_keys(kwargs, set())
        with unbundled(path, KIND) as folder:
            text = _first(folder, path).read_text()
        lines = [line.split("#")[0].split() for line in text.splitlines()]
        elements = next((words[1:] for words in lines if words[:1] == ["elements"]), [])
        try:
            cutoff = max(float(words[-1]) for words in lines if words[:1] == ["symfunction_short"]) * units.Bohr
        except ValueError as error:
            raise ModelError(f"{path.name}: input.nn has no symmetry functions; it is no {KIND}.") from error
        if not elements or not all(element in atomic_numbers for element in elements):
            raise ModelError(f"{path.name}: input.nn names no elements; it is no {KIND}.")
        return ModelFacts(tuple(sorted(elements)), cutoff, layers=1, long_ranged=False, precision="float64")

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`. The program is the one that ``FALSEMETAL_CP2K_SHELL`` names, or is found."""
        self.check_elements(atoms, self.inspect(path, kwargs).elements)
        program = os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            raise ModelError(f"there is no cp2k_shell here; {INSTALL}, or name it in {VARIABLE}.")
        from ase.calculators.cp2k import CP2K

        work = tempfile.TemporaryDirectory(prefix="falsemetal-cp2k-")
        with unbundled(path, KIND) as folder:
            shutil.copytree(folder, work.name, dirs_exist_ok=True)
        nothing = ("basis_set", "basis_set_file", "pseudo_potential", "potential_file", "xc", "cutoff", "max_scf")
        calculator = CP2K(
            command=program,
            label=f"{work.name}/run",
            inp=_input(Path(work.name), path),
            force_eval_method="NNP",
            poisson_solver=None,
            stress_tensor=False,
            print_level="LOW",
            **dict.fromkeys(nothing),
        )
        calculator.work = work  # the folder lives as long as the calculator
        return calculator

    def locate(self, source: str) -> Path:
        """See :meth:`Family.locate`. ``source`` is a folder in ``NNP`` of CP2K's data: ``bulkH2O-jcp2020-cnnp``."""
        roots = [Path(os.environ["CP2K_DATA_DIR"])] if "CP2K_DATA_DIR" in os.environ else []
        for root in (*roots, DATA):
            folder = root / "NNP" / source
            wanted = [
                *folder.glob("nnp-1/input.nn"),
                *folder.glob("nnp-1/scaling.data"),
                *folder.glob("nnp-*/weights.*"),
            ]
            if "/" not in source and len(wanted) > 2:
                return bundle({file.relative_to(folder).as_posix(): file.read_bytes() for file in wanted}, source)
        raise ModelError(f"CP2K's data has no network {source!r} in {DATA}/NNP or $CP2K_DATA_DIR/NNP; {INSTALL}.")


def _first(folder: Path, path: Path) -> Path:
    """``input.nn`` of the first member, beside which the scaling lies."""
    found = folder / "nnp-1" / "input.nn"
    if not found.is_file() or not found.with_name("scaling.data").is_file():
        raise ModelError(f"{path.name} has no nnp-1/input.nn or no nnp-1/scaling.data; it is no {KIND}.")
    return found


def _input(folder: Path, path: Path) -> str:
    """CP2K's input for the networks in ``folder``."""
    first = _first(folder, path)
    members = sorted({file.parent for file in folder.glob("nnp-*/weights.*")})
    if not members:
        raise ModelError(f"{path.name} has no weights (nnp-1/weights.001.data and so on); it is no {KIND}.")
    models = "".join(f"&MODEL\nWEIGHTS {member}/weights\n&END MODEL\n" for member in members)
    names = f"NNP_INPUT_FILE_NAME {first}\nSCALE_FILE_NAME {first.with_name('scaling.data')}\n"
    return f"&FORCE_EVAL\n&NNP\n{names}{models}&END NNP\n&END FORCE_EVAL\n"


FAMILY = Cp2kNnpFamily()

"""Environments that cannot share one: each has its own version of a package that ours lacks."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

WELLS = '''
"""An ASE calculator: every atom in a harmonic well around where it was first seen."""
import click
from ase.calculators.calculator import Calculator, all_changes

assert click.LONELY, "this is another environment's click"
STIFFNESS = {stiffness}

class Wells(Calculator):
    implemented_properties = ["energy", "forces"]

    def __init__(self, {keyword}=1.0):
        super().__init__()
        self.scale, self.centres = {keyword}, None

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if self.centres is None:
            self.centres = atoms.positions.copy()
        away, k = atoms.positions - self.centres, STIFFNESS * self.scale
        self.results = {{"energy": 0.5 * k * float((away**2).sum()), "forces": -k * away}}
'''


def make_environment(folder: Path, keyword: str, stiffness: float) -> Path:
    """A virtual environment with ase and numpy of ours and a package ``lonelywells`` of its own; its folder.

    :param keyword: what this version of the package calls its one argument.
    :param stiffness: eV/Å^2.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (site / "ours.pth").write_text(sysconfig.get_path("purelib"))
    # A package that ours has too: the environment's own must come first, whatever the daemon's PYTHONPATH says.
    (site / "click.py").write_text("LONELY = True\n")
    (site / "lonelywells.py").write_text(WELLS.format(keyword=keyword, stiffness=stiffness))
    return folder


def arguments(keyword: str) -> str:
    """What ``falsemetal model add --kwargs`` is given for such a package."""
    facts = {"elements": ["H", "O"], "cutoff": 5.0, "layers": 1, "long_ranged": False}
    return json.dumps({"calculator": "lonelywells:Wells", "kwargs": {keyword: 1.0}, "facts": facts})

"""A wrong campaign file is refused by the command in under five seconds, in one sentence, and nothing is submitted."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Home

pytestmark = pytest.mark.qe

SECONDS = 5.0
"""What the user is promised, the start of Python included. Of CPU time, for the machine may have other work."""
FILM = {"recipe": "film", "molecules": 24, "lateral": 7.0, "vacuum": 25.0, "seed": 1}
GOOD: dict[str, Any] = {
    "name": "wrong",
    "interfaces": {"film24": FILM},
    "mlips": {"spcfw-ewald": None},
    "seeds": [1],
    "md": {"steps": 10000},
}
ARGON = '<ForceField><AtomTypes><Type name="Ar" class="Ar" element="Ar" mass="39.9"/></AtomTypes></ForceField>'
COUNT = "print(json.dumps([orm.QueryBuilder().append(c).count() for c in (orm.Node, orm.Group)]))"

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown interface": ({"interfaces": {"film24": {**FILM, "recipe": "flim"}}}, "interfaces.film24.recipe"),
    "structure missing": ({"interfaces": {"mine": {"recipe": "file", "file": "none.cif"}}}, "interfaces.mine.file"),
    "no such node": ({"interfaces": {"mine": {"recipe": "file", "structure": 999999}}}, "interfaces.mine.structure"),
    "model file missing": ({"mlips": {"mine": {"family": "mace", "file": "none.model"}}}, "mlips.mine.file"),
    "model file truncated": ({"mlips": {"mine": {"family": "mace", "file": "cut.model"}}}, "mlips.mine.file"),
    "element not known": ({"mlips": {"mine": {"family": "openmm", "file": "argon.xml"}}}, "mlips.mine"),
    "negative steps": ({"md": {"steps": -10}}, "md.steps"),
    "unknown key": ({"slotz": 2}, "slotz"),
    "no vacuum": ({"interfaces": {"film24": {**FILM, "vacuum": None}}}, "interfaces.film24.vacuum"),
    "unknown override": ({"gap": {"overrides": {"ecutwfcc": 30.0}}}, "gap.overrides"),
    "override of another type": ({"gap": {"overrides": {"ecutwfc": "high"}}}, "gap.overrides.ecutwfc"),
    "ladder that rises": ({"gap": {"overrides": {"smearing": [0.001, 0.01]}}}, "gap.overrides.smearing"),
    "ladder of words": ({"gap": {"overrides": {"smearing": ["small"]}}}, "gap.overrides.smearing"),
    "rescue that changes the result": ({"gap": {"overrides": {"rescues": [{"degauss": 1}]}}}, "gap.overrides.rescues"),
    "limit that is no number": ({"gap": {"overrides": {"moved_limit": "few"}}}, "gap.overrides.moved_limit"),
    "unknown functional": ({"gap": {"functional": "revPEB"}}, "gap.functional"),
    "functional of another type": ({"gap": {"functional": 3}}, "gap.functional"),
    "family not installed": ({"gap": {"pseudo_family": "none"}}, "gap.pseudo_family"),
    "unknown functional as override": ({"gap": {"overrides": {"functional": "x"}}}, "gap.overrides.functional"),
    "cutoff of the density too small": ({"gap": {"overrides": {"ecutrho": 90.0}}}, "gap.overrides.ecutrho"),
    "cutoff of the density no number": ({"gap": {"overrides": {"ecutrho": "high"}}}, "gap.overrides.ecutrho"),
    "vacuum of nothing": ({"interfaces": {"film24": {**FILM, "vacuum": 0.0}}}, "interfaces.film24.vacuum"),
}


def write(folder: Path, changes: dict[str, Any]) -> Path:
    """The wrong campaign, and the wrong models it names."""
    (folder / "cut.model").write_bytes(b"PK\x03\x04 begun and never ended")
    (folder / "argon.xml").write_text(ARGON)
    path = folder / "wrong.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return path


def cpu_seconds() -> float:
    """CPU time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def before(home: Home) -> Any:
    """Numbers of nodes and groups before any wrong file is given."""
    return home.ask(COUNT)


@pytest.mark.parametrize("case", WRONG)
def test_wrong_file(case: str, home: Home, before: Any) -> None:
    changes, name = WRONG[case]
    path = write(home.folder, changes)
    start = cpu_seconds()
    done = home.run("screen", str(path), "--follow")
    elapsed = cpu_seconds() - start
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: {path}: {name}: ")
    assert done.stderr.endswith(".\n") and done.stderr.count("\n") == 1
    assert elapsed < SECONDS


def test_the_other_side_refuses_alike(home: Home, before: Any) -> None:
    """``verdi run workflows/screen.py`` says the same."""
    path = write(home.folder, {"md": {"steps": -10}})
    launcher = Path(__file__).parents[2] / "workflows" / "screen.py"
    done = home.run("-p", "falsemetal", "run", str(launcher), str(path), program="verdi")
    assert done.returncode == 1
    assert f"{path}: md.steps: " in done.stderr


def test_file_that_is_not_there(home: Home, before: Any) -> None:
    done = home.run("screen", "none.yaml")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: none.yaml: top level: cannot be read")


def test_right_file_without_a_profile(empty_home: Home) -> None:
    path = write(empty_home.folder, {})
    done = empty_home.run("screen", str(path))
    assert done.returncode == 1
    assert "run `falsemetal setup`" in done.stderr


def test_nothing_was_submitted(home: Home, before: Any) -> None:
    """Runs last: neither node nor group was made by any refusal above, and a right file's dry run makes none."""
    path = write(home.folder, {})
    done = home.run("screen", str(path), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would submit film24 x spcfw-ewald x seed 1" in done.stdout
    assert home.ask(COUNT) == before

"""The commands and Python blocks of the pages that compute, on tiny inputs, with the real MD and pw.x."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ase.io import write

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe

from .plan import ROOT, SLOW, blocks

pytestmark = [pytest.mark.slow, pytest.mark.qe]
SCRIPTS = Path(sys.executable).parent
TINY = """\
name: mine
interfaces:
  film24: {recipe: film, molecules: 8, lateral: 6.5}
mlips:
  my-model: {family: mace, file: models/my.model}
md: {steps: 60, stride: 5, frame_stride: 10, equilibration: 0.01}
selection: {stratified: 1, uniform: 1, start: 0.01}
"""
"""A campaign with the names of the pages' one."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile, and a folder with the files that the commands name."""
    folder = tmp_path_factory.mktemp("compute")
    (folder / "models").mkdir()
    shutil.copy(ROOT / "aiida_falsemetal/mlips/models/twin-sr.model", folder / "models" / "my.model")
    for name in ("workflows", "calculations"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "mine.yaml").write_text(TINY)
    film = FilmRecipe().build(FilmParameters(molecules=8, lateral=6.5)).atoms[:12]
    write(folder / "film.xyz", film, format="extxyz")
    write(folder / "my.cif", film)
    run(folder, "falsemetal", "setup")
    return folder


def run(folder: Path, program: str, *arguments: str) -> str:
    """A script of this environment, which must succeed; what it printed."""
    environment = {**os.environ, "AIIDA_PATH": str(folder), "FALSEMETAL_HOME": str(folder / "home"), "COLUMNS": "200"}
    environment.pop("AIIDA_PROFILE", None)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [str(SCRIPTS / program), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def block(page: str, mark: str) -> str:
    """The Python block of a page that holds ``mark``."""
    return next(found.text for found in blocks(ROOT / page) if found.language == "python" and mark in found.text)


@pytest.mark.parametrize("text", SLOW)
def test_command_computes(home: Path, text: str) -> None:
    words = [("100" if word == "5000" else word) for word in shlex.split(text)]
    said = run(home, *words)
    if "calculations/gap.py" in text:
        assert re.search(r"^gap [\d.]+ eV$", said, re.MULTILINE) and "functional" in said
    if "--potential" in text:
        pk = re.search(r"^pk (\d+) node$", said, re.MULTILINE)
        assert pk is not None
        script = block("docs/howto/gap-of-a-structure.md", "outputs.layers").replace("277", pk[1])
        assert "local VBM" in run(home, "python", "-c", script)


def test_python_of_one_stage(home: Path) -> None:
    page = "docs/howto/one-stage.md"
    script = block(page, "get_builder_from_protocol") + block(page, "engine.run_get_node")
    script = script.replace('"molecules": 24', '"molecules": 8').replace("steps=5000", "steps=3000")
    said = run(home, "python", "-c", script)
    assert said.strip().splitlines()[-1] in ("safe", "undecided", "false metallization")


def test_python_of_the_readme(home: Path) -> None:
    run(home, "python", "-c", block("README.md", "run_screen("))
    assert (home / "results" / "mine" / "report.html").exists()

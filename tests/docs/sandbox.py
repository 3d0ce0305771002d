"""Runs the steps of all pages in one process: ``python -m tests.docs.sandbox PLAN RESULTS`` in an empty folder.

AIIDA_PATH is to name a fresh folder. A profile is made by ``falsemetal setup``, and the campaign that comes with the
package is imported into it. Each page has a folder of its own with the files that pages speak of.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

from .plan import PLACEHOLDERS, ROOT, STANDS_FOR

DEMO = ROOT / "aiida_falsemetal" / "demo" / "quickstart.aiida"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MODULES = {"RECIPE": "aiida_falsemetal.interfaces", "FAMILY": "aiida_falsemetal.mlips.families"}
BASE = {
    "name": "base",
    "interfaces": {"film24": {"recipe": "film", "molecules": 24, "lateral": 7.0}},
    "mlips": {"spcfw-ewald": None},
    "slots": 2,
}
"""What a fragment of a campaign file is put into."""


class Sandbox:
    """The profile, the pages' folders, and what pages' placeholders stand for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shared = folder / "shared"
        self.names: dict[str, dict[str, Any]] = {}
        self._make_profile()
        self.words = {**STANDS_FOR, **self._nodes()}
        self._make_files()

    def _make_profile(self) -> None:
        self.command("falsemetal", ["setup"])
        from aiida import load_profile
        from aiida.tools.archive import import_archive

        load_profile("falsemetal", allow_switch=True)
        import_archive(DEMO)

    def _nodes(self) -> dict[str, str]:
        from aiida_falsemetal.query.rows import frame_rows

        row = next(row for row in frame_rows("quickstart") if row["gap"] is not None)
        columns = ("gap_pk", "gap_pk", "pair_pk", "pw_pk")
        return {word: str(row[column]) for word, column in zip(PLACEHOLDERS, columns, strict=True)}

    def _make_files(self) -> None:
        """What pages speak of, in one folder; each page has links to it."""
        from ase.io import write

        from aiida_falsemetal.cli.profile import pseudo_folder
        from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
        from tests.data import trajectories

        (self.shared / "models").mkdir(parents=True)
        shutil.copy(ROOT / "aiida_falsemetal/mlips/models/twin-sr.model", self.shared / "models" / "my.model")
        shutil.copy(DEMO, self.shared / "mine.aiida")
        (self.shared / "my-env").symlink_to(sys.prefix)
        for name in ("workflows", "calculations", "aiida_falsemetal"):
            (self.shared / name).symlink_to(ROOT / name)
        (self.shared / "my-pseudos").mkdir()
        for element in ("H", "O"):
            found = next(path for path in sorted(pseudo_folder().iterdir()) if re.match(rf"{element}[._-]", path.name))
            shutil.copy(found, self.shared / "my-pseudos" / f"{element}.upf")
        given = {"elements": ["H", "O"], "cutoff": 6.0, "sigma": 3.1, "epsilon": 0.01}
        (self.shared / "model.json").write_text(json.dumps(given))
        frames = trajectories.run(3000).frames
        trajectories.save(frames, "vasp-xdatcar", self.shared).rename(self.shared / "XDATCAR")
        trajectories.save(frames, "lammps-dump-text", self.shared, "type").rename(self.shared / "film.lammpstrj")
        built = FilmRecipe().build(FilmParameters(molecules=16, lateral=7.0))
        bulk, random = built.atoms, np.random.default_rng(1)
        bulk.cell[2, 2] -= 23.0
        moved = []
        for _ in range(60):
            atoms = bulk.copy()
            for molecule in built.info["molecules"]:
                atoms.positions[molecule] += random.normal(0.0, 0.3, 3)
            moved.append(atoms)
        write(self.shared / "bulk.extxyz", moved)
        campaign = next(step for step in PLAN if step["page"] == "docs/my-mlip.md" and step["kind"] == "campaign")
        for name in ("mine.yaml", "campaign.yaml"):
            (self.shared / name).write_text(campaign["text"])

    def enter(self, page: str) -> None:
        """Go into a page's folder, made where it is not there yet."""
        from ase.build import fcc111
        from ase.io import write

        place = self.folder / page.replace("/", "-")
        if not place.exists():
            place.mkdir()
            for path in self.shared.iterdir():
                (place / path.name).symlink_to(path)
            # docs/figures.md reads the numbers from within the report's folder.
            (place / "figures").symlink_to(Path("results") / "quickstart" / "figures")
            # Another slab on every page, so that each is the first to store its own.
            lattice = 4.05 + 1e-4 * len(list(self.folder.iterdir()))
            write(place / "slab.cif", fcc111("Al", size=(1, 1, 3), a=lattice, vacuum=6.0, periodic=True))
        os.chdir(place)
        os.environ["FALSEMETAL_HOME"] = str(place / "home")

    def run(self, step: dict[str, Any]) -> tuple[int, str]:
        """Exit code and everything that was said."""
        self.enter(step["page"])
        if step["kind"] == "command":
            words = [self.words.get(word, word) for word in step["words"]]
            return self.command(words[0].rpartition("/")[2], words[1:])
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                getattr(self, step["kind"])(step)
        except Exception:
            return 1, said.getvalue() + traceback.format_exc()
        return 0, said.getvalue()

    def command(self, program: str, arguments: list[str]) -> tuple[int, str]:
        """A command of ours or AiiDA's, in this process."""
        if program == "falsemetal":
            from aiida_falsemetal.cli.main import main as group
        elif program == "verdi":
            from aiida.cmdline.commands.cmd_verdi import verdi as group
        else:
            return 1, f"{program}: only falsemetal and verdi are run; list the command in tests/docs/plan.py."
        found = CliRunner().invoke(group, arguments, env={"COLUMNS": "300"})
        said = found.output
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            said += "".join(traceback.format_exception(found.exception))
        return found.exit_code, said

    def python(self, step: dict[str, Any]) -> None:
        """A block, which knows what the page's earlier ones have made."""
        exec(compile(step["text"], step["page"], "exec"), self.names.setdefault(step["page"], {}))

    def module(self, step: dict[str, Any]) -> None:
        """A recipe or a family, found from then on as one of the package's own."""
        kind = re.search(r"^(RECIPE|FAMILY) = ", step["text"], re.MULTILINE)
        name = re.search(r'^    name\b.*"(\w+)"$', step["text"], re.MULTILINE)
        assert kind is not None and name is not None
        place = self.folder / kind[1]
        place.mkdir(exist_ok=True)
        (place / f"{name[1]}.py").write_text(step["text"])
        package = importlib.import_module(MODULES[kind[1]])
        package.__path__.append(str(place))
        importlib.invalidate_caches()

    def campaign(self, step: dict[str, Any]) -> None:
        """A whole campaign file, read as `falsemetal screen` does; a UUID is that of the trajectory imported last."""
        from aiida import orm

        from aiida_falsemetal.campaign.schema import load_campaign
        from aiida_falsemetal.cli.structures import find_atoms
        from aiida_falsemetal.cli.trajectories import find_trajectory

        query = orm.QueryBuilder().append(orm.TrajectoryData, filters={"extras": {"has_key": "falsemetal_origin"}})
        text = step["text"]
        if UUID.search(text):
            text = UUID.sub(query.order_by([{orm.TrajectoryData: {"id": "desc"}}]).first(flat=True).uuid, text)
        name = re.search(r"^name: (\S+)$", text, re.MULTILINE)
        assert name is not None
        path = Path(f"{name[1]}.yaml")
        path.unlink(missing_ok=True)
        path.write_text(text)
        load_campaign(path, find_atoms, find_trajectory)

    def fragment(self, step: dict[str, Any]) -> None:
        """A part of one: the file is right with it in the place of what a small campaign has there."""
        import yaml

        from aiida_falsemetal.campaign.schema import load_campaign

        part = yaml.safe_load(step["text"])
        path = Path("fragment.yaml")
        path.write_text(yaml.safe_dump({**BASE, **part}))
        load_campaign(path)


PLAN: list[dict[str, Any]] = []


def main(plan: Path, results: Path) -> None:
    """Do all steps of ``plan``; their exit codes, words and seconds go into ``results``."""
    PLAN.extend(json.loads(plan.read_text()))
    sandbox = Sandbox(Path.cwd())
    found = []
    for step in PLAN:
        start = time.perf_counter()
        code, said = sandbox.run(step)
        found.append({"code": code, "said": said, "seconds": time.perf_counter() - start})
    results.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute())

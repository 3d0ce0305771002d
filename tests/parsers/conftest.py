"""Files of real runs of the driver, and the parser on copies of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.plugins import ParserFactory

from aiida_falsemetal.runner import files
from tests.data import nodes
from tests.runner.conftest import SETTINGS, Driver
from tests.workflows.conftest import drive  # noqa: F401  (a fixture)

STDERR = "_scheduler-stderr.txt"
KEPT = (files.RESULT, files.SERIES, STDERR)
"""What goes into the retrieved folder; the rest is in the temporary one."""
ATOMS = 24
FRAME_BYTES = ATOMS * 3 * 4


@dataclass
class Run:
    """A finished run's files, free to be edited."""

    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / name

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path(files.SERIES).read_text().splitlines()]

    def cut(self, name: str, size: int) -> None:
        """Keep the first ``size`` bytes; the last ``-size`` are lost where it is negative."""
        content = self.path(name).read_bytes()
        self.path(name).write_bytes(content[:size])

    def account(self, **changes: Any) -> None:
        """Change the driver's own account."""
        given = json.loads(self.path(files.RESULT).read_text())
        self.path(files.RESULT).write_text(json.dumps({**given, **changes}))

    def remove(self, *names: str) -> None:
        for name in names:
            self.path(name).unlink()


@dataclass
class Parsed:
    """What the parser made of a run."""

    outputs: dict[str, Any]
    exit_status: int
    exit_message: str | None

    def steps(self) -> list[int]:
        return list(self.outputs["series"].get_array("step"))

    def frames(self) -> list[int]:
        return list(self.outputs["trajectory"].get_stepids())


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 60 steps that the driver really made; sampled every 5, stored every 10."""
    driver = Driver(tmp_path_factory.mktemp("md"), "spcfw-truncated")
    assert driver.run()["status"] == "finished"
    return driver.folder


@pytest.fixture
def run(recorded: Path, tmp_path: Path) -> Run:
    """A copy of the recorded run."""
    shutil.copytree(recorded, tmp_path / "run")
    return Run(tmp_path / "run")


@pytest.fixture
def parse(aiida_localhost: orm.Computer, tmp_path: Path) -> Callable[[Run], Parsed]:
    """Runs the parser on a run, its files shared out as AiiDA does."""

    def parse(run: Run) -> Parsed:
        structure, _ = nodes.film_nodes()
        given = {key: SETTINGS[key] for key in ("steps", "seed", "stride", "frame_stride", "timestep")}
        retrieved = orm.FolderData()
        for name in KEPT:
            if run.path(name).exists():
                retrieved.base.repository.put_object_from_file(run.path(name), name)
        job = nodes.calculation(
            "falsemetal.md",
            aiida_localhost,
            inputs={"structure": structure, "parameters": orm.Dict(given)},
            outputs={"retrieved": retrieved},
        )
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        for name in (files.FRAMES, files.CHECKPOINT):
            if run.path(name).exists():
                shutil.copy(run.path(name), temporary)
        parser = ParserFactory("falsemetal.md")(job)
        code = parser.parse(retrieved_temporary_folder=str(temporary))
        outputs = dict(parser.outputs)
        for node in outputs.values():
            node.store()
        return Parsed(outputs, code.status if code else 0, code.message if code else None)

    return parse

"""A profile of its own, in a fresh AIIDA_PATH, used through the command line as a user would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

TINY: dict[str, Any] = {
    "interfaces": {"film8": {"recipe": "film", "molecules": 8, "lateral": 6.5, "vacuum": 20.0, "seed": 1}},
    "mlips": {"spcfw-ewald": None, "spcfw-truncated": None},
    "seeds": [1],
    "md": {"steps": 2000, "equilibration": 0.2, "frame_stride": 50},
    "selection": {"stratified": 1, "uniform": 1, "strata": 2, "start": 0.2},
    "gap": {"protocol": "fast", "overrides": {"ecutwfc": 30.0}},
    "slots": 2,
}
"""Eight molecules, two controls, four gaps: the smallest campaign that goes all the way."""
MOVING = ("campaign", "wall_seconds", "pw_pk", "gap_pk", "result_pk", "pair_pk")
"""Columns that differ between two runs of the same campaign."""


class Workspace:
    """A folder with an AiiDA configuration, and ways to run commands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "AIIDA_PATH": str(folder)}
        self.environment.pop("AIIDA_PROFILE", None)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``falsemetal``, as from a terminal: what a shell starts in the background would not hear Ctrl-C."""
        line = [str(Path(sys.executable).parent / "falsemetal"), *arguments]
        return subprocess.Popen(
            line,
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *arguments: str, code: int = 0, timeout: float = 600) -> str:
        """Run ``falsemetal`` to its end and check its exit code; returns all it printed."""
        process = self.start(*arguments)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == code, output
        return output

    def python(self, script: str) -> Any:
        """Run Python lines in the loaded profile; returns what they print, as JSON."""
        lines = f"import json\nfrom aiida import load_profile, orm\nload_profile('falsemetal')\n{script}"
        done = subprocess.run(
            [sys.executable, "-c", lines], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def campaign(self, name: str, **changes: Any) -> Path:
        """Write the tiny campaign under another name."""
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"name": name, **TINY, **changes}, sort_keys=False))
        return path

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Rows of ``falsemetal query``."""
        return list(json.loads(self.run("query", "--campaign", name, "--format", "json")))

    def processes(self, *words: str) -> list[psutil.Process]:
        """Processes of this workspace whose command line has all of ``words``."""
        found = []
        for process in psutil.process_iter():
            try:
                line = " ".join(process.cmdline())
                # AiiDA hands its processes the path of its own folder.
                here = process.environ().get("AIIDA_PATH") in (str(self.folder), str(self.folder / ".aiida"))
                if here and all(word in line for word in words):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def wait_for_md(self, samples: int, timeout: float = 900) -> psutil.Process:
        """Wait until an MD driver has written ``samples`` samples; returns the driver."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for process in self.processes("runner.pyz"):
                try:
                    series = Path(process.cwd()) / "series.jsonl"
                    if "python" in process.name() and series.read_bytes().count(b"\n") >= samples:
                        return process
                except (psutil.Error, OSError):
                    continue
            time.sleep(0.05)
        raise AssertionError("no MD driver came that far")


def comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what must differ, in an order that does not depend on when they were made."""
    kept = [{key: value for key, value in row.items() if key not in MOVING} for row in rows]
    return sorted(kept, key=lambda row: (row["interface"], row["mlip"], row["seed"], row["step"]))


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace that `falsemetal setup` has made ready. Nothing of it runs on after the tests."""
    space = Workspace(tmp_path_factory.mktemp("aiida"))
    space.run("setup")
    yield space
    for process in space.processes(""):
        process.kill()


@pytest.fixture(scope="session")
def undisturbed(workspace: Workspace) -> tuple[str, list[dict[str, Any]]]:
    """Output and rows of the tiny campaign, run without a disturbance."""
    file = workspace.campaign("undisturbed")
    output = workspace.run("screen", file.name, "--follow")
    return output, workspace.rows("undisturbed")

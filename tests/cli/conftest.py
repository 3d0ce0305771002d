"""The command line as a user meets it: the installed script, in a process and an AIIDA_PATH of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(sys.executable).parent


@dataclass
class Home:
    """A folder that holds an AiiDA configuration, and the environment that leads there."""

    folder: Path
    changes: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment, without what would lead to another profile or pw.x."""
        paths = ("FALSEMETAL_PW", "FALSEMETAL_PROJWFC", "FALSEMETAL_PP", "FALSEMETAL_AVERAGE")
        unwanted = ("AIIDA_PROFILE", *paths)
        inherited = {key: value for key, value in os.environ.items() if key not in unwanted}
        return {**inherited, "AIIDA_PATH": str(self.folder), "COLUMNS": "200", **self.changes}

    def run(
        self, *arguments: str, program: str = "falsemetal", timeout: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of this Python's environment in the folder, to its end."""
        return subprocess.run(
            [str(SCRIPTS / program), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def good(self, *arguments: str, program: str = "falsemetal") -> str:
        """Run a command that must succeed; returns what it printed."""
        done = self.run(*arguments, program=program)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, script: str, profile: str = "falsemetal") -> Any:
        """Run Python lines with a profile loaded; returns what they print, as JSON."""
        lines = f"import json\nfrom aiida import load_profile, orm\nload_profile({profile!r})\n{script}"
        return json.loads(self.good("-c", lines, program="python"))

    def config(self) -> dict[str, Any]:
        """AiiDA's configuration file."""
        content: dict[str, Any] = json.loads((self.folder / ".aiida" / "config.json").read_text())
        return content


@pytest.fixture
def empty_home(tmp_path: Path) -> Home:
    """An AIIDA_PATH with nothing in it."""
    return Home(tmp_path)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An AIIDA_PATH with a user's own profile, ``mine``, in which `falsemetal setup` was run afterwards."""
    place = Home(tmp_path_factory.mktemp("home"))
    place.good("presto", "--non-interactive", "--profile-name", "mine", "--no-broker", program="verdi")
    (place.folder / "before.json").write_text(json.dumps(place.config()))
    (place.folder / "setup.txt").write_text(place.good("setup"))
    return place

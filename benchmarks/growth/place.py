"""A folder with an AiiDA configuration of its own, and the campaign that is run in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import yaml

RECORDED = Path(__file__).parent / "recorded"
"""What the real programs have written, see :mod:`.record`."""
FILM = {"recipe": "film", "molecules": 8, "lateral": 6.5, "vacuum": 20.0, "seed": 1}
SEEDS = 10
"""Pairs of an interface. As in real campaigns, more pairs are more interfaces: no cell has all of them."""
CAMPAIGN: dict[str, Any] = {
    "mlips": {"spcfw-ewald": None},
    "md": {"steps": 2000, "equilibration": 0.2, "frame_stride": 200},
    "selection": {"stratified": 1, "uniform": 1, "strata": 2, "start": 0.2},
    "gap": {"protocol": "fast", "overrides": {"ecutwfc": 20.0, "vacuum": 8.0}},
    "slots": 2,
}
"""Two gaps a pair, of ten frames from which the seed chooses. With one trajectory for all seeds there are ten different
runs of pw.x, and a pair's row is known beforehand."""


class _Plain(yaml.SafeDumper):
    """Without anchors, which are not for campaign files."""

    def ignore_aliases(self, data: Any) -> bool:
        """Yes."""
        return True


class Place:
    """A folder with an AiiDA configuration, and ways to run commands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        # Locks of slots are in TMPDIR: a campaign of stand-ins must not take a real one's.
        self.environment = {**os.environ, "AIIDA_PATH": str(self.folder), "TMPDIR": str(self.folder / "tmp")}
        self.environment.pop("AIIDA_PROFILE", None)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start ``falsemetal``."""
        line = [str(Path(sys.executable).parent / "falsemetal"), *arguments]
        return subprocess.Popen(line, cwd=self.folder, env=self.environment, text=True, **options)

    def run(self, *arguments: str) -> str:
        """Run ``falsemetal`` to its end; returns what it printed.

        :raises RuntimeError: if it does not exit with 0.
        """
        process = self.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(output)
        return output

    def python(self, script: str) -> str:
        """Run Python lines in the loaded profile; returns what they print.

        :raises RuntimeError: if they fail.
        """
        lines = f"from aiida import load_profile, orm\nload_profile('falsemetal')\n{script}"
        done = subprocess.run(
            [sys.executable, "-c", lines], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def room(self, processes: int) -> None:
        """How many processes a worker of the daemon takes from now on."""
        self.python(
            "from aiida.manage.configuration import get_config\n"
            "config = get_config()\n"
            f"config.set_option('daemon.worker_process_slots', {processes}, scope='falsemetal')\n"
            "config.store()"
        )

    def campaign(self, name: str, pairs: int, gaps: int = 2, **changes: Any) -> Path:
        """Write the file of a campaign of so many pairs: interfaces that differ by their names, ``SEEDS`` of each.

        :param gaps: of a pair, one or two.
        :raises ValueError: if there is no such campaign.
        """
        seeds = min(pairs, SEEDS)
        if pairs % seeds:
            raise ValueError(f"give a multiple of {SEEDS} pairs, not {pairs}.")
        interfaces = {f"film{number:06d}": FILM for number in range(pairs // seeds)}
        selection = {**CAMPAIGN["selection"], "uniform": gaps - 1}
        content = {"name": name, **CAMPAIGN, "interfaces": interfaces, "seeds": list(range(1, seeds + 1))}
        content = {**content, "selection": selection, **changes}
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.dump(content, Dumper=_Plain, sort_keys=False))
        return path

    def processes(self) -> list[psutil.Process]:
        """Processes of this place: the daemon, its workers, the broker, commands, jobs."""
        found = []
        for process in psutil.process_iter():
            try:
                # AiiDA hands its processes the path of its own folder.
                if process.environ().get("AIIDA_PATH") in (str(self.folder), str(self.folder / ".aiida")):
                    found.append(process)
            except psutil.Error:
                continue
        return found

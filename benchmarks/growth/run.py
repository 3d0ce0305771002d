"""One campaign of N pairs with stand-ins: ``python -m benchmarks.growth.run FOLDER --pairs N``.

FOLDER becomes an AiiDA configuration of its own. The campaign is run by ``falsemetal screen FILE --follow``. Given
again after it was cut off, the campaign goes on, and samples are appended. Writes ``samples.csv`` while it runs,
``summary.json`` at the end.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

from . import after
from .place import Place
from .standins import install
from .watch import Watch

NAME = "growth"
QUESTIONS = {
    "status_s": ("status", NAME),
    "query_s": ("query", "frames", "--campaign", NAME, "--where", "gap < 1", "--format", "json"),
    "dry_run_s": ("screen", f"{NAME}.yaml", "--dry-run"),
}
"""Asked when the campaign is over."""


def main() -> None:
    """See the module."""
    options = _options()
    place = Place(options.folder)
    if not (place.folder / "bin" / "pw.x").exists():
        install(place, options.md_seconds, options.pw_seconds)
        if options.room:
            place.room(options.room)
    file = place.campaign(NAME, options.pairs, options.gaps, slots=options.slots)
    code, wall = follow(place, file, options.every)
    summary: dict[str, Any] = {
        "pairs": options.pairs,
        "gaps": options.gaps,
        "slots": options.slots,
        "md_seconds": options.md_seconds,
        "pw_seconds": options.pw_seconds,
        "exit_code": code,
        "wall_s": round(wall, 1),
        "load": os.getloadavg()[2],
        **{name: asked(place, *line) for name, line in QUESTIONS.items()},
        **after.census(place, NAME, options.pairs, options.gaps),
    }
    (place.folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps(summary, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, required=True)
    parser.add_argument("--gaps", type=int, default=2, choices=(1, 2), help="of a pair")
    parser.add_argument("--slots", type=int, default=2, help="cores that the campaign may use at once")
    parser.add_argument("--md-seconds", type=float, default=0.05, help="for which the MD's stand-in sleeps")
    parser.add_argument("--pw-seconds", type=float, default=0.05, help="for which pw.x's stand-in sleeps")
    parser.add_argument("--room", type=int, help="processes that a worker of the daemon takes")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between samples")
    return parser.parse_args()


def follow(place: Place, file: Path, every: float) -> tuple[int, float]:
    """Run the campaign, sampling; returns the command's exit code and the seconds that it took."""
    watch = Watch(place)
    with (place.folder / "follow.log").open("a") as log, (place.folder / "samples.csv").open("a") as sheet:
        command = place.start("screen", file.name, "--follow", stdout=log, stderr=subprocess.STDOUT)
        writer: csv.DictWriter[str] | None = None
        while command.poll() is None:
            row = watch.sample()
            if writer is None:
                writer = csv.DictWriter(sheet, list(row))
                if sheet.tell() == 0:
                    writer.writeheader()
            writer.writerow(row)
            sheet.flush()
            time.sleep(every)
    return command.returncode, time.time() - watch.begun


def asked(place: Place, *line: str) -> dict[str, float]:
    """Wall and CPU seconds of a command."""
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    place.run(*line)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": round(time.monotonic() - begun, 2), "cpu": round(cpu, 2)}


if __name__ == "__main__":
    main()

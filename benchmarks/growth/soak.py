"""A soak: a campaign of stand-ins with random faults: ``python -m benchmarks.growth.soak FOLDER --pairs 500 --seed 1``.

Now and then something is killed with ``kill -9``: a job, the daemon's worker, its broker, the daemon, the command, or
all of them at once. A command that ends, or was killed, is given again, as a user would. Times and victims come from a
generator with a seed, though what is there to be killed does not. ``faults.csv`` lists them. At the end each
fingerprint must have exactly one finished pair, with as many finished processes of each type as an undisturbed one, no
process may be left unfinished, and the rows must be the recorded ones. Given again, a soak that was cut off goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from tests.faults.harness import census, kill
from tests.screen.conftest import Workspace

from . import after
from .place import Place
from .standins import install
from .watch import role

NAME = "soak"
FAULTS = {"job": 8, "worker": 4, "broker": 2, "daemon": 2, "command": 3, "machine": 1}
"""What is killed, and how often in twenty times; machine: all of it."""
ONE_PAIR = {
    **dict.fromkeys(("PairWorkChain", "build_interface", "MlipMdWorkChain", "MlipMdCalculation"), 1),
    **dict.fromkeys(("select_frames", "pair_verdict"), 1),
    **dict.fromkeys(("GapWorkChain", "prepare_film", "PwBaseWorkChain", "PwCalculation", "frame_result"), 2),
}
"""Processes of an undisturbed pair of :data:`.place.CAMPAIGN`."""
COMMANDS = 200
"""Times that the command is given at most."""


def main() -> None:
    """See the module."""
    options = _options()
    place = Place(options.folder)
    if not (place.folder / "bin" / "pw.x").exists():
        install(place, options.seconds, options.seconds)
    file = place.campaign(NAME, options.pairs)
    chance = random.Random(f"{options.seed} {time.time() if (place.folder / 'faults.csv').exists() else ''}")
    begun = time.time()
    commands = soak(place, file, chance, options.every)
    found = {"wall_s": round(time.time() - begun), "commands": commands, **verify(place, options.pairs)}
    (place.folder / "soak.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    if found["faults_of_the_result"]:
        raise SystemExit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1, help="of the times and kinds of faults")
    parser.add_argument("--every", type=float, default=120.0, help="mean seconds between faults")
    parser.add_argument("--seconds", type=float, default=2.0, help="for which a stand-in sleeps, so that it can be hit")
    return parser.parse_args()


def soak(place: Place, file: Path, chance: random.Random, every: float) -> int:
    """Run the campaign to its end, with faults; returns how often the command was given.

    :raises RuntimeError: if it was given ``COMMANDS`` times.
    """
    due = time.time() + chance.expovariate(1.0 / every)
    with (place.folder / "follow.log").open("a") as log, (place.folder / "faults.csv").open("a") as sheet:
        writer = csv.writer(sheet)
        for number in range(1, COMMANDS + 1):
            command = place.start("screen", file.name, "--follow", stdout=log, stderr=subprocess.STDOUT)
            while command.poll() is None:
                if time.time() >= due:
                    kind = chance.choices(list(FAULTS), list(FAULTS.values()))[0]
                    writer.writerow([round(time.time(), 1), kind, inject(place, kind, chance)])
                    sheet.flush()
                    due = time.time() + chance.expovariate(1.0 / every)
                time.sleep(0.5)
            if command.returncode == 0:
                return number
    raise RuntimeError(f"not done after {COMMANDS} commands; see follow.log")


def inject(place: Place, kind: str, chance: random.Random) -> int:
    """kill -9; returns how many processes were killed: none where there was nothing of the kind."""
    victims = []
    for process in place.processes():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        what = "job" if _is_job(place, line) else role(line)
        if kind == "machine" and what is not None or what == kind and "circus import stats" not in " ".join(line):
            victims.append(process)
    if kind == "job" and victims:
        victims = [chance.choice(victims)]
    if victims:
        kill(victims)
    return len(victims)


def _is_job(place: Place, line: list[str]) -> bool:
    """Whether it is a stand-in at work."""
    return any(str(place.folder / "bin" / name) in line for name in ("md", "pw.x"))


def verify(place: Place, pairs: int) -> dict[str, Any]:
    """What became of the campaign; ``faults_of_the_result`` has a sentence for everything that is not as it must be."""
    found = census(Workspace(place.folder), NAME)
    inside = {name: found.inside.get(name, 0) - pairs * count for name, count in ONE_PAIR.items()}
    wrong = after.wrong_rows(place, NAME, pairs)
    checks = {
        f"{pairs - len(found.finished)} pairs are lost": len(found.finished) != pairs,
        "pairs are doubled": any(count != 1 for count in found.finished.values()),
        f"{len(found.under_way)} processes have not ended": bool(found.under_way),
        f"{wrong} rows are not the recorded ones": wrong != 0,
        f"numbers of finished processes differ: {inside}": any(inside.values()),
        "the daemon still runs": any(role(process.cmdline()) for process in place.processes()),
    }
    return {
        "pairs": len(found.finished),
        "rows": len(found.rows),
        "faults": dict(_faults(place)),
        "faults_of_the_result": [sentence for sentence, is_so in checks.items() if is_so],
        "processes_lost_on_the_way": {f"{label} [{code}]": count for (label, code), count in found.lost.items()},
        "verdicts": dict(found.verdicts),
    }


def _faults(place: Place) -> Counter[str]:
    """Faults that hit something, by kind."""
    with (place.folder / "faults.csv").open() as sheet:
        return Counter(kind for _, kind, killed in csv.reader(sheet) if int(killed))


if __name__ == "__main__":
    main()

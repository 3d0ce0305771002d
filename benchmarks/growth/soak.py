"""A soak: a campaign of stand-ins with random faults: ``python -m benchmarks.growth.soak FOLDER --pairs 500 --seed 1``.

Now and then something is killed with ``kill -9``: a job, the daemon's worker, its broker, the daemon, the command, or
all of them at once. A command that ends, or was killed, is given again, as a user would. Times and victims come from a
generator with a seed, though what is there to be killed does not. ``faults.csv`` lists them. At the end each
fingerprint must have exactly one finished pair, with as many finished processes of each type as an undisturbed one, no
process may be left unfinished, and the rows must be the recorded ones. Given again, a soak that was cut off goes on.
``samples.csv`` has memory, CPU time and the pairs that have finished, each ten seconds. ``--check`` runs nothing: it
looks at what there is so far.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

import psutil

from tests.faults.harness import census, kill
from tests.screen.conftest import Workspace

from . import after
from .place import Place
from .standins import install, log_of
from .watch import Watch, role

NAME = "soak"
FAULTS = {"job": 8, "worker": 4, "broker": 2, "daemon": 2, "command": 3, "machine": 1}
"""What is killed, and how often in twenty times; machine: all of it."""
ONE_PAIR = (
    "PairWorkChain",
    "build_interface",
    "MlipMdWorkChain",
    "MlipMdCalculation",
    "select_frames",
    "pair_verdict",
)
"""Processes of an undisturbed pair of :data:`.place.CAMPAIGN`, one of each,"""
ONE_GAP = ("GapWorkChain", "prepare_film", "PwBaseWorkChain", "PwCalculation", "frame_result")
"""and those of each of its gaps."""
COMMANDS = 200
"""Times that the command is given at most."""
SAMPLE_SECONDS = 10.0
FINISHED = """select count(*) from db_dbnode where process_type = 'aiida.workflows:falsemetal.pair'
    and json_extract(attributes, '$.exit_status') = 0"""


def main() -> None:
    """See the module."""
    options = _options()
    place = Place(options.folder)
    if options.check:
        print(json.dumps(verify(place, options.pairs, options.gaps, over=False), indent=1))
        return
    if not (place.folder / "bin" / "pw.x").exists():
        install(place, options.seconds, options.seconds)
    file = place.campaign(NAME, options.pairs, options.gaps)
    chance = random.Random(f"{options.seed} {time.time() if (place.folder / 'faults.csv').exists() else ''}")
    begun = time.time()
    commands = soak(place, file, chance, options.every)
    found = {"wall_s": round(time.time() - begun), "commands": commands, **verify(place, options.pairs, options.gaps)}
    (place.folder / "soak.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    if found["faults_of_the_result"]:
        raise SystemExit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--gaps", type=int, default=2, choices=(1, 2), help="of a pair")
    parser.add_argument("--seed", type=int, default=1, help="of the times and kinds of faults")
    parser.add_argument("--every", type=float, default=120.0, help="mean seconds between faults")
    parser.add_argument("--seconds", type=float, default=2.0, help="for which a stand-in sleeps, so that it can be hit")
    parser.add_argument("--check", action="store_true", help="only look at what there is so far")
    return parser.parse_args()


def soak(place: Place, file: Path, chance: random.Random, every: float) -> int:
    """Run the campaign to its end, with faults; returns how often the command was given.

    :raises RuntimeError: if it was given ``COMMANDS`` times.
    """
    due, sampled = time.time() + chance.uniform(0.5, 1.5) * every, 0.0
    watch = Watch(place)
    kind: str | None = None
    with (
        (place.folder / "follow.log").open("a") as log,
        (place.folder / "faults.csv").open("a") as faults,
        (place.folder / "samples.csv").open("a") as samples,
    ):
        writer = csv.writer(faults)
        for number in range(1, COMMANDS + 1):
            command = place.start("screen", file.name, "--follow", stdout=log, stderr=subprocess.STDOUT)
            while command.poll() is None:
                if kind is None and time.time() >= due:
                    kind = chance.choices(list(FAULTS), list(FAULTS.values()))[0]
                if kind is not None and (kind != "job" or _job_began(place)):
                    sampled = _sample(watch, samples)  # what is killed takes its CPU time along
                    writer.writerow([round(time.time(), 1), kind, inject(place, kind, chance)])
                    faults.flush()
                    kind, due = None, time.time() + chance.uniform(0.5, 1.5) * every
                if time.time() > sampled + SAMPLE_SECONDS:
                    sampled = _sample(watch, samples)
                time.sleep(0.5)
            if command.returncode == 0:
                _sample(watch, samples)
                return number
    raise RuntimeError(f"not done after {COMMANDS} commands; see follow.log")


def _sample(watch: Watch, sheet: TextIO) -> float:
    """Write a row; returns when. CPU times begin anew with every start of the soak: ``begun`` tells them apart."""
    row = {"begun": round(watch.begun), **watch.sample(), "finished": finished(watch.place)}
    writer = csv.DictWriter(sheet, list(row))
    if sheet.tell() == 0:
        writer.writeheader()
    writer.writerow(row)
    sheet.flush()
    return time.time()


def finished(place: Place) -> int:
    """Pairs that have finished well, asked of SQLite itself, which costs next to nothing."""
    for database in place.folder.glob(".aiida/repository/*/database.sqlite"):
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            (count,) = connection.execute(FINISHED).fetchone()
            return int(count)
    return 0


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


def _job_began(place: Place) -> bool:
    """Whether a stand-in has just begun: they are short, and a fault that finds none does nothing."""
    log = log_of(place)
    if not log.exists() or time.time() - log.stat().st_mtime > 1.0:
        return False
    return log.read_text().splitlines()[-1].split()[1] == "began"


def _is_job(place: Place, line: list[str]) -> bool:
    """Whether it is a stand-in at work."""
    return any(str(place.folder / "bin" / name) in line for name in ("md", "pw.x"))


def verify(place: Place, pairs: int, gaps: int, over: bool = True) -> dict[str, Any]:
    """What became of the campaign; ``faults_of_the_result`` has a sentence for everything that is not as it must be.

    :param over: whether the campaign is said to have ended. Of one that has not, only the pairs that have are judged.
    """
    found = census(Workspace(place.folder), NAME)
    done = sum(found.finished.values())
    wanted = {**dict.fromkeys(ONE_PAIR, done), **dict.fromkeys(ONE_GAP, done * gaps)}
    inside = {name: found.inside.get(name, 0) - count for name, count in wanted.items()}
    wrong = after.wrong_rows(place, NAME, pairs if over else None, gaps)
    checks = {
        f"{pairs - len(found.finished)} pairs are lost": over and len(found.finished) != pairs,
        "pairs are doubled": any(count != 1 for count in found.finished.values()),
        f"{len(found.under_way)} processes have not ended": over and bool(found.under_way),
        f"{wrong} rows are not the recorded ones": wrong != 0,
        f"numbers of finished processes differ: {inside}": any(inside.values()),
        "the daemon still runs": over and any(role(process.cmdline()) for process in place.processes()),
    }
    return {
        "pairs": len(found.finished),
        "doubled": done - len(found.finished),
        "rows": len(found.rows),
        "wrong_rows": wrong,
        "faults": dict(_faults(place)),
        "faults_of_the_result": [sentence for sentence, is_so in checks.items() if is_so],
        # Of a campaign under way, these would be those that are at work, too.
        "processes_lost_on_the_way": {
            f"{label} [{code}]": count for (label, code), count in found.lost.items() if over
        },
        "verdicts": dict(found.verdicts),
    }


def _faults(place: Place) -> Counter[str]:
    """Faults that hit something, by kind."""
    with (place.folder / "faults.csv").open() as sheet:
        return Counter(kind for _, kind, killed in csv.reader(sheet) if int(killed))


if __name__ == "__main__":
    main()

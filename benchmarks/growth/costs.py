"""What the pairs of a soak cost: ``python -m benchmarks.growth.costs FOLDER``, of a folder of :mod:`.soak`.

Each row is the time in which the pairs of one batch finished; the soak may be under way. Faults are those that killed
something. CPU time of a process that was killed counts up to its last sample, which is one just before the fault.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

from .fit import BATCH, Sample, line, samples

PARTS = ("worker", "daemon", "broker", "command")
SOFT = "job"
"""A fault after which nothing has to be started anew."""


def main() -> None:
    """See the module."""
    folder = Path(sys.argv[1])
    found = batches(joined(samples(folder)), hits(folder))
    if not found:
        raise SystemExit(f"{folder}: no batch of {BATCH} pairs has finished yet.")
    writer = csv.DictWriter(sys.stdout, list(found[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    if len(found) > 2:
        slope, half = line(range(len(found)), [row["worker_cpu_s_a_pair"] for row in found])
        print(f"worker's CPU s a pair: {slope:+.3f} ± {half:.3f} from batch to batch", file=sys.stderr)


def joined(found: list[Sample]) -> list[Sample]:
    """Samples whose CPU times go on where the soak was begun anew; ``when`` is in seconds since 1970."""
    before = dict.fromkeys(PARTS, 0.0)
    last: Sample | None = None
    rows = []
    for row in found:
        if last is not None and row["begun"] != last["begun"]:
            before = {part: before[part] + last[f"{part}_cpu_s"] for part in PARTS}
        rows.append({**row, "when": row["begun"] + row["seconds"]})
        rows[-1].update({f"{part}_cpu_s": row[f"{part}_cpu_s"] + before[part] for part in PARTS})
        last = row
    return rows


def hits(folder: Path) -> list[tuple[float, str]]:
    """When which fault killed something."""
    with (folder / "faults.csv").open() as sheet:
        return [(float(when), kind) for when, kind, killed in csv.reader(sheet) if int(killed)]


def batches(found: list[Sample], faults: list[tuple[float, str]]) -> list[dict[str, Any]]:
    """A row for every ``BATCH`` pairs or more that have finished; the first has the submission in it."""
    rows, first = [], found[0]
    for row in found:
        pairs = row["finished"] - first["finished"]
        if pairs < BATCH:
            continue
        between = [kind for when, kind in faults if first["when"] < when <= row["when"]]
        inside = [sample for sample in found if first["when"] <= sample["when"] <= row["when"]]
        rows.append(
            {
                "finished": int(row["finished"]),
                "wall_s": round(row["when"] - first["when"]),
                "faults": len(between),
                "starts_anew": sum(kind != SOFT for kind in between),
                **{f"{p}_cpu_s_a_pair": round((row[f"{p}_cpu_s"] - first[f"{p}_cpu_s"]) / pairs, 2) for p in PARTS},
                **{f"{p}_MB": max(sample[f"{p}_MB"] for sample in inside) for p in PARTS},
            }
        )
        first = row
    return rows


if __name__ == "__main__":
    main()

"""Cost against size: ``python -m benchmarks.growth.fit FOLDER... > growth.csv``, of folders of :mod:`.run`.

One row a campaign, those that are not over too: what its samples say. To stderr the fits: the exponent of the daemon's
CPU time with the number of pairs, over campaigns, and, inside each campaign of several batches, how the cost of a pair
changes from batch to batch. Intervals are of 95 %.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy import stats

BATCH = 16
"""Pairs that are under way at once, see ``workflows.screen.MAX_PAIRS``."""
Sample = dict[str, float]


def main() -> None:
    """See the module."""
    rows = [row_of(Path(name)) for name in sys.argv[1:]]
    writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    over = [row for row in rows if row["done"] == row["pairs"]]
    if len(over) > 2:
        slope, half = line([np.log(row["pairs"]) for row in over], [np.log(row["worker_cpu_s"]) for row in over])
        print(f"worker's CPU time ~ pairs^({slope:.2f} ± {half:.2f})", file=sys.stderr)
    for row, name in zip(rows, sys.argv[1:], strict=True):
        costs = batch_costs(samples(Path(name)))
        if len(costs) > 1:
            said = ", ".join(f"{cost:.1f}" for cost in costs)
            trend = ""
            if len(costs) > 2:
                slope, half = line(range(len(costs)), costs)
                trend = f"; {slope:+.2f} ± {half:.2f} from batch to batch"
            print(f"{row['pairs']} pairs: CPU s a pair, batch by batch: {said}{trend}", file=sys.stderr)


def samples(folder: Path) -> list[Sample]:
    """Those of a campaign, in their order."""
    with (folder / "samples.csv").open() as sheet:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(sheet)]


def row_of(folder: Path) -> dict[str, Any]:
    """A campaign in one row; ``done`` are its pairs that have ended."""
    campaign = yaml.safe_load((folder / "growth.yaml").read_text())
    pairs = len(campaign["interfaces"]) * len(campaign["seeds"])
    gaps = campaign["selection"]["stratified"] + campaign["selection"]["uniform"]
    found = samples(folder)
    last, summary = found[-1], {}
    if (folder / "summary.json").exists():
        summary = json.loads((folder / "summary.json").read_text())
    done = summary.get("finished_pairs", int(min(last["md"], last["pw"] / gaps)))
    cpu = {f"{name}_cpu_s": last[f"{name}_cpu_s"] for name in ("worker", "daemon", "broker", "command")}
    memory = {f"{name}_MB": max(row[f"{name}_MB"] for row in found) for name in ("worker", "broker", "command")}
    kept = ("most_processes_at_once", "most_jobs_at_once", "wrong_rows", "unfinished_processes", "nodes", "database_MB")
    return {
        "campaign": folder.name,
        "pairs": pairs,
        "gaps": gaps,
        "done": done,
        "wall_s": last["seconds"],
        **cpu,
        "worker_cpu_s_a_pair": round(last["worker_cpu_s"] / done, 2) if done else None,
        **memory,
        **{name: summary.get(name) for name in kept},
        **{f"{name}_cpu_s": summary.get(f"{name}_s", {}).get("cpu") for name in ("status", "query", "dry_run")},
    }


def batch_costs(found: list[Sample]) -> list[float]:
    """CPU seconds of the worker a pair, from the end of one batch's MD to that of the next."""
    ends: list[float] = []
    for row in found:
        if row["md"] >= BATCH * (len(ends) + 1):
            ends.append(row["worker_cpu_s"])
    return [(b - a) / BATCH for a, b in zip(ends, ends[1:], strict=False)]


def line(x: Any, y: Any) -> tuple[float, float]:
    """Slope of a straight line, and the half-width of its interval of 95 %."""
    fitted = stats.linregress(np.asarray(list(x), float), np.asarray(y, float))
    return float(fitted.slope), float(stats.t.ppf(0.975, len(y) - 2) * fitted.stderr)


if __name__ == "__main__":
    main()

"""How the report bears many frames: time and memory to write it, its size, and how quick it is in a browser.

    python benchmarks/report/page.py                # 10,000 frames in 20 pairs, 48 atoms each
    python benchmarks/report/page.py --frames 1000 --marks linked

Run at the top of the repository. ``--marks linked`` draws every mark as an element of its own, as the report does up to
1,000 frames, whatever the number of frames.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from aiida_falsemetal.report import embed  # noqa: E402
from tests.report.chromium import SOFTWARE_GL, Chromium, chromium  # noqa: E402
from tests.report.large import large_campaign, packed  # noqa: E402

PAINT = """(() => {
  const entry = performance.getEntriesByType("navigation")[0];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return [entry.domContentLoadedEventEnd, paint ? paint.startTime : 0];
})()"""
TIMED = """(async () => {
  const start = performance.now();
  %s;
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
})()"""
CHOOSE = 'document.querySelectorAll("#frame-table tbody button")[%d].click()'
FILTER = """const field = document.getElementById("filter");
  field.value = "reach self";
  field.dispatchEvent(new Event("input"))"""
STEPS = {
    "first click on a row to its panel": TIMED % CHOOSE % 0,
    "second click": TIMED % CHOOSE % 7,
    "filter by text": TIMED % FILTER,
}


def main() -> None:
    """Print one line a number."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--marks", choices=["dense", "linked", "as-is"], default="as-is")
    given = parser.parse_args()
    if given.marks != "as-is":
        embed.LINKED = 0 if given.marks == "dense" else 10**9
    campaign = large_campaign(given.frames, given.pairs)
    before = _peak()
    start = time.perf_counter()
    campaign.structures, campaign.layers = packed(campaign.rows)
    say("pack structures and layers", time.perf_counter() - start, "s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        page = campaign.write(folder)
        say("build_report", time.perf_counter() - start, "s")
        say("peak memory over that of the rows", _peak() - before, "MB")
        say("report.html", page.stat().st_size / 1e6, "MB")
        browse(page, folder)


def browse(page: Path, folder: Path) -> None:
    """What a reader waits for, each three times; the median.

    Wall time, which other work on the machine makes longer, and the time that the page's main thread computed.
    """
    program = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for turn in range(3):
        with chromium(program, folder / f"browser-{turn}", *SOFTWARE_GL) as tab:
            tab.size(1400, 900)
            tab.call("Performance.enable", timeDomain="threadTicks")
            tab.open(page)
            time.sleep(1)
            content, paint = tab.run(PAINT)
            note("DOMContentLoaded, wall (ms)", content)
            note("first contentful paint, wall (ms)", paint)
            note("load, main thread (ms)", busy(tab))
            for name, script in STEPS.items():
                before = busy(tab)
                note(f"{name}, wall (ms)", tab.run(script))
                note(f"{name}, main thread (ms)", busy(tab) - before)
            note("elements", tab.run("document.querySelectorAll('*').length"))
            note("JavaScript heap (MB)", tab.run("performance.memory.usedJSHeapSize / 1e6"))
            assert tab.console == [] and tab.requests == [], (tab.console, tab.requests)
    for name, numbers in found.items():
        say(name, sorted(numbers)[1], "")


def busy(tab: Chromium) -> float:
    """Milliseconds that the page's main thread has computed."""
    metrics = {one["name"]: one["value"] for one in tab.call("Performance.getMetrics")["metrics"]}
    return 1000 * float(metrics["TaskDuration"])


def say(what: str, value: float, unit: str) -> None:
    """One line."""
    print(f"{what:50} {value:10.1f} {unit}".rstrip(), flush=True)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

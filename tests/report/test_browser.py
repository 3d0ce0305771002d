"""The page in a real browser, cut off from the network: it runs without errors and fits a phone.

The browser is looked for as chromium, chromium-browser and google-chrome. Without one, these tests are skipped only if
the environment says so with FALSEMETAL_BROWSER=none; otherwise a missing browser is a failure.
"""

from __future__ import annotations

import html
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from .chromium import chromium
from .conftest import SETTINGS, Campaign

pytestmark = pytest.mark.browser
PHONE = 400

PROBE = """
<!doctype html><meta charset="utf-8"><iframe id="f" style="width:WIDTHpx;height:800px;border:0" srcdoc="PAGE"></iframe>
<script>
document.getElementById("f").addEventListener("load", () => {
  const page = document.getElementById("f").contentDocument, view = page.defaultView, out = {};
  const root = page.documentElement;
  out.inner = root.clientWidth;
  out.scroll = root.scrollWidth;
  out.background = view.getComputedStyle(page.body).backgroundColor;
  out.requests = view.performance.getEntriesByType("resource").map((entry) => entry.name);
  out.clipped = [...page.querySelectorAll("figure svg")].flatMap((svg) => {
    const box = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")].filter((text) => {
      const own = text.getBoundingClientRect();
      return own.left < box.left - 0.5 || own.right > box.right + 0.5
        || own.bottom > box.bottom + 0.5 || own.top < box.top - 0.5;
    }).map((text) => text.textContent);
  });
  const table = page.getElementById("frame-table");
  if (table) {
    const filter = page.getElementById("filter");
    filter.value = "spcfw-ewald";
    filter.dispatchEvent(new view.Event("input"));
    out.shown = [...table.tBodies[0].rows].filter((row) => row.offsetHeight > 0).length;
    filter.value = "";
    filter.dispatchEvent(new view.Event("input"));
    const head = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === "gap (eV)");
    const column = () => [...table.tBodies[0].rows].map((row) => row.cells[head].textContent.trim());
    const button = table.tHead.rows[0].cells[head].querySelector("button");
    button.click();
    out.up = column();
    button.click();
    out.down = column();
    const point = page.querySelector("a.pt"), tip = page.getElementById("tip");
    const mark = point.getBoundingClientRect();
    const place = { clientX: mark.x + mark.width / 2, clientY: mark.y + mark.height / 2, bubbles: true };
    point.dispatchEvent(new view.PointerEvent("pointermove", place));
    out.tip = tip.hidden ? "" : tip.textContent;
  }
  const found = document.createElement("pre");
  found.id = "found";
  found.textContent = JSON.stringify(out);
  document.body.append(found);
});
</script>
"""


@pytest.fixture(scope="session")
def browser() -> str:
    """Path of a browser."""
    if os.environ.get("FALSEMETAL_BROWSER") == "none":
        pytest.skip("FALSEMETAL_BROWSER=none: this machine has no browser, the page is not opened.")
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    pytest.fail("No chromium, chromium-browser or google-chrome found: install one, or set FALSEMETAL_BROWSER=none.")


def run(browser: str, folder: Path, page: Path, *options: str) -> tuple[str, list[str]]:
    """Open a page; (its document after its scripts ran, lines of the console)."""
    with chromium(browser, folder, *options) as tab:
        tab.open(page)
        return tab.run("document.documentElement.outerHTML"), tab.console


def probed(browser: str, folder: Path, page: Path, wrapper: str, *options: str) -> dict[str, Any]:
    """What the script of a wrapper, which holds the page in a frame (at the word PAGE), leaves in its ``#found``."""
    outer = page.with_name("probe.html")
    outer.write_text(wrapper.replace("PAGE", html.escape(page.read_text(encoding="utf-8"))), encoding="utf-8")
    with chromium(browser, folder, *options) as tab:
        tab.open(outer)
        # The load and what the script waits for take what they take: there is no budget of virtual time to miss.
        tab.wait("document.getElementById('found') !== null")
        assert tab.console == []
        result: dict[str, Any] = json.loads(tab.run("document.getElementById('found').textContent"))
    return result


def build(folder: Path, given: Campaign) -> Path:
    """The report of a synthetic campaign."""
    return given.write(folder)


def probe(browser: str, folder: Path, page: Path, width: int, *options: str) -> dict[str, Any]:
    """Open the page in a frame of that width and measure it."""
    return probed(browser, folder, page, PROBE.replace("WIDTH", str(width)), *options)


def test_console_catches_errors(browser: str, tmp_path: Path) -> None:
    """The other tests would pass a broken page if this did not see one."""
    page = tmp_path / "broken.html"
    page.write_text("<!doctype html><script>missing();</script>")
    _, console = run(browser, tmp_path, page)
    assert len(console) == 1 and "missing is not defined" in console[0]


def test_runs_without_errors(browser: str, tmp_path: Path, campaign: Campaign) -> None:
    document, console = run(browser, tmp_path, build(tmp_path, campaign))
    assert console == []
    # The script has run to its end: the headings are buttons now.
    assert document.count('<th scope="col"><button') == 23


def test_empty_campaign_runs_without_errors(browser: str, tmp_path: Path) -> None:
    document, console = run(browser, tmp_path, build(tmp_path, Campaign([], [], {}, SETTINGS)))
    assert console == [] and "This campaign has no pairs yet." in document


def test_phone(browser: str, tmp_path: Path, campaign: Campaign) -> None:
    for row in [*campaign.rows, *campaign.pairs]:
        row["mlip"] = row["mlip"] + "-with_a_label_that_has_no_place_to_break" * 3
    campaign.settings = {**SETTINGS, "fingerprint": "0123456789abcdef" * 8}
    found = probe(browser, tmp_path, build(tmp_path, campaign), PHONE)
    assert found["scroll"] <= found["inner"] <= PHONE
    assert found["requests"] == []
    assert found["clipped"] == []


def test_table_tools(browser: str, tmp_path: Path, campaign: Campaign) -> None:
    found = probe(browser, tmp_path, build(tmp_path, campaign), PHONE)
    assert found["shown"] == sum(row["mlip"] == "spcfw-ewald" for row in campaign.rows)
    gaps = sorted(float(f"{row['gap']:.2f}") for row in campaign.rows if row["gap"] is not None)
    missing = ["–"] * (len(campaign.rows) - len(gaps))
    assert [float(text) for text in found["up"][: len(gaps)]] == gaps and found["up"][len(gaps) :] == missing
    assert [float(text) for text in found["down"][: len(gaps)]] == gaps[::-1] and found["down"][len(gaps) :] == missing
    assert "GapWorkChain pk" in found["tip"]


def test_light_and_dark(browser: str, tmp_path: Path, campaign: Campaign) -> None:
    page = build(tmp_path, campaign)
    light = probe(browser, tmp_path, page, 1000, "--blink-settings=preferredColorScheme=1")
    dark = probe(browser, tmp_path, page, 1000, "--blink-settings=preferredColorScheme=0")
    assert light["background"] == "rgb(255, 255, 255)" and dark["background"] == "rgb(20, 23, 26)"
    assert light["clipped"] == dark["clipped"] == []

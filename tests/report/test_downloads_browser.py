"""What a browser makes of the numbers that the page holds: the files that are written beside it."""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from aiida_falsemetal.report.build import build_report
from aiida_falsemetal.report.publication import collect

from .chromium import chromium
from .conftest import Campaign
from .test_browser import browser, probed  # noqa: F401  (a fixture)

pytestmark = pytest.mark.browser

PROBE = """
<!doctype html><meta charset="utf-8"><iframe id="f" style="width:400px;height:800px;border:0" srcdoc="PAGE"></iframe>
<script>
document.getElementById("f").addEventListener("load", async () => {
  const page = document.getElementById("f").contentDocument, view = page.defaultView;
  const out = { files: {}, hidden: 0, copied: {}, scroll: page.documentElement.scrollWidth };
  const blobs = [];
  view.URL.createObjectURL = (blob) => { blobs.push(blob); return "#"; };
  const saved = [];
  view.HTMLAnchorElement.prototype.click = function () { saved.push(this.download); };
  for (const button of page.querySelectorAll("button.numbers")) {
    out.hidden += button.hidden ? 1 : 0;
    const before = saved.length;
    button.click();
    while (saved.length === before) await new Promise((done) => setTimeout(done, 5));
  }
  for (const [index, name] of saved.entries()) out.files[name] = await blobs[index].text();
  for (const refused of [false, true]) {
    Object.defineProperty(view.navigator, "clipboard", { configurable: true, value: { writeText: async (text) => {
      if (refused) throw new Error("refused");
      out.copied[out.kind] = text;
    } } });
    for (const button of page.querySelectorAll("button.copy")) {
      out.kind = button.dataset.copy + (refused ? " marked" : "");
      button.click();
      await new Promise((done) => setTimeout(done, 20));
      if (refused) out.copied[out.kind] = view.getSelection().toString();
    }
  }
  out.requests = view.performance.getEntriesByType("resource").map((entry) => entry.name);
  const found = document.createElement("pre");
  found.id = "found";
  found.textContent = JSON.stringify(out);
  document.body.append(found);
});
</script>
"""


@pytest.fixture
def found(browser: str, tmp_path: Path, campaign: Campaign) -> tuple[dict[str, Any], Path]:  # noqa: F811
    """What the page gave, and the folder with the figures; the page itself was moved elsewhere first."""
    pair = campaign.pairs[0]
    rows = [row for row in campaign.rows if row["interface"] == pair["interface"]]
    rows[0]["witness"] = float("nan")
    arguments = (rows, [pair], campaign.series, campaign.settings, campaign.cells, campaign.laws)
    page = build_report(tmp_path / "report", "water", *arguments, figures="auto")
    moved = tmp_path / "elsewhere" / "report.html"
    moved.parent.mkdir()
    shutil.move(page, moved)
    return probed(browser, tmp_path, moved, PROBE), tmp_path / "report" / "figures"


def test_downloads_are_the_files(found: tuple[dict[str, Any], Path]) -> None:
    given, folder = found
    written = {path.name: path for path in folder.iterdir() if path.suffix in (".csv", ".json")}
    assert set(given["files"]) == set(written) and len(written) >= 8 and given["hidden"] == 0
    assert given["requests"] == [] and given["scroll"] <= 400
    for name, path in written.items():
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            assert given["files"][name] == text
            continue
        ours, theirs = (list(csv.reader(io.StringIO(each))) for each in (text, given["files"][name]))
        assert ours[0] == theirs[0] and len(ours) == len(theirs)
        for line, other in zip(ours[1:], theirs[1:], strict=True):
            assert [_value(cell) for cell in line] == [_value(cell) for cell in other]


def _value(cell: str) -> float | str:
    """A number whatever way it is written; JavaScript has 0.00001 for Python's 1e-05."""
    try:
        return float(cell)
    except ValueError:
        return cell


def test_texts_are_copied_or_marked(found: tuple[dict[str, Any], Path]) -> None:
    copied = found[0]["copied"]
    for kind in ("text", "markdown", "latex", "bibtex"):
        whole, marked = copied[f"paper-{kind}"], copied[f"paper-{kind} marked"]
        assert re.sub(r"\s+", " ", whole).strip() == re.sub(r"\s+", " ", marked).strip() != ""
    assert copied["paper-text"].startswith("False metallization [parker2026] was looked for")
    assert copied["paper-text"].count("\n\n") == copied["paper-latex"].count("\n\n") > 3
    assert "@misc{parker2026," in copied["paper-bibtex"]


def test_the_figure_of_widths_is_shown(
    tmp_path: Path,
    browser: str,  # noqa: F811
    campaign: Campaign,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page's policy must let it in."""
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg' width='90' height='60'><path d='M0 0H90V60'/></svg>"
    monkeypatch.setattr(collect, "_draw", lambda *_: (drawing, b"%PDF-1.4"))
    parts = (campaign.rows, campaign.pairs, campaign.series, campaign.settings, campaign.cells, campaign.laws)
    page = build_report(tmp_path / "report", "water", *parts, figures="auto")
    with chromium(browser, tmp_path) as tab:
        tab.open(page)
        assert tab.run("document.querySelector('#widths img').naturalWidth") == 90

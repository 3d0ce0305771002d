"""The site, built with every warning an error, in a browser that is cut off from the network.

It needs the extra ``docs`` and a browser, as tests/report/test_browser.py says.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .plan import ROOT, pages

pytestmark = pytest.mark.browser
LOADS = re.compile(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="([^"]*)"|<link\b[^>]*\bhref="([^"]*)"|url\(([^)]*)\)')
"""What a browser fetches for a page, links of other kinds apart."""
PROBE = """
<script>
window.addEventListener("load", () => setTimeout(() => {
  const found = document.createElement("pre");
  found.id = "found";
  found.textContent = JSON.stringify({
    requests: performance.getEntriesByType("resource").map((entry) => entry.name),
    inner: document.documentElement.clientWidth,
    scroll: document.documentElement.scrollWidth,
    background: getComputedStyle(document.body).backgroundColor,
    results: document.querySelectorAll("#search-results li a").length,
  });
  document.body.append(found);
}, 2000));
</script></body>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    """Path of a browser."""
    if os.environ.get("FALSEMETAL_BROWSER") == "none":
        pytest.skip("FALSEMETAL_BROWSER=none: this machine has no browser, the site is not opened.")
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    pytest.fail("No chromium, chromium-browser or google-chrome found: install one, or set FALSEMETAL_BROWSER=none.")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning is an error."""
    folder = tmp_path_factory.mktemp("site") / "html"
    line = ["-m", "sphinx", "-W", "--keep-going", "-n", "-q", str(ROOT / "docs"), str(folder)]
    done = subprocess.run([sys.executable, *line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in folder.rglob("*.html"):
        page.write_text(page.read_text().replace("</body>", PROBE))
    return folder


def opened(browser: str, page: str, width: int, *options: str) -> dict[str, Any]:
    """What the probe found in a page, whose console is to be empty.

    :param page: its address.
    """
    line = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
    line += ["--enable-logging=stderr", "--v=0", "--no-first-run", "--virtual-time-budget=8000", "--dump-dom"]
    done = subprocess.run(
        [*line, f"--window-size={width},900", *options, page], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    console = [row for row in done.stderr.splitlines() if "CONSOLE" in row]
    assert console == []
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None
    return dict(json.loads(html.unescape(found[1])))


@pytest.mark.parametrize("page", ["index", "my-mlip", "campaign", "reference/command-line", "reference/python"])
@pytest.mark.parametrize("width", [1300, 500])
def test_page_opens_without_errors_or_requests(browser: str, site: Path, page: str, width: int) -> None:
    found = opened(browser, (site / f"{page}.html").as_uri(), width)
    assert all(url.startswith("file://") for url in found["requests"])
    assert found["scroll"] <= found["inner"]


def test_a_request_would_be_seen(browser: str, tmp_path: Path) -> None:
    page = tmp_path / "asks.html"
    page.write_text(f'<!doctype html><body><img src="https://example.org/dot.png">{PROBE}')
    with pytest.raises(AssertionError, match="ERR_NAME_NOT_RESOLVED|example.org"):
        assert opened(browser, page.as_uri(), 1300)["requests"] == []


def test_dark_is_dark(browser: str, site: Path) -> None:
    page = (site / "index.html").as_uri()
    light = opened(browser, page, 1300)["background"]
    dark = opened(browser, page, 1300, "--blink-settings=preferredColorScheme=0")["background"]
    assert sum(map(int, re.findall(r"\d+", dark)[:3])) < 150 < 600 < sum(map(int, re.findall(r"\d+", light)[:3]))


def test_search_works_offline(browser: str, site: Path) -> None:
    found = opened(browser, (site / "search.html").as_uri() + "?q=dipole", 1300)
    assert found["results"] > 3
    assert all(url.startswith("file://") for url in found["requests"])
    assert opened(browser, (site / "search.html").as_uri() + "?q=zyzzyva", 1300)["results"] == 0


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    looked_at = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(looked_at) > 30
    for path in looked_at:
        for groups in LOADS.findall(path.read_text()):
            address = next(filter(None, groups), "").strip("'\"")
            assert not re.match(r"(https?:)?//", address), f"{path.relative_to(site)}: {address}"


def test_every_page_is_on_the_site(site: Path) -> None:
    docs = ROOT / "docs"
    written = [path.relative_to(docs).with_suffix(".html") for path in pages() if path.is_relative_to(docs)]
    assert [str(path) for path in written if not (site / path).exists()] == []
    assert "made from:" not in "".join(path.read_text() for path in site.rglob("*.html"))

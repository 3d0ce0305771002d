"""A frame that is chosen anywhere is shown everywhere: clicks, keys, address, structure, layers; in a real browser.

The campaign is a made-up one with its structures, and where layers are wanted a real one: its file says which.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_falsemetal.report.structures import by_interest, pack_structures

from .chromium import SOFTWARE_GL, Chromium, chromium
from .conftest import SETTINGS, Campaign
from .large import large_campaign, packed
from .test_browser import browser  # noqa: F401  (a fixture)

pytestmark = pytest.mark.browser
FIXTURE = Path(__file__).parents[1] / "fixtures" / "report" / "layers8.json"
Tab = Callable[..., AbstractContextManager[Chromium]]

PANEL = "document.getElementById('panel')"
OPEN = f"!{PANEL}.hidden"
DRAWN = "document.getElementById('panel-view').dataset.atoms !== undefined"
RINGS = "document.querySelectorAll('figure .ring').length"


def water(pk: int, molecules: int, metal: int = 0) -> tuple[int, tuple[str, ...], np.ndarray, np.ndarray]:
    """Molecules above so many atoms of copper."""
    rng = np.random.default_rng(pk)
    oxygen = rng.uniform((0.0, 0.0, 12.0), (6.5, 6.5, 22.0), (molecules, 3))
    arms = np.array([[0.0, 0.0, 0.0], [0.76, 0.0, 0.59], [-0.76, 0.0, 0.59]])
    copper = np.array([[2.5 * (n % 2), 2.5 * (n // 2), 9.0] for n in range(metal)]).reshape(-1, 3)
    species = ("Cu",) * metal + ("O", "H", "H") * molecules
    return pk, species, np.diag([6.5, 6.5, 37.0]), np.vstack([copper, (oxygen[:, None] + arms).reshape(-1, 3)])


@pytest.fixture
def explored(campaign: Campaign) -> Campaign:
    """The campaign with a structure for all frames but two; each pair has films of its own size."""
    sizes = {pair["pair_pk"]: 4 + number for number, pair in enumerate(campaign.pairs)}
    pair_of = {row["gap_pk"]: row["pair_pk"] for row in campaign.rows}
    known = by_interest(campaign.rows)[:-2]
    campaign.structures = pack_structures((water(pk, sizes[pair_of[pk]], 2) for pk in known), len(known) + 2)
    return campaign


def atoms_of(campaign: Campaign, pk: int) -> int:
    assert campaign.structures
    return next(len(group["species"]) for group in campaign.structures["groups"] if pk in group["pks"])


@pytest.fixture
def tab(browser: str, tmp_path: Path) -> Tab:  # noqa: F811
    return lambda *options: chromium(browser, tmp_path, *(options or SOFTWARE_GL))


def mark(page: Chromium, figure: str, pk: int) -> tuple[float, float]:
    """Where the mark of a frame is on the screen, in the first figure of a section; brings it into view."""
    found = page.run(
        f"(() => {{ const link = document.querySelector('#{figure} figure a.pt[href=\"#frame-{pk}\"]');"
        " link.scrollIntoView({block: 'center'}); const svg = link.ownerSVGElement;"
        " const [x, y] = link.dataset.at.split(' ').map(Number);"
        " const point = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM()); return [point.x, point.y]; })()"
    )
    return found[0], found[1]


def text(page: Chromium) -> str:
    return str(page.run(f"{PANEL}.innerText"))


def lonely(campaign: Campaign) -> dict[str, Any]:
    """A frame whose mark has no neighbour nearby in the gap figure: the metallic one with the largest drop."""
    return max((row for row in campaign.rows if row["metallic"]), key=lambda row: abs(row["expected_drop"]))


def test_a_click_on_a_mark_shows_that_frame_everywhere(tab: Tab, tmp_path: Path, explored: Campaign) -> None:
    row = lonely(explored)
    pk = row["gap_pk"]
    with tab() as page:
        page.size(1400, 900)
        page.open(explored.write(tmp_path))
        # Nothing of the viewer has run yet.
        assert page.run("typeof $3Dmol") == "undefined"
        page.click(*mark(page, "gaps", pk))
        page.wait(f"{OPEN} && {DRAWN}")
        said = text(page)
        assert page.run(f"{PANEL}.dataset.pk") == str(pk)
        assert page.run("document.getElementById('panel-view').dataset.atoms") == str(atoms_of(explored, pk))
        for wanted in (
            f"{row['interface']} × {row['mlip']}, seed {row['seed']}, step {row['step']}",
            f"{row['gap']:.2f} eV",
            f"yes: gap {row['gap']:.2f} eV, 0.31 electrons left the lowest N/2 states",
            f"pair {row['pair_pk']}, GapWorkChain {pk}, pw.x {row['pw_pk']}, result {row['result_pk']}",
            f"falsemetal why {pk}",
            f"{row['scf_iterations']}",
            f"{row['wall_seconds']:.0f} s",
            "Cu2 H",
            "z upward",
        ):
            assert wanted in said, wanted
        # Ringed in the figures of gap, dipole and energy.
        assert page.run(RINGS) == 3
        assert page.run("document.querySelector('tr[aria-current]').id") == f"frame-{pk}"
        assert page.run("location.hash") == f"#frame-{pk}"
        assert page.run("document.activeElement.id") == "panel-title"
        assert page.console == [] and page.requests == []


@pytest.mark.parametrize("figure", ["dipoles", "energies"])
def test_marks_of_the_other_figures(tab: Tab, tmp_path: Path, explored: Campaign, figure: str) -> None:
    row = lonely(explored)
    with tab() as page:
        page.size(1400, 900)
        page.open(explored.write(tmp_path))
        page.click(*mark(page, figure, row["gap_pk"]))
        page.wait(OPEN)
        assert page.run(f"{PANEL}.dataset.pk") == str(row["gap_pk"])


def test_a_tip_stays_in_the_window(tab: Tab, tmp_path: Path, explored: Campaign) -> None:
    row = lonely(explored)
    with tab() as page:
        page.size(390, 844)
        page.open(explored.write(tmp_path))
        x, y = mark(page, "gaps", row["gap_pk"])
        for where in (y, 4, 840):
            page.run(f"scrollBy(0, {y} - {where})")
            x, _ = page.run(
                f"(() => {{ const box = document.querySelector('#gaps a.pt[href=\"#frame-{row['gap_pk']}\"]')"
                ".getBoundingClientRect(); return [box.x + box.width / 2, box.y]; })()"
            )
            page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=where)
            page.wait("!document.getElementById('tip').hidden")
            left, top, right, bottom = page.run(
                "(() => { const box = document.getElementById('tip').getBoundingClientRect();"
                " return [box.left, box.top, box.right, box.bottom]; })()"
            )
            assert 0 <= left < right <= 390 and 0 <= top < bottom <= 844
            assert f"GapWorkChain pk {row['gap_pk']}" in page.run("document.getElementById('tip').textContent")
            page.call("Input.dispatchMouseEvent", type="mouseMoved", x=2, y=2)
            y = where


def test_what_is_drawn_is_not_empty(tab: Tab, tmp_path: Path, explored: Campaign) -> None:
    """The canvas has more than its background: two frames with other atoms give other pictures."""
    first, second = by_interest(explored.rows)[:2]
    with tab() as page:
        page.size(1400, 900)
        page.open(explored.write(tmp_path), f"#frame-{first}")
        page.wait(DRAWN)
        box = page.run(
            "(() => { const { x, y, width, height } = document.getElementById('panel-view').getBoundingClientRect();"
            " return { x: x + scrollX, y: y + scrollY, width, height }; })()"
        )
        pictures = []
        for pk in (first, second):
            page.run(f"location.hash = '#frame-{pk}'")
            page.wait(f"{PANEL}.dataset.pk === '{pk}' && {DRAWN}")
            page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
            pictures.append(page.picture(tmp_path / f"{pk}.png", **box).read_bytes())
        # A plain rectangle of this size is some hundred bytes of PNG.
        assert min(len(picture) for picture in pictures) > 3000
        assert pictures[0] != pictures[1]


def test_keys_go_through_the_pair_and_close(tab: Tab, tmp_path: Path, explored: Campaign) -> None:
    pair = [row["gap_pk"] for row in explored.rows if row["pair_pk"] == explored.rows[0]["pair_pk"]]
    with tab() as page:
        page.size(1400, 900)
        page.open(explored.write(tmp_path))
        page.run(f"document.querySelector('#frame-{pair[0]} button').focus()")
        page.press("Enter")
        page.wait(OPEN)
        assert page.run(f"{PANEL}.dataset.pk") == str(pair[0])
        assert page.run("document.getElementById('panel-back').disabled") is True
        for wanted in (pair[1], pair[2]):
            page.press("ArrowRight")
            assert page.run("location.hash") == f"#frame-{wanted}"
        page.press("ArrowLeft")
        assert page.run(f"{PANEL}.dataset.pk") == str(pair[1])
        # In a field, arrows move the cursor.
        page.run("document.getElementById('filter').focus()")
        page.press("ArrowRight")
        assert page.run(f"{PANEL}.dataset.pk") == str(pair[1])
        page.press("Escape")
        assert page.run(f"[{PANEL}.hidden, location.hash, {RINGS}]") == [True, "", 0]
        # Back on what opened the panel.
        assert page.run("document.activeElement.closest('tr').id") == f"frame-{pair[0]}"
        page.press("ArrowRight")
        assert page.run(f"{PANEL}.hidden") is True
        assert page.console == []


def test_an_address_names_a_frame(tab: Tab, tmp_path: Path, explored: Campaign) -> None:
    first, second = explored.rows[20]["gap_pk"], explored.rows[40]["gap_pk"]
    with tab() as page:
        page.size(1400, 900)
        written = explored.write(tmp_path)
        page.open(written, f"#frame-{first}")
        page.wait(OPEN)
        assert page.run(f"{PANEL}.dataset.pk") == str(first)
        page.run(f"location.hash = '#frame-{second}'")
        page.wait(f"{PANEL}.dataset.pk === '{second}'")
        page.run("history.back()")
        page.wait(f"{PANEL}.dataset.pk === '{first}'")
        # What is not a frame opens nothing.
        for other in ("#gaps", "#frame-99999999", "#frame-%3Cb%3E"):
            page.open(written, other)
            assert page.run(f"{PANEL}.hidden") is True
        assert page.console == []


def test_a_frame_without_structure_has_its_numbers(tab: Tab, tmp_path: Path, explored: Campaign) -> None:
    last = by_interest(explored.rows)[-1]
    with tab() as page:
        page.open(explored.write(tmp_path), f"#frame-{last}")
        page.wait(OPEN)
        said = text(page)
        assert f"which holds {len(explored.rows) - 2} of {len(explored.rows)}: falsemetal why {last} names" in said
        assert page.run("document.getElementById('panel-view').hidden") is True
        assert f"GapWorkChain {last}" in said


def test_a_page_without_structures(tab: Tab, tmp_path: Path, campaign: Campaign) -> None:
    with tab() as page:
        page.open(campaign.write(tmp_path), f"#frame-{campaign.rows[0]['gap_pk']}")
        page.wait(OPEN)
        assert "This page holds no structures." in text(page)
        assert page.console == []


def test_without_webgl_a_sentence_and_the_numbers(tab: Tab, tmp_path: Path, explored: Campaign) -> None:
    pk = lonely(explored)["gap_pk"]
    with tab("--disable-gpu", "--disable-3d-apis") as page:
        page.open(explored.write(tmp_path), f"#frame-{pk}")
        page.wait(OPEN)
        said = text(page)
        assert "The structure is not drawn: this browser has no WebGL" in said and f"GapWorkChain {pk}" in said
        assert page.run("document.getElementById('panel-view').hidden") is True
        assert page.run("typeof $3Dmol") == "undefined"
        assert page.requests == []


def test_labels_stay_text(tab: Tab, tmp_path: Path, explored: Campaign) -> None:
    evil = "</script><img src=x onerror=\"document.title='broken'\">"
    for row in explored.rows:
        row["mlip"], row["exit_message"] = f"{row['mlip']}{evil}", evil
    for pair in explored.pairs:
        pair["mlip"] = f"{pair['mlip']}{evil}"
    with tab() as page:
        page.open(explored.write(tmp_path), f"#frame-{explored.rows[0]['gap_pk']}")
        page.wait(OPEN)
        assert evil in text(page)
        page.run("document.querySelector('#frame-table thead button').click()")
        assert page.run("document.querySelectorAll('img').length") == 0
        assert page.run("document.title") == "False metallization: water"


@pytest.mark.parametrize("dark", [False, True])
def test_phone(tab: Tab, tmp_path: Path, explored: Campaign, dark: bool) -> None:
    with tab() as page:
        page.size(390, 844, dark=dark, phone=True)
        page.open(explored.write(tmp_path), f"#frame-{explored.rows[0]['gap_pk']}")
        page.wait(f"{OPEN} && {DRAWN}")
        assert page.run("document.documentElement.scrollWidth") <= 390
        inside = (
            "[...document.querySelectorAll('#panel *')].filter((one) => !one.closest('#panel-view > *'))"
            ".every((one) => one.getBoundingClientRect().right <= 390.5)"
        )
        assert page.run(inside) is True
        # The page is still there above the panel.
        assert page.run(f"{PANEL}.getBoundingClientRect().top") > 200


CONTRAST = """(() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("#panel *, #frames *, footer *")].filter((one) =>
    one.offsetWidth && !one.disabled
    && [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
    .map((one) => {
      const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.outerHTML.slice(0, 80)];
    }).filter(([ratio]) => ratio < 4.5);
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read(tab: Tab, tmp_path: Path, explored: Campaign, dark: bool) -> None:
    """WCAG's contrast of 4.5 for text, also of the chosen row."""
    with tab() as page:
        page.size(1400, 900, dark=dark)
        page.open(explored.write(tmp_path), f"#frame-{explored.rows[0]['gap_pk']}")
        page.wait(OPEN)
        assert page.run(CONTRAST) == []


def test_names_for_a_screen_reader(tab: Tab, tmp_path: Path, explored: Campaign) -> None:
    with tab() as page:
        page.size(1400, 900)
        page.open(explored.write(tmp_path), f"#frame-{explored.rows[0]['gap_pk']}")
        page.wait(f"{OPEN} && {DRAWN}")
        nodes = page.call("Accessibility.getFullAXTree")["nodes"]
        named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if "role" in node]
        assert all(
            name for role, name in named if role in ("button", "combobox", "searchbox", "region", "complementary")
        )
        row = explored.rows[0]
        title = f"{row['interface']} × {row['mlip']}, seed {row['seed']}, step {row['step']}"
        assert ("complementary", title) in named
        assert any(role == "image" and name.startswith("Structure in 3D: Cu2 H") for role, name in named)
        assert ("button", "Next frame of this pair") in named


@pytest.fixture
def layered() -> Campaign:
    """A real campaign of three frames with layers."""
    given = json.loads(FIXTURE.read_text(encoding="utf-8"))
    layers = {
        pk: {name: np.array(values, dtype=float) for name, values in zip(("z", "vbm", "cbm"), rest, strict=True)}
        for pk, *rest in given["layers"]
    }
    structures = pack_structures([tuple(one) for one in given["structures"]], 3)
    return Campaign(given["rows"], given["pairs"], {}, SETTINGS, structures=structures, layers=layers)


def test_band_edges_by_layer(tab: Tab, tmp_path: Path, layered: Campaign) -> None:
    row = layered.rows[0]
    given = {pk: rest for pk, *rest in json.loads(FIXTURE.read_text(encoding="utf-8"))["layers"]}
    z, vbm, cbm = given[row["gap_pk"]]
    with tab() as page:
        page.size(1400, 900)
        page.open(layered.write(tmp_path), f"#frame-{row['gap_pk']}")
        page.wait(f"{OPEN} && {DRAWN}")
        label = page.run("document.querySelector('#panel-layers svg').getAttribute('aria-label')")
        for name, values in (("VBM", vbm), ("CBM", cbm)):
            ends = [
                f"{edge - row['fermi']:.2f}".replace("-", "−")
                for values in [[v for v in values if v is not None]]
                for edge in (min(values), max(values))
            ]
            assert f"local {name} from {ends[0]} to {ends[1]} eV" in label
        # One point a layer that has an edge, and the film's own edges.
        points = page.run("document.querySelector('#panel-layers path.vbm').getAttribute('d').match(/[ML]/g).length")
        assert points == sum(value is not None for value in vbm) and len(z) == len(vbm)
        assert page.run("document.querySelectorAll('#panel-layers circle.edge').length") == 2
        words = page.run("document.querySelector('#panel-layers').textContent")
        assert "z from the film’s middle (Å)" in words and "(eV)" in words and "Fermi energy" in words
        said = text(page)
        assert f"centre at z = {row['vbm_z']:.1f} Å".replace("-", "−") in said
        assert "Planes: VBM and CBM" in said
        assert page.console == []


@pytest.fixture(scope="module")
def large_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Campaign]]:
    campaign = large_campaign(samples=2_000)
    campaign.structures, campaign.layers = packed(campaign.rows)
    yield campaign.write(tmp_path_factory.mktemp("large")), campaign


def test_ten_thousand_frames(tab: Tab, large_page: tuple[Path, Campaign]) -> None:
    path, campaign = large_page
    assert path.stat().st_size < 20e6
    with tab() as page:
        page.size(1400, 900)
        page.call("Performance.enable", timeDomain="threadTicks")
        page.open(path)
        # Time that the page's own thread computed: what else the machine does must not fail a test. 0.5 s measured.
        metrics = {one["name"]: one["value"] for one in page.call("Performance.getMetrics")["metrics"]}
        assert metrics["TaskDuration"] < 5.0
        assert page.run("document.querySelectorAll('*').length") < 15_000
        assert page.run("document.querySelectorAll('#frame-table tbody tr').length") == 200
        row = max((row for row in campaign.rows if row["metallic"]), key=lambda row: abs(row["expected_drop"]))
        names, places = page.run(
            "(() => { const path = [...document.querySelectorAll('#gaps path.pts')]"
            f".find((one) => one.dataset.frames.split(' ').includes('{row['gap_pk']}'));"
            " path.scrollIntoView({block: 'center'});"
            " const matrix = path.getScreenCTM();"
            " return [path.dataset.frames.split(' '), [...path.getAttribute('d').matchAll(/M([-\\d.]+) ([-\\d.]+)/g)]"
            ".map(([, x, y]) => new DOMPoint(x, y).matrixTransform(matrix)).map(({x, y}) => [x, y])]; })()"
        )
        assert len(names) == len(places)
        page.click(*places[names.index(str(row["gap_pk"]))])
        page.wait(f"{OPEN} && {DRAWN}")
        assert page.run(f"{PANEL}.dataset.pk") == str(row["gap_pk"])
        assert page.run("document.getElementById('panel-view').dataset.atoms") == "48"
        assert page.run(RINGS) >= 2
        # The table has turned to the page with its row.
        assert page.run("document.querySelector('tr[aria-current]').id") == f"frame-{row['gap_pk']}"
        page.press("Escape")
        page.run(
            "(() => { const one = document.getElementById('by-state'); one.value = 'failed';"
            " one.dispatchEvent(new Event('input')); })()"
        )
        failed = sum(row["gap"] is None for row in campaign.rows)
        assert page.run("document.getElementById('shown').textContent") == (
            f"rows 1 to {min(200, failed)} of {failed} that match, of 10000 frames"
        )
        assert page.console == [] and page.requests == []


def test_table_pages_and_filters(tab: Tab, tmp_path: Path) -> None:
    campaign = large_campaign(frames=450, pairs=5, samples=500)
    with tab() as page:
        page.size(1400, 900)
        page.open(campaign.write(tmp_path))
        rows = "document.querySelectorAll('#frame-table tbody tr').length"
        said = "document.getElementById('shown').textContent"
        assert page.run(f"[{rows}, {said}]") == [200, "rows 1 to 200 of 450"]
        page.click_on("#page-on")
        page.click_on("#page-on")
        assert page.run(f"[{rows}, {said}]") == [50, "rows 401 to 450 of 450"]
        assert page.run("document.getElementById('page-on').disabled") is True
        page.run(
            "(() => { const one = document.getElementById('by-mlip'); one.value = 'ewald';"
            " one.dispatchEvent(new Event('input')); })()"
        )
        amount = sum(row["mlip"] == "ewald" for row in campaign.rows)
        assert page.run(said) == f"rows 1 to {amount} of {amount} that match, of 450 frames"
        # A frame that the filter hides is shown all the same, and the filter stays.
        page.run(f"location.hash = '#frame-{campaign.rows[0]['gap_pk']}'")
        page.wait(OPEN)
        assert page.run(said) == f"rows 1 to {amount} of {amount} that match, of 450 frames"


def test_script_and_html_write_the_same_cells(tab: Tab, tmp_path: Path, campaign: Campaign) -> None:
    """The first rows come from Python, those after sorting from the script."""
    campaign.rows[0].update(time_ps=0.125, drop=-0.375, gap=2.5, probability=1e-7, witness=0.000123456, vbm=-0.001)
    campaign.rows[1].update(time_ps=1.005, drop=2.675, witness=0.0, probability=0.0999999)
    cells = (
        "Object.fromEntries([...document.querySelectorAll('#frame-table tbody tr')]"
        ".map((row) => [row.id, [...row.cells].map((cell) => cell.textContent + '|' + cell.className)]))"
    )
    with tab() as page:
        page.open(campaign.write(tmp_path))
        before = page.run(cells)
        page.run("document.querySelectorAll('#frame-table thead button')[10].click()")
        after = page.run(cells)
        assert before == after and len(before) == len(campaign.rows)
        assert list(before) != [f"frame-{row['gap_pk']}" for row in sorted(campaign.rows, key=str)]


def test_saved_data_are_the_json_file(tab: Tab, tmp_path: Path, campaign: Campaign) -> None:
    with tab() as page:
        written = campaign.write(tmp_path)
        page.open(written)
        page.run(
            "URL.createObjectURL = (blob) => { window.saved = blob.text(); return '#'; };"
            "HTMLAnchorElement.prototype.click = () => {}; document.getElementById('save').click(); 1"
        )
        saved = json.loads(page.run("window.saved"))
    assert saved == json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))


def test_without_a_script_the_page_says_what_is_missing(tab: Tab, large_page: tuple[Path, Campaign]) -> None:
    with tab() as page:
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.call("Page.navigate", url=large_page[0].as_uri())
        page.wait("document.readyState === 'complete' && location.protocol === 'file:'")
        said = page.run("document.querySelector('#frames noscript').textContent")
        assert "200 of 10000 frames; all are in results.csv beside this page." in said
        assert page.run("document.getElementById('filters').hidden") is True

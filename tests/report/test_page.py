"""What the page says, and that nothing a user writes can become markup."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from aiida_falsemetal.report.page import embedded_json

from .conftest import NOT_CONVERGED, SETTINGS, Campaign, as_older_version
from .test_embed import rows_of

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"'&amp; <!--"
VOID = {"meta", "br", "input", "img", "link", "hr"}


class Document(HTMLParser):
    """Elements with their attributes, ids, text; checks that tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in ("td", "th"):
            self.text.append(" ")

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)

    @property
    def words(self) -> str:
        """The text that is shown, with single spaces."""
        return " ".join("".join(self.text).split())


def page(folder: Path, given: Campaign, name: str = "water") -> str:
    return given.write(folder, name).read_text(encoding="utf-8")


def test_says_what_was_found(tmp_path: Path, campaign: Campaign) -> None:
    words = Document(page(tmp_path, campaign)).words
    for wanted in (
        "6 combinations of interface and MLIP: 2 false metallization, 1 safe, 2 undecided, 1 unfinished.",
        "9 pairs of interface, MLIP and seed, 114 frames.",
        "False metallization: more than 1 % of the trajectory is metallic beyond doubt",
        "1 of 16 frames has no gap, and may be.",
        "What would decide: The frame without a gap comes first.",
        "State: waiting; 0 of 1 frame done.",
        "The workchain was excepted.",
        "(revPBE-D3, the ML-PEG authors)",
        "±0.02459 e/Å",
        f"410 7 {NOT_CONVERGED}",
        "No time series of the dipole yet.",
        "of a PBE calculation",
        "aiida-core 2.9.4",
        "200.0 ps (200000 steps) at 300 K",
        "ab" * 32,
    ):
        assert wanted in words, wanted


def verdict_cells(text: str) -> list[str]:
    """What each cell of the matrix says."""
    table = text[text.index('<table class="matrix">') :].partition("</table>")[0]
    return [Document(cell.partition("</td>")[0]).words for cell in table.split("<td>")[1:]]


def test_a_cell_has_one_verdict_and_its_numbers(tmp_path: Path, campaign: Campaign) -> None:
    cells = verdict_cells(page(tmp_path, campaign))
    assert len(cells) == 6
    found = campaign.cells[2]  # film-38A, mace-sr-4.5, two seeds
    low, high = 100 * found["metallized_low"], 100 * found["metallized_high"]
    assert cells[3].startswith(
        f"■ false metallization 2 seeds metallized{100 * found['metallized']:.1f} % [{low:.1f}, {high:.1f}] sd ratio"
    )
    assert f"{found['sd_ratio']:.2f} [{found['sd_ratio_low']:.2f}, {found['sd_ratio_high']:.2f}]" in cells[3]
    assert f"R-hat{found['rhat']:.2f} {found['reason']}" in cells[3] and "What would decide" not in cells[3]
    bound = 100 * campaign.cells[3]["metallized_bound"]
    assert cells[4].startswith("□ safe 1 seed") and f"by the gap lawat most {bound:.2g} % sd ratio" in cells[4]
    assert cells[5].startswith("? undecided 1 seed") and "%, not counted: frames failed" in cells[5]
    assert f"What would decide: {campaign.cells[4]['would_decide']}" in cells[5]


def test_a_cell_without_a_verdict_shows_its_pairs(tmp_path: Path, campaign: Campaign) -> None:
    cells = verdict_cells(page(tmp_path, campaign))
    assert cells[1].startswith("□ safe seed 1By the gap law")
    assert cells[1].endswith("… unfinished seed 2State: waiting; 0 of 1 frame done.")
    # One that was judged without a seed says of how many, and what became of it.
    assert cells[2].startswith("? undecided 1 of 2 seeds") and "× failed seed 2The workchain was excepted." in cells[2]


def test_a_reference_is_named(tmp_path: Path, campaign: Campaign) -> None:
    campaign.cells[0]["reference"] = "polar-mace"
    assert "false metallization 1 seed, against polar-mace" in Document(page(tmp_path, campaign)).words


def test_graph_of_an_older_version(tmp_path: Path, campaign: Campaign) -> None:
    """Its words, its verdicts by seed, its least-squares line."""
    as_older_version(campaign)
    text = page(tmp_path, campaign)
    words = Document(text).words
    assert "2 metallized, 1 not metallized, 1 failed" not in words
    assert "6 combinations of interface and MLIP: 1 undecided, 2 metallized, 1 not metallized, 1 unfinished" in words
    assert "1 no common verdict" in words
    cells = verdict_cells(text)
    assert cells[0].startswith("■ metallized seed 1") and cells[4].startswith("□ not metallized seed 1")
    assert cells[3].count("■ metallized") == 2
    assert "Least squares of" in words and "Calibrated gap law" not in words
    assert "What was used: not recorded by the version that made the verdict." in words


def test_formulas_of_the_expected_sd(tmp_path: Path, campaign: Campaign) -> None:
    alone = Document(page(tmp_path / "one", campaign)).words
    assert "What was used: isolated film: 1/eps_inf - 1/eps." in alone and "film of water" not in alone
    for pair in campaign.pairs[3:6]:
        pair["expected_formula"] = "no expectation"
    words = Document(page(tmp_path / "two", campaign)).words
    film, rest = "film-25A × mace-sr-4.5, film-25A × polar-mace, film-25A × spcfw-ewald", "film-38A × spcfw-ewald"
    assert f"isolated film: 1/eps_inf - 1/eps ({film}, {rest}); no expectation (film-38A × mace-sr-4.5, " in words


def test_a_run_that_goes_on_is_said_to(tmp_path: Path, campaign: Campaign) -> None:
    for pair in campaign.pairs:
        pair["md_precision"] = 0.1
    words = Document(page(tmp_path, campaign)).words
    assert "(200000 steps) at 300 K, and on until the dipole’s sd is known to ±10 % or a limit is reached;" in words


def test_pairs_have_their_estimates(tmp_path: Path, campaign: Campaign) -> None:
    pair = campaign.pairs[0]
    del campaign.pairs[1]["mean_gap"]
    words = Document(page(tmp_path, campaign)).words
    share = [f"{100 * pair[key]:.1f}" for key in ("metallized", "metallized_low", "metallized_high")]
    gap = [f"{pair[key]:.2f}" for key in ("mean_gap", "mean_gap_low", "mean_gap_high")]
    more = [f"{pair[key]:.0f}" for key in ("more_ps", "more_ps_low", "more_ps_high")]
    assert (
        f"{share[0]} % [{share[1]}, {share[2]}] {pair['min_gap']:.2f} {gap[0]} [{gap[1]}, {gap[2]}] "
        f"{pair['rhat']:.2f} {pair['sampled_ps']:.1f} {more[0]} [{more[1]}, {more[2]}]" in words
    )


def test_plain_numbers_of_a_cell(tmp_path: Path, campaign: Campaign) -> None:
    words = Document(page(tmp_path, campaign)).words
    found = campaign.cells[2]
    assert (
        f" {1e3 * found['mlpeg_sigma']:.2f} {100 * found['mlpeg_fraction']:.2f} {found['missing_energy_slope']:.2f} ["
        in words
    )


def test_one_row_a_frame_with_its_numbers(tmp_path: Path, campaign: Campaign) -> None:
    text = page(tmp_path, campaign)
    rows = re.findall(r'<tr id="frame-(\d+)">(.*?)</tr>', text)
    assert [int(pk) for pk, _ in rows] == [row["gap_pk"] for row in campaign.rows]
    closed = next(index for index, row in enumerate(campaign.rows) if row["metallic"])
    cells = [re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", rows[closed][1])]
    row = campaign.rows[closed]
    assert len(cells) == 23
    assert cells[3] == str(row["step"]) and cells[11] == f"{row['gap']:.2f}" and cells[15] == "■ yes"
    assert cells[10] == f"{row['drop']:.2f}".replace("-", "−")
    assert cells[20:] == [str(row["pw_pk"]), str(row["gap_pk"]), str(row["pair_pk"])]


def test_every_mark_leads_to_its_row(tmp_path: Path, campaign: Campaign) -> None:
    elements = Document(page(tmp_path, campaign)).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [str(attributes["href"]) for tag, attributes in elements if tag == "a"]
    assert len(links) > 200
    assert {link[1:] for link in links if not link.startswith("data:")} <= set(ids)


def test_labels_cannot_become_markup(tmp_path: Path, campaign: Campaign) -> None:
    before = Counter(tag for tag, _ in Document(page(tmp_path / "plain", campaign)).elements)
    for row in campaign.rows:
        row["interface"] = EVIL if row["interface"] == "film-25A" else row["interface"]
        row["exit_message"] = EVIL if row["exit_code"] == 410 else row["exit_message"]
    for pair in campaign.pairs:
        pair["interface"] = EVIL if pair["interface"] == "film-25A" else pair["interface"]
        pair["mlip"] = f"{pair['mlip']}{EVIL}"
        pair["reason"] = EVIL
        pair["expected_formula"] = EVIL if "verdict" in pair else None
    for cell in campaign.cells:
        cell["interface"] = EVIL if cell["interface"] == "film-25A" else cell["interface"]
        cell["mlip"] = f"{cell['mlip']}{EVIL}"
        cell["reason"], cell["reference"] = EVIL, EVIL
        cell["would_decide"] = EVIL if cell["would_decide"] else ""
    for law in campaign.laws:
        law["interface"] = EVIL if law["interface"] == "film-25A" else law["interface"]
        law["functional"] = EVIL
    for row in campaign.rows:
        row["mlip"] = f"{row['mlip']}{EVIL}"
    campaign.settings = {**SETTINGS, "note": EVIL, "versions": {EVIL: EVIL}}
    text = page(tmp_path / "evil", campaign, name=EVIL)
    document = Document(text)
    after = Counter(tag for tag, _ in document.elements)
    # The setting more that was given; nothing else appears, and nothing is swallowed.
    assert after - before == Counter(["div", "dt", "dd"]) and not before - after
    assert text.count("<script") == before["script"] and "onerror=alert(2)>" not in text
    assert "alert(1)" in document.words


def test_embedded_data_is_the_json_file(tmp_path: Path, campaign: Campaign) -> None:
    campaign.rows[0]["exit_message"] = EVIL + "\u2028"
    text = page(tmp_path, campaign)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found and not set("<>&\u2028") & set(found.group(1))
    packed = json.loads(found.group(1))
    packed["frames"] = rows_of(packed["frames"])
    assert packed == json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))


def test_embedded_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        embedded_json({"a": float("nan")})


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path, campaign: Campaign) -> None:
    text = page(tmp_path, campaign)
    for _, attributes in Document(text).elements:
        assert not {"src", "srcset", "data", "poster", "action"} & set(attributes)
        # What can be downloaded lies in the page itself.
        assert str(attributes.get("href") or "#").startswith(("#", "data:"))
    namespace = "http://www.w3.org/2000/svg"  # a name, which nothing is fetched from
    assert not re.search(r"url\((?!#)|@import|https?:", text.replace(namespace, ""))
    assert "default-src 'none'" in text


def test_semantics(tmp_path: Path, campaign: Campaign) -> None:
    text = page(tmp_path, campaign)
    elements = Document(text).elements
    assert elements[0] == ("html", {"lang": "en"})
    tags = [tag for tag, _ in elements]
    assert tags.count("h1") == 1 and tags.count("caption") == tags.count("table") and tags.count("main") == 1
    assert all(attributes.get("scope") in ("row", "col") for tag, attributes in elements if tag == "th")
    for tag, attributes in elements:
        if tag == "svg":
            assert attributes.get("aria-hidden") == "true" or "aria-labelledby" in attributes
    headings = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(headings))


def test_rows_of_an_older_version_may_lack_columns(tmp_path: Path) -> None:
    row = {"interface": "film", "mlip": "m", "seed": 1, "pair_pk": 5, "gap": 1.0}
    pair = {"interface": "film", "mlip": "m", "seed": 1, "pair_pk": 5}
    text = page(tmp_path, Campaign([row], [pair], {}, {}))
    assert "1 frame with a gap but no recorded drop not shown" in text


def test_frames_of_a_pair_that_is_not_listed_are_shown(tmp_path: Path, campaign: Campaign) -> None:
    words = Document(page(tmp_path, Campaign(campaign.rows[:16], [], {}, SETTINGS))).words
    assert "0 pairs" in words and "mace-sr-4.5" in words


def test_a_pair_whose_md_failed_shows_verdict_and_exit_code(tmp_path: Path, campaign: Campaign) -> None:
    early = "The MD ended early: a molecule broke."
    campaign.cells = []
    campaign.pairs[1].update(verdict="undecided", reason=early, exit_code=410, exit_message=f"{early} See the outputs.")
    campaign.pairs[2].update(exit_code=410, exit_message="The MD ended early: it exploded.")
    words = Document(page(tmp_path, campaign)).words
    assert f"undecided seed 1{early} Exit code 410." in words
    assert ". None of 16 computed ones is. Exit code 410: The MD ended early: it exploded." in words


def test_an_exit_code_stands_beside_a_verdict(tmp_path: Path, campaign: Campaign) -> None:
    campaign.pairs[0].update(exit_code=410, exit_message="The MD ended early: it exploded.")
    cells = verdict_cells(page(tmp_path, campaign))
    assert cells[0].endswith("Seed 1: Exit code 410: The MD ended early: it exploded.")


def test_an_imported_trajectory_without_a_model(tmp_path: Path, campaign: Campaign) -> None:
    """What is not known of its model is a dash, and the methods say where it is from."""
    pair = dict(campaign.pairs[0])
    pair.update({key: None for key in ("sha256", "long_ranged", "cutoff", "layers", "receptive_field")})
    pair.update(mlip="AIMD, PBE", imported_from="run <7>.xyz", md_ps=12.5, pair_pk=99)
    words = Document(page(tmp_path, replace(campaign, pairs=[*campaign.pairs, pair]))).words
    assert "NVT molecular dynamics with each MLIP of 200.0 ps (200000 steps) at 300 K. Trajectories that were" in words
    assert f"imported: {pair['interface']} × AIMD, PBE, 12.5 ps at 300 K, from run <7>.xyz; Mz from" in words
    assert "AIMD, PBE – – – – – –" in words
    alone = Document(page(tmp_path, replace(campaign, pairs=[pair], rows=[], series={}))).words
    assert "Methods Trajectories that were imported: " in alone and "NVT" not in alone


def test_gap_figures_have_the_order_of_the_verdicts(tmp_path: Path, campaign: Campaign) -> None:
    """An archive gives frames in no order."""
    turned = replace(campaign, rows=sorted(campaign.rows, key=lambda row: str(row["interface"]), reverse=True))
    found = re.findall(r'<figure class="wide"><figcaption><strong>([^<]*)<', page(tmp_path, turned))
    assert found == ["film-25A", "film-38A"] == list(dict.fromkeys(cell["interface"] for cell in campaign.cells))

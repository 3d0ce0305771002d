"""Counts, statuses and estimates behind the page and the terminal's table."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from aiida_falsemetal.physics.selection import select_frames
from aiida_falsemetal.report.cells import gather
from aiida_falsemetal.report.summary import failure_counts, mean_gap, status_counts, summarize
from aiida_falsemetal.report.table import failed_pairs, results_table, results_view

from .conftest import NOT_CONVERGED, Campaign, as_older_version


def test_statuses(campaign: Campaign) -> None:
    pairs = summarize(campaign.rows, campaign.pairs)
    assert status_counts(pairs) == [
        ("false metallization", 3),
        ("safe", 3),
        ("undecided", 1),
        ("failed", 1),
        ("unfinished", 1),
    ]
    running, crashed = pairs[-2:]
    assert (running.waiting, running.failed, running.counts) == (1, 0, "0 / 0 / 1 (1 waiting)")
    assert (crashed.waiting, crashed.failed, crashed.counts) == (0, 1, "0 / 0 / 1 (1 failed)")
    assert crashed.reason == "The workchain was excepted."


def test_a_failed_pair_without_verdict_says_why() -> None:
    row = {"interface": "a", "mlip": "b", "seed": 1, "pair_pk": 5, "state": "finished", "exit_code": 310}
    (pair,) = summarize([], [{**row, "exit_message": "The MD could not be run: no disk."}])
    assert (pair.status, pair.reason) == ("failed", "The MD could not be run: no disk.")


def test_the_verdict_counts_more_than_the_rows() -> None:
    """A lost frame may have left no row at all: it is still counted."""
    verdict = {
        "verdict": "undecided",
        "reason": "",
        "selected": 3,
        "converged": 0,
        "metallic": 0,
        "failed": {"lost": 3},
    }
    row = {"interface": "a", "mlip": "b", "seed": 1, "pair_pk": 5, "state": "finished", "exit_code": 0, **verdict}
    pairs = summarize([], [row])
    assert (pairs[0].failed, pairs[0].selected) == (3, 3)
    assert [amount for _, _, amount in failure_counts(pairs)] == [3]


def test_failures_by_exit_code(campaign: Campaign) -> None:
    found = failure_counts(summarize(campaign.rows, campaign.pairs))
    assert found == [("410", NOT_CONVERGED, 7), ("none", "The frame's workchain ended without a result.", 1)]


def test_mean_gap_is_unbiased_where_the_plain_mean_is_not() -> None:
    """Average over many selections from one trajectory, against the trajectory's own mean.

    Strata of 100 frames each, 6 of 300 drawn evenly over them plus 2 of control. The spread of one estimate is measured
    from the 400 repetitions; the tolerance is four standard errors of their mean.
    """
    rng = np.random.default_rng(3)
    drop = np.abs(rng.normal(0.0, 2.0, 300))
    gap = 4.4 - drop
    estimates, means = [], []
    for seed in range(400):
        chosen = select_frames(drop, 7, 2, separation=1, seed=seed, n_strata=3).frames
        frames = [{"gap": gap[f.index], "stratum": f.stratum, "probability": f.probability} for f in chosen]
        estimate = mean_gap(frames)
        assert estimate is not None
        estimates.append(estimate)
        means.append(np.mean([frame["gap"] for frame in frames]))
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert np.mean(estimates) == pytest.approx(gap.mean(), abs=4 * error)
    # The odd frame goes to the top stratum, so the unweighted mean is pulled down: the test can tell the two apart.
    assert np.mean(means) < gap.mean() - 4 * error


@pytest.mark.parametrize("frames", [[], [{"gap": None}], [{"gap": 1.0, "probability": None, "stratum": 1}]])
def test_mean_gap_is_unknown_without_gaps_or_probabilities(frames: list[dict[str, Any]]) -> None:
    assert mean_gap(frames) is None


def printed(campaign: Campaign) -> str:
    """The table as a wide terminal shows it."""
    console = Console(file=io.StringIO(), width=260, color_system=None)
    console.print(results_table(campaign.rows, campaign.pairs, campaign.cells))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def table_rows(campaign: Campaign) -> list[list[str]]:
    """Cells of the lines that begin a row."""
    lines = [line for line in printed(campaign).splitlines() if "film-" in line]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_table_has_a_row_a_cell(campaign: Campaign) -> None:
    rows = table_rows(campaign)
    assert [row[:3] for row in rows] == [
        ["film-25A", "mace-sr-4.5", "1"],
        ["film-25A", "polar-mace", "2"],
        ["film-25A", "spcfw-ewald", "1 of 2"],
        ["film-38A", "mace-sr-4.5", "2"],
        ["film-38A", "polar-mace", "1"],
        ["film-38A", "spcfw-ewald", "1"],
    ]
    found, cell = rows[3], campaign.cells[2]
    assert found[3:6] == ["no", "false metallization", "2 / 28 / 32 (4 failed)"]
    assert found[6] == f"{cell['min_gap']:.2f}"
    low, high = 100 * cell["metallized_low"], 100 * cell["metallized_high"]
    assert found[7] == f"{100 * cell['metallized']:.1f} % [{low:.1f}, {high:.1f}]"
    assert found[8] == f"{cell['sd_ratio']:.2f} [{cell['sd_ratio_low']:.2f}, {cell['sd_ratio_high']:.2f}]"
    assert cell["reason"].startswith(found[9]) and found[9]
    # A cell with a seed under way has no numbers of its own yet, and says where its seeds are.
    assert rows[1][4:6] == ["unfinished", "0 / 16 / 17 (1 waiting)"] and rows[1][7:9] == ["–", "–"]
    assert rows[1][9].startswith("Seed 1, safe: By the gap law")


def test_nothing_is_below_the_table(campaign: Campaign) -> None:
    assert printed(campaign).rstrip().splitlines()[-1].startswith("└")


@pytest.mark.parametrize("width", [200, 100, 60])
def test_results_are_readable_at_any_width(campaign: Campaign, width: int) -> None:
    """No word is cut: where the table does not fit, its rows are paragraphs."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(results_view(campaign.rows, campaign.pairs, campaign.cells, console))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in text.splitlines())
    assert text.count("mace-sr-4.5: false metallization") == 2
    shown = " ".join(text.split())
    for cell in campaign.cells:
        assert " ".join(cell["reason"].split()) in shown
    assert ("│" in text) == (width == 200)


def test_pairs_that_failed_have_a_line_each(campaign: Campaign) -> None:
    campaign.pairs[0].update(exit_code=410, exit_message="The MD ended early: a molecule broke.")
    campaign.pairs[7].update(exit_code=310, exit_message="The MD could not be run: no disk.", state="finished")
    assert failed_pairs(campaign.rows, campaign.pairs) == [
        "film-25A x mace-sr-4.5, seed 1: Exit code 410: The MD ended early: a molecule broke.",
        "film-25A x polar-mace, seed 2: The MD could not be run: no disk. Exit code 310.",
        "film-25A x spcfw-ewald, seed 2: The workchain was excepted.",
    ]


def test_table_of_an_older_graph(campaign: Campaign) -> None:
    as_older_version(campaign)
    rows = table_rows(campaign)
    assert [row[4] for row in rows] == [
        *("metallized", "unfinished", "no common verdict"),
        *("metallized", "not metallized", "undecided"),
    ]
    pair = campaign.pairs[0]
    assert rows[0][8].startswith(f"{pair['sd_Mz_per_area'] / pair['expected_sd_Mz_per_area']:.2f} [")


def test_a_verdict_of_which_no_pair_is_listed_has_its_cell(campaign: Campaign) -> None:
    (cell,) = gather([], campaign.cells[:1])
    assert (cell.status, cell.seeds, cell.long_ranged) == ("false metallization", "1", None)
    assert cell.counts == "2 / 14 / 16 (2 failed)" and cell.min_gap == campaign.cells[0]["min_gap"]


def test_table_shows_labels_as_they_are(campaign: Campaign) -> None:
    campaign.pairs[0]["mlip"] = "[red]model[/red]"
    campaign.cells[1]["reason"] = "[red]reason[/red]"
    assert "[red]model[/red]" in printed(campaign) and "[red]reason[/red]" in printed(campaign)


def test_empty_table() -> None:
    assert results_table([], []).row_count == 0

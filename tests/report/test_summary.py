"""Counts, statuses and estimates behind the page and the terminal's table."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from aiida_falsemetal.physics.selection import select_frames
from aiida_falsemetal.report.summary import failure_counts, mean_gap, status_counts, summarize
from aiida_falsemetal.report.table import results_table

from .conftest import NOT_CONVERGED, Campaign


def test_statuses(campaign: Campaign) -> None:
    pairs = summarize(campaign.rows, campaign.pairs)
    assert status_counts(pairs) == [
        ("metallized", 3),
        ("not metallized", 3),
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
    console.print(results_table(campaign.rows, campaign.pairs))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_table_has_a_row_a_pair(campaign: Campaign) -> None:
    campaign.pairs[0]["exit_code"] = 410
    lines = [line for line in printed(campaign).splitlines() if "film-" in line]
    assert len(lines) == len(campaign.pairs)
    first = [cell.strip() for cell in lines[0].strip("│").split("│")]
    pair = campaign.pairs[0]
    assert first[:6] == ["film-25A", "mace-sr-4.5", "1", "no", "metallized", "2 / 14 / 16 (2 failed)"]
    assert first[6] == f"{pair['min_gap']:.2f}"
    assert first[8] == f"{1e3 * pair['sd_Mz_per_area']:.2f} [{1e3 * pair['sd_low']:.2f}, {1e3 * pair['sd_high']:.2f}]"
    assert first[9].startswith(f"{pair['sd_Mz_per_area'] / pair['expected_sd_Mz_per_area']:.2f} [")
    assert first[10] == "410"


def test_table_shows_labels_as_they_are(campaign: Campaign) -> None:
    campaign.pairs[0]["mlip"] = "[red]model[/red]"
    assert "[red]model[/red]" in printed(campaign)


def test_empty_table() -> None:
    assert results_table([], []).row_count == 0

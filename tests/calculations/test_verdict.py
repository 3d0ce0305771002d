"""A verdict never gets better because something failed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_falsemetal.calculations.verdict import (
    count_gaps,
    dipole_statistics,
    expected_width,
    judge,
    missing_energy_test,
    pair_verdict,
)
from aiida_falsemetal.physics.constants import BOLTZMANN, EPS0
from aiida_falsemetal.physics.gaplaw import BREAKDOWN
from tests.data import nodes

INFO = {"area": 100.0, "thickness": 25.0}
GIVEN = {"temperature": 300.0, "equilibration": 0.0, "md_message": "", "lost": 0}


def good(gap: float) -> dict[str, Any]:
    return {"gap": gap, "metallic": gap < 0.2, "exit_code": 0}


def bad(code: int = 410) -> dict[str, Any]:
    return {"gap": None, "metallic": None, "exit_code": code}


def verdict(results: list[dict[str, Any]], lost: int = 0, md_message: str = "") -> str:
    return judge(count_gaps(results, lost), md_message)[0]


GAPS = st.lists(st.floats(0.0, 6.0), max_size=8)
FAILURES = st.lists(st.sampled_from([1, 305, 410, 540]), max_size=5)
MESSAGES = st.sampled_from(["", "The film evaporated."])


@given(GAPS, FAILURES, st.integers(0, 3), MESSAGES)
def test_failed_frames_never_improve_the_verdict(gaps: list[float], codes: list[int], lost: int, message: str) -> None:
    results = [good(gap) for gap in gaps]
    before = verdict(results, md_message=message)
    after = verdict(results + [bad(code) for code in codes], lost, message)
    if before == "not metallized":
        assert after == ("undecided" if codes or lost else "not metallized")
    else:
        assert after == before


@given(st.lists(st.floats(0.0, 6.0), min_size=1, max_size=8), st.data(), MESSAGES)
def test_a_gap_that_is_lost_never_improves_the_verdict(gaps: list[float], data: st.DataObject, message: str) -> None:
    gone = data.draw(st.integers(0, len(gaps) - 1))
    results = [good(gap) for gap in gaps]
    before = verdict(results, md_message=message)
    without = results[:gone] + results[gone + 1 :]
    if before != "not metallized":
        assert verdict([*without, bad()], md_message=message) != "not metallized"
        assert verdict(without, 1, message) != "not metallized"


@given(GAPS, FAILURES, st.integers(0, 3))
@settings(max_examples=50)
def test_interval_holds_every_outcome_of_the_failed(gaps: list[float], codes: list[int], lost: int) -> None:
    results = [good(gap) for gap in gaps]
    failures = [bad(code) for code in codes]
    counts = count_gaps(results + failures, lost)
    assert counts["selected"] == len(gaps) + len(codes) + lost == counts["converged"] + sum(counts["failed"].values())
    for outcome in (0.0, 5.0):
        known = count_gaps(results + [good(outcome)] * (len(codes) + lost))
        if known["selected"]:
            assert counts["fraction_metallic_low"] <= known["fraction_metallic_low"] + 1e-12
            assert counts["fraction_metallic_high"] >= known["fraction_metallic_high"] - 1e-12


def test_counts_are_by_exit_code() -> None:
    counts = count_gaps([good(0.1), good(3.0), bad(410), bad(410), bad(305)], lost=2)
    assert counts["failed"] == {"410": 2, "305": 1, "lost": 2}
    assert (counts["selected"], counts["converged"], counts["metallic"]) == (7, 2, 1)
    assert (counts["fraction_metallic"], counts["min_gap"]) == (0.5, 0.1)


def test_nothing_at_all_is_undecided() -> None:
    counts = count_gaps([])
    assert counts["fraction_metallic"] is counts["fraction_metallic_low"] is counts["min_gap"] is None
    assert judge(counts, "") == ("undecided", "No frame has a computed gap.")


@pytest.mark.parametrize(
    ("results", "lost", "message", "expected", "reason"),
    [
        ([good(4.0), good(3.0)], 0, "", "not metallized", "None of 2"),
        ([good(4.0), good(0.0)], 0, "", "metallized", "1 of 2"),
        ([good(0.0), bad()], 3, "It exploded.", "metallized", "1 of 1"),
        ([good(4.0), bad()], 0, "", "undecided", "1 of 2 frames have no gap"),
        ([good(4.0)], 1, "", "undecided", "1 of 2 frames have no gap"),
        ([good(4.0)], 0, "It exploded.", "undecided", "It exploded."),
        ([bad()], 0, "", "undecided", "No frame has a computed gap"),
    ],
)
def test_reasons(results: list[dict[str, Any]], lost: int, message: str, expected: str, reason: str) -> None:
    found = judge(count_gaps(results, lost), message)
    assert found[0] == expected
    assert reason in found[1]


def test_spread_is_held_against_an_isolated_film() -> None:
    # White noise with the spread of theory: <M^2> = (1/eps_inf - 1/eps) eps0 V kT, PHYSICS.md, section 3.
    expected = np.sqrt((1 / 1.78 - 1 / 78) * EPS0 * 2500.0 * BOLTZMANN * 300.0)
    steps = list(range(0, 40000, 10))
    series = nodes.series(steps, expected * np.random.default_rng(4).normal(size=len(steps)))
    found = dipole_statistics(series, INFO, GIVEN)
    assert found["expected_sd_Mz_per_area"] == pytest.approx(expected / 100.0, rel=1e-3)
    # 4000 independent samples know the spread to 1.1 %; four times that is one failure in 16000 seeds.
    assert found["sd_Mz_per_area"] == pytest.approx(expected / 100.0, rel=0.045)
    assert found["sd_low"] < found["sd_Mz_per_area"] < found["sd_high"]
    assert found["sampled_ps"] == pytest.approx(39.99)
    assert found["correlation_time_ps"] == pytest.approx(0.01, rel=0.2)


def test_equilibration_is_left_out() -> None:
    steps = list(range(0, 20000, 10))
    dipole = np.random.default_rng(5).normal(size=len(steps))
    dipole[:200] += 50.0  # the first 2 ps
    early, late = (
        dipole_statistics(nodes.series(steps, dipole), INFO, {**GIVEN, "equilibration": ps}) for ps in (0.0, 2.0)
    )
    auto = dipole_statistics(nodes.series(steps, dipole), INFO, {**GIVEN, "equilibration": "auto"})
    assert early["sd_Mz_per_area"] > 5 * late["sd_Mz_per_area"]
    assert late["sampled_ps"] == pytest.approx(17.99)
    assert auto["sd_Mz_per_area"] == pytest.approx(late["sd_Mz_per_area"], rel=0.1)


def test_what_ml_peg_counts_and_what_more_md_would_take() -> None:
    """Independent normal samples whose sd is the window's half: 4.6 % lie beyond two of them."""
    steps = list(range(0, 20000, 10))
    dipole = np.random.default_rng(8).normal(scale=0.5 * BREAKDOWN * INFO["area"], size=len(steps))
    dipole[:200] = 0.0  # 2 ps that ours leaves out and ML-PEG does not
    found = dipole_statistics(nodes.series(steps, dipole), INFO, {**GIVEN, "equilibration": 2.0})
    assert found["mlpeg_sigma"] == pytest.approx(np.std(dipole / INFO["area"]))
    assert found["mlpeg_fraction"] == pytest.approx(0.9 * found["fraction_beyond_window"])
    assert found["fraction_beyond_low"] < 0.0455 < found["fraction_beyond_high"]
    assert (found["more_ps"], found["more_ps_low"], found["more_ps_high"]) == (0.0, 0.0, 0.0)
    # A tenth of it has 180 independent samples, and 10 % take some 200: between nothing and as much again.
    short = dipole_statistics(nodes.series(steps[:380], dipole[:380]), INFO, {**GIVEN, "equilibration": 2.0})
    assert 0.0 < short["more_ps"] < 1.8
    none = dipole_statistics(nodes.series(steps[:205], dipole[:205]), INFO, {**GIVEN, "equilibration": 2.0})
    assert none["more_ps"] is None and none["mlpeg_sigma"] is not None


def with_energy(moment: float, slope: float, **changes: Any) -> dict[str, Any]:
    """A frame whose DFT energy exceeds the MLIP's by ``slope`` times 1.78 M_z^2 / (2 eps0 A d), but for a constant."""
    energy = slope * 1.78 * moment**2 / (2 * EPS0 * 2500.0)
    return {**good(4.0), "Mz": moment, "energy": -900.0 + energy, "energy_mlip": -30.0, **changes}


MOMENTS = (0.2, -1.1, 1.9, -2.8, 3.5)


@pytest.mark.parametrize(("slope", "words"), [(1.0, "consistent with 1, not"), (0.0, "consistent with 0, not")])
def test_missing_energy_is_an_output(slope: float, words: str) -> None:
    metallic = with_energy(9.0, 0.2, gap=0.0, metallic=True)
    results = [
        *(with_energy(moment, slope) for moment in MOMENTS),
        metallic,
        {**bad(), "Mz": 8.0, "energy": None, "energy_mlip": -30.0},
    ]
    # Noise far below any tolerance here, else the interval would have no width and rounding would decide the words.
    for index, result in enumerate(results[:5]):
        result["energy"] += 1e-4 * (-1) ** index
    nodes_ = {f"result_{number}": orm.Dict(value) for number, value in enumerate(results)}
    found = pair_verdict(orm.Dict(INFO), orm.Dict(GIVEN), **nodes_).get_dict()
    assert found["missing_energy_slope"] == pytest.approx(slope, abs=0.01)
    assert found["missing_energy_low"] < slope < found["missing_energy_high"]
    assert found["missing_energy_frames"] == 5
    assert found["missing_energy_says"].startswith(words)
    assert "1 metallic, 1 without a DFT energy" in found["missing_energy_says"]
    assert found["missing_energy_unit"] == pytest.approx(1.78 / (2 * EPS0 * 2500.0))
    # The test is evidence of its own and changes no verdict.
    assert found["verdict"] == "metallized"


def test_results_of_an_older_version_have_no_missing_energy() -> None:
    old = [{**with_energy(moment, 1.0)} for moment in MOMENTS]
    for result in old:
        del result["energy_mlip"]
    found = missing_energy_test(old, INFO)
    assert found["missing_energy_slope"] is found["missing_energy_low"] is found["missing_energy_high"] is None
    assert found["missing_energy_frames"] == 0
    assert "5 without an MLIP energy" in found["missing_energy_says"]


def test_calculation_function_reads_its_nodes() -> None:
    results = {f"result_{number}": orm.Dict(value) for number, value in enumerate((good(4.0), bad(), good(3.0)))}
    steps = list(range(0, 2000, 10))
    node = pair_verdict(orm.Dict(INFO), orm.Dict({**GIVEN, "lost": 1}), series=nodes.series(steps), **results)
    found = node.get_dict()
    assert (found["verdict"], found["selected"], found["failed"]) == ("undecided", 4, {"410": 1, "lost": 1})
    assert found["n_eff"] > 20
    without = pair_verdict(orm.Dict(INFO), orm.Dict(GIVEN)).get_dict()
    assert (without["verdict"], without["sd_Mz_per_area"], without["sampled_ps"]) == ("undecided", None, 0.0)
    assert set(without) == set(found)


def test_width_of_other_liquids_and_of_ice() -> None:
    """sqrt((1/eps_inf - 1/eps) eps0 A d kT) / A with the liquid's own permittivities; none for ice."""
    geometry = {"area": 100.0, "thickness": 20.0, "eps": 32.6, "eps_inf": 1.76}
    kT = 0.025852
    theory = ((1 / 1.76 - 1 / 32.6) * 5.526349e-3 * 2000.0 * kT) ** 0.5 / 100.0
    assert expected_width(geometry, 300.0) == pytest.approx(theory, rel=1e-4)
    assert expected_width({**geometry, "eps": None}, 300.0) is None


@pytest.mark.parametrize(("beyond", "text"), [(1.0, "100 %"), (0.823, "82 %"), (0.0391, "3.9 %"), (0.0004, "0.04 %")])
def test_share_beyond_the_window_is_a_plain_percentage(beyond: float, text: str) -> None:
    """Not 1e+02 %."""
    summary = {**count_gaps([good(3.0)]), "fraction_beyond_window": beyond}
    assert f"but {text} of the trajectory" in judge(summary, "")[1]

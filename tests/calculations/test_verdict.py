"""What gaps and dipoles amount to: counts, spreads, estimates, and verdicts that failures never improve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_falsemetal.calculations.evidence import (
    Seed,
    calibrated,
    count_gaps,
    fitted_law,
    missing_energy_test,
    pooled_fraction,
    predicted_gaps,
    summarize,
)
from aiida_falsemetal.calculations.selection import select_frames
from aiida_falsemetal.calculations.verdict import THRESHOLDS, cell_verdict, interface_law, pair_verdict
from aiida_falsemetal.physics.constants import BOLTZMANN, EPS0
from aiida_falsemetal.physics.gaplaw import BREAKDOWN
from aiida_falsemetal.physics.series import Fraction, wilson
from aiida_falsemetal.physics.verdict import FALSE, SAFE, UNDECIDED
from tests.data import nodes

INFO = {"area": 100.0, "thickness": 25.0, "molecules": nodes.film()[1]["molecules"]}
GIVEN = {**THRESHOLDS, "temperature": 300.0, "equilibration": 0.0}
RANK = {FALSE: 0, UNDECIDED: 1, SAFE: 2}


def good(gap: float, drop: float = 0.5) -> dict[str, Any]:
    gap, drop = float(gap), float(drop)
    return {"gap": gap, "metallic": bool(gap < 0.2), "exit_code": 0, "expected_drop": drop, "drop": drop}


def bad(code: int = 410) -> dict[str, Any]:
    return {"gap": None, "metallic": None, "exit_code": code, "expected_drop": 0.5}


def seed_of(
    frames: list[dict[str, Any]], lost: int = 0, message: str = "", sd: float = 0.003, samples: int = 4000
) -> Seed:
    """Frames chosen blindly of white noise of M_z/A, by default narrow and long enough for any verdict."""
    chosen, metallic = len(frames) + lost, sum(bool(frame["metallic"]) for frame in frames)
    computed = sum(frame["gap"] is not None for frame in frames)
    failed = chosen - computed
    fraction = None
    if chosen:
        least, most = metallic / chosen, (metallic + failed) / chosen
        ends = wilson(least, chosen)[0], wilson(most, chosen)[1]
        fraction = Fraction((least + most) / 2, *ends, chosen, 0.95, least, most)
    time = np.arange(samples) * 0.01
    moment = np.random.default_rng(3).normal(scale=sd, size=samples)
    return Seed(time, moment, frames, lost, 400, fraction, None, message)


def judged(*seeds: Seed, **changes: Any) -> dict[str, Any]:
    return summarize(list(seeds), INFO, {**GIVEN, **changes})


OPEN = [good(4.4 - drop + shift, drop) for drop, shift in zip(np.linspace(0, 1.2, 12), 6 * [0.1, -0.1], strict=True)]
"""Twelve open frames on the law, 0.1 eV of scatter."""


def test_a_pair_that_keeps_its_gap_is_safe() -> None:
    """sd 0.003 e/Å is 0.54 V: eight of them from closing."""
    found = judged(seed_of(OPEN))
    assert found["verdict"] == SAFE, found["reason"]
    assert "By the gap law" in found["reason"] and found["metallized_bound"] < 0.01
    assert found["would_decide"] == ""


def test_metallic_frames_accuse() -> None:
    found = judged(seed_of([*OPEN[:2], good(0.0, 5.0), good(0.05, 5.5)], sd=0.02))
    assert found["verdict"] == FALSE
    assert (found["metallic"], found["metallized_bound"]) == (2, None)


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        (seed_of([*OPEN, bad()]), "1 of 13 frames has no gap"),
        (seed_of(OPEN, lost=1), "1 of 13 frames has no gap"),
        (seed_of(OPEN, message="It exploded."), "It exploded"),
        (seed_of([bad()]), "No frame has a computed gap"),
        (seed_of([]), "No frame has a computed gap"),
        (seed_of(OPEN, samples=5), "No dipole series"),
        (seed_of(OPEN, sd=0.012), "By the gap law it is up to"),
    ],
)
def test_what_stands_against_safe(seed: Seed, reason: str) -> None:
    found = judged(seed)
    assert found["verdict"] == UNDECIDED
    assert reason in found["reason"], found["reason"]
    assert found["would_decide"]


GAPS = st.lists(st.floats(0.0, 6.0), max_size=8)
FAILURES = st.lists(st.sampled_from([1, 305, 410, 540]), max_size=5)
MESSAGES = st.sampled_from(["", "The film evaporated."])
SPREADS = st.sampled_from([0.003, 0.02])


@given(GAPS, FAILURES, st.integers(0, 3), MESSAGES, SPREADS)
@settings(deadline=None, max_examples=60)
def test_failed_frames_never_improve_the_verdict(
    gaps: list[float], codes: list[int], lost: int, message: str, sd: float
) -> None:
    results = [good(gap) for gap in gaps]
    before = judged(seed_of(results, 0, message, sd))["verdict"]
    after = judged(seed_of(results + [bad(code) for code in codes], lost, message, sd))["verdict"]
    # A frame that fails may also water down an accusation; never does it make a pair safe.
    assert after != SAFE or before == SAFE
    if codes or lost:
        assert after != SAFE


@given(st.lists(st.floats(0.0, 6.0), min_size=1, max_size=8), st.data(), MESSAGES, SPREADS)
@settings(deadline=None, max_examples=60)
def test_a_gap_that_is_lost_never_improves_the_verdict(
    gaps: list[float], data: st.DataObject, message: str, sd: float
) -> None:
    gone = data.draw(st.integers(0, len(gaps) - 1))
    results = [good(gap) for gap in gaps]
    without = results[:gone] + results[gone + 1 :]
    assert judged(seed_of([*without, bad()], 0, message, sd))["verdict"] != SAFE
    assert judged(seed_of(without, 1, message, sd))["verdict"] != SAFE


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


def of_dipoles(steps: list[int], dipole: np.ndarray, **changes: Any) -> dict[str, Any]:
    """The verdict on a series of M_z (e Å) alone."""
    given_ = orm.Dict({**GIVEN, **changes})
    found: dict[str, Any] = pair_verdict(orm.Dict(INFO), given_, series=nodes.series(steps, dipole)).get_dict()
    return found


def test_spread_is_held_against_an_isolated_film() -> None:
    # White noise with the spread of theory: <M^2> = (1/eps_inf - 1/eps) eps0 V kT, PHYSICS.md, section 3.
    expected = np.sqrt((1 / 1.78 - 1 / 78) * EPS0 * 2500.0 * BOLTZMANN * 300.0)
    steps = list(range(0, 40000, 10))
    found = of_dipoles(steps, expected * np.random.default_rng(4).normal(size=len(steps)))
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
    early, late = (of_dipoles(steps, dipole, equilibration=ps) for ps in (0.0, 2.0))
    auto = of_dipoles(steps, dipole, equilibration="auto")
    assert early["sd_Mz_per_area"] > 5 * late["sd_Mz_per_area"]
    assert late["sampled_ps"] == pytest.approx(17.99)
    assert auto["sd_Mz_per_area"] == pytest.approx(late["sd_Mz_per_area"], rel=0.1)


def test_what_ml_peg_counts_and_what_more_md_would_take() -> None:
    """Independent normal samples whose sd is the window's half: 4.6 % lie beyond two of them."""
    steps = list(range(0, 20000, 10))
    dipole = np.random.default_rng(8).normal(scale=0.5 * BREAKDOWN * INFO["area"], size=len(steps))
    dipole[:200] = 0.0  # 2 ps that ours leaves out and ML-PEG does not
    found = of_dipoles(steps, dipole, equilibration=2.0)
    assert found["mlpeg_sigma"] == pytest.approx(np.std(dipole / INFO["area"]))
    assert found["mlpeg_fraction"] == pytest.approx(0.9 * found["fraction_beyond_window"])
    assert found["fraction_beyond_low"] < 0.0455 < found["fraction_beyond_high"]
    assert (found["more_ps"], found["more_ps_low"], found["more_ps_high"]) == (0.0, 0.0, 0.0)
    # A tenth of it has 180 independent samples, and 10 % take some 200: between nothing and as much again.
    short = of_dipoles(steps[:380], dipole[:380], equilibration=2.0)
    assert 0.0 < short["more_ps"] < 1.8
    none = of_dipoles(steps[:205], dipole[:205], equilibration=2.0)
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
    assert found["verdict"] == UNDECIDED


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


def test_width_is_that_of_the_models_boundary() -> None:
    """The isolated film of water unless the model says otherwise: tin-foil in a cell twice as high, where n is 1/2; and
    a classical model's own dipole, seen with screened charges (PHYSICS.md, section 3). None for ice."""
    kT = 0.025852
    volume, steps = 2500.0, list(range(0, 2000, 10))
    info = {**INFO, "height": 50.0, "vacuum": 25.0}

    def width(info: dict[str, Any], facts: Any) -> Any:
        given_ = orm.Dict({**GIVEN, "facts": facts})
        return pair_verdict(orm.Dict(info), given_, series=nodes.series(steps)).get_dict()["expected_sd_Mz_per_area"]

    def theory(ratio: float) -> float:
        return float((ratio * 5.526349e-3 * volume * kT) ** 0.5 / 100.0)

    assert width(info, None) == pytest.approx(theory(1 / 1.78 - 1 / 78), rel=1e-3)
    foil = {"boundary": "tin-foil", "charges": {"O": -0.82, "H": 0.41}}
    expected = (0.5562 / 0.82) ** 2 * 77 / (1 + 77 * 0.5)
    assert width(info, foil) == pytest.approx(theory(expected), rel=1e-3)
    assert width({**info, "eps": None}, None) is None


# --- several seeds ---


def test_seeds_that_agree_are_pooled() -> None:
    """Two halves of one series: the spread's interval is that of the whole, and frames add up."""
    whole = seed_of(OPEN)
    assert whole.time is not None and whole.moment is not None
    halves = [
        Seed(whole.time[:2000], whole.moment[part], OPEN[k::2], 0, 200, seed_of(OPEN[k::2]).metallized)
        for k, part in enumerate((slice(0, 2000), slice(2000, 4000)))
    ]
    one, two = judged(whole), judged(*halves)
    assert two["verdict"] == SAFE and (two["seeds"], two["converged"]) == (2, 12)
    for key in ("sd_Mz_per_area", "sd_low", "sd_high", "n_eff"):
        assert two[key] == pytest.approx(one[key], rel=0.05)
    assert two["disagreeing"] == [] and two["p_mean"] is not None and one["p_mean"] is None


def test_a_seed_that_is_stuck_is_named() -> None:
    seeds = [seed_of(OPEN) for _ in range(3)]
    moments = [np.random.default_rng(k).normal(scale=0.003, size=4000) for k in range(3)]
    moments[2] = moments[2] + 0.006  # two standard deviations off
    shifted = [
        Seed(seed.time, moment, seed.frames, 0, 400, seed.metallized, name=name)
        for seed, moment, name in zip(seeds, moments, (7, 3, 12), strict=True)
    ]
    found = judged(*shifted)
    assert found["verdict"] == UNDECIDED and found["disagreeing"] == [12]
    assert "The seeds disagree (seed 12)" in found["reason"]


def test_seeds_sampled_differently_are_not_pooled() -> None:
    first, second = seed_of(OPEN), seed_of(OPEN)
    assert second.time is not None
    slow = Seed(2 * second.time, second.moment, OPEN, 0, 400, second.metallized)
    with pytest.raises(ValueError, match="one `stride` and timestep"):
        judged(first, slow)


def test_a_seed_without_an_estimate_leaves_none() -> None:
    assert pooled_fraction([seed_of(OPEN), Seed(None, None, [good(4.0)])]) is None
    assert pooled_fraction([seed_of(OPEN), Seed(None, None, [])]) is not None


# --- the law of an interface ---


def test_law_with_errors_in_the_drop() -> None:
    """60 frames on 4.4 - 0.9 |drop|, 0.2 eV of scatter, point charges 0.15 V off: both in their intervals."""
    rng = np.random.default_rng(2)
    true = rng.normal(scale=1.0, size=60)
    frames = [
        {**good(float(4.4 - 0.9 * abs(d) + 0.2 * rng.normal()), float(d + 0.15 * rng.normal())), "drop": float(d)}
        for d in true
    ]
    known = calibrated(frames)
    assert known is not None and 0.05 < known.drop_error < 0.2
    law = fitted_law(frames)
    assert law["law_intercept_low"] < 4.4 < law["law_intercept_high"]
    assert law["law_slope_low"] < 0.9 < law["law_slope_high"]
    assert law["law_frames"] == 60
    assert set(fitted_law(frames[:2]).values()) == {None}
    # The predictive interval: 95 % of frames that were not computed, on point charges' drops of their own.
    predicted = predicted_gaps(frames)
    assert predicted is not None and predicted_gaps(frames[:2]) is None
    fresh = rng.normal(scale=1.0, size=4000)
    gaps, seen = 4.4 - 0.9 * np.abs(fresh) + 0.2 * rng.normal(size=4000), np.abs(fresh + 0.15 * rng.normal(size=4000))
    inside = seen <= predicted["drop"][-1]
    low, high = (np.interp(seen[inside], predicted["drop"], predicted[end]) for end in ("low", "high"))
    # One calibration of 60 frames: its scatter is known to 9 %, which moves the coverage by 2 %.
    assert 0.90 <= np.mean((low <= gaps[inside]) & (gaps[inside] <= high)) <= 0.985


def test_law_of_films_whose_dipole_folds_at_zero() -> None:
    """60 frames of a film, drops of 2 V around 0, point charges 0.5 V off, 40 times: an error that folds over with its
    drop flattens the slope less than its own size says. The standard error of the mean slope is 0.01; taken in full the
    slope would be 1.14, and 84 % of the intervals would hold it."""
    rng = np.random.default_rng(8)
    slopes, held = [], 0
    for _ in range(40):
        true = rng.normal(scale=2.0, size=60)
        gaps = 12.0 - np.abs(true) + 0.25 * rng.normal(size=60)
        seen = true + 0.5 * rng.normal(size=60)
        frames = [{**good(g, x), "drop": float(y)} for g, x, y in zip(gaps, seen, true, strict=True)]
        law = fitted_law(frames)
        slopes.append(law["law_slope"])
        held += law["law_slope_low"] <= 1.0 <= law["law_slope_high"]
    assert np.mean(slopes) == pytest.approx(1.0, abs=0.04) and held >= 36


def test_law_of_an_interface_takes_the_frames_of_all_pairs() -> None:
    verdicts = {}
    for k in range(2):
        results = {f"result_{n:08d}": orm.Dict({**frame, "functional": "PBE"}) for n, frame in enumerate(OPEN[k::2])}
        verdicts[f"verdict_{k}"] = pair_verdict(orm.Dict(INFO), orm.Dict(GIVEN), **results)
    found = interface_law(**verdicts).get_dict()
    assert (found["frames"], found["functional"], found["metallic"]) == (12, "PBE", 0)
    assert found["intercept"] == pytest.approx(4.4, abs=0.2) and found["slope"] == pytest.approx(1.0, abs=0.3)
    assert sorted(found["computed"]["drop"]) == pytest.approx(np.linspace(0, 1.2, 12))


# --- nodes: a pair and its seeds ---


def pair_of(
    drops: np.ndarray,
    seed: int,
    law: tuple[float, float] = (4.4, 1.0),
    frames: tuple[int, int] = (8, 2),
    **changes: Any,
) -> tuple[orm.Dict, orm.ArrayData]:
    """Verdict and series of a trajectory with these drops (V), a frame every 10 steps, whose law has no scatter.

    :param law: intercept (eV) and slope (eV/V) of the gap.
    :param frames: stratified and uniform ones.
    """
    steps = list(range(0, 10 * len(drops), 10))
    moments = drops * EPS0 * INFO["area"]
    trajectory, series = nodes.polarised(steps, moments), nodes.series(steps, moments)
    asked = {"stratified": frames[0], "uniform": frames[1], "strata": 4, "start": 0.0, "seed": seed}
    chosen = select_frames(trajectory, series, orm.Dict(INFO), orm.Dict(asked))
    results = {}
    for name, record in chosen.items():
        if name.startswith("record_"):
            known = record.get_dict()
            gap = max(law[0] - law[1] * abs(known["expected_drop"]), 0.0)
            results[name.replace("record", "result")] = orm.Dict(
                {**known, "gap": gap, "metallic": gap < 0.2, "exit_code": 0, "drop": known["expected_drop"]}
            )
    batches = {name: node for name, node in chosen.items() if name.startswith("batch_")}
    verdict = pair_verdict(
        orm.Dict(INFO),
        orm.Dict({**GIVEN, **changes}),
        series=series,
        population=chosen["population"],
        **batches,
        **results,
    )
    return verdict, series


def test_frames_that_keep_their_gap_accuse_nobody_however_wide_the_dipole() -> None:
    """A film that cannot close its gap, 12 eV less 0.3 of the drop, with drops of 3 V. What is known of other films
    expects metals among its frames; none of those computed is one, and two seeds together are no evidence either."""
    for start in range(0, 12, 2):
        seeds = [pair_of(drops_of(start + k, 3.0), start + k, law=(12.0, 0.3), frames=(3, 2)) for k in (0, 1)]
        known = {f"verdict_{k}": verdict for k, (verdict, _) in enumerate(seeds)}
        known |= {f"series_{k}": series for k, (_, series) in enumerate(seeds)}
        found = cell_verdict(orm.Dict(INFO), orm.Dict(GIVEN), **known).get_dict()
        assert found["metallic"] == 0 and found["metallized_low"] == found["metallized_least"] == 0.0
        assert found["verdict"] != FALSE, found["reason"]
        assert found["mean_gap_low"] <= found["mean_gap"] <= found["mean_gap_high"]


def drops_of(seed: int, sd: float, count: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=sd, size=count)


def test_estimates_are_of_the_trajectory_not_of_the_chosen_frames() -> None:
    """12 % of the frames are beyond 4.2 V. The stratified frames hold far more of them; the estimate does not."""
    drops = drops_of(1, 2.7)
    true = float(np.mean(np.abs(drops) > 4.2))
    found = pair_of(drops, 4)[0].get_dict()
    assert found["population"] == 300 and found["selected"] == 10
    assert found["metallized_low"] <= true <= found["metallized_high"]
    assert found["mean_gap_low"] <= float(np.mean(np.clip(4.4 - np.abs(drops), 0, None))) <= found["mean_gap_high"]
    assert found["metallized_least"] == found["metallized_most"]


def test_cell_is_judged_from_its_seeds_and_its_reference() -> None:
    """Films of 3 V of spread against a twin of 0.6 V."""
    wide, narrow = [pair_of(drops_of(k, 3.0), k) for k in (1, 2)], [pair_of(drops_of(k, 0.6), k) for k in (3, 4)]

    def cell(pairs: list[Any], reference: Any = None, **changes: Any) -> orm.Dict:
        inputs: dict[str, Any] = {f"verdict_{k}": verdict for k, (verdict, _) in enumerate(pairs)}
        inputs.update({f"series_{k}": series for k, (_, series) in enumerate(pairs)})
        if reference is not None:
            inputs["reference"] = reference
        found: orm.Dict = cell_verdict(orm.Dict(INFO), orm.Dict({**GIVEN, **changes}), **inputs)
        return found

    twin = cell(narrow)
    assert (twin["verdict"], twin["seeds"], twin["selected"]) == (SAFE, 2, 20), twin["reason"]
    alone = cell(wide)
    assert alone["verdict"] == FALSE and alone["reference"] is None
    beside = cell(wide, twin, reference_name="twin")
    assert beside["verdict"] == FALSE and beside["reference"] == "twin"
    assert "The reference has" in beside["reason"]
    # A reference of which nothing is known absolves nobody and condemns nobody.
    unknown = cell(wide, None, reference_name="twin")
    assert unknown["verdict"] == UNDECIDED and "cannot be told apart" in unknown["reason"]
    # A metallized reference: the metal may be real.
    real = cell(wide, alone, reference_name="other")
    assert real["verdict"] == UNDECIDED and "the metal may be real" in real["reason"]
    # A seed that left nothing stands against safe.
    lame = cell(narrow, missing=["Seed 3: The MD could not be run."])
    assert lame["verdict"] == UNDECIDED and "Seed 3" in lame["reason"]

"""The rule: what it says in plain cases, and that nothing that fails or is missing ever makes a pair safe."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from aiida_falsemetal.physics import verdict
from aiida_falsemetal.physics.expected import Ratio
from aiida_falsemetal.physics.series import Fraction, fraction_outside, wilson
from aiida_falsemetal.physics.verdict import FALSE, SAFE, UNDECIDED, Evidence, Thresholds, judge, metallized_fraction

from .test_statistics import ar1

RANK = {FALSE: 0, UNDECIDED: 1, SAFE: 2}


def evidence(metallic: int, computed: int, failed: int = 0, **changes: Any) -> Evidence:
    """Everything else as good as it can be."""
    good = {"beyond": Fraction(0.0, 0.0, 0.001, 4000.0), "rhat": 1.01, "sampled_ps": 200.0}
    fraction = metallized_fraction(metallic, computed, failed)
    return Evidence(fraction, computed + failed, computed, metallic, **{**good, **changes})


def percent(k: int, n: int) -> Fraction:
    found = metallized_fraction(k, n, 0)
    assert found is not None
    return found


# --- plain cases ---


def test_safe_takes_381_frames_at_one_per_cent() -> None:
    """Wilson's upper end of 0 of n is z^2/(n + z^2): 1 % at 380.3."""
    assert judge(evidence(0, 381)).verdict == SAFE
    almost = judge(evidence(0, 380))
    assert almost.verdict == UNDECIDED
    assert almost.would_decide == "1 frame more, with the same fraction, would make it safe."
    few = judge(evidence(0, 24))
    assert "357 frames more" in few.would_decide
    assert judge(evidence(0, 24), Thresholds(acceptable=0.15)).verdict == SAFE


def test_never_no_frame_more() -> None:
    """The seeds' pooled interval is wider than Wilson's of as many trials, which would have decided already."""
    pooled = replace(evidence(2, 12), metallized=Fraction(0.109, 0.007, 0.415, 100.0))
    assert wilson(0.109, 100.0, 0.95)[0] > 0.01
    assert "1 frame more, with the same fraction, would make it false metallization." in judge(pooled).would_decide


def test_two_of_24_are_too_many_and_one_is_open() -> None:
    assert judge(evidence(2, 24)).verdict == FALSE
    one = judge(evidence(1, 24))
    assert one.verdict == UNDECIDED
    assert "would make it false metallization" in one.would_decide


def test_nobody_is_accused_without_a_computed_metal() -> None:
    """An estimate may expect metals among the frames that were not computed; that is the model's guess."""
    guessed = Evidence(Fraction(0.11, 0.037, 0.38, 10.0), 10, 10, 0, rhat=1.01, beyond=Fraction(0.05, 0.02, 0.1, 50.0))
    assert judge(guessed).verdict == UNDECIDED
    assert judge(replace(guessed, metallic=1)).verdict == FALSE


def test_frames_that_would_decide_do() -> None:
    """The number in the sentence, added with the same fraction, decides."""
    for metallic, computed, acceptable in [(0, 24, 0.01), (1, 24, 0.01), (1, 40, 0.1), (3, 40, 0.05)]:
        limits = Thresholds(acceptable=acceptable)
        said = judge(evidence(metallic, computed), limits)
        assert said.verdict == UNDECIDED
        total = computed + int(said.would_decide.split()[0])
        low, high = wilson(metallic / computed, total)
        assert low > acceptable or high <= acceptable
        low, high = wilson(metallic / computed, total - 2)
        assert low <= acceptable < high


def test_failed_frames_bound_the_answer() -> None:
    """Of 400 frames none metallic: safe; with 4 failed it is not, at 10 % it still is."""
    assert judge(evidence(0, 400)).verdict == SAFE
    failed = judge(evidence(0, 396, failed=4))
    assert failed.verdict == UNDECIDED
    assert "4 of 400 frames have no gap" in failed.reason
    assert failed.would_decide.startswith("The 4 frames without a gap come first.")
    assert judge(evidence(0, 396, failed=4), Thresholds(acceptable=0.1)).verdict == SAFE


def test_the_gap_law_shows_what_few_frames_cannot() -> None:
    """Four frames bound the fraction to 49 %; the law, with every frame's dipole, to 0.3 %."""
    few = judge(evidence(0, 4, beyond=Fraction(0.0, *wilson(0.0, 20.0), 20.0), bound=0.003))
    assert few.verdict == SAFE and "By the gap law at most 0.3 %" in few.reason and "None of 4" in few.reason
    more = judge(evidence(0, 4, bound=0.03))
    assert more.verdict == UNDECIDED and "By the gap law it is up to 3 %" in more.reason
    # It says nothing of frames that failed, nor where a metallic frame contradicts it.
    assert judge(evidence(0, 4, failed=1, bound=0.003)).verdict == UNDECIDED
    assert judge(evidence(1, 24, bound=0.003)).verdict == UNDECIDED
    assert judge(evidence(0, 0, bound=0.003)).verdict == UNDECIDED
    assert judge(evidence(0, 4, bound=0.003, md_message="It exploded.")).verdict == UNDECIDED
    assert judge(evidence(0, 4, bound=0.003, rhat=1.3)).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"beyond": None}, "No dipole series"),
        ({"beyond": Fraction(0.005, 0.001, 0.02, 300.0)}, "beyond the window"),
        ({"rhat": None}, "no R-hat"),
        ({"rhat": 1.3}, "R-hat is 1.3"),
        ({"rhat": math.inf}, "R-hat is inf"),
        ({"rhat": math.nan}, "R-hat is nan"),
        ({"seeds_disagree": True, "disagreeing": (0, 2)}, "disagree (seed 0, 2)"),
        ({"disagreeing": (1,)}, "disagree (seed 1)"),
        ({"md_message": "too hot at step 50."}, "too hot at step 50."),
        ({"missing": ("Seed 3: it was lost.",)}, "Seed 3: it was lost."),
    ],
)
def test_what_stands_against_safe(changes: dict[str, Any], reason: str) -> None:
    found = judge(evidence(0, 400, **changes))
    assert found.verdict == UNDECIDED
    assert reason in found.reason
    assert found.would_decide
    assert judge(evidence(30, 40, **changes)).verdict == FALSE


def test_time_that_would_decide() -> None:
    """0 beyond in 20 independent samples of 200 ps: 380.3 samples, 19 times as much, less what there is."""
    low, high = wilson(0.0, 20.0)
    found = judge(evidence(0, 400, beyond=Fraction(0.0, low, high, 20.0)))
    assert "3603 ps more of MD" in found.would_decide
    found = judge(evidence(0, 400, beyond=Fraction(0.0, low, high, 20.0), sampled_ps=None))
    assert "18 times as much MD" in found.would_decide


def test_nothing_computed() -> None:
    for failed in (0, 7):
        found = judge(evidence(0, 0, failed))
        assert (found.verdict, "No frame has a computed gap." in found.reason) == (UNDECIDED, True)
        assert "381 frames" in found.would_decide


def test_zero_tolerance_is_never_safe() -> None:
    found = judge(evidence(0, 10**6), Thresholds(acceptable=0.0))
    assert found.verdict == UNDECIDED
    assert "No number of frames" in found.would_decide
    assert judge(evidence(1, 10**6), Thresholds(acceptable=0.0)).verdict == FALSE


def test_wide_distribution_is_said_and_decides_nothing() -> None:
    wide = judge(evidence(0, 400, sd_ratio=Ratio(2.0, 1.6, 2.5)))
    assert wide.verdict == SAFE
    assert "2.00 [1.60, 2.50] times the expected one" in wide.reason
    assert "times" not in judge(evidence(0, 400, sd_ratio=Ratio(1.1, 0.9, 1.4))).reason


@pytest.mark.parametrize(
    "call",
    [
        lambda: Thresholds(acceptable=1.0),
        lambda: Thresholds(confidence=0.0),
        lambda: Thresholds(rhat=1.0),
        lambda: Evidence(None, 2, 3, 0),
        lambda: Evidence(None, 3, 2, 3),
        lambda: metallized_fraction(3, 2, 0),
        lambda: judge(evidence(0, 9), Thresholds(confidence=0.9)),
        lambda: verdict.excess(percent(1, 9), replace(percent(1, 9), confidence=0.9)),
    ],
)
def test_nonsense_is_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()


# --- with a reference ---


def test_reference_that_is_clean() -> None:
    """12 of 24 against 0 of 24."""
    found = judge(evidence(12, 24), reference=percent(0, 24))
    assert found.verdict == FALSE
    assert "exceeds it" in found.reason


def test_reference_that_is_metallized_itself() -> None:
    """The metal may be real, even where the pair exceeds it."""
    for metallic in (12, 24):
        found = judge(evidence(metallic, 24), reference=percent(12, 24))
        assert found.verdict == UNDECIDED
        assert "may be real" in found.reason
    assert "exceeds it" in found.reason


def test_reference_that_says_little() -> None:
    """3 of 24 against 0 of 8 are not told apart; the number of times in the sentence does it."""
    found = judge(evidence(3, 24), reference=percent(0, 8))
    assert found.verdict == UNDECIDED
    assert "cannot be told apart" in found.reason
    times = float(found.would_decide.split()[0])
    pair, reference = (verdict._grown(x, times * 1.05) for x in (percent(3, 24), percent(0, 8)))
    assert verdict.excess(pair, reference)[1] > 0
    same = judge(evidence(6, 24), Thresholds(acceptable=0.1), reference=percent(1, 4))
    assert "No number of frames" in same.would_decide


def test_reference_failures_count_against_the_accusation() -> None:
    """5 of 24 against 0 of 60 is an excess; with 20 of the 60 failed it is not, nor with the pair's frames failed."""
    assert judge(evidence(5, 24), reference=percent(0, 60)).verdict == FALSE
    failed = metallized_fraction(0, 40, 20)
    assert judge(evidence(5, 24), reference=failed).verdict == UNDECIDED
    assert verdict.excess(percent(5, 24), percent(0, 60))[1] > 0.0
    thin = metallized_fraction(5, 24, 200)
    assert thin is not None
    assert verdict.excess(thin, percent(0, 60))[1] < 0.0


# --- never better because something failed or is missing ---

COUNTS = st.tuples(st.integers(0, 60), st.integers(0, 900), st.integers(0, 30))
FRACTION = st.tuples(st.sampled_from([0.0, 0.003, 0.03, 0.5]), st.floats(5.0, 5000.0)).map(
    lambda drawn: Fraction(drawn[0], *wilson(*drawn), drawn[1])
)
OTHERS = st.fixed_dictionaries(
    {
        "beyond": st.none() | FRACTION,
        "bound": st.none() | st.floats(0.0, 1.0),
        "rhat": st.none() | st.floats(0.99, 1.3),
        "disagreeing": st.sampled_from([(), (1,)]),
        "seeds_disagree": st.booleans(),
        "md_message": st.sampled_from(["", "", "it exploded"]),
        "sampled_ps": st.none() | st.floats(1.0, 1e4),
        "sd_ratio": st.none() | st.just(Ratio(2.0, 1.5, 3.0)),
    }
)
LIMITS = st.sampled_from([0.0, 0.01, 0.05, 0.3]).map(lambda a: Thresholds(acceptable=a))
REFERENCE = st.none() | st.tuples(st.integers(0, 20), st.integers(1, 60), st.integers(0, 9)).map(
    lambda n: metallized_fraction(*n) if n[0] <= n[1] else None
)
WORSE = [
    {"beyond": None},
    {"bound": None},
    {"rhat": None},
    {"rhat": math.nan},
    {"rhat": 1.5},
    {"seeds_disagree": True},
    {"disagreeing": (0,)},
    {"md_message": "lost"},
    {"missing": ("Seed 3 is lost.",)},
]
MANY = settings(deadline=None, max_examples=120)


@MANY
@given(COUNTS, OTHERS, LIMITS, REFERENCE, st.sampled_from(WORSE))
def test_missing_numbers_never_help(
    counts: tuple[int, int, int],
    others: dict[str, Any],
    limits: Thresholds,
    reference: Fraction | None,
    worse: dict[str, Any],
) -> None:
    assume(counts[0] <= counts[1])
    known = evidence(*counts, **others)
    before, after = judge(known, limits, reference), judge(replace(known, **worse), limits, reference)
    assert RANK[after.verdict] <= RANK[before.verdict]
    assert bool(after.would_decide) == (after.verdict == UNDECIDED)


@MANY
@given(COUNTS, OTHERS, LIMITS, REFERENCE)
def test_a_failed_frame_never_helps(
    counts: tuple[int, int, int], others: dict[str, Any], limits: Thresholds, reference: Fraction | None
) -> None:
    """An open frame that fails leaves the verdict or worsens it. A metallic one that fails may withdraw an accusation,
    and never makes the pair safe."""
    metallic, computed, failed = counts
    assume(metallic <= computed and computed)
    before = judge(evidence(metallic, computed, failed, **others), limits, reference).verdict
    if metallic < computed:
        after = judge(evidence(metallic, computed - 1, failed + 1, **others), limits, reference).verdict
        assert RANK[after] <= RANK[before]
    if metallic:
        after = judge(evidence(metallic - 1, computed - 1, failed + 1, **others), limits, reference).verdict
        assert after != SAFE or before == SAFE


@MANY
@given(COUNTS, OTHERS, LIMITS)
def test_a_frame_that_was_never_run_never_helps(
    counts: tuple[int, int, int], others: dict[str, Any], limits: Thresholds
) -> None:
    """Selected frames that failed, against the same pair without them: never better."""
    metallic, computed, failed = counts
    assume(metallic <= computed)
    without = judge(evidence(metallic, computed, 0, **others), limits).verdict
    with_them = judge(evidence(metallic, computed, failed, **others), limits).verdict
    assert with_them != SAFE or without == SAFE


@MANY
@given(COUNTS, OTHERS, LIMITS, REFERENCE)
def test_a_metallic_frame_never_helps(
    counts: tuple[int, int, int], others: dict[str, Any], limits: Thresholds, reference: Fraction | None
) -> None:
    metallic, computed, failed = counts
    assume(metallic < computed)
    before = judge(evidence(metallic, computed, failed, **others), limits, reference).verdict
    after = judge(evidence(metallic + 1, computed, failed, **others), limits, reference).verdict
    assert after != SAFE or before == SAFE


# --- the two-sample test ---


def test_newcombe_as_published() -> None:
    """Newcombe, Stat. Med. 17, 873 (1998), table II, method 10: 56/70 against 48/80, and 9/10 against 3/10."""
    assert verdict.excess(percent(56, 70), percent(48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5.1e-5)
    assert verdict.excess(percent(9, 10), percent(3, 10)) == pytest.approx((0.6, 0.1705, 0.8090), abs=5.1e-5)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_fisher_against_scipy(n: int, m: int, data: st.DataObject) -> None:
    k, j = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    reference = stats.fisher_exact([[k, n - k], [j, m - j]], alternative="greater").pvalue
    assert verdict.fisher_probability(percent(k, n), percent(j, m)) == pytest.approx(reference, rel=1e-9)


def rates(n: int, m: int, p: float, q: float) -> tuple[float, float]:
    """Probability, exact by enumeration, that the pair (n frames, p) is said to exceed the reference (m frames, q), by
    Newcombe's interval and by Fisher's test at 2.5 %."""
    pairs, references = [percent(k, n) for k in range(n + 1)], [percent(j, m) for j in range(m + 1)]
    weight = np.outer(stats.binom.pmf(range(n + 1), n, p), stats.binom.pmf(range(m + 1), m, q))
    newcombe = np.array([[verdict.excess(a, b)[1] > 0.0 for b in references] for a in pairs])
    fisher = np.array([[verdict.fisher_probability(a, b) < 0.025 for b in references] for a in pairs])
    return float(weight[newcombe].sum()), float(weight[fisher].sum())


@pytest.mark.parametrize("p", [0.02, 0.1, 0.3, 0.5])
def test_equal_fractions_are_rarely_told_apart(p: float) -> None:
    """The level is 2.5 %, one-sided: at most 4 % by Newcombe's interval, never above 2.5 % by Fisher's exact test."""
    for n, m in [(24, 24), (24, 60), (60, 24)]:
        newcombe, fisher = rates(n, m, p, p)
        assert newcombe < 0.04
        assert fisher <= 0.025


@pytest.mark.parametrize(
    ("n", "m", "p", "q", "least"),
    [(24, 24, 0.5, 0.0, 0.99), (24, 24, 0.3, 0.0, 0.8), (24, 24, 0.2, 0.0, 0.4), (24, 60, 0.2, 0.0, 0.7)],
)
def test_power(n: int, m: int, p: float, q: float, least: float) -> None:
    """A false metal in half of the frames against a clean twin is found by 24 frames each; 20 % take more."""
    newcombe, fisher = rates(n, m, p, q)
    assert newcombe > least
    assert fisher <= newcombe + 1e-12


def test_two_samples_of_correlated_series() -> None:
    """Twins of the same spread, 10 % beyond the window, 20 correlation times each: told apart in at most 4 of 100
    although each has 1000 frames (measured: none of 300); if these were independent, 29 would be. Twice the spread,
    41 % beyond, is found in 85."""
    rng = np.random.default_rng(31)
    window, hits, naive, found = (-1.645, 1.645), 0, 0, 0
    for _ in range(100):
        one, other = ar1(rng, 1000, 50.0), ar1(rng, 1000, 50.0)
        pair, twin = fraction_outside([one], window), fraction_outside([other], window)
        hits += verdict.excess(pair, twin)[1] > 0.0
        frames = [percent(round(1000 * x.value), 1000) for x in (pair, twin)]
        naive += verdict.excess(*frames)[1] > 0.0
        found += verdict.excess(fraction_outside([2.0 * one], window), twin)[1] > 0.0
    assert hits <= 4
    assert naive > 15
    assert found > 60

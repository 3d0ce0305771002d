"""Batches: probabilities are counted over many seeds, contracts hold for any trajectory."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_falsemetal.physics.design import DRAWS, FOCUS, Batch, draw_batch, risk
from aiida_falsemetal.physics.gapmodel import Prediction, Prior, from_prior

DROP = np.random.default_rng(3).normal(0.0, 3.5, 50)
PREDICTION = from_prior(Prior()).predict(DROP)
SEEDS = 4000


def draw(seed: int, earlier: list[Batch], size: int = 9, prediction: Prediction = PREDICTION, **options: str) -> Batch:
    return draw_batch(prediction, earlier, size, np.random.default_rng(seed), **options)


def test_frequencies_equal_the_probabilities_given_earlier_batches() -> None:
    """Each frame that is left against its n_h/N_h, over 4000 seeds: 4.5 standard errors among 42 frames."""
    first = draw(0, [], size=8)
    counts = np.zeros(50)
    for seed in range(SEEDS):
        batch = draw(seed, [first])
        counts[batch.index] += 1
    sizes = np.bincount(batch.label[batch.label >= 0])
    p = np.where(batch.label >= 0, (np.bincount(batch.stratum) / sizes)[batch.label], 0.0)
    assert np.all(counts[first.index] == 0)
    left = batch.label >= 0
    inner = left & (p < 1.0)
    assert np.abs((counts - SEEDS * p)[inner] / np.sqrt(SEEDS * p * (1 - p))[inner]).max() < 4.5
    assert np.allclose(batch.probability, p[batch.index])


def test_runs_go_where_the_answer_is_open() -> None:
    """For the fraction the probability is largest near closing; for the gap, where gaps are open at all."""
    drop = np.linspace(0.0, 9.0, 900)
    prediction = from_prior(Prior(intercept_sd=0.1, slope_sd=0.02)).predict(drop)
    fraction, gap = (
        draw_batch(prediction, [], 90, np.random.default_rng(0), focus=focus) for focus in ("fraction", "gap")
    )
    mean = {
        name: [np.mean((a <= drop[b.index]) & (drop[b.index] < a + 1)) for a in range(9)]
        for name, b in (("fraction", fraction), ("gap", gap))
    }
    assert int(np.argmax(mean["fraction"])) in (3, 4)
    assert mean["gap"][1] > 2 * mean["gap"][8]
    # The defence keeps every frame's weight within bounds: no more than 1/0.3 of a uniform sample's, and rounding.
    assert (1.0 / fraction.probability).max() < 900 / 90 / 0.3 * 1.1


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(st.floats(-12, 12), min_size=2, max_size=80),
    st.lists(st.integers(2, 20), min_size=1, max_size=4),
    st.sampled_from(FOCUS),
    st.integers(0, 2**32),
)
def test_contracts(drops: list[float], sizes: list[int], focus: str, seed: int) -> None:
    """Disjoint batches of the size asked for or all that is left, strata of two or more, honest probabilities."""
    prediction = from_prior(Prior()).predict(np.array(drops))
    rng = np.random.default_rng(seed)
    batches: list[Batch] = []
    for size in sizes:
        left = len(drops) - sum(len(batch.index) for batch in batches)
        if not left:
            break
        batch = draw_batch(prediction, batches, size, rng, focus)
        assert len(batch.index) == min(size, left)
        members, draws = np.bincount(batch.label[batch.label >= 0]), np.bincount(batch.stratum)
        assert np.all(draws <= members)
        assert left <= size or np.all(draws >= DRAWS)
        assert np.allclose(batch.probability, (draws / members)[batch.stratum])
        assert np.all(batch.label[batch.index] == batch.stratum)
        for earlier in batches:
            assert not set(earlier.index) & set(batch.index)
            assert np.all(batch.label[earlier.index] == -1)
        batches.append(batch)


def test_a_stored_batch_is_the_same_batch() -> None:
    """Through JSON text, the second of two, whose label has -1; 600 frames take less than 25 bytes each."""
    prediction = from_prior(Prior()).predict(np.random.default_rng(5).normal(0.0, 3.5, 600))
    batch = draw(1, [draw(0, [], prediction=prediction)], prediction=prediction)
    text = json.dumps(batch.as_dict())
    back = Batch.from_dict(json.loads(text))
    for name in ("index", "stratum", "probability", "label", "metallic", "gap"):
        before, after = getattr(batch, name), getattr(back, name)
        assert np.array_equal(before, after)
        assert before.dtype == after.dtype
    assert (batch.label == -1).sum() == 9
    assert len(text) < 600 * 25
    # Rounding the surrogate costs nothing that matters.
    assert np.abs(back.metallic - prediction.metallic).max() < 1e-5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gap": [1.0]}, "same frames"),
        ({"index": []}, "same frames"),
        ({"index": [50]}, "same frames"),
        ({"index": [-1]}, "same frames"),
        ({"label": [-1] * 50}, "no stratum"),
        ({"label": [0] * 49 + [7]}, "no draw"),
    ],
)
def test_what_is_no_batch_is_not_read(change: dict[str, list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Batch.from_dict({**draw(0, []).as_dict(), **change})


def test_a_part_of_a_batch_is_not_read() -> None:
    with pytest.raises(ValueError, match="no label, gap"):
        Batch.from_dict({"index": [0], "metallic": [0.1]})


def test_the_generator_decides_and_nothing_else() -> None:
    assert np.array_equal(draw(5, []).index, draw(5, []).index)
    assert len({tuple(draw(seed, []).index) for seed in range(30)}) == 30


def test_all_that_is_left_is_taken_with_certainty() -> None:
    batch = draw(0, [], size=50)
    assert np.all(batch.probability == 1.0)
    with pytest.raises(ValueError, match="already"):
        draw(0, [batch])


def test_risk_is_kept_off_certainty() -> None:
    found = risk(from_prior(Prior()).predict(np.array([0.0, 30.0])))
    assert 0.0 < found.min() < 0.01
    assert 0.99 < found.max() < 1.0


@pytest.mark.parametrize("options", [{"size": 1}, {"focus": "speed"}, {"defence": 0.0}, {"defence": 1.1}])
def test_nonsense_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="not possible"):
        draw_batch(**{"prediction": PREDICTION, "earlier": [], "size": 8, "rng": np.random.default_rng(0), **options})

"""The sampling design: what it promises about probabilities is counted over many seeds.

A probability p over R seeds scatters by sqrt(p (1 - p) / R). Largest deviations are taken over some 60 frames, for
which 4.5 standard errors are exceeded by chance once in 2000 runs; seeds are fixed, so a pass stays a pass.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aiida_falsemetal.physics.selection import Selection, select_frames

VALUES = np.random.default_rng(7).gamma(2.0, size=60)
SEEDS = 4000


def pick(seed: int, values: NDArray[np.float64] = VALUES, **changes: int) -> Selection:
    """Seven stratified and four control frames from a grid of 20."""
    asked = {"stratified": 7, "uniform": 4, "separation": 3, "n_strata": 3, **changes}
    return select_frames(values, seed=seed, **asked)


def grid_of(found: Selection, length: int) -> list[int]:
    """The grid, from what the result says about itself."""
    return list(range(found.offset, length, found.separation))


def control_of(found: Selection) -> list[int]:
    """Indices of the control set."""
    return [frame.index for frame in found.frames if frame.stratum == "uniform"]


def strata_by_hand(found: Selection, values: NDArray[np.float64], sizes: list[int]) -> list[list[int]]:
    """The strata outside the control set, cut from the sorted values with the sizes given."""
    rest = sorted(set(grid_of(found, len(values))) - set(control_of(found)), key=lambda i: values[i])
    ends = np.cumsum([0, *sizes])
    return [rest[a:b] for a, b in pairwise(ends)]


@pytest.fixture(scope="module")
def many() -> list[Selection]:
    """One selection a seed."""
    return [pick(seed) for seed in range(SEEDS)]


def test_stated_probabilities_are_drawn_over_present(many: list[Selection]) -> None:
    """20 grid points, 4 control; 16 rest in strata of 5, 5, 6 (the remainder on top) with 2, 2, 3 draws."""
    for found in many[:300]:
        assert found.grid_size == len(grid_of(found, 60)) == 20
        strata = strata_by_hand(found, VALUES, [5, 5, 6])
        drawn = {h: [f for f in found.frames if f.stratum == h] for h in range(3)}
        assert [len(drawn[h]) for h in range(3)] == [2, 2, 3]
        for h, frames in drawn.items():
            assert {f.index for f in frames} <= set(strata[h])
            assert {f.probability for f in frames} == {len(frames) / len(strata[h])}
        assert {f.probability for f in found.frames if f.stratum == "uniform"} == {4 / 20}
        assert len(control_of(found)) == 4


def test_stratified_frequencies_equal_the_probabilities(many: list[Selection]) -> None:
    """Given the grid and the control set: draws minus probabilities, summed over seeds, against their own scatter."""
    excess, variance = np.zeros(60), np.zeros(60)
    for found in many:
        for members, draws in zip(strata_by_hand(found, VALUES, [5, 5, 6]), (2, 2, 3), strict=True):
            p = draws / len(members)
            excess[members] -= p
            variance[members] += p * (1 - p)
        for frame in found.frames:
            excess[frame.index] += frame.stratum != "uniform"
    assert variance.min() > 100
    assert np.abs(excess / np.sqrt(variance)).max() < 4.5


def test_control_frequencies_equal_the_probability(many: list[Selection]) -> None:
    """Given the grid, each of its points is in the control set with 4/20, whatever its value."""
    excess, variance = np.zeros(60), np.zeros(60)
    for found in many:
        excess[grid_of(found, 60)] -= 0.2
        variance[grid_of(found, 60)] += 0.2 * 0.8
        excess[control_of(found)] += 1
    assert np.abs(excess / np.sqrt(variance)).max() < 4.5


@pytest.mark.parametrize("length", [60, 61, 2])
def test_every_frame_is_on_the_grid_with_the_same_probability(length: int) -> None:
    """1/3 each, also where the trajectory is no multiple of the separation; a half each where it is shorter."""
    counts = np.zeros(length)
    for seed in range(SEEDS):
        counts[grid_of(pick(seed, VALUES[:length] if length <= 60 else np.append(VALUES, 1.0)), length)] += 1
    p = 1 / min(3, length)
    assert np.abs((counts - SEEDS * p) / np.sqrt(SEEDS * p * (1 - p))).max() < 4.5


def test_horvitz_thompson_is_unbiased(many: list[Selection]) -> None:
    """Total over the grid from both sets, and the trajectory's mean from either alone, within 4.5 standard errors."""
    quantity = (VALUES > 3.0) + 0.1 * np.arange(60)
    both, alone, control = [], [], []
    for found in many:
        weighted = sum(quantity[f.index] / f.probability for f in found.frames if f.stratum != "uniform")
        drawn = quantity[control_of(found)]
        both.append(drawn.sum() + weighted - quantity[grid_of(found, 60)].sum())
        alone.append(weighted / 16 - quantity.mean())
        control.append(drawn.mean() - quantity.mean())
    for deviations in (both, alone, control):
        assert abs(np.mean(deviations)) < 4.5 * np.std(deviations) / np.sqrt(SEEDS)
    assert np.std(both) > 1.0


def test_an_unweighted_mean_would_be_biased(many: list[Selection]) -> None:
    """With unequal n_h/N_h the weights matter: 2/5, 2/5 and 3/6 favour the polar frames, and that test can tell."""
    plain = [
        np.mean([VALUES[f.index] for f in found.frames if f.stratum != "uniform"]) - VALUES.mean() for found in many
    ]
    assert np.mean(plain) > 4.5 * np.std(plain) / np.sqrt(SEEDS)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(st.floats(0, 1), max_size=120),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(1, 40),
    st.integers(0, 2**32),
    st.integers(1, 8),
)
def test_contracts(values: list[float], stratified: int, uniform: int, separation: int, seed: int, strata: int) -> None:
    """For any trajectory, ties and all: order, separation, numbers, probabilities, disjoint sets, a polar top."""
    array = np.array(values)
    found = select_frames(array, stratified, uniform, separation=separation, seed=seed, n_strata=strata)
    indices = [frame.index for frame in found.frames]
    assert indices == sorted(set(indices))
    assert all(0 <= index < len(values) for index in indices)
    assert all(np.diff(indices) >= separation)
    assert found.separation == separation
    assert len(indices) == min(stratified + uniform, found.grid_size)
    assert all(0 < frame.probability <= 1 for frame in found.frames)
    if found.grid_size <= stratified + uniform:
        assert all(frame.probability == 1 for frame in found.frames)
    else:
        assert len(control_of(found)) == uniform
    numbered = [frame for frame in found.frames if frame.stratum != "uniform"]
    counts = [sum(frame.stratum == h for frame in numbered) for h in range(min(strata, len(numbered)))]
    assert sum(counts) == len(numbered)
    assert counts == sorted(counts)
    assert not counts or max(counts) - min(counts) <= 1
    tops = [max(array[f.index] for f in numbered if f.stratum == h) for h in range(len(counts))]
    lows = [min(array[f.index] for f in numbered if f.stratum == h) for h in range(len(counts))]
    assert all(top <= low for top, low in zip(tops[:-1], lows[1:], strict=True))


def test_deterministic() -> None:
    """The same seed, the same frames, whatever numpy's global state; another seed, others."""
    np.random.seed(0)
    first = pick(5)
    np.random.seed(1)
    assert pick(5) == first
    assert len({pick(seed).frames for seed in range(50)}) == 50


def test_global_random_state_is_left_alone() -> None:
    """A calcfunction that moved it would change its neighbours."""
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    pick(6)
    assert np.random.random() == expected


def test_too_few_grid_points_are_all_taken() -> None:
    """The separation is kept and everything on the grid is chosen with certainty; the split keeps the proportion."""
    found = select_frames(VALUES, 8, 4, separation=10, seed=0, n_strata=2)
    assert (found.separation, found.grid_size) == (10, 6)
    assert [f.index for f in found.frames] == grid_of(found, 60)
    assert {f.probability for f in found.frames} == {1.0}
    assert len(control_of(found)) == 2


def test_as_many_grid_points_as_asked() -> None:
    """The boundary: exactly enough, all of them, the control set as large as asked."""
    found = select_frames(VALUES, 16, 4, separation=3, seed=0, n_strata=4)
    assert [f.index for f in found.frames] == grid_of(found, 60)
    assert {f.probability for f in found.frames} == {1.0}
    assert len(control_of(found)) == 4


def test_fewer_draws_than_strata() -> None:
    """Two draws make two strata, not five of which three have no chance."""
    found = pick(1, stratified=2, n_strata=5)
    assert sorted(f.stratum for f in found.frames if f.stratum != "uniform") == [0, 1]


def test_a_fraction_of_a_frame_is_rounded_up() -> None:
    """Never closer than asked."""
    assert select_frames(VALUES, 3, 1, separation=2.2, seed=0, n_strata=2).separation == 3


def test_nothing_to_choose() -> None:
    """No frames, or none asked for: an empty selection and no error."""
    assert select_frames(np.array([]), 3, 1, separation=2, seed=0, n_strata=2) == Selection((), 2, 0, 0)
    assert pick(0, stratified=0, uniform=0).frames == ()
    assert len(pick(0, stratified=0).frames) == 4
    assert len(pick(0, uniform=0).frames) == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stratified": -1}, "negative"),
        ({"uniform": -1}, "negative"),
        ({"separation": 0}, "separation"),
        ({"n_strata": 0}, "strata"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, int], message: str) -> None:
    """Numbers out of range raise."""
    with pytest.raises(ValueError, match=message):
        pick(0, VALUES, **changes)


def test_a_value_that_is_no_number_is_refused() -> None:
    """It has no rank."""
    with pytest.raises(ValueError, match="finite"):
        pick(0, np.array([1.0, np.nan, 2.0]))

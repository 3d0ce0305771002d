from __future__ import annotations

import numpy as np
import pytest

from aiida_falsemetal.physics.configurations import choose, choose_disputed, closest_contact, empty_height


def test_frames_are_apart_and_cover_the_polarities() -> None:
    rng = np.random.default_rng(1)
    polarity, contact = np.abs(rng.normal(size=400)), rng.uniform(1.4, 2.0, size=400)
    found = choose(polarity, contact, count=20, close=5, spacing=4, most_polar=10.0, seed=1)
    frames = np.array(found.frames)
    assert len(frames) == 20 and len(found.close) == 5 and np.diff(frames).min() >= 4
    assert found.candidates == 100 and found.too_polar == 0
    grid = np.arange(399, -1, -4)
    assert sorted(contact[list(found.close)]) == sorted(contact[grid])[:5]
    # One from each of fifteen strata: the extremes are in.
    spread = np.sort(polarity[list(found.spread)])
    assert spread[0] < np.quantile(polarity, 0.15) and spread[-1] > np.quantile(polarity, 0.85)


def test_frames_that_would_be_metals_are_left_out_and_counted() -> None:
    polarity = np.array([0.1, 3.0, 0.2, 4.0, 0.3])
    found = choose(polarity, np.ones(5), count=5, close=0, spacing=1, most_polar=2.5, seed=1)
    assert found.frames == [0, 2, 4] and found.too_polar == 2 and found.candidates == 5


def test_same_seed_same_choice_another_seed_another() -> None:
    polarity, contact = np.abs(np.random.default_rng(2).normal(size=(2, 300)))
    chosen = [choose(polarity, contact, count=10, close=0, spacing=2, most_polar=9.0, seed=s).frames for s in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_an_empty_trajectory_gives_nothing() -> None:
    assert choose(np.zeros(0), np.zeros(0), count=3, close=1, spacing=1, most_polar=1.0, seed=1).frames == []


@pytest.mark.parametrize("change", [{"spacing": 0}, {"close": 9}, {"contact": np.ones(3)}])
def test_what_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    given = {"polarity": np.ones(4), "contact": np.ones(4), "count": 2, "close": 0, "spacing": 1, "most_polar": 9.0}
    with pytest.raises(ValueError):
        choose(**{**given, "seed": 1, **change})  # type: ignore[arg-type]


def test_closest_contact_is_between_molecules_and_across_faces() -> None:
    positions = np.array([[0.1, 0, 0], [1.0, 0, 0], [5.0, 0, 0], [9.9, 0, 0]])
    cell = np.diag([10.0, 10.0, 10.0])
    assert closest_contact(positions, [[0, 1], [2, 3]], cell) == pytest.approx(0.2)
    assert closest_contact(positions, [[0, 1, 2, 3]], cell) == float("inf")


def test_vacuum_is_found_wherever_the_film_lies() -> None:
    z = np.linspace(0.0, 12.0, 25)
    for shift in (0.0, 7.0, 22.0, -31.0):
        film = np.column_stack([np.zeros(25), np.zeros(25), z + shift])
        assert empty_height(film, 30.0) == pytest.approx(18.0)
        assert empty_height(film, 12.5) == pytest.approx(0.5)


def disputed(values: list[float], **changes: object) -> object:
    given = {"polarity": np.zeros(len(values)), "count": 3, "spacing": 2, "most_polar": 2.5, "least": 0.1, "most": 1.0}
    return choose_disputed(disagreement=np.array(values), **{**given, **changes})  # type: ignore[arg-type]


def test_the_most_disputed_frames_are_chosen_and_lie_apart() -> None:
    found = disputed([0.2, 0.5, 0.6, 0.05, 0.3, 0.3, 7.0])
    # 0.6 first; its neighbours are too near; of the two with 0.3 the earlier one, whose neighbour goes too.
    assert found.disputed == (0, 2, 4) and found.frames == [0, 2, 4]  # type: ignore[attr-defined]
    assert (found.agreed, found.wild, found.candidates) == (1, 1, 7)  # type: ignore[attr-defined]
    assert found.reason(2) == "disagreement"  # type: ignore[attr-defined]


def test_polar_frames_are_not_chosen_whatever_the_committee_says() -> None:
    found = disputed([0.5, 0.9, 0.4], polarity=np.array([0.0, 3.0, 0.0]))
    assert found.disputed == (0, 2) and found.too_polar == 1 and found.wild == 0  # type: ignore[attr-defined]


def test_a_frame_of_infinite_disagreement_is_no_physics() -> None:
    assert disputed([float("inf"), 0.2]).disputed == (1,)  # type: ignore[attr-defined]


@pytest.mark.parametrize("change", [{"spacing": 0}, {"least": 1.0}, {"polarity": np.zeros(3)}, {"count": -1}])
def test_what_makes_no_sense_is_refused_of_disputed_frames_too(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        disputed([0.2, 0.3], **change)

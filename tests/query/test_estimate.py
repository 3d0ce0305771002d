"""The time left, from speeds that were measured."""

from __future__ import annotations

import pytest

from aiida_falsemetal.query.estimate import Speeds, Work, gap_work, md_work, time_left


def speeds() -> Speeds:
    found = Speeds(latency=5.0)
    found.molecules.update(small=8, large=16)
    found.gap[("small", "safe")] = [10.0, 12.0]
    found.gap[("small", "metallic")] = [50.0, 54.0]
    found.step[("small", "safe")] = [0.01]
    return found


def test_gaps_of_the_same_cell_count_first() -> None:
    """Metallic frames take longer, and are those of one MLIP."""
    found = speeds()
    assert found.gap_time("small", "safe")[0] == pytest.approx(11.0)
    assert found.gap_time("small", "metallic")[0] == pytest.approx(52.0)
    mean, spread, of_mean = found.gap_time("small", "new")
    assert (mean, of_mean) == (pytest.approx(31.5), pytest.approx(spread / 2))


def test_a_larger_interface_takes_longer_before_it_was_measured() -> None:
    found = speeds()
    assert found.gap_time("large", "safe")[0] == pytest.approx(4 * 31.5)
    assert found.per_step("large", "safe") == pytest.approx(0.02)
    assert found.per_step("small", "unknown") is None
    found.step[("large", "safe")] = [0.05]
    assert found.per_step("large", "safe") == 0.05


def test_cores_share_the_work_but_a_chain_has_its_own_length() -> None:
    assert time_left([Work(100.0), Work(100.0)], 2).seconds == pytest.approx(100.0)
    assert time_left([Work(100.0, chain=90.0)], 4).seconds == pytest.approx(90.0)


def test_what_is_not_known_makes_it_a_lower_bound() -> None:
    assert time_left([Work(100.0), Work(None)], 2).whole is False
    assert time_left([Work(100.0, open_end=True)], 2).whole is False
    assert time_left([Work(100.0)], 2).whole is True
    assert time_left([], 2).seconds == 0.0


SAFE, NEW = ("small", "safe"), ("small", "new")


def test_the_range_holds_the_estimate_and_frames_that_may_be_added() -> None:
    found = speeds()
    # Two turns of 11 s on two cores, and once what AiiDA takes.
    plain = time_left([gap_work(found, SAFE, 4, 2)], 2)
    assert plain.seconds == pytest.approx(27.0) and plain.low < plain.seconds < plain.high
    more = time_left([gap_work(found, SAFE, 4, 2, more=6)], 2)
    assert more.high == pytest.approx(plain.high + 6 * 11.0 / 2)
    # Spread of single gaps and of their mean.
    unsure = time_left([gap_work(found, NEW, 4, 2)], 2)
    assert (unsure.high - unsure.low) / unsure.seconds > (plain.high - plain.low) / plain.seconds


def test_gaps_that_have_to_wait_for_others_of_their_pair() -> None:
    """Eight at once: the ninth is asked for when they are there."""
    found = speeds()
    assert gap_work(found, SAFE, 8, 4).chain == pytest.approx(2 * 11.0 + 5.0)
    assert gap_work(found, SAFE, 9, 4).chain == pytest.approx(3 * 11.0 + 10.0)
    assert gap_work(found, SAFE, 0, 4).seconds == gap_work(found, SAFE, 0, 4).chain == 0.0


def test_a_gap_under_way_is_not_counted_twice() -> None:
    found = speeds()
    work = gap_work(found, SAFE, 2, 2, done=8.0, waited=10.0)
    assert (work.seconds, work.chain) == (pytest.approx(14.0), pytest.approx(6.0))
    work = gap_work(found, SAFE, 2, 2, done=500.0, waited=500.0)
    assert (work.seconds, work.chain) == (pytest.approx(2.2), pytest.approx(1.6))


def test_md_takes_what_its_driver_says_and_its_threads() -> None:
    after = gap_work(speeds(), SAFE, 2, 2)
    work = md_work(1000, 0.01, None, 1, 5.0, after, False)
    assert (work.seconds, work.chain) == (pytest.approx(32.0), pytest.approx(10.0 + 5.0 + 16.0))
    work = md_work(1000, 0.01, 30.0, 2, 5.0, after, True)
    assert (work.seconds, work.chain, work.open_end) == (pytest.approx(82.0), pytest.approx(51.0), True)


def test_before_the_first_gap_a_guess_is_a_lower_bound() -> None:
    found = Speeds()
    assert not time_left([gap_work(found, SAFE, 2, 2)], 2).whole
    assert not time_left([md_work(10, 1.0, None, 1, 5.0, gap_work(found, SAFE, 2, 2), False)], 2).whole
    assert time_left([gap_work(speeds(), ("large", "other"), 2, 2)], 2).whole

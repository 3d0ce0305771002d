"""The figure of widths: every mark is a verdict's number, and the ratio of two models has the interval of both."""

from __future__ import annotations

import math

import pytest

from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.report.cells import Cell, gather
from aiida_falsemetal.report.data import PAIR_COLUMNS, complete, plain
from aiida_falsemetal.report.publication.widths import width_numbers
from aiida_falsemetal.report.summary import summarize

from .conftest import Campaign


def cells(campaign: Campaign) -> list[Cell]:
    pairs = summarize(plain(campaign.rows), [complete(row, PAIR_COLUMNS) for row in plain(campaign.pairs)])
    return gather(pairs, plain(campaign.cells))


def test_marks_are_the_verdicts_numbers(campaign: Campaign) -> None:
    numbers = width_numbers(cells(campaign))
    assert numbers is not None
    rows = {(row["interface"], row["mlip"]): row for row in campaign.cells}
    part = numbers.part("width").values
    thickness = {pair["interface"]: pair["thickness"] for pair in campaign.pairs}
    for index, key in enumerate(zip(part["interface"], part["mlip"], strict=True)):
        if key not in rows:
            continue
        row = rows.pop(key)
        assert part["sd"][index] == row["sd_Mz_per_area"] and part["ratio"][index] == row["sd_ratio"]
        assert part["drop_low"][index] == pytest.approx(row["sd_low"] / EPS0)
        assert part["expected"][index] == pytest.approx(row["expected_sd_Mz_per_area"] / EPS0)
        assert part["thickness"][index] == thickness[key[0]]
    assert not rows


def test_short_over_long_is_of_one_interface_with_both_intervals(campaign: Campaign) -> None:
    numbers = width_numbers(cells(campaign))
    assert numbers is not None
    width, found = numbers.part("width").values, numbers.part("short over long").values
    place = {key: k for k, key in enumerate(zip(width["interface"], width["mlip"], strict=True))}
    assert set(found["mlip"]) == {"mace-sr-4.5"} and {"spcfw-ewald"} <= set(found["over"])
    for k, value in enumerate(found["ratio"]):
        short = place[found["interface"][k], found["mlip"][k]]
        long = place[found["interface"][k], found["over"][k]]
        assert value == pytest.approx(width["sd"][short] / width["sd"][long])
        # Wider than the interval of either alone, narrower than both ends together.
        highest = width["sd_high"][short] / width["sd_low"][long]
        assert width["sd_high"][short] / width["sd"][long] < found["ratio_high"][k] < highest
        assert 0.0 < found["ratio_low"][k] < value < found["ratio_high"][k]
        far = math.hypot(
            math.log(width["sd_high"][short] / width["sd"][short]), math.log(width["sd"][long] / width["sd_low"][long])
        )
        assert math.log(found["ratio_high"][k] / value) == pytest.approx(far)


def test_one_thickness_is_no_figure(campaign: Campaign) -> None:
    assert width_numbers([cell for cell in cells(campaign) if cell.interface == "film-25A"]) is None
    assert width_numbers([]) is None

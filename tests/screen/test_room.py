"""A daemon whose worker takes fewer processes than a campaign has: stand-ins compute, daemon and jobs are real.

Processes that wait for others take up the worker's places. Were more pairs submitted than have room together, none of
them would ever end.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_falsemetal.workflows.pair import PROCESSES
from benchmarks.growth import after
from benchmarks.growth.place import Place
from benchmarks.growth.standins import install

pytestmark = [pytest.mark.slow, pytest.mark.qe]


def test_a_campaign_ends_in_a_worker_with_room_for_one_pair(tmp_path: Path) -> None:
    place = Place(tmp_path)
    install(place, 0.05, 0.05)
    place.room(1 + PROCESSES)
    place.campaign("narrow", 3)
    place.run("screen", "narrow.yaml", "--follow")
    found = after.census(place, "narrow", 3)
    assert (found["different_finished_pairs"], found["unfinished_processes"], found["wrong_rows"]) == (3, 0, 0)
    # Two gaps of one pair at a time, and the campaign's own process; of 16 pairs at once it would be up to 140.
    assert found["most_processes_at_once"] <= 1 + 1 + 2 * 4
    assert found["most_jobs_at_once"] <= 2

"""A job that was killed while it waited says nothing of what it was to compute."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm

from aiida_falsemetal.workflows.endings import INTERRUPTIONS, UNBEGUN, began, ended_itself, may_go_again
from tests.data import nodes


def job(computer: orm.Computer, **files: str) -> Any:
    """A killed job that left these files, ``_`` for the point in a name."""
    folder = orm.FolderData()
    for name, text in files.items():
        folder.base.repository.put_object_from_bytes(text.encode(), name.replace("_", "."))
    return nodes.calculation("quantumespresso.pw", computer, {}, {"retrieved": folder}, exit_status=305)


@pytest.mark.parametrize(
    ("files", "begun", "ended"),
    [
        ({}, False, False),
        ({"aiida_out": "Program PWSCF starts"}, True, False),
        ({"aiida_out": "JOB DONE."}, True, True),
        ({"pp_out": "Program POST-PROC"}, True, False),
        ({"driver_log": "step 10 of 100"}, True, False),
    ],
)
def test_what_a_job_printed_says_how_far_it_came(
    aiida_localhost: orm.Computer, files: dict[str, str], begun: bool, ended: bool
) -> None:
    found = job(aiida_localhost, **files)
    assert (began(found), ended_itself(found)) == (begun, ended)


def test_waiting_jobs_may_be_killed_more_often_and_not_for_ever(aiida_localhost: orm.Computer) -> None:
    waiting, computing = job(aiida_localhost), job(aiida_localhost, aiida_out="iteration # 1")
    counts: dict[str, int] = {}
    assert [may_go_again([waiting], counts) for _ in range(UNBEGUN + 1)] == [True] * UNBEGUN + [False]
    # And those of before do not count for a run that began.
    assert [may_go_again([computing], counts) for _ in range(INTERRUPTIONS + 1)] == [True] * INTERRUPTIONS + [False]

"""A large campaign's frames are read by two processes: the same rows, whatever becomes of the other one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from aiida.manage.configuration import Profile

from aiida_falsemetal.query import beside
from aiida_falsemetal.query.rows import current_rows, frame_rows

from .test_rows import several_pairs


@pytest.fixture(scope="module")
def campaign(aiida_profile: Profile) -> str:
    """Five pairs, each with three frames, and one without a result."""
    return several_pairs(pairs=5, frames=3)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pairs that this process has read the frames of, where every campaign is large."""
    pairs: list[int] = []
    function = beside.read_frames

    def counted(campaign: str | None, pair_pks: list[int] | None = None) -> list[dict[str, Any]]:
        pairs.extend(pair_pks or [])
        return function(campaign, pair_pks)

    monkeypatch.setattr(beside, "LARGE", 0)
    monkeypatch.setattr(beside, "read_frames", counted)
    return pairs


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Processes that were started."""
    found: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: [found.append(popen(*a, **k)), found[-1]][1])
    return found


def test_each_reads_its_half(campaign: str, read: list[int]) -> None:
    rows, pairs = current_rows(campaign)
    pks = sorted(pair["pair_pk"] for pair in pairs)
    assert rows == frame_rows(campaign) and len(rows) == 20
    # frame_rows asks for no pairs in particular: these are the reading's alone.
    assert read == pks[:2]


@pytest.mark.parametrize("program", ["/bin/false", "/no/such/python"])
def test_without_the_other_all_rows_are_there(
    campaign: str, read: list[int], program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    rows, pairs = current_rows(campaign)
    assert rows == frame_rows(campaign)
    assert read == sorted(pair["pair_pk"] for pair in pairs)


def test_the_other_is_killed(campaign: str, read: list[int], started: list[subprocess.Popen[bytes]]) -> None:
    with beside.reading(campaign) as frames:
        os.kill(started[0].pid, signal.SIGKILL)
        assert frames() == frame_rows(campaign)


def test_nothing_is_left_after_an_exception(
    campaign: str, read: list[int], started: list[subprocess.Popen[bytes]]
) -> None:
    with pytest.raises(KeyboardInterrupt), beside.reading(campaign):
        raise KeyboardInterrupt
    assert started[0].poll() is not None


def test_few_frames_are_read_by_one(campaign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "_other", pytest.fail)
    assert len(current_rows(campaign)[0]) == 20

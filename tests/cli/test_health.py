"""A worker whose database session is broken is told by its log, and by a disk that was full; one that waits too long,
by the clock."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from aiida_falsemetal.cli.health import LITTLE, Health


def test_only_what_is_new_in_the_log_counts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("sqlalchemy.exc.PendingRollbackError: of an earlier worker\n")
    state = Health(log, tmp_path)
    assert not state.is_broken()
    with log.open("a") as file:
        file.write("a report\nsqlalchemy.exc.PendingRollbackError: of this one\n")
    assert state.is_broken() and not state.is_broken()
    log.write_text("Can't reconnect until invalid transaction is rolled back\n")  # rotated: shorter than before
    assert state.is_broken()


def test_a_commit_that_was_cut_off(tmp_path: Path) -> None:
    """As a worker's log had it after a full disk (SQLAlchemy 2.1)."""
    log = tmp_path / "log"
    state = Health(log, tmp_path)
    log.write_text(
        "sqlalchemy.exc.InvalidRequestError: This session is in 'prepared' state; no further SQL can be emitted within "
        "this transaction.\n"
    )
    assert state.is_broken()


def test_without_a_log_nothing_is_wrong(tmp_path: Path) -> None:
    assert not Health(tmp_path / "none", tmp_path).is_broken()


def test_a_full_disk_counts_when_it_is_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 0
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    state = Health(tmp_path / "none", tmp_path)
    assert not state.is_broken()
    free = LITTLE
    assert state.is_broken() and not state.is_broken()


def test_a_clock_that_is_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By how much it has been ahead counts, not what it was at first. One that is set forward harms nobody."""
    now, jump = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    state = Health(tmp_path / "none", tmp_path)
    jump = 7200.0
    assert not state.is_broken()
    jump = 7190.0
    assert not state.is_broken()
    jump = 0.0
    assert state.is_broken()
    state.renewed()
    assert not state.is_broken()

"""Following a campaign on a machine so busy that SQLite keeps its lock for longer than a query waits."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from aiida_falsemetal.cli import follow


def locked(times: int, message: str = "database is locked") -> Any:
    """A query that fails so many times before it answers."""
    calls = iter([True] * times + [False] * 100)

    def answer(campaign: str) -> list[Any]:
        if next(calls):
            raise OperationalError("SELECT", {}, Exception(message))
        return []

    return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, aiida_profile: Any) -> None:
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.0)


def test_a_locked_database_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "campaign_progress", locked(5))
    assert follow._look("none") == ([], True)


def test_a_lock_that_is_never_given_back_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "campaign_progress", locked(follow.PATIENCE))
    with pytest.raises(OperationalError):
        follow._look("none")


def test_another_fault_of_the_database_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "campaign_progress", locked(1, "disk I/O error"))
    with pytest.raises(OperationalError, match="disk I/O"):
        follow._look("none")

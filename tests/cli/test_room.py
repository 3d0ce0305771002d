"""What is submitted fits into a worker of the daemon, whatever is under way beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from aiida import orm

from aiida_falsemetal.cli import room
from aiida_falsemetal.cli.screen import read_campaign
from aiida_falsemetal.cli.submit import screen_builder
from aiida_falsemetal.workflows.pair import PROCESSES
from aiida_falsemetal.workflows.screen import MAX_PAIRS
from tests.cli.test_submit import campaign, ready  # noqa: F401  (a fixture)
from tests.faults.test_quick import made


def worker_takes(processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "worker_room", lambda: processes)


def test_pairs_at_once_are_bounded_by_the_room(
    ready: None,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content, pairs = read_campaign(campaign(tmp_path, seeds=[1, 2, 3, 4, 5]))
    assert len(pairs) > MAX_PAIRS
    for processes, expected in ((20_000, MAX_PAIRS), (200, 6), (1 + PROCESSES, 1)):
        worker_takes(processes, monkeypatch)
        assert screen_builder(content, pairs).max_pairs.value == expected


def test_without_room_for_a_pair_nothing_is_stored(
    ready: None,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content, pairs = read_campaign(campaign(tmp_path))
    before = orm.QueryBuilder().append(orm.Node).count()
    worker_takes(PROCESSES, monkeypatch)
    with pytest.raises(click.ClickException, match=r"takes 33 processes .* may need 34.*config set daemon\.worker"):
        screen_builder(content, pairs)
    assert orm.QueryBuilder().append(orm.Node).count() == before


def test_campaigns_under_way_take_their_room(
    ready: None,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two campaigns that would fit each by itself, and wait for each other together."""
    content, pairs = read_campaign(campaign(tmp_path))
    worker_takes(2 + 2 * PROCESSES, monkeypatch)
    first: Any = made(screen_builder(content, pairs[:2]))
    assert first.inputs.max_pairs.value == 2
    with pytest.raises(click.ClickException, match="beside the 1 campaigns"):
        screen_builder(content, pairs[2:])
    worker_takes(2 + 5 * PROCESSES, monkeypatch)
    assert screen_builder(content, pairs[2:]).max_pairs.value == 3
    first.node.set_process_state("finished")
    assert screen_builder(content, pairs[2:]).max_pairs.value == 5

"""What a finished campaign prints and writes comes from one look at the graph."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import click
import pytest
from aiida import orm

from aiida_falsemetal.cli.query import TABLE_COLUMNS, current_rows, write_report
from aiida_falsemetal.cli.screen import finish
from aiida_falsemetal.names import FRAME_COLUMNS
from aiida_falsemetal.query import rows
from tests.query.test_rows import Graph, graph  # noqa: F401  (a fixture)


def test_report_and_table_of_the_pairs_that_count(
    graph: Graph,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    graph.gap(graph.pair(exit_status=310), 100, exit_status=401, gap=None)
    pair = graph.pair(verdict=orm.Dict({"verdict": "undecided"}))
    gap, _ = graph.gap(pair, 200)
    asked: list[str] = []
    for name in ("pair_rows", "frame_rows"):
        function: Any = getattr(rows, name)
        monkeypatch.setattr(rows, name, lambda *a, name=name, function=function: [asked.append(name), function(*a)][1])
    finish(graph.campaign, tmp_path)
    assert sorted(asked) == ["frame_rows", "pair_rows"]
    printed = capsys.readouterr().out
    assert "undecided" in printed
    assert f"report: {tmp_path / 'report.html'}" in printed
    with (tmp_path / "results.csv").open(newline="") as file:
        assert [row["gap_pk"] for row in csv.DictReader(file)] == [str(gap.pk)]


def test_unknown_campaign_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="no campaign 'none' in this profile"):
        write_report("none", tmp_path / "new", *current_rows("none"))
    assert not (tmp_path / "new").exists()


def test_columns_of_the_table_are_columns() -> None:
    assert set(TABLE_COLUMNS) <= set(FRAME_COLUMNS)

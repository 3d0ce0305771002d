"""What a finished campaign prints and writes comes from one look at the graph."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_falsemetal.campaign.schema import VerdictSettings
from aiida_falsemetal.cli.query import FIGURES, TABLE_COLUMNS, concluded, current_rows, report, write_report
from aiida_falsemetal.cli.screen import finish
from aiida_falsemetal.names import FRAME_COLUMNS, JUDGED_BY
from aiida_falsemetal.query import rows
from aiida_falsemetal.report.publication import CHOICES, MOST
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
    for name in ("pair_rows", "reading"):
        function: Any = getattr(rows, name)
        monkeypatch.setattr(rows, name, lambda *a, name=name, function=function: [asked.append(name), function(*a)][1])
    finish(SimpleNamespace(name=graph.campaign, verdict=VerdictSettings()), tmp_path)
    assert sorted(asked) == ["pair_rows", "reading"]
    printed = capsys.readouterr().out
    assert "undecided" in printed
    assert f"report: {tmp_path / 'report.html'}" in printed
    with (tmp_path / "results.csv").open(newline="") as file:
        assert [row["gap_pk"] for row in csv.DictReader(file)] == [str(gap.pk)]


def test_unknown_campaign_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="no campaign 'none' in this profile"):
        write_report("none", tmp_path / "new", *current_rows("none"), *concluded("none"))
    assert not (tmp_path / "new").exists()


def conclude(campaign: str, kind: str, content: dict[str, Any]) -> None:
    """A node as `conclude_campaign` leaves it."""
    function = orm.CalcFunctionNode(process_type=JUDGED_BY[kind]).store()
    labels = {"kind": kind, "campaign": campaign, "interface": "film8", "mlip": "sr"}
    function.base.extras.set_many({f"falsemetal_{key}": value for key, value in labels.items()})
    result = orm.Dict(content)
    result.base.links.add_incoming(function, LinkType.CREATE, "result")
    result.store()


def test_verdicts_and_laws_are_in_the_report(
    graph: Graph,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the newest of each; a pair that failed has a line below the table."""
    graph.gap(graph.pair(verdict=orm.Dict({"verdict": "undecided"})), 100)
    graph.pair(seed=2, exit_status=310)
    for word in ("safe", "false metallization"):
        conclude(graph.campaign, "cell", {"verdict": word, "reason": f"{word}, for a reason.", "seeds": 1})
    conclude(graph.campaign, "law", {"intercept": 4.2, "slope": 1.1, "frames": 3})
    finish(SimpleNamespace(name=graph.campaign, verdict=VerdictSettings()), tmp_path)
    printed = capsys.readouterr().out
    assert "false metallization" in printed and "safe" not in printed
    assert "film8 x sr, seed 2: failed with 310 Exit code 310." in printed.splitlines()
    with (tmp_path / "cells.csv").open(newline="") as file:
        assert [row["reason"] for row in csv.DictReader(file)] == ["false metallization, for a reason."]
    found = json.loads((tmp_path / "results.json").read_text())
    assert [row["verdict"] for row in found["cells"]] == ["false metallization"]
    assert [(row["interface"], row["slope"]) for row in found["laws"]] == [("film8", 1.1)]
    assert "Calibrated gap law from 3 frames" in (tmp_path / "report.html").read_text()


def test_choices_of_figures_are_those_of_the_report() -> None:
    """Written down twice, because the command must not load the report to print its help."""
    assert FIGURES == CHOICES
    option = next(option for option in report.params if option.name == "figures")
    assert f"at most {MOST} pairs" in str(getattr(option, "help", ""))


def test_columns_of_the_table_are_columns() -> None:
    assert set(TABLE_COLUMNS) <= set(FRAME_COLUMNS)

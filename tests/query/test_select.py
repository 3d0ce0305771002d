"""Columns, order and limit; and that conditions know nothing of AiiDA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import aiida_falsemetal.query
from aiida_falsemetal.query.columns import KINDS, column_kinds
from aiida_falsemetal.query.dataframes import as_dataframe
from aiida_falsemetal.query.select import Request, select
from aiida_falsemetal.query.tokens import QueryError
from tests.test_layers import AIIDA_PACKAGES, imported

ROWS: list[dict[str, Any]] = [
    {"pk": 1, "gap": 2.0, "mlip": "b", "stratum": 1},
    {"pk": 2, "gap": None, "mlip": "a", "stratum": "uniform"},
    {"pk": 3, "gap": 1.0, "mlip": "b", "stratum": 0},
    {"pk": 4, "gap": 3.0, "mlip": "a", "stratum": None},
]
COLUMNS = column_kinds(ROWS, {"pk": "number", "gap": "number", "mlip": "text", "stratum": ""})


def pks(**asked: Any) -> list[int]:
    return [row["pk"] for row in select(ROWS, COLUMNS, Request(**asked))[1]]


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ({}, [1, 2, 3, 4]),
        ({"sort": "gap"}, [3, 1, 4, 2]),
        ({"sort": "-gap"}, [4, 1, 3, 2]),
        ({"sort": "mlip,-gap"}, [4, 2, 1, 3]),
        ({"sort": ["-mlip", "gap"]}, [3, 1, 4, 2]),
        ({"sort": "stratum"}, [3, 1, 2, 4]),
        ({"sort": "gap", "limit": 2}, [3, 1]),
        ({"limit": 0}, []),
        ({"where": "gap > 1", "sort": "-gap", "limit": 1}, [4]),
        # A condition and an order may name columns that are not shown.
        ({"where": "gap > 1", "columns": "pk", "sort": "-gap"}, [4, 1]),
    ],
)
def test_order_and_limit(asked: dict[str, Any], rows: list[int]) -> None:
    assert pks(**asked) == rows


def test_columns_are_those_asked_for_in_their_order() -> None:
    assert select(ROWS, COLUMNS, Request(columns=" mlip , pk"))[0] == ["mlip", "pk"]
    assert select(ROWS, COLUMNS, Request(columns=["gap"]))[0] == ["gap"]
    assert select(ROWS, COLUMNS, Request())[0] == ["pk", "gap", "mlip", "stratum"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"columns": "pk,gpa"}, "columns: entry 2, 'gpa': is no column; did you mean gap? Columns: pk, gap"),
        ({"columns": "-gap"}, "columns: entry 1, '-gap': is no column"),
        ({"columns": "pk,,gap"}, "columns: entry 2 is empty"),
        ({"sort": "-gpa"}, "sort: entry 1, 'gpa': is no column; did you mean gap?"),
        ({"sort": ""}, "sort: entry 1 is empty"),
        ({"limit": -1}, "limit: -1 is below zero"),
    ],
)
def test_refusals(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(QueryError) as caught:
        pks(**asked)
    assert says in str(caught.value)


def test_kinds_are_declared_or_found() -> None:
    found = column_kinds(
        [{"a": 1, "b": True, "c": [1], "e": "x"}, {"a": "x", "e": float("nan")}], {"d": "text", "a": ""}
    )
    assert {name: set(kinds) for name, kinds in found.items()} == {
        "d": {"text"},
        "a": {"number", "text"},
        "b": {"truth"},
        "c": {"other"},
        "e": {"text"},
    }
    # Of a column that no row fills anything may be asked.
    assert column_kinds([], {"a": ""}) == {"a": KINDS}


def test_whole_numbers_and_truths_stay_so_in_a_dataframe() -> None:
    rows = [{"pk": 12, "metallic": True, "gap": 0.5}, {"pk": None, "metallic": None, "gap": None}]
    frame = as_dataframe(["pk", "metallic", "gap"], rows)
    assert [str(dtype) for dtype in frame.dtypes] == ["Int64", "boolean", "float64"]
    assert frame["pk"][0] == 12 and frame["pk"].isna()[1]
    assert list(as_dataframe(["pk", "gap"], []).columns) == ["pk", "gap"]


@pytest.mark.parametrize("name", ["tokens", "columns", "tree", "where", "select", "__init__", "dataframes"])
def test_conditions_know_nothing_of_aiida(name: str) -> None:
    source = (Path(aiida_falsemetal.query.__file__).parent / f"{name}.py").read_text()
    assert not {module.split(".")[0] for _, module in imported(source, "aiida_falsemetal.query")} & AIIDA_PACKAGES


def test_columns_of_someone_elses_archive_command_no_terminal() -> None:
    """A verdict's keys are columns, whatever they are called."""
    rows = [{"pk": 1, "a\x1b[2J": 1, "x" * 5000: 1}]
    with pytest.raises(QueryError) as raised:
        select(rows, column_kinds(rows, {"pk": "number"}), Request(columns="a\x1b[2"))
    assert str(raised.value).isprintable() and len(str(raised.value)) < 300

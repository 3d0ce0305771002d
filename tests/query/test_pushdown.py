"""What is left to the database changes nothing: the rows are those that a condition finds among all rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from aiida import orm
from aiida.manage.configuration import Profile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiida_falsemetal.query import plans
from aiida_falsemetal.query.columns import column_kinds
from aiida_falsemetal.query.frame_query import RECORD_KEYS
from aiida_falsemetal.query.pushdown import MOST, columns_of, filters_of, may_hold
from aiida_falsemetal.query.rows import frame_rows
from aiida_falsemetal.query.subjects import FRAMES, table
from aiida_falsemetal.query.where import parse
from tests.data import nodes

from .test_rows import Graph

KINDS = column_kinds([], FRAMES)
NUMBERS = (0, 1, -1, 0.5, 0.1 + 0.2, 1e-320, 2**53 + 1, 2**70, -1e18, 1e308, 410, 0.08457886016528)
TEXTS = (
    "",
    "PBE",
    "pbe",
    "PBE0",
    "it's",
    "a%b",
    "a_b",
    "axb",
    "back\\slash",
    "Ångström",
    "ß",
    "日本",
    "1",
    "true",
    '"q"',
)
CELLS: dict[str, tuple[Any, ...]] = {
    "gap": (*NUMBERS, None),
    "step": (*range(5), 2**40),
    "stratum": (*NUMBERS[:4], "uniform", "1", True, None),
    "functional": (*TEXTS, None),
    "metallic": (True, False, None, 1, 0),
    "exit_code": (0, 410, None, "410"),
    "drop": (*NUMBERS, True, "text", [1], {"a": 1}),
}
"""Odd values too: of other kinds than the columns' own, that one database or the other reads its own way."""


def literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def among(column: str, no: str, values: list[Any]) -> str:
    return f"{column} {no}in ({', '.join(map(literal, values))})"


def tests() -> st.SearchStrategy[str]:
    """One test of a column, of every form that the grammar has."""
    numbers = st.sampled_from(["gap", "drop", "step", "exit_code", "stratum", "pw_pk", "result_pk", "seed"])
    texts = st.sampled_from(["functional", "stratum", "mlip", "exit_message"])
    orders = st.sampled_from(["<", "<=", ">", ">=", "=", "!="])
    values = st.one_of(st.sampled_from(NUMBERS), st.floats(allow_nan=False, allow_infinity=False))
    words = st.one_of(st.sampled_from(TEXTS), st.text(st.characters(codec="utf-8"), max_size=3))
    patterns = st.one_of(words, st.text(st.sampled_from("P%_aBbE\\'"), max_size=4))
    no = st.sampled_from(["", "not "])
    return st.one_of(
        st.builds(lambda c, o, v: f"{c} {o} {literal(v)}", numbers, orders, values),
        st.builds(lambda c, o, v: f"{c} {o} {literal(v)}", texts, orders, words),
        st.builds(lambda c, n, v: f"{c} {n}like {literal(v)}", texts, no, patterns),
        st.builds(
            lambda c, n, v: f"{c} {n}in ({', '.join(map(literal, v))})", numbers, no, st.lists(values, min_size=1)
        ),
        st.builds(lambda c, n, v: f"{c} {n}in ({', '.join(map(literal, v))})", texts, no, st.lists(words, min_size=1)),
        st.builds(lambda c, n: f"{c} is {n}null", st.one_of(numbers, texts, st.just("metallic")), no),
        st.builds(lambda o, v: f"metallic {o} {v}", st.sampled_from(["=", "!="]), st.sampled_from(["true", "false"])),
        st.builds(lambda o: f"gap {o} drop", orders),
        st.sampled_from(["metallic", "stripped_metallic", "interface = 'film8'", "interface = 'other'"]),
    )


CONDITIONS = st.recursive(
    tests(),
    lambda inner: st.one_of(
        st.builds(lambda part: f"not ({part})", inner),
        st.builds(lambda word, parts: f" {word} ".join(f"({p})" for p in parts), st.sampled_from(["and", "or"]),
                  st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def odd(aiida_profile: Profile) -> str:
    """A campaign whose frames hold all the odd values; some have no result, and some of these ended with a code."""
    graph = Graph(orm.Computer())  # no job needs it
    pairs = [graph.pair(seed=1, exit_status=310), graph.pair(seed=1), graph.pair(seed=2)]
    cells = {name: itertools.cycle(values) for name, values in CELLS.items()}
    for number in range(30):
        values = {name: next(cycle) for name, cycle in cells.items()}
        if number % 7 == 3:
            del values["gap"], values["functional"]
        record = orm.Dict({"step": number, "stratum": values["stratum"], "Mz": 0.1 * number})
        outputs = {"result": orm.Dict(values)} if number % 5 else {}
        status = 0 if outputs else (None, 999, 410)[number // 5 % 3]
        nodes.workchain(
            "falsemetal.gap", {"record": record}, outputs, pairs[number % 3], f"gap_{number:08d}", status, "no gap"
        )
    return graph.campaign


@pytest.mark.parametrize("few", [plans.FEW, 0])
def test_the_database_finds_what_python_finds(odd: str, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of so many pairs that PostgreSQL chooses how."""
    monkeypatch.setattr(plans, "FEW", few)
    every = frame_rows(odd)
    assert len(every) == 30 and len({row["result_pk"] for row in every}) == 25

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(CONDITIONS)
    def check(where: str) -> None:
        condition = parse(where, KINDS)
        expected = [row for row in every if condition.of(row) is True]
        assert table("frames", where, campaign=odd, all_runs=True)[1] == expected

    check()


@pytest.mark.parametrize(
    "where",
    [
        "functional like 'pbe%'",  # SQLite's like takes capitals for small letters
        "functional like 'a_b'",
        "functional like 'back\\%'",
        "not functional like 'P%'",
        "functional > 'PBE'",  # PostgreSQL has an order of its own
        "gap = 0.30000000000000004",
        "gap in (0.5, 410, 9007199254740993)",
        "drop = 1",  # true beside 1
        "metallic",
        "not metallic",
        "metallic is null or gap is null",
        "stratum = 'uniform' or stratum in (0, 1)",
        "exit_code is null and result_pk is null",
        "exit_code = 999",
        "gap < 1e308 and functional != 'x\0y'",
        " or ".join(f"gap = {number}" for number in range(MOST + 1)),
    ],
)
def test_conditions_that_databases_take_otherwise(odd: str, where: str) -> None:
    condition = parse(where, KINDS)
    expected = [row for row in frame_rows(odd) if condition.of(row) is True]
    assert table("frames", where, campaign=odd, all_runs=True)[1] == expected


def filters(where: str) -> Any:
    return filters_of(parse(where, KINDS), lambda name: name if name in ("gap", "functional") else None)


def test_what_is_pushed() -> None:
    low, high = filters("gap < 0.5")["gap"]["<="], filters("gap > 0.5")["gap"][">="]
    assert high < 0.5 < low == pytest.approx(0.5)
    assert filters("not gap < 0.5") == filters("gap >= 0.5")
    assert filters("gap is null") == {"gap": {"of_type": "null"}}
    assert filters("functional like 'PB_'") == {"functional": {"like": "PB%"}}
    assert filters("gap < 0.5 and mlip = 'x'") == {"and": [filters("gap < 0.5")]}
    # What is not in the Dict can make an `or` true whatever is.
    assert filters("gap < 0.5 or mlip = 'x'") is None
    present = {"and": [{"functional": {"!of_type": "null"}}]}
    assert filters("functional < 'a'") == filters("functional != 'a'") == filters("functional = 'a\0'") == present
    assert filters(" or ".join(["gap = 1"] * (MOST + 1))) is None


def test_what_is_not_known_yet_leaves_a_condition_open() -> None:
    condition = parse("mlip = 'mace' and (gap < 0.5 or step is null)", KINDS)
    assert columns_of(condition) == {"mlip", "gap", "step"}
    assert may_hold(condition, {"mlip": "mace"}, ["gap", "step"])
    assert not may_hold(condition, {"mlip": "other"}, ["gap", "step"])
    assert not may_hold(condition, {"mlip": "mace", "step": 1}, [])
    assert may_hold(parse("not gap < 0.5", KINDS), {}, ["gap"])
    # Of a frame without a result the gap is missing, and no comparison with it is true.
    assert not may_hold(parse("not gap < 0.5", KINDS), {}, RECORD_KEYS)


@given(CONDITIONS, st.lists(st.sampled_from([*CELLS, "mlip"]), unique=True))
@settings(max_examples=100, deadline=None)
def test_an_open_condition_allows_every_answer_that_there_is(where: str, unknown: list[str]) -> None:
    condition = parse(where, KINDS)
    for row in some_rows():
        if condition.of(row) is True:
            assert may_hold(condition, {name: row[name] for name in row if name not in unknown}, unknown)


def some_rows() -> Iterator[dict[str, Any]]:
    for number in range(20):
        yield {name: values[number % len(values)] for name, values in CELLS.items()} | {"mlip": TEXTS[number % 5]}

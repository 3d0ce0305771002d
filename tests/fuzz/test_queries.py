"""Conditions, columns and orders of `falsemetal query`: parsed, answered row by row, and asked of a real campaign."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import strategies as st

from aiida_falsemetal.archive.mount import mounted
from aiida_falsemetal.cli.archive import DEMO
from aiida_falsemetal.query.columns import column_kinds
from aiida_falsemetal.query.select import Request, select
from aiida_falsemetal.query.subjects import FRAMES, SUBJECTS, table
from aiida_falsemetal.query.tokens import KEYWORDS, OPERATORS, QueryError

from .harness import fuzzed, run, sentence
from .hostile import scalars, texts, values

FOREIGN = (
    *(
        "==",
        "<>",
        "&&",
        "||",
        "!",
        "%",
        ";",
        "--",
        "/*",
        "*",
        "\\",
        "'",
        '"',
        "(",
        ")",
        ",",
        "\x00",
        "\n",
        "'a",
        "1e",
        "..",
    ),
    "9" * 5000,
)
GOOD = {
    "number": ("0", "1", "-2.5", "1e3", "1e999"),
    "text": ("'twin-sr'", "'%'", "'a''b'"),
    "truth": ("true", "false"),
}
"""Values of each kind."""


def _literal(value: Any) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool | int | float) else str(value)
    return text if not isinstance(value, str) else "'" + text.replace("'", "''") + "'"


literals = st.one_of(scalars.map(_literal), st.sampled_from(sum(GOOD.values(), ())))


def _fitting(name: str, kinds: str) -> st.SearchStrategy[str]:
    """A test of a column that makes sense."""
    known = [kind for kind in kinds.split() if kind in GOOD] or ["text"]
    value = st.sampled_from([value for kind in known for value in GOOD[kind]])
    signs = ("=", "!=") if known == ["truth"] else OPERATORS
    forms = [
        st.tuples(st.just(name), st.sampled_from(signs), value),
        st.tuples(st.just(name), st.sampled_from(("is null", "is not null"))),
        st.tuples(st.just(name), st.sampled_from(("in", "not in")), st.lists(value, min_size=1).map(_bracketed)),
    ]
    if known == ["text"]:
        forms.append(st.tuples(st.just(name), st.sampled_from(("like", "not like")), texts.map(_literal)))
    return st.one_of(*forms).map(" ".join)


def _bracketed(values: list[str]) -> str:
    return f"({', '.join(values)})"


@cache
def columns_of(subject: str) -> st.SearchStrategy[str]:
    return st.one_of(*[st.sampled_from(sorted(SUBJECTS[subject]))] * 4, texts)


@cache
def conditions(subject: str) -> st.SearchStrategy[str]:
    """Mostly ones that make sense."""
    fitting = st.sampled_from(sorted(SUBJECTS[subject].items())).flatmap(lambda item: _fitting(*item))
    odd = st.tuples(columns_of(subject), st.sampled_from((*OPERATORS, "like", "in", "is")), literals).map(" ".join)
    return st.recursive(
        st.one_of(fitting, fitting, fitting, odd),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(("and", "or")), inner).map(" ".join),
            inner.map(lambda text: f"({text})"),
            inner.map(lambda text: f"not {text}"),
            st.tuples(inner, st.sampled_from((3, 48, 60, 2000))).map(lambda p: "(" * p[1] + p[0] + ")" * p[1]),
        ),
        max_leaves=5,
    )


@st.composite
def broken(draw: st.DrawFn, subject: str) -> str:
    """A condition with a piece lost, or something put into it."""
    text = draw(conditions(subject))
    first, last = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    return text[:first] + draw(st.one_of(st.just(""), st.sampled_from(FOREIGN), texts)) + text[last:]


@cache
def requests(subject: str) -> st.SearchStrategy[tuple[str, Request]]:
    names = columns_of(subject)
    words = st.lists(st.one_of(st.sampled_from([*KEYWORDS, *OPERATORS, *FOREIGN]), names, literals), max_size=12)
    where = st.one_of(st.none(), *[conditions(subject)] * 3, broken(subject), words.map(" ".join), texts)
    lists = st.one_of(st.none(), st.none(), st.lists(names, min_size=1, max_size=4).map(",".join), texts)
    orders = st.one_of(lists, st.lists(names.map(lambda name: f"-{name}"), min_size=1, max_size=4).map(",".join))
    limits = st.one_of(st.none(), st.integers(0, 3), st.integers())
    return st.tuples(st.just(subject), st.builds(Request, where, lists, orders, limits))


def check_query_strings(case: tuple[tuple[str, Request], list[dict[str, Any]]]) -> str:
    """Asked of rows that hold anything."""
    (subject, request), rows = case
    try:
        select(rows, column_kinds(rows, SUBJECTS[subject]), request)
    except QueryError as error:
        sentence(str(error))
        return "refused"
    return "answered"


@pytest.fixture(scope="module", autouse=True)
def campaign() -> Iterator[None]:
    """The campaign that comes with the package."""
    with mounted(DEMO):
        yield


def check_queries_of_a_campaign(case: tuple[str, Request]) -> str:
    """Asked of a real one, in SQL as far as that goes."""
    subject, request = case
    try:
        table(subject, request.where, request.columns, request.sort, request.limit)
    except QueryError as error:
        sentence(str(error))
        return "refused"
    return "answered"


def check_query_commands(case: tuple[tuple[str, Request], str | None]) -> str:
    """The same from the command line."""
    (subject, request), campaign = case
    options = {"where": request.where, "columns": request.columns, "sort": request.sort, "campaign": campaign}
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    return "refused" if run("query", subject, "--format", "csv", *given) == "refused" else "answered"


asked = st.sampled_from(sorted(SUBJECTS)).flatmap(requests)
rows = st.lists(st.dictionaries(st.one_of(st.sampled_from(sorted(FRAMES)), texts), values, max_size=6), max_size=4)
campaigns = st.one_of(st.none(), st.just("quickstart"), texts)
test_strings, test_strings_long = fuzzed(check_query_strings, st.tuples(asked, rows), 120, 4000)
test_campaign, test_campaign_long = fuzzed(check_queries_of_a_campaign, asked, 15, 500)
test_commands, test_commands_long = fuzzed(check_query_commands, st.tuples(asked, campaigns), 8, 300)

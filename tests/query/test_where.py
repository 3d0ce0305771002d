"""Conditions: what they say of rows, what is answered to those that make no sense, and that nothing else happens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_falsemetal.query.columns import column_kinds
from aiida_falsemetal.query.tokens import FOREIGN, KEYWORDS, OPERATORS, QueryError, tokenize
from aiida_falsemetal.query.tree import fits
from aiida_falsemetal.query.where import DEEPEST, parse

DECLARED = {
    "n": "number",
    "gap": "number",
    "vbm": "number",
    "mlip": "text",
    "interface": "text",
    "metallic": "truth",
    "stratum": "number text",
    "failed": "other",
}
KINDS = column_kinds([], DECLARED)
ROWS: list[dict[str, Any]] = [
    {"n": 0, "gap": 0.1, "vbm": -1.0, "mlip": "mace-sr", "interface": "cu111", "metallic": True, "stratum": 1},
    {"n": 1, "gap": 4.0, "vbm": 5.0, "mlip": "mace_lr", "interface": "film", "metallic": False, "stratum": "uniform"},
    {"n": 2, "gap": None, "vbm": None, "mlip": "it's", "interface": "film", "metallic": None, "stratum": 0},
    {"n": 3, "gap": float("nan"), "vbm": 0.0, "mlip": "Mace", "interface": None, "stratum": None, "failed": {"410": 1}},
]


def found(text: str) -> list[int]:
    condition = parse(text, KINDS)
    return [row["n"] for row in ROWS if condition.of(row) is True]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("gap < 0.5", [0]),
        ("gap < 0.5 and mlip like 'mace%' and interface = 'cu111'", [0]),
        ("gap <= .1", [0]),
        ("gap >= +4", [1]),
        ("gap > -1e-3", [0, 1]),
        ("gap != 4", [0]),
        ("gap < vbm", [1]),
        ("gap IS NULL", [2, 3]),
        ("gap is not null", [0, 1]),
        ("not gap is null", [0, 1]),
        ("failed is not null", [3]),
        # Three values, as in SQL: what is unknown stays so under not.
        ("not gap < 0.5", [1]),
        ("gap < 0.5 or not gap < 0.5", [0, 1]),
        ("gap < 0.5 or n >= 2", [0, 2, 3]),
        ("not (gap < 0.5 and n > 100)", [0, 1, 2, 3]),
        ("mlip like 'mace%'", [0, 1]),
        ("mlip like 'mace_lr'", [1]),
        ("mlip not like '%ace%'", [2]),
        ("mlip = 'it''s'", [2]),
        ('mlip = "it\'s"', [2]),
        ("interface in ('film', 'none')", [1, 2]),
        ("interface not in ('film')", [0]),
        ("metallic", [0]),
        ("not metallic", [1]),
        ("metallic = false", [1]),
        ("metallic in (true, false)", [0, 1]),
        ("stratum = 'uniform'", [1]),
        ("stratum in (0, 'uniform')", [1, 2]),
        ("stratum < 1", [2]),
        ("stratum != 1", [1, 2]),
        # and binds more strongly than or, not most of all.
        ("n = 0 or n = 1 and n = 2", [0]),
        ("(n = 0 or n = 1) and not n = 1", [0]),
        ("not n = 0 and n = 1", [1]),
        ("not not n = 0", [0]),
    ],
)
def test_rows_of_a_condition(text: str, rows: list[int]) -> None:
    assert found(text) == rows


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the condition is empty"),
        ("  ", "the condition is empty"),
        ("gpa < 1", "character 1, 'gpa': is no column; did you mean gap? Columns: n, gap"),
        ("n = 1 and mpil = 'x'", "character 11, 'mpil': is no column; did you mean mlip?"),
        ("GAP < 1", "did you mean gap?"),
        ("gap < ", "character 7, the end: a number, a text in quotes, true or false should stand here"),
        ("gap < 'low'", "character 7, 'low': is of another type (texts) than gap, numbers; write it as gap = 0.5"),
        ("gap = true", "character 7, 'true': is of another type"),
        ("mlip = 3", "than mlip, texts; write it as mlip = 'text'"),
        ("mlip = mace", "character 8, 'mace': a text stands in quotes, 'mace'; without them it is no column"),
        ("mlip = gap", "holds numbers and mlip holds texts, which = cannot compare"),
        ("failed = 1", "only failed is null can be asked"),
        ("failed = failed", "cannot compare"),
        ("metallic < true", "character 10, '<': true and false have no order; write metallic = true"),
        ("metallic < metallic", "cannot compare"),
        ("gap = null", "character 7, 'null': nothing compares with null; write gap is null"),
        ("gap != null", "write gap is not null"),
        ("gap in (1, null)", "nothing equals null; write or gap is null"),
        ("gap like '1%'", "like is for texts, and gap holds numbers"),
        ("mlip like 3", "after like, a text in quotes should stand"),
        ("gap in 3", "after in, values in brackets should stand"),
        ("gap in ()", "a number, a text in quotes, true or false should stand here"),
        ("gap in (1 2)", "a comma or ) should stand here"),
        ("gap is 3", "after is, null or not null should stand"),
        ("gap not = 3", "after a column, not goes before like or in"),
        ("gap", "after gap, which holds numbers, an operator should stand"),
        ("(gap < 1", "character 9, the end: the ( of character 1 is not closed; write ) here"),
        ("gap < 1)", "character 8, ')': does not belong here, after a complete condition; there is no ( for it"),
        ("gap < 1 n = 2", "character 9, 'n': does not belong here"),
        ("0.5 > gap", "character 1, '0.5': a value stands where a column should; write the column first"),
        ("and", "a column should stand here"),
        ("gap == 1", "character 5, '==': is not known here; write ="),
        ("gap <> 1", "write !="),
        ("gap < 1 && n = 1", "write and"),
        ("gap < 1 || n = 1", "write or"),
        ("gap < 1; drop table", "character 8, ';': begins nothing that is known here"),
        ("mlip = 'x", "character 8, \"'x\": the quote is not closed; end the text with '"),
        ("gap < 1.2.3", "character 7, '1.2.3': is no number"),
        ("gap < 5eV", "'5eV': is no number"),
        ("gap < 1_0", "is no number"),
        ("gap < \u0665", "begins nothing"),
        ("(" * 60 + "gap < 1" + ")" * 60, f"nested deeper than {DEEPEST} levels"),
        ("not " * 100000 + "metallic", "nested deeper"),
    ],
)
def test_refusals_name_place_token_and_remedy(text: str, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text, KINDS)
    assert says in str(caught.value)
    assert str(caught.value).startswith("where: ") and "\n" not in str(caught.value)


def test_an_enormous_number_is_a_number() -> None:
    assert found("gap < " + "9" * 10000) == [0, 1]
    assert found("gap < 1e999") == [0, 1]


def test_many_parts_are_not_deep() -> None:
    assert found(" or ".join(["n = 0"] * 5000)) == [0]


@given(st.text("ab%_", max_size=8), st.text("ab", max_size=8))
def test_like_is_what_a_regular_expression_says(pattern: str, text: str) -> None:
    import re

    expression = "".join({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in pattern)
    assert fits(text, pattern) == (re.fullmatch(expression, text, re.DOTALL) is not None)


def test_no_pattern_takes_for_ever() -> None:
    assert not fits("a" * 2000, "%a" * 200 + "b")


def survives(text: str) -> None:
    """Either it is understood, and then of any row, or it is refused in one sentence."""
    try:
        condition = parse(text, KINDS)
    except QueryError as error:
        assert "\n" not in str(error)
        return
    for row in [*ROWS, {}]:
        assert condition.of(row) in (True, False, None)


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_understood_or_refused(text: str) -> None:
    survives(text)
    survives(f"gap < {text}")
    survives(f"mlip = '{text}'")


WORDS = [*KEYWORDS, *OPERATORS, *FOREIGN, *DECLARED, "(", ")", ",", "0", "-1.5", "1e3", "'x'", '"%_"', "gpa", "'", ";"]


@given(st.lists(st.sampled_from(WORDS), max_size=14))
@settings(max_examples=500, deadline=None)
def test_any_soup_of_tokens_is_understood_or_refused(words: list[str]) -> None:
    survives(" ".join(words))
    survives("".join(words))


TESTS = st.sampled_from(
    ["gap < 1", "vbm is null", "metallic", "mlip like '%a%'", "stratum in (1, 'uniform')", "n != 2", "gap >= vbm"]
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        inner.map(lambda part: f"not ({part})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: "({}) {} ({})".format(*parts)),
    ),
    max_leaves=8,
)


@given(CONDITIONS)
@settings(max_examples=200, deadline=None)
def test_a_condition_and_its_opposite_never_hold_together(text: str) -> None:
    condition, opposite = parse(text, KINDS), parse(f"not ({text})", KINDS)
    for row in ROWS:
        said = condition.of(row)
        assert opposite.of(row) == (None if said is None else not said)


def test_places_are_counted_from_one() -> None:
    assert [(token.text, token.place) for token in tokenize("gap<= 'a b'")] == [
        ("gap", 1),
        ("<=", 4),
        ("'a b'", 7),
        ("", 12),
    ]

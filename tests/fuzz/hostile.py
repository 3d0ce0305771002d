"""Values that nobody should write, and changes that spoil data which are right."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

SHELL = (
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "| touch pwned #",
    "&& touch pwned",
    "a'b\"c",
    "a\ntouch pwned",
    "-rf",
    "--help",
    "${HOME}",
    "a b*?[c]{d,e}~!",
    "\\",
)
PATHS = (
    "../../../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "/",
    "a/../../b",
    "~root",
    "/dev/zero",
    "/dev/stdin",
    "/proc/self/mem",
    "C:\\x",
    "file:///etc/passwd",
    "x" * 300,
    "x/" * 3000,
    "a\x00b",
)
MARKUP = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}}{% raw %}",
    "{0.__class__}",
    "%s%n%(x)s",
    "[red]x[/red]",
    "$x_{y}$",
    "' OR '1'='1",
    "!!python/object/apply:os.system ['touch pwned']",
    "&a [*a, *a]",
    "=cmd|' /C calc'!A0",
)
CONTROLS = (
    "",
    " ",
    "\t",
    "\x1b[31mred\x1b[0m",
    "\x07",
    "\x7f",
    "\x85",
    "\u202egpj.exe",
    "\u200b",
    "\ufeff",
    "\ud800",
    "\U0001f9ea",
    "ａ",
    "ß" * 64,
    "é" * 2100,
)
WORDS = (
    "null",
    "true",
    "NaN",
    ".inf",
    "1e999",
    "0x10",
    "010",
    "1_000",
    "1:30",
    "2020-01-01",
    "auto",
    "film",
    "x" * 3000,
)
NUMBERS = (
    *(0, -0.0, -1, 1, 2, 1.5, -1e308, 1e308, 5e-324, 1e-9, float("nan"), float("inf"), float("-inf")),
    *(2**31, 2**31 - 1, 2**63, -(2**63), 2**64, 10**18, 10**299, 10**301, 10**4000, True, False),
)

texts = st.one_of(
    st.sampled_from([*SHELL, *PATHS, *MARKUP, *CONTROLS, *WORDS]),
    st.text(max_size=30),
)
numbers = st.one_of(
    st.sampled_from(NUMBERS),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True, allow_infinity=True),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


def nested(depth: int, inner: Any = None) -> Any:
    """Lists in lists."""
    for _ in range(depth):
        inner = [inner]
    return inner


def _places(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to everything inside ``data``."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [found for key, item in inside for found in [(*place, key), *_places(item, (*place, key))]]


@st.composite
def spoilt(draw: st.DrawFn, good: Any, likely: st.SearchStrategy[Any] = values) -> Any:
    """``good`` with one to four changes: an entry dropped, renamed, replaced, moved, wrapped, copied or nested.

    :param likely: what entries are replaced by.
    """
    data = copy.deepcopy(draw(good) if isinstance(good, st.SearchStrategy) else good)
    for _ in range(draw(st.integers(1, 4))):
        places = _places(data)
        if not places:
            return draw(likely)
        *parents, last = draw(st.sampled_from(places))
        holder = data
        for key in parents:
            holder = holder[key]
        _change(draw, data, holder, last, places, likely)
    return data


def _change(draw: st.DrawFn, data: Any, holder: Any, last: Any, places: list[Any], likely: Any) -> None:
    kind = draw(st.sampled_from(("replace", "replace", "replace", "drop", "rename", "wrap", "copy", "add", "nest")))
    item = holder[last]
    if kind == "replace":
        holder[last] = draw(likely)
    elif kind == "drop":
        del holder[last]
    elif kind == "rename" and isinstance(holder, dict):
        typo = str(last)[1:] + str(last)[:1]
        holder[draw(st.one_of(st.just(typo), texts))] = holder.pop(last)
    elif kind == "wrap":
        holder[last] = draw(st.sampled_from(([item], {"x": item}, [item, item], {str(last): item})))
    elif kind == "copy":
        source: Any = data
        for key in draw(st.sampled_from(places)):
            source = source[key] if _has(source, key) else source
        holder[last] = copy.deepcopy(source)
    elif kind == "add" and isinstance(item, dict):
        item[draw(texts)] = draw(likely)
    elif kind == "nest":
        holder[last] = nested(draw(st.sampled_from((5, 19, 25, 200))), item)


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else isinstance(holder, list) and key in range(len(holder))

"""Reports of campaigns whose texts are someone else's: the page runs nothing, no file leaves its folder."""

from __future__ import annotations

import copy
import tempfile
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.report.conftest import Campaign, whole_campaign

from .harness import fuzzed
from .hostile import texts

LABELS = ("film-25A", "film-38A", "mace-sr-4.5", "polar-mace", "spcfw-ewald")


class Page(HTMLParser):
    """What of a page could act: scripts, handlers of events, addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.acts: Counter[str] = Counter()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "img", "link", "meta", "base", "form", "style"):
            self.acts[tag] += 1
        for name, value in attrs:
            if name.startswith("on") or name == "srcdoc":
                self.acts[name] += 1
            if name in ("href", "src", "action") and not str(value).startswith(
                ("#", "data:", "figures/", "results.", "cells.")
            ):
                self.acts[f"{name} {value}"] += 1


def _written(campaign: Campaign, name: str) -> tuple[Counter[str], set[str]]:
    """What the page could do, and the files that were written, anywhere below the folder's parent."""
    with tempfile.TemporaryDirectory(prefix="falsemetal-fuzz-") as place:
        inside = Path(place) / "inside" / "report"
        page = campaign.write(inside, name)
        files = {str(path.relative_to(place)) for path in Path(place).rglob("*") if path.is_file()}
        return Page(page.read_text(encoding="utf-8")).acts, files


@cache
def right() -> tuple[Counter[str], set[str]]:
    return _written(copy.deepcopy(whole_campaign()), "water")


def _renamed(value: Any, names: dict[str, str], words: list[str]) -> Any:
    """Labels by their new names; every text that is a sentence by one of the words."""
    if isinstance(value, dict):
        return {key: _renamed(item, names, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names, words) for item in value]
    if isinstance(value, str) and value in names:
        return names[value]
    return words[len(value) % len(words)] if isinstance(value, str) and " " in value else value


def check_reports(case: tuple[dict[str, str], list[str], str]) -> str:
    names, words, title = case
    campaign = copy.deepcopy(whole_campaign())
    for part in ("rows", "pairs", "cells", "laws"):
        setattr(campaign, part, _renamed(getattr(campaign, part), names, words))
    acts, files = _written(campaign, title)
    assert acts == right()[0] and files == right()[1]
    return "written"


# A half of a surrogate pair is no text: neither a file nor a database gives one.
written = texts.filter(lambda text: text.isascii() or text.encode("utf-8", "ignore").decode() == text)
labels = st.tuples(*[written] * len(LABELS)).filter(lambda found: len(set(found)) == len(found))
test_reports, test_reports_long = fuzzed(
    check_reports,
    st.tuples(
        labels.map(lambda found: dict(zip(LABELS, found, strict=True))),
        st.lists(written, min_size=1, max_size=3),
        written,
    ),
    3,
    60,
)

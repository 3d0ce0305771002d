"""Says at the end how many cases were run, and what became of them. A plugin, which ``tests/conftest.py`` names."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

OUTCOMES: Counter[tuple[str, str]] = Counter()
"""Cases by kind and outcome: of this process, and of the workers of pytest-xdist that have ended."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist sends what it has counted."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["fuzz"] = [[*key, count] for key, count in OUTCOMES.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Of a worker that has crashed there is no output; pytest-xdist says so."""
    for kind, word, count in getattr(node, "workeroutput", {}).get("fuzz", []):
        OUTCOMES[kind, word] += count


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for each kind of what was fuzzed."""
    for kind in sorted({kind for kind, _ in OUTCOMES}):
        counts = {word: count for (found, word), count in sorted(OUTCOMES.items()) if found == kind}
        said = ", ".join(f"{count} {word}" for word, count in counts.items())
        terminalreporter.write_line(f"fuzz of {kind}: {sum(counts.values())} cases, {said}")

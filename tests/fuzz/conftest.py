"""Says at the end how many cases were run, and what became of them."""

from __future__ import annotations

from typing import Any

from .harness import OUTCOMES


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for each kind of what was fuzzed."""
    for kind in sorted({kind for kind, _ in OUTCOMES}):
        counts = {word: count for (found, word), count in sorted(OUTCOMES.items()) if found == kind}
        said = ", ".join(f"{count} {word}" for word, count in counts.items())
        terminalreporter.write_line(f"fuzz of {kind}: {sum(counts.values())} cases, {said}")

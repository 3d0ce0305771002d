"""Every command, campaign file and Python block of the pages is run, or listed with the reason why not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from .plan import (
    COMPUTED_BLOCKS,
    COMPUTING,
    NOT_RUN,
    ROOT,
    SLOW,
    STARTS_NOT_RUN,
    Step,
    blocks,
    every_command,
    left_out,
    pages,
    steps,
)

STEPS: list[Step] = [step for path in pages() for step in steps(path)]
RUNS = {"falsemetal", ".venv/bin/falsemetal", "verdi"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What came of all steps, by the name of the step and its text: one process for all."""
    folder = tmp_path_factory.mktemp("docs")
    plan, found, work = folder / "plan.json", folder / "results.json", folder / "work"
    plan.write_text(json.dumps([step.as_dict() for step in STEPS]))
    work.mkdir()
    paths = ("FALSEMETAL_PW", "FALSEMETAL_PROJWFC", "FALSEMETAL_PP", "FALSEMETAL_AVERAGE", "AIIDA_PROFILE")
    kept = {key: value for key, value in os.environ.items() if key not in paths}
    python_path = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH", "")]))
    (folder / "aiida").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.sandbox", str(plan), str(found)],
        cwd=work,
        env={**kept, "AIIDA_PATH": str(folder / "aiida"), "PYTHONPATH": python_path, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    every = json.loads(found.read_text())
    return {f"{step.name} {step.text}": result for step, result in zip(STEPS, every, strict=True)}


def matches(pattern: str, said: str) -> bool:
    """Whether what was said is what a page shows: `...` is any text, spaces count as one, lines' ends do not count."""
    parts = [r"\s+".join(map(re.escape, part.split())) for part in pattern.strip().split("...")]
    return re.fullmatch(r"\s*.*?\s*".join(parts), said.strip(), re.DOTALL) is not None


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.kind}-{step.name}")
def test_what_the_pages_show_works(step: Step, results: dict[str, dict[str, Any]]) -> None:
    result = results[f"{step.name} {step.text}"]
    refused = step.answer.startswith("Error: ")
    assert result["code"] == int(refused), f"{step.text}\n{result['said']}"
    if step.answer:
        assert matches(step.answer, result["said"]), f"{step.text}\nshown:\n{step.answer}\nsaid:\n{result['said']}"


def test_a_command_is_run_or_listed() -> None:
    for command in every_command():
        if not left_out(command.text):
            assert command.words[0] in RUNS, (
                f"{command.page}:{command.line}: {command.text!r} is neither run nor listed; list it in plan.py."
            )


def test_what_is_listed_is_on_a_page() -> None:
    there = {command.text for command in every_command()}
    assert sorted(set(NOT_RUN) | set(SLOW)) == sorted((set(NOT_RUN) | set(SLOW)) & there)
    for start in STARTS_NOT_RUN:
        assert any(text.startswith(start) for text in there), start


def test_what_is_listed_has_a_reason_and_is_listed_once() -> None:
    assert all(NOT_RUN.values()) and all(STARTS_NOT_RUN.values()) and not set(NOT_RUN) & set(SLOW)


def test_python_that_computes_is_listed() -> None:
    computing = {
        (block.page, mark) for path in pages() for block in blocks(path) for mark in COMPUTING if mark in block.text
    }
    assert computing == set(COMPUTED_BLOCKS)


@pytest.mark.parametrize(
    ("pattern", "said", "right"),
    [
        ("a  1\n...\nb 2", "a 1   \nmore\nb   2\n", True),
        ("a 1\nb 2", "a 1\nmore\nb 2", False),
        ("Error: x, ...", "Error: x, y and z", True),
        ("a", "a b", False),
    ],
)
def test_what_counts_as_the_same(pattern: str, said: str, right: bool) -> None:
    assert matches(pattern, said) is right


def test_every_page_is_looked_at() -> None:
    looked_at = {step.page for step in STEPS} | {command.page for command in every_command() if command.text in SLOW}
    written = ["README.md", "docs/tutorial.md", "docs/my-mlip.md", "docs/my-interface.md", "docs/cluster.md"]
    written += [str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "howto").glob("*.md")]
    assert set(written) <= looked_at

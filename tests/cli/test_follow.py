"""Following a campaign: what is shown, and that a graph that cannot be read does not end it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from plumpy.process_states import ProcessState
from rich.console import Console
from rich.text import Text
from sqlalchemy.exc import OperationalError

from aiida_falsemetal.cli import display, follow, view
from tests.query.test_failures import failed_frame, failed_md
from tests.query.test_rows import Graph, graph  # noqa: F401  (a fixture)


class Shown:
    """A display that keeps what it is given."""

    def __init__(self) -> None:
        self.console = Console(width=100)
        self.lines: list[str] = []
        self.said: list[str] = []

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""

    def show(self, found: Any, line: str, last: bool = False) -> None:
        self.lines.append(line)

    def say(self, text: Text) -> None:
        self.said.append(text.plain)


def failing(times: int, error: Exception, answer: Any = None) -> Any:
    """A look that fails so many times before it answers."""
    calls = iter([True] * times + [False] * 100)

    def read(*_: Any) -> Any:
        if next(calls):
            raise error
        return answer

    return read


def operational(message: str) -> OperationalError:
    return OperationalError("SELECT", {}, Exception(message))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, aiida_profile: Any) -> None:
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.0)


def test_a_locked_database_is_looked_at_again_without_a_word() -> None:
    shown = Shown()
    read = failing(5, operational("database is locked"), "found")
    assert follow.patiently(read, shown, follow.Told()) == "found"
    assert shown.said == []


def test_another_fault_is_said_once_and_looked_at_again() -> None:
    shown, told = Shown(), follow.Told()
    for _ in range(2):
        assert follow.patiently(failing(5, operational("disk I/O error"), 1), shown, told) == 1
    assert len(shown.said) == 1 and "disk I/O error" in shown.said[0] and "looking again" in shown.said[0]


@pytest.mark.parametrize("message", ["database is locked", "disk I/O error"])
def test_a_fault_that_stays_is_an_error_of_one_sentence(message: str) -> None:
    with pytest.raises(click.ClickException, match=f"cannot be read.*{message}.*the same command goes on"):
        follow.patiently(failing(follow.PATIENCE, operational(message)), Shown(), follow.Told())


def test_failures_are_told_once_and_a_fault_of_showing_ends_nothing(
    graph: Graph,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first look finds a failure of before; then a pair fails, and two frames in the same way."""
    failed_md(graph, seed=1)
    running = graph.pair(seed=2, exit_status=None)
    shown = Shown()
    looks = 0

    def keep() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            failed_frame(graph, running, 100)
        elif looks == 2:
            failed_frame(graph, running, 200)
        elif looks == 3:
            monkeypatch.setattr(shown, "show", failing(1, ValueError("a fault of ours")))
        else:
            running.set_process_state(ProcessState.KILLED)

    follow.watch(graph.campaign, shown, 0.0, 3, keep)
    assert "failed before: 1, see `falsemetal status" in shown.said[0]
    assert shown.said[1].startswith("× film8 x sr, seed 2, frame of step 100 failed\n")
    assert "exit code 410: The electronic minimization cycle" in shown.said[1].replace("\n  ", " ")
    assert "seed 2, frame of step 200 failed, as one before it: exit code 401" in shown.said[2]
    assert "a fault of ours" in shown.said[3] and "goes on" in shown.said[3]
    assert shown.said[4].startswith("× film8 x sr, seed 2 failed\n") and len(shown.said) == 5
    # Three pairs there are to be, of which the graph has two.
    assert shown.lines[0].startswith("1 of 3 pairs done")


def test_a_pipe_gets_lines_without_control_characters(
    graph: Graph,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failed_md(graph, driver__log="\x1b[2Jstep 10 of 100, 5 s left, 300 K\n")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with display.display() as shown:
        assert isinstance(shown, display.Lines)
        follow.watch(graph.campaign, shown, 0.0)
    printed = capsys.readouterr().out
    assert "1 of 1 pairs done" in printed and "film8 x sr x 1: failed [410]" in printed
    assert "| step 10 of 100" in printed and printed.replace("\n", "").isprintable()


def test_a_log_names_what_has_changed_and_is_bounded(graph: Graph) -> None:  # noqa: F811
    from aiida_falsemetal.query.progress import PairProgress

    before = [PairProgress("film", f"m{number}", 1, "MD", "MD 10 %") for number in range(30)]
    assert view.changed(before, before) == ""
    now = [*before[:29], PairProgress("film", "m29", 1, "MD", "MD 20 %")]
    assert view.changed(before, now) == "film x m29 x 1: MD 20 %"
    assert view.changed([], before).endswith("film x m11 x 1: MD 10 %; 18 others")


@pytest.mark.parametrize(
    ("seconds", "said"), [(7.4, "7 s"), (250.0, "4 min 10 s"), (719.0, "12 min"), (11100.0, "3 h 05 min")]
)
def test_durations(seconds: float, said: str) -> None:
    assert view.duration(seconds) == said


def test_a_folder_of_logs_that_cannot_be_read_takes_nothing_from_the_cause(
    graph: Graph,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from aiida_falsemetal.query import failures

    failed_md(graph)
    monkeypatch.setattr(failures, "log_tail", failing(1, OSError("no such object")))
    (found,) = failures.failures(graph.campaign)
    assert "exit code 411" in found.cause and "cannot be read" in found.logs[0].lines[0]

"""What is shown of a log: lines that tell something, and nothing that a terminal would obey."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from aiida.manage import get_manager

from aiida_falsemetal.query.logs import LINE_LENGTH, clean, informative, remote_tail

PW = Path(__file__).parents[1] / "fixtures" / "pw"


def test_a_run_that_did_not_converge_says_so_last() -> None:
    lines = informative((PW / "not_converged" / "aiida.out").read_text())
    assert lines[-1].strip() == "convergence NOT achieved after   3 iterations: stopping"
    assert not any("WALL" in line or "dipole" in line or "ethr" in line for line in lines[-15:])


def test_a_run_out_of_wall_time_says_so() -> None:
    assert any("Maximum CPU time exceeded" in line for line in informative((PW / "walltime" / "aiida.out").read_text()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bcreset", "reset"),
        ("a\x07b\x08c\x00d", "a b c d"),
        ("\u202eright to left\u2066", " right to left"),
        ("a\x9b31mb", "a 31mb"),
        ("[bold]no markup[/]", "[bold]no markup[/]"),
    ],
)
def test_nothing_that_a_terminal_would_obey(text: str, shown: str) -> None:
    assert clean(text) == shown
    assert clean(text).isprintable()


def test_lines_are_bounded_and_none_takes_long() -> None:
    assert len(clean("x" * 10**6)) == LINE_LENGTH
    begun = time.monotonic()
    for hostile in (" " * 64000 + "x", "\n" * 64000 + "x", "-" * 64000 + "x", "\x1b]" * 30000, "\x1b[" + "0" * 64000):
        informative(hostile)
    assert time.monotonic() - begun < 2.0


def test_a_line_written_over_itself_is_its_last_state() -> None:
    assert informative(" 10 %\r 50 %\rstopped\r\n====\n") == ["stopped"]


def test_the_end_of_a_file_on_this_machine(tmp_path: Path, aiida_profile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").write_text("first\nlast\n")
    os.mkfifo(tmp_path / "pipe")
    assert remote_tail(str(tmp_path), "core.local", "log", 5) == "last\n"
    assert remote_tail(str(tmp_path), "core.local", "pipe") == ""  # and does not wait for a writer
    assert remote_tail(str(tmp_path), "core.local", "none") == ""
    assert remote_tail(str(tmp_path), "core.ssh", "log") == remote_tail(None, "core.local", "log") == ""
    # The folders that an archive's nodes name are not of this machine.
    monkeypatch.setattr(type(get_manager().get_profile_storage()), "read_only", True)
    assert remote_tail(str(tmp_path), "core.local", "log") == ""

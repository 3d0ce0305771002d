"""What any command says when it refuses: text that a terminal shows as it is."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from aiida_falsemetal.cli.common import print_rows
from aiida_falsemetal.cli.main import main


@pytest.mark.parametrize(
    "arguments",
    [
        ("screen", "\x1b[2J.yaml"),
        ("screen", "\udcff.yaml"),
        ("screen", "a\nb.yaml"),
        ("open", "\x1b[2J.aiida"),
        ("model", "scan", "\x1b[2J"),
        ("model", "show", "\x1b[2J"),
        ("interface", "show", "\x1b[2J"),
        ("interface", "build", "film", "\x1b[2J=1"),
        ("trajectory", "bulk", "\x1b[2J", "--temperature", "300"),
        ("\x1b[2J",),
    ],
)
def test_what_is_quoted_commands_no_terminal(arguments: tuple[str, ...], aiida_profile: Any) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in (1, 2) and isinstance(done.exception, SystemExit), done.exception
    assert "\x1b" not in done.stderr.splitlines()[-1] and "Error: " in done.stderr


def test_cells_and_headings_of_a_table_command_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"a\x1b[2J": "[red]b\x1b[2J", "c": 1}], "table")
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "[red]b" in printed

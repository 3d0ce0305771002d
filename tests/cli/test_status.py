"""`falsemetal status` as a user meets it."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path

import pytest
from aiida import orm
from click.testing import CliRunner, Result
from plumpy.process_states import ProcessState

from aiida_falsemetal.archive.mount import mounted
from aiida_falsemetal.archive.write import write_archive
from aiida_falsemetal.cli.archive import DEMO
from aiida_falsemetal.cli.main import main
from tests.archive.test_archive import end
from tests.query.test_failures import failed_frame, failed_md
from tests.query.test_rows import Graph, graph  # noqa: F401  (a fixture)

from .conftest import Home

PAGE = (Path(__file__).parents[2] / "docs" / "status.md").read_text()
SHELL = re.findall(r"^    (falsemetal status.*)$", PAGE, re.MULTILINE)
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

KEYS = [
    *("campaign", "interface", "mlip", "seed", "pair_pk", "stage", "detail", "core_seconds_left", "more_ps"),
    *("for_precision", "exit_code", "reason"),
]
"""What JSON and CSV have had from the first version on."""


def run(*arguments: str, code: int = 0) -> Result:
    found = CliRunner().invoke(main, ["status", *arguments], env={"COLUMNS": "100"})
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exc_info
    assert found.exit_code == code, found.output
    return found


def test_matrix_summary_and_failures(graph: Graph) -> None:  # noqa: F811
    pair = graph.pair(verdict=orm.Dict({"verdict": "undecided"}))
    graph.gap(pair, 100, gap=0.7)
    for step in (200, 300):
        failed_frame(graph, pair, step)
    md_pair, job = failed_md(graph, seed=2, driver__log="step 10 of 1000, 5 s left, 300 K\n")
    printed = run(graph.campaign).stdout
    for line in ("min gap 0.70 eV", "× 1 seed failed", "2 of 2 pairs done, complete", "  | step 10 of 1000"):
        assert line in printed
    # Frames that failed in the same way have one explanation; the newest stands for all.
    assert printed.count("frame of step 300 failed") == 1 and "1 alike: pk" in printed
    assert f"pks: PairWorkChain {md_pair.pk}, failed in {job.pk}" in printed
    every = run(graph.campaign, "--failures", "all").stdout
    assert all(f"frame of step {step} failed" in every for step in (200, 300))
    none = run(graph.campaign, "--failures", "0").stdout
    assert "step 300" not in none and "3 failures; `falsemetal status" in none
    assert printed.replace("\n", "").isprintable()


def test_rows_keep_their_keys(graph: Graph) -> None:  # noqa: F811
    _, job = failed_md(graph)
    (row,) = json.loads(run(graph.campaign, "--format", "json").stdout)
    assert list(row)[: len(KEYS)] == KEYS
    assert (row["stage"], row["exit_code"], row["failed_pk"], row["failed_frames"]) == ("failed", 410, job.pk, 0)
    assert "exit code 411" in row["cause"]
    (line,) = csv.DictReader(run(graph.campaign, "--format", "csv").stdout.splitlines())
    assert line["reason"] == "failed with 410"
    assert "detail" in run(graph.campaign, "--pairs").stdout.replace("\n", "")


def test_watching_ends_with_the_campaign(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    pair = graph.pair(exit_status=None)
    from aiida_falsemetal.cli import follow

    monkeypatch.setattr(follow.time, "sleep", lambda seconds: pair.set_process_state(ProcessState.KILLED))
    printed = run(graph.campaign, "--watch").stdout
    assert "0 of 1 pairs done" in printed and "1 of 1 pairs done" in printed and "was killed" in printed
    assert run("--watch", graph.campaign).stdout  # the name is not taken for a number


def test_interrupting_a_watch_harms_nothing(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    graph.pair(exit_status=None)
    from aiida_falsemetal.cli import follow

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(follow.time, "sleep", interrupt)
    assert "the campaign goes on" in run(graph.campaign, "--watch", "2", code=130).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none",), "no campaign 'none' in this profile"),
        (("a", "--watch", "b"), "'b' is no number of seconds"),
        (("--watch", "0"), "give 0.5 to 86400 seconds"),
        (("--watch", "--pairs"), "leave --pairs and --format out"),
        (("--failures", "-3"), "neither a number nor 'all'"),
    ],
)
def test_refusals(arguments: tuple[str, ...], said: str, aiida_profile: object) -> None:
    found = run(*arguments, code=1 if arguments == ("none",) else 2)
    assert said in found.stderr and not found.stdout


def test_a_profile_without_campaigns(home: Home) -> None:
    assert "no campaign in this profile yet; `falsemetal screen FILE`" in home.good("status")
    assert json.loads(home.good("status", "--format", "json")) == []
    refused = home.run("status", "none")
    assert refused.returncode == 1 and "no campaign 'none'" in refused.stderr


def test_an_archive_is_only_read(graph: Graph, tmp_path: Path) -> None:  # noqa: F811
    """What failed is said, and no command that would not work there."""
    first = orm.Int(0).store().pk
    pair = graph.pair(verdict=orm.Dict({"verdict": "undecided"}))
    _, job = failed_frame(graph, pair, 100, "convergence NOT achieved\n")
    group, _ = orm.Group.collection.get_or_create(label=f"falsemetal/{graph.campaign}")
    group.add_nodes([pair])
    end(first)
    path = tmp_path / "a.aiida"
    write_archive(graph.campaign, path)
    with mounted(path):
        printed = run(graph.campaign).stdout
    assert "| convergence NOT achieved" in printed and "exit code 410" in printed
    assert "verdi archive import" in printed and "outputcat" not in printed


def test_every_example_of_the_page_works() -> None:
    """On the campaign that comes with the package, mounted read-only."""
    with mounted(DEMO):
        for line in SHELL:
            assert run(*shlex.split(line)[2:]).stdout, line
        for script in PYTHON:
            exec(script, {})
        printed = run("quickstart").stdout
    assert len(SHELL) > 5 and len(PYTHON) == 1
    assert "4 of 4 pairs done" in printed and "■ false metallization" in printed and "□ safe" in printed

"""`falsemetal query` and `why` as a user meets them, and every example of docs/query.md."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
from pathlib import Path

import aiida
import pandas
import pytest
from click.testing import CliRunner, Result
from pandas import DataFrame

from aiida_falsemetal.cli.main import main
from aiida_falsemetal.names import FRAME_COLUMNS
from tests.query.stories import Told
from tests.query.test_rows import Graph, graph  # noqa: F401  (a fixture)

PAGE = (Path(__file__).parents[2] / "docs" / "query.md").read_text()
SHELL = [shlex.split(line)[1:] for line in re.findall(r"^    (falsemetal .*)$", PAGE, re.MULTILINE)]
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run(*arguments: str) -> Result:
    """A command; whatever it says, it never ends with a traceback."""
    found = CliRunner().invoke(main, list(arguments), env={"COLUMNS": "400"})
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exc_info
    return found


def good(*arguments: str) -> str:
    found = run(*arguments)
    assert found.exit_code == 0, found.output
    return found.stdout


def refused(*arguments: str, code: int = 1) -> str:
    found = run(*arguments)
    assert found.exit_code == code and not found.stdout
    return found.stderr.strip()


def dot(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program `dot` that is a few lines of shell."""
    folder.mkdir()
    (folder / "dot").write_text(f"#!/bin/sh\ncat > {folder}/asked\n{script}\n")
    (folder / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_without_a_subject_it_is_frames_as_ever(graph: Graph) -> None:  # noqa: F811
    told = Told(graph)
    plain = json.loads(good("query", "--campaign", graph.campaign, "--format", "json"))
    assert [tuple(row) for row in plain] == [FRAME_COLUMNS]
    assert plain[0]["gap_pk"] == told.gap.pk
    assert (
        good("query", "frames", "--campaign", graph.campaign, "--format", "json") == json.dumps(plain, indent=1) + "\n"
    )
    assert good("query", "--campaign", graph.campaign, "--format", "csv").splitlines()[0] == ",".join(FRAME_COLUMNS)
    assert "scf_iterations" in good("query", "--campaign", graph.campaign)
    assert good("query", "--campaign", "none", "--format", "json") == "[]\n"
    assert good("query", "--campaign", "none", "--format", "csv") == "\n"


def test_of_nothing_found_the_heading_is_there(graph: Graph) -> None:  # noqa: F811
    Told(graph)
    ask = ("--campaign", graph.campaign, "--format", "csv", "--where", "gap > 100")
    assert good("query", *ask, "--columns", "gap,step") == "gap,step\n"
    assert good("query", *ask) == ",".join(FRAME_COLUMNS) + "\n"


@pytest.mark.parametrize("subject", ["frames", "pairs", "interfaces", "mlips"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_file_has_what_the_terminal_shows(graph: Graph, tmp_path: Path, subject: str, form: str) -> None:  # noqa: F811
    Told(graph)
    path = tmp_path / f"found.{form}"
    path.write_text("from before")
    ask = ("query", subject, "--campaign", graph.campaign)
    assert good(*ask, "--output", str(path)) == ""
    assert path.read_text() == good(*ask, "--format", form) != "from before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_shows_the_usual_columns_or_those_asked_for(graph: Graph) -> None:  # noqa: F811
    Told(graph)
    for subject, column in (("pairs", "min_gap"), ("interfaces", "E_g0"), ("mlips", "receptive_field")):
        assert column in good("query", subject, "--campaign", graph.campaign)
    shown = good("query", "--campaign", graph.campaign, "--columns", "mlip,gap", "--sort", "-gap", "--limit", "1")
    assert [line.split() for line in shown.splitlines()] == [["mlip", "gap"], ["sr", "0.12"]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("--where", "gpa < 1"),
            "Error: where: character 1, 'gpa': is no column; did you mean gap? Columns: campaign,",
        ),
        (("--where", "gap <"), "Error: where: character 6, the end:"),
        (("--columns", "gap,gpa"), "Error: columns: entry 2, 'gpa': is no column; did you mean gap?"),
        (("--sort", "-gpa"), "Error: sort: entry 1, 'gpa'"),
        (("--output", "found.txt"), "Error: --output: a table is for the terminal; give --format csv, json or parquet"),
        (("--output", "nowhere/found.csv"), "Error: --output: nowhere/found.csv cannot be written: No such file"),
        (("--format", "parquet"), "Error: --format parquet: Parquet is no text; give --output FILE."),
    ],
)
def test_refusals_are_one_sentence(graph: Graph, arguments: tuple[str, ...], says: str) -> None:  # noqa: F811
    said = refused("query", *arguments)
    assert said.startswith(says) and "\n" not in said


def test_all_runs_is_for_frames_and_pairs(graph: Graph) -> None:  # noqa: F811
    assert "leave it out for mlips" in refused("query", "mlips", "--all-runs", code=2)


def test_parquet_without_its_package_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = refused("query", "--output", str(tmp_path / "found.parquet"))
    assert "`pip install pyarrow`" in said and "csv or json" in said
    assert not list(tmp_path.iterdir())


def test_parquet_comes_back_as_it_was(graph: Graph, tmp_path: Path) -> None:  # noqa: F811
    Told(graph)
    good("query", "--campaign", graph.campaign, "--output", str(tmp_path / "found.parquet"))
    found = pandas.read_parquet(tmp_path / "found.parquet")
    rows = json.loads(good("query", "--campaign", graph.campaign, "--format", "json"))
    assert list(found.columns) == list(FRAME_COLUMNS) and len(found) == len(rows) > 0
    for name in found:
        for value, row in zip(found[name], rows, strict=True):
            given = row[name]
            # A column of several types is text; numbers and truths keep theirs.
            assert (given is None and pandas.isna(value)) or value == given or value == str(given), name


def test_why_prints_sentences_with_pks(graph: Graph) -> None:  # noqa: F811
    told = Told(graph)
    said = good("why", str(told.jobs[0].pk))
    assert said.splitlines()[0] == (
        f" 1. The interface's recipe is film with molecules 8, lateral 6.5, seed 3. <{told.recipe.pk}>"
    )
    assert max(map(len, said.splitlines())) <= 110
    found = json.loads(good("why", str(told.jobs[0].pk), "--format", "json"))
    assert [step["number"] for step in found["steps"]] == list(range(1, len(found["steps"]) + 1))
    assert {"what": "recipe", "pk": told.recipe.pk}.items() <= found["steps"][0].items()
    assert found["steps"][0]["data"]["parameters"]["molecules"] == 8
    for step in found["steps"]:
        assert f"<{step['pk']}>" in said


def test_why_of_another_pk_is_one_sentence(graph: Graph) -> None:  # noqa: F811
    told = Told(graph)
    assert refused("why", str(told.pair.pk)) == (
        f"Error: {told.pair.pk} is a PairWorkChain; ask for one of its frames: {told.gap.pk}."
    )


def test_a_drawing_without_dot_names_the_package(
    graph: Graph,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = Told(graph)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "Debian package graphviz" in refused("why", str(told.gap.pk), "--svg", str(tmp_path / "why.svg"))
    assert not list(tmp_path.iterdir())


def test_a_drawing_is_whole_or_not_there(
    graph: Graph,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told, path = Told(graph), tmp_path / "drawings" / "why.svg"
    path.parent.mkdir()
    with monkeypatch.context() as patch:
        dot(tmp_path / "bad", patch, "echo '<svg'; echo 'out of memory' >&2; exit 1")
        assert "dot failed: out of memory" in refused("why", str(told.gap.pk), "--svg", str(path))
        assert not list(path.parent.iterdir())
    dot(tmp_path / "good", monkeypatch, "echo '<svg/>'")
    assert f"drawing: {path}" in good("why", str(told.gap.pk), "--svg", str(path))
    assert path.read_text() == "<svg/>\n" and list(path.parent.iterdir()) == [path]
    asked = (tmp_path / "good" / "asked").read_text()
    # All the way back to the recipe, with the run that failed, and each node once.
    for node in (told.gap, told.frame, told.pair, told.recipe, told.model, *told.jobs):
        assert asked.count(f"({node.pk})") == 1


@pytest.mark.browser
def test_dot_itself_draws_it(graph: Graph, tmp_path: Path) -> None:  # noqa: F811
    good("why", str(Told(graph).gap.pk), "--svg", str(tmp_path / "why.svg"))
    assert "</svg>" in (tmp_path / "why.svg").read_text()


def test_examples_of_the_page(
    aiida_localhost: aiida.orm.Computer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(Graph(aiida_localhost, "quickstart"))
    dot(tmp_path / "programs", monkeypatch, "echo '<svg/>'")
    monkeypatch.chdir(tmp_path)
    assert len(SHELL) >= 12 and len(PYTHON) == 1
    for words in SHELL:
        arguments = [str(told.gap.pk) if word == "555" else word for word in words]
        if "gpa < 0.5" in arguments:
            answer = re.search(r"^    (Error: .*), \.\.\.$", PAGE, re.MULTILINE)
            assert answer is not None and refused(*arguments).startswith(answer[1])
        else:
            good(*arguments)
    with (tmp_path / "frames.csv").open(newline="") as file:
        assert str(told.gap.pk) in {row["gap_pk"] for row in csv.DictReader(file)}
    monkeypatch.setattr(aiida, "load_profile", lambda name: None)
    names: dict[str, object] = {}
    exec(PYTHON[0], names)
    for name in ("closing", "verdicts", "laws", "short"):
        assert isinstance(names[name], DataFrame)
    closing = names["closing"]
    assert isinstance(closing, DataFrame) and list(closing["gap"]) == [0.12]

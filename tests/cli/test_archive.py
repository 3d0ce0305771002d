"""`falsemetal export`, `open` and `demo` as a user meets them, and files that are no archives."""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aiida_falsemetal.archive.contents import check_archive, contents, database_of
from aiida_falsemetal.cli import archive
from aiida_falsemetal.cli.archive import DEMO
from aiida_falsemetal.cli.main import main
from tests.archive.test_archive import campaign, graph  # noqa: F401  (fixtures)

from .conftest import Home

MEGABYTES = 20
Change = Callable[[str, bytes], tuple[str | None, bytes]]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments: str | Path) -> str:
    """What a command that must fail says: a sentence, no traceback."""
    done = run(*arguments)
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit), done.output
    assert done.output.splitlines()[-1].startswith("Error: ") and "Traceback" not in done.output
    return done.output.splitlines()[-1]


def test_export_says_what_it_has_written(campaign: str, tmp_path: Path) -> None:  # noqa: F811
    done = run("export", campaign, "--output", tmp_path)
    assert done.exit_code == 0, done.output
    names = {f"{campaign}.aiida", "report.html", "results.json", "results.csv", "cells.csv", "figures"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert f"{campaign}.aiida: 0." in done.output and "(2 pairs, 2 frames, 1 MD runs" in done.output
    assert f"report: {tmp_path / 'report.html'}" in done.output


def test_export_judges_what_has_ended_and_nobody_has_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign that is ended by hand does not come to its verdicts; those that are there stay as they are."""
    asked: list[str] = []

    def conclude(name: str, _: object) -> list[str]:
        asked.append(name)
        return ["film8 x sr: a fault"]

    def judge(state: str, exit_code: int | None, judged: bool) -> list[str]:
        cells = [{"interface": "film8", "mlip": "sr"}] if judged else []
        monkeypatch.setattr(archive, "concluded", lambda _: (cells, []))
        pair = {"interface": "film8", "mlip": "sr"}
        asked.clear()
        others = {"state": "finished", "exit_code": 0}
        archive._judge("mine", [{**pair, **others}, {**pair, "state": state, "exit_code": exit_code}])
        return list(asked)

    monkeypatch.setattr("aiida_falsemetal.workflows.conclude.conclude_campaign", conclude)
    monkeypatch.setattr("aiida_falsemetal.cli.verdict.stored_thresholds", lambda _: {})
    assert judge("killed", None, judged=False) == judge("finished", 410, judged=False) == ["mine"]
    assert judge("killed", None, judged=True) == judge("waiting", None, judged=False) == []


def test_export_overwrites_nothing_unasked(campaign: str, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / f"{campaign}.aiida"
    path.write_text("mine")
    assert "is there already; give --overwrite" in refused("export", campaign, "--output", tmp_path)
    assert [found.name for found in tmp_path.iterdir()] == [path.name] and path.read_text() == "mine"
    assert run("export", campaign, "--output", tmp_path, "--overwrite").exit_code == 0
    check_archive(path)


def test_export_does_not_replace_another_campaigns_report(campaign: str, tmp_path: Path) -> None:  # noqa: F811
    results = tmp_path / "results.json"
    for content, named in (('{"campaign": "other"}', "is of other"), ("[]", "is of something else")):
        results.write_text(content)
        assert named in refused("export", campaign, "--output", tmp_path)
        assert results.read_text() == content
    results.write_text(json.dumps({"campaign": campaign}))  # its own: a report is written anew every time
    assert run("export", campaign, "--output", tmp_path).exit_code == 0


def test_export_of_an_unknown_campaign() -> None:
    assert "no campaign 'none' in this profile" in refused("export", "none")


def test_an_archive_is_opened_in_the_same_process(campaign: str, tmp_path: Path) -> None:  # noqa: F811
    assert run("export", campaign, "--output", tmp_path / "a", "--without-trajectories").exit_code == 0
    file = tmp_path / "a" / f"{campaign}.aiida"
    done = run("open", file, "--output", tmp_path / "b")
    assert done.exit_code == 0 and "without trajectories" in done.output and "undecided" in done.output
    for name in ("report.html", "results.json", "results.csv", "cells.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    done = run("open", file, "--no-report")
    assert len(done.output.splitlines()) == 1


def verdicts() -> dict[str, str]:
    """By MLIP, from the shipped archive's database alone."""
    ask = (
        "SELECT json_extract(f.extras, '$.falsemetal_mlip'), json_extract(d.attributes, '$.verdict') "
        "FROM db_dbnode f JOIN db_dblink l ON l.input_id = f.id JOIN db_dbnode d ON d.id = l.output_id "
        "WHERE json_extract(f.extras, '$.falsemetal_kind') = 'cell' AND l.type = 'create'"
    )
    with database_of(DEMO) as database, closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute(ask).fetchall())


def test_the_shipped_archive_is_small_and_of_this_version() -> None:
    check_archive(DEMO)
    held = contents(DEMO)
    assert held.size < MEGABYTES * 1e6 and held.counts["pairs"] == 4 and held.left_out == ()


def test_demo_needs_no_profile_and_no_model(empty_home: Home) -> None:
    """In a process of its own: the report with the archive's verdicts, and nothing else anywhere."""
    (empty_home.folder / "aiida").mkdir()
    empty_home.changes["AIIDA_PATH"] = str(empty_home.folder / "aiida")
    script = (
        "import sys\nfrom aiida_falsemetal.cli.main import main\n"
        "main(['demo'], standalone_mode=False)\n"
        "print(sorted({'torch', 'mace', 'openmm', 'e3nn'} & set(sys.modules)))"
    )
    printed = empty_home.good("-c", script, program=Path(sys.executable).name)
    assert printed.splitlines()[-1] == "[]"
    assert "report: results/demo/report.html" in printed and "-- query" in printed
    assert {path.name for path in empty_home.folder.iterdir()} == {"aiida", "results"}
    assert list((empty_home.folder / "aiida").iterdir()) == []
    found = json.loads((empty_home.folder / "results/demo/results.json").read_text())
    assert {cell["mlip"]: cell["verdict"] for cell in found["cells"]} == verdicts()
    # Figures of four pairs are few enough to be drawn without being asked for.
    drawn = {path.name for path in (empty_home.folder / "results/demo/figures").glob("*.pdf")}
    assert {"verdicts.pdf", "gaps_film16.pdf", "dipoles_film16_twin-sr_seed1.pdf"} <= drawn and len(drawn) == 10
    assert verdicts()["twin-sr"] == "false metallization" and verdicts()["spcfw-ewald"] == "safe"


def test_a_reading_command_on_an_archive(empty_home: Home) -> None:
    rows = list(csv.DictReader(empty_home.good("open", str(DEMO), "--", "query", "--format", "csv").splitlines()))
    assert len(rows) == 12 and {row["campaign"] for row in rows} == {"quickstart"}
    story = empty_home.good("open", str(DEMO), "--", "why", rows[0]["gap_pk"])
    assert f"<{rows[0]['result_pk']}>" in story and "pw.x" in story
    assert list(empty_home.folder.iterdir()) == []


def test_the_report_command_on_an_archive_spares_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for more, folder in ([], "results/quickstart-opened"), (["--output", "mine"], "mine"):
        done = run("open", DEMO, "--", "report", "quickstart", "--figures", "none", *more)
        assert done.exit_code == 0, done.output
        assert (tmp_path / folder / "report.html").is_file() and not (tmp_path / folder / "figures").exists()
    assert not (tmp_path / "results" / "quickstart").exists()


def test_a_failing_command_on_an_archive() -> None:
    assert "no campaign 'none'" in refused("open", DEMO, "--", "report", "none")
    assert run("open", DEMO, "--", "query", "--formt", "csv").exit_code == 2


@pytest.mark.parametrize("command", ["verdict", "screen", "setup", "rm"])
def test_a_command_that_writes_is_refused(command: str) -> None:
    assert f"'{command}' does not go with an archive" in refused("open", DEMO, "--", command)


def test_an_output_without_a_report_is_refused(tmp_path: Path) -> None:
    assert "--output is for the report" in refused("open", DEMO, "--output", tmp_path, "--", "query")


def test_a_folder_that_cannot_be_written() -> None:
    assert "name another folder with --output" in refused("open", DEMO, "--output", "/proc/none")


def remade(path: Path, change: Change, *more: str) -> Path:
    """The shipped archive with every entry changed, and with further ones."""
    with zipfile.ZipFile(DEMO) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for member in source.infolist():
            name, content = change(member.filename, source.read(member))
            if name is not None:
                target.writestr(name, content)
        for name in more:
            target.writestr(name, "x")
    return path


def of(entry: str, content: bytes | None) -> Change:
    """A change of one entry; None leaves it out."""

    def change(name: str, old: bytes) -> tuple[str | None, bytes]:
        if name != entry:
            return name, old
        return (name, content) if content is not None else (None, b"")

    return change


def version(number: str) -> Change:
    return of("metadata.json", json.dumps({"export_version": number}).encode())


WRONG: dict[str, tuple[Change | bytes, tuple[str, ...], str]] = {
    "no zip": (b"no zip", (), "not an AiiDA archive, or cut short"),
    "empty": (b"", (), "not an AiiDA archive, or cut short"),
    "old": (version("0.9"), (), "of archive version 0.9, and this AiiDA reads"),
    "new": (version("main_9999"), (), "install a newer aiida-core"),
    "metadata a list": (of("metadata.json", b"[]"), (), "its metadata.json says nothing"),
    "metadata cut": (of("metadata.json", b"{"), (), "not an AiiDA archive, or cut short"),
    "metadata too deep": (of("metadata.json", b"[" * 100_000), (), "Error"),
    "no metadata": (of("metadata.json", None), (), "has no metadata.json"),
    "no database": (of("db.sqlite3", None), (), "has no db.sqlite3"),
    "database of junk": (of("db.sqlite3", b"junk" * 1000), (), "its database cannot be read"),
    "database empty": (of("db.sqlite3", b""), (), "its database lacks db_dbcomputer"),
    "files missing": (lambda name, old: (None if "/" in name else name, old), (), "is damaged or missing"),
    "path upwards": (lambda name, old: (name, old), ("../../evil",), "holds '../../evil'"),
    "path absolute": (lambda name, old: (name, old), ("/etc/evil",), "holds '/etc/evil'"),
    "path in the repository": (lambda name, old: (name, old), ("repo/../evil",), "holds 'repo/../evil'"),
    "another file": (lambda name, old: (name, old), ("run.py",), "holds 'run.py'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_archive_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    change, more, said = WRONG[name]
    path = tmp_path / "wrong.aiida"
    if isinstance(change, bytes):
        path.write_bytes(change)
    else:
        remade(path, change, *more)
    assert said in refused("open", path, "--output", tmp_path / "out")
    assert list(tmp_path.iterdir()) == [path]


def test_a_truncated_archive(tmp_path: Path) -> None:
    path = tmp_path / "cut.aiida"
    path.write_bytes(DEMO.read_bytes()[:-1000])
    assert "or cut short" in refused("open", path)


def test_what_unpacks_to_far_more_than_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiida_falsemetal.archive.contents._SMALL", 1000)
    monkeypatch.setattr("aiida_falsemetal.archive.contents._LARGEST_RATIO", 10)
    path = remade(tmp_path / "bomb.aiida", of("db.sqlite3", bytes(40_000_000)))
    assert "not opened" in refused("open", path)


def test_a_database_that_acts(tmp_path: Path) -> None:
    """Triggers and views are no part of an archive: nothing is read through them."""
    with database_of(DEMO) as database:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("CREATE VIEW v AS SELECT 1")
            connection.commit()
        path = remade(tmp_path / "view.aiida", of("db.sqlite3", database.read_bytes()))
    assert "has a view, which no AiiDA archive has" in refused("open", path)


def test_a_campaign_whose_name_leads_elsewhere(tmp_path: Path) -> None:
    with database_of(DEMO) as database:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute(
                "UPDATE db_dbnode SET extras = json_set(extras, '$.falsemetal_campaign', '../x') "
                "WHERE json_extract(extras, '$.falsemetal_campaign') IS NOT NULL"
            )
            connection.commit()
        path = remade(tmp_path / "name.aiida", of("db.sqlite3", database.read_bytes()))
    assert "has no name for a folder: '../x'" in refused("open", path, "--output", tmp_path / "out")
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert "there is no such file" in refused("open", tmp_path / "none.aiida")
    assert "is a folder" in refused("open", tmp_path)

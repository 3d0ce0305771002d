"""`falsemetal model`: the catalogue, adding and removing, and a hostile file that must not run."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.mlips.lonely import arguments, make_environment

from .conftest import Home

pytestmark = pytest.mark.qe

FILM = {"recipe": "film", "molecules": 8, "lateral": 6.5, "vacuum": 20.0, "seed": 1}


class Hostile:
    """Touches a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (exec, (f"open({str(self.marker)!r}, 'w').close()",))


@pytest.fixture
def shelf(home: Home, tmp_path: Path) -> Home:
    """The session's profile, with a shelf of the test's own."""
    return Home(home.folder, {"FALSEMETAL_HOME": str(tmp_path / "shelf")})


def campaign(folder: Path, mlips: dict[str, Any], **more: Any) -> str:
    path = folder / "models.yaml"
    path.write_text(yaml.safe_dump({"name": "models", "interfaces": {"film8": FILM}, "mlips": mlips, **more}))
    return str(path)


def test_list_tells_what_is_here_and_what_each_is(shelf: Home) -> None:
    rows = {row["name"]: row for row in json.loads(shelf.good("model", "list", "--format", "json"))}
    assert [name for name, row in rows.items() if row["here"] == "yes"][:6] == [
        *("spcfw-ewald", "spcfw-truncated", "twin-sr", "twin-lr", "water-sr", "water-lr"),
    ]
    assert rows["twin-sr"]["receptive_field"] == 9.0 and rows["twin-sr"]["long_ranged"] is False
    assert rows["twin-lr"]["long_ranged"] is True
    assert rows["7net-0"]["here"] == "no" and rows["7net-0"]["environment"] == "sevennet"
    assert rows["mace-mp-0b3"]["offline"] is False


def test_show_reads_the_file(shelf: Home) -> None:
    found = json.loads(shelf.good("model", "show", "spcfw-truncated"))
    assert (found["cutoff"], found["coulomb_cutoff"], found["elements"]) == (6.0, 6.0, ["H", "O"])
    assert found["code"] == "python-mlip@localhost" and "Fennell" in found["reference"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("show", "7net-0"), ["needs the Python environment `sevennet`", "falsemetal model env sevennet"]),
        (("show", "mace-mp0"), ["there is no model 'mace-mp0'", "mace-mp-0b3"]),
        (("env", "pytorch"), ["no requirements are known for an environment 'pytorch'", "--path"]),
        (("env", "orb", "--path", "nowhere"), ["nowhere has no bin/python"]),
        (("add", "twin-sr"), ["twin-sr ships with this package already"]),
        (("add", "mine"), ["--family"]),
        (("add", "a/b", "--family", "mace"), ["is not a name"]),
        (("add", "mine", "--family", "maze"), ["mace"]),
        (("add", "mine", "--family", "mace", "--file", "none.model"), ["there is no model file"]),
        (("add", "mine", "--family", "mace", "--kwargs", "{"), ["--kwargs: not JSON"]),
        (("add", "7net-0"), ["sevenn", "falsemetal model env sevennet"]),
        (("remove", "mine"), ["no model 'mine' was added"]),
        (("scan", "none.model"), ["there is no such file"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_refusals_are_one_sentence(shelf: Home, line: tuple[str, ...], words: list[str]) -> None:
    done = shelf.run("model", *line)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


def test_foundation_model_offline_names_the_download(shelf: Home) -> None:
    done = shelf.run("model", "add", "mace-mp-0b3")
    assert done.returncode == 1
    assert "github.com/ACEsuit" in done.stderr and "file" in done.stderr


def test_environment_of_ones_own_is_added_used_and_removed(shelf: Home, tmp_path: Path) -> None:
    folder = make_environment(tmp_path / "env", "scale", 4.0)
    said = shelf.good(
        *("model", "add", "wells", "--env", str(folder), "--family", "ase", "--kwargs", arguments("scale")),
        *("--licence", "MIT"),
    )
    assert "AiiDA code python-wells@localhost" in said
    row = next(r for r in json.loads(shelf.good("model", "list", "--format", "json")) if r["name"] == "wells")
    assert (row["here"], row["environment"], row["licence"], row["cutoff"]) == ("yes", "wells", "MIT", 5.0)
    assert "would submit film8 x wells" in shelf.good("screen", campaign(tmp_path, {"wells": None}), "--dry-run")
    # What was added is pinned: a file that has changed is not what was looked at.
    listed = yaml.safe_load((tmp_path / "shelf" / "models.yaml").read_text())["models"]["wells"]
    Path(listed["path"]).write_text("{}")
    done = shelf.run("screen", campaign(tmp_path, {"wells": None}), "--dry-run")
    assert done.returncode == 1 and "has changed since it was added" in done.stderr
    shelf.good("model", "remove", "wells")
    done = shelf.run("screen", campaign(tmp_path, {"wells": None}), "--dry-run")
    assert done.returncode == 1 and "there is no model 'wells'" in done.stderr


def test_hostile_file_is_refused_everywhere_and_never_runs(shelf: Home, tmp_path: Path) -> None:
    marker, file = tmp_path / "ran", tmp_path / "hostile.model"
    file.write_bytes(pickle.dumps(Hostile(marker)))
    scanned = shelf.run("model", "scan", str(file))
    assert scanned.returncode == 1 and "dangerous" in scanned.stdout and "exec" in scanned.stdout
    for line in (
        ("model", "add", "mine", "--family", "mace", "--file", str(file)),
        ("model", "show", str(file), "--family", "mace"),
        ("screen", campaign(tmp_path, {"mine": {"family": "mace", "file": str(file)}}), "--dry-run"),
    ):
        done = shelf.run(*line)
        assert done.returncode == 1, line
        assert "hostile.model" in done.stderr and "Traceback" not in done.stderr
    assert not marker.exists()


def test_models_that_do_not_know_an_element_are_skipped_where_asked(shelf: Home, tmp_path: Path) -> None:
    salty = {**FILM, "molecules": 16, "salt": {"NaCl": 1}}
    both = {"film8": FILM, "salty": salty}
    refused = shelf.run("screen", campaign(tmp_path, {"spcfw-ewald": None}, interfaces=both), "--dry-run")
    assert refused.returncode == 1 and "does not know Cl" in refused.stderr
    file = campaign(tmp_path, {"spcfw-ewald": None}, interfaces=both, unknown_elements="skip")
    done = shelf.run("screen", file, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "skipped salty x spcfw-ewald: the model does not know Cl, Na" in done.stderr
    assert "1 pairs" in done.stdout and "would submit film8 x spcfw-ewald" in done.stdout
    nothing = shelf.run(
        "screen",
        campaign(tmp_path, {"spcfw-ewald": None}, interfaces={"salty": salty}, unknown_elements="skip"),
        "--dry-run",
    )
    assert nothing.returncode == 1 and "does not know Cl" in nothing.stderr

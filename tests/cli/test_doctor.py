"""`falsemetal doctor`: everything in order here, and each fault named with its remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aiida_falsemetal.cli import doctor
from aiida_falsemetal.cli.doctor import judge_blas, version_finding
from aiida_falsemetal.cli.environment import package_version

from .conftest import Home


def findings(home: Home, code: int) -> dict[str, dict[str, Any]]:
    """What `falsemetal doctor --format json` finds, by name."""
    done = home.run("doctor", "--format", "json")
    assert done.returncode == code, done.stdout + done.stderr
    return {row["what"]: row for row in json.loads(done.stdout)}


@pytest.mark.qe
def test_all_is_well_after_setup(home: Home) -> None:
    found = findings(home, code=0)
    assert [row for row in found.values() if row["state"] not in ("OK", "note", "warn")] == []
    for what in ("Python", "packmol", "pw.x", "projwfc.x", "BLAS of pw.x", "mpirun", "torch threads", "disk"):
        assert what in found
    for what in ("profile", "broker", "daemon", "pseudopotentials", "code pw@localhost", "code projwfc@localhost"):
        assert found[what]["state"] == "OK", found[what]
    assert "GFLOP/s on one core" in found["BLAS of pw.x"]["detail"]
    assert found["broker"]["detail"] == "core.zeromq"
    assert "does not run" in found["daemon"]["detail"]
    assert found["pseudopotentials"]["detail"].endswith("69 elements")
    assert found["aiida-core"]["detail"].startswith(str(package_version("aiida-core")))


@pytest.mark.qe
def test_table_has_one_line_each(home: Home) -> None:
    lines = home.good("doctor").splitlines()
    assert len(lines) > 20
    assert all(line.split()[0] in ("OK", "note", "warn") for line in lines)


def test_without_a_profile_setup_is_the_remedy(empty_home: Home) -> None:
    found = findings(empty_home, code=1)
    assert found["profile"]["state"] == "FAIL"
    assert "falsemetal setup" in found["profile"]["detail"]


@pytest.mark.qe
def test_code_whose_executable_is_gone(home: Home) -> None:
    moved = home.folder / "gone" / "pw.x"
    moved.parent.mkdir()
    moved.write_text("#!/bin/sh\n")
    moved.chmod(0o755)
    home.good("setup", "--pw", str(moved))
    moved.unlink()
    found = findings(home, code=1)
    home.good("setup")
    assert found["code pw@localhost"]["state"] == "FAIL"
    assert str(moved) in found["code pw@localhost"]["detail"]
    assert [what for what, row in found.items() if row["state"] == "FAIL"] == ["code pw@localhost"]


def test_pw_that_does_not_start(empty_home: Home) -> None:
    broken = empty_home.folder / "pw.x"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    home = Home(empty_home.folder, {"FALSEMETAL_PW": str(broken)})
    assert findings(home, code=1)["pw.x"]["state"] == "FAIL"


@pytest.mark.parametrize(
    ("version", "tested", "absent", "state", "words"),
    [
        ("1.2", "1.2", "FAIL", "OK", "1.2"),
        ("1.2", None, "FAIL", "OK", "1.2"),
        ("1.3", "1.2", "FAIL", "note", "1.3, and the tests run with 1.2"),
        (None, "1.2", "FAIL", "FAIL", "run `pip install x`"),
        (None, "1.2", "note", "note", "run `pip install x`"),
    ],
)
def test_version(version: str | None, tested: str | None, absent: str, state: str, words: str) -> None:
    finding = version_finding("x", version, tested, "pip install x", absent)
    assert finding.state == state
    assert words in finding.detail


REFERENCE = "/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0"
BETTER = "/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3"


def test_reference_blas_is_a_warning_with_its_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "blas_speed", lambda _: 52.0)
    finding = judge_blas(REFERENCE, 2.0, BETTER)
    assert finding.state == "warn"
    assert "2 GFLOP/s on one core, 26 times slower than" in finding.detail
    assert "2.8 to 3 times as long" in finding.detail
    # What is there has to be chosen, not installed.
    assert f"update-alternatives --set libblas.so.3-x86_64-linux-gnu {BETTER}" in finding.detail
    assert "apt-get" not in finding.detail


def test_reference_blas_alone_is_to_be_replaced() -> None:
    finding = judge_blas(REFERENCE, 2.0, None)
    assert finding.state == "warn"
    assert finding.detail.endswith("run `apt-get install -y libopenblas0-pthread`")


@pytest.mark.parametrize(
    ("library", "speed", "state"),
    [
        (BETTER, 52.0, "OK"),
        (BETTER, None, "OK"),
        ("/usr/lib64/libflexiblas.so.3", 40.0, "OK"),
        ("/usr/lib64/libflexiblas.so.3", 2.0, "warn"),
        (REFERENCE, None, "warn"),
    ],
)
def test_blas_is_judged_by_name_and_speed(library: str, speed: float | None, state: str) -> None:
    assert judge_blas(library, speed, None).state == state


def test_checks_do_not_write_where_the_user_is(tmp_path: Path) -> None:
    """pw.x leaves files where it runs; the doctor's run leaves none."""
    home = Home(tmp_path)
    home.run("doctor")
    assert {path.name for path in tmp_path.iterdir()} <= {".aiida"}

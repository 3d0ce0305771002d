"""A campaign of one trajectory that someone had already: from the file to its gap, in rows and report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.data import trajectories
from tests.data.trajectories import save, wrapped

from .conftest import TINY, Workspace

pytestmark = pytest.mark.qe
pytest.importorskip("openmm")


def test_an_imported_trajectory_reaches_its_gap(workspace: Workspace, tmp_path: Path) -> None:
    run = trajectories.run()
    path = save(wrapped(run.frames), "vasp-xdatcar", tmp_path)
    said = workspace.run(
        *("trajectory", "import", str(path), "--timestep", "50", "--temperature", "300", "--origin", "AIMD, PBE")
    )
    (uuid,) = re.findall(r"trajectory: ([0-9a-f-]{36})", said)
    given = {name: part for name, part in TINY.items() if name in ("gap", "slots")}
    file = workspace.campaign(
        "imported",
        **given,
        interfaces={},
        mlips={},
        trajectories={"aimd": {"trajectory": uuid, "interface": "film8", "equilibration": 0.2}},
        selection={"stratified": 1, "uniform": 0, "strata": 1, "start": 0.2},
    )
    output = workspace.run("screen", file.name, "--follow")
    (row,) = workspace.rows("imported")
    assert (row["interface"], row["mlip"], row["seed"], row["exit_code"]) == ("film8", "AIMD, PBE", 1, 0)
    assert 0.5 < row["gap"] < 7.0
    # The number of the frame in the file; the MLIP's energy was not in it.
    assert row["time_ps"] == pytest.approx(row["step"] * 0.05) and row["energy_mlip"] is None
    assert row["Mz"] == pytest.approx(run.series("dipole_z")[row["step"]], abs=1e-4)
    assert row["drop"] == pytest.approx(row["expected_drop"], abs=1.0)
    folder = workspace.folder / "results" / "imported"
    assert str(Path("results") / "imported" / "report.html") in output
    (pair,) = json.loads((folder / "results.json").read_text())["pairs"]
    assert pair["imported_from"] == path.name and pair["md_ps"] == pytest.approx(2.0) and pair["sha256"] is None
    assert pair["verdict"] in ("safe", "false metallization", "undecided") and pair["sampled_ps"] > 1.5
    assert f"from {path.name}" in (folder / "report.html").read_text()
    # Given again, nothing runs again.
    assert "1 pairs, 1 in the graph already, 0 to submit" in workspace.run("screen", file.name, "--dry-run")

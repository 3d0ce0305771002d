"""Failures of real programs: an MD that explodes and pw.x that does not converge are told with their logs."""

from __future__ import annotations

import json

import pytest

from .conftest import Workspace

pytestmark = pytest.mark.qe


def test_failed_cells_print_cause_log_and_the_next_command(workspace: Workspace) -> None:
    """A timestep at which O-H bonds cannot be integrated, and an SCF that may take three iterations."""
    file = workspace.campaign(
        "failing",
        mlips={"spcfw-ewald": {"md": {"steps": 1000}}, "spcfw-truncated": {"md": {"timestep": 5.0}}},
        selection={"stratified": 2, "uniform": 0, "strata": 2, "start": 0.2},
        gap={"protocol": "fast", "overrides": {"ecutwfc": 30.0, "electron_maxstep": 3, "rescues": []}},
    )
    followed = workspace.run("screen", file.name, "--follow", code=1)
    words = " ".join(followed.split())
    assert "× film8 x spcfw-truncated, seed 1 failed A run of the MD driver" in words
    assert "ended with exit code 411: The run exploded" in words
    # Of the two frames that fail alike, the first is explained.
    assert followed.count("convergence NOT achieved after   3 iterations") == 1
    assert "as one before it: exit code 401" in followed
    assert "2 of 2 pairs done" in followed and followed.replace("\n", "").isprintable()

    rows = {row["mlip"]: row for row in json.loads(workspace.run("status", "failing", "--format", "json"))}
    md, frames = rows["spcfw-truncated"], rows["spcfw-ewald"]
    assert (md["stage"], md["exit_code"], frames["stage"], frames["failed_frames"]) == ("failed", 410, "done", 2)
    found = workspace.python(
        "from aiida_falsemetal.query.failures import failures\n"
        "print(json.dumps([[f.failing.kind, f.failed_pk, orm.load_node(f.failed_pk).process_label,"
        " [c.line for c in f.commands], [log.name for log in f.logs]] for f in failures('failing')]))"
    )
    assert [(kind, label, logs) for kind, _, label, _, logs in found] == [
        ("pair", "MlipMdCalculation", ["driver.log"]),
        *[("frame", "PwCalculation", ["aiida.out"])] * 2,
    ]
    assert found[0][1] == md["failed_pk"]

    shown = workspace.run("status", "failing")
    assert "0 / 0 / 2 (2 failed)" in shown and "× pair failed" in shown and "1 alike: pk" in shown
    # What is advised works.
    (frame,) = [commands for kind, _, _, commands, _ in found if kind == "frame"][:1]
    assert "pw.x" in workspace.run(*frame[0].split()[1:])
    line = next(command for command in frame if command.endswith("outputcat " + str(found[1][1])))
    output = workspace.python(
        "import subprocess, sys, pathlib\n"
        "verdi = str(pathlib.Path(sys.executable).parent / 'verdi')\n"
        f"done = subprocess.run([verdi, *{line.split()[1:]!r}], capture_output=True, text=True)\n"
        "print(json.dumps([done.returncode, 'convergence NOT achieved' in done.stdout]))"
    )
    assert output == [0, True]

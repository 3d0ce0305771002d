"""`falsemetal trajectory import`: what is stored, that it is stored once, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from aiida_falsemetal.cli.main import main
from tests.data import trajectories
from tests.data.trajectories import save, wrapped

from .conftest import Home

pytest.importorskip("openmm")

KNOWN = ("--timestep", "50", "--temperature", "300")

NODES = """
from aiida_falsemetal.cli.trajectories import load_trajectory
query = orm.QueryBuilder().append(orm.TrajectoryData, filters={"extras": {"has_key": "falsemetal_content"}})
found = [load_trajectory(str(node.pk)) for node in query.order_by({orm.TrajectoryData: "id"}).all(flat=True)]
print(json.dumps([{
    "uuid": f.trajectory.uuid, "label": f.trajectory.label, "origin": f.trajectory.base.extras.get("falsemetal_origin"),
    "arrays": sorted(f.series.get_arraynames()), "dipole": f.series.get_array("dipole_z").tolist(),
    "parameters": f.parameters.get_dict(), "mlip": None if f.mlip is None else f.mlip.label,
    "atoms": len(f.interface.sites), "process": f.series.creator.process_label,
} for f in found]))
"""


def nodes(home: Home) -> list[dict[str, Any]]:
    """Every imported trajectory of the profile, oldest first."""
    return list(home.ask(NODES))


def test_import_twice_and_with_something_else(home: Home, tmp_path: Path) -> None:
    run = trajectories.run()
    path = save(wrapped(run.frames), "extxyz", tmp_path)
    before = len(nodes(home))
    first = home.good("trajectory", "import", str(path), *KNOWN, "--mlip", "spcfw-truncated", "--label", "mine")
    again = home.good("trajectory", "import", str(path), *KNOWN, "--mlip", "spcfw-truncated")
    assert first.startswith("stored: TrajectoryData<") and again.startswith("there already: TrajectoryData<")
    assert first.removeprefix("stored") == again.removeprefix("there already")
    assert "41 frames, 2 ps, 8 molecules and ions, water, dipole_z, potential_energy, mine" in first
    other = home.good("trajectory", "import", str(path), *KNOWN, "--origin", "AIMD, PBE", "--no-energies")
    assert other.startswith("stored")
    one, two = nodes(home)[before:]
    assert f"trajectories: {{NAME: {{trajectory: {one['uuid']}}}}}" in first and two["uuid"] in other
    assert one["origin"]["path"] == str(path) and len(one["origin"]["sha256"]) == 64
    assert (one["origin"]["format"], one["origin"]["index"], one["origin"]["frames"]) == ("extxyz", ":", 41)
    assert one["arrays"] == ["dipole_z", "evaporated", "potential_energy", "step", "time_ps"]
    assert two["arrays"] == ["dipole_z", "evaporated", "step", "time_ps"]
    assert (one["label"], one["mlip"], one["parameters"]["made_by"]) == ("mine", "spcfw-truncated", "spcfw-truncated")
    assert (two["label"], two["mlip"], two["parameters"]["made_by"]) == (path.name, None, "AIMD, PBE")
    assert one["dipole"] == pytest.approx(run.series("dipole_z"), abs=1e-4)
    assert (one["atoms"], one["process"]) == (24, "describe_trajectory")


def test_refusals_store_nothing(home: Home, tmp_path: Path) -> None:
    path = save(trajectories.run().frames, "vasp-xdatcar", tmp_path)
    before = len(nodes(home))
    for more, words in (
        (("--temperature", "300"), "give the time between two frames"),
        ((*KNOWN, "--index", "3"), "no slice of frames"),
        ((*KNOWN, "--mlip", "no-such-model"), "there is no model 'no-such-model'"),
        ((*KNOWN, "--format", "no-such-format"), "no-such-format"),
    ):
        done = home.run("trajectory", "import", str(path), *more)
        assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert len(nodes(home)) == before


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ((), 2, "--temperature"),
        (("--temperature", "0"), 1, "give a positive temperature"),
        (("--temperature", "nan"), 1, "give a positive temperature"),
        (("--temperature", "300", "--timestep", "-1"), 1, "give a positive time"),
        (("--temperature", "300", "--mlip", "a", "--origin", "b"), 1, "give one of them"),
        (("--temperature", "300", "--origin", "two\nlines"), 1, "a text of one line"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(more: tuple[str, ...], code: int, words: str) -> None:
    result = CliRunner().invoke(main, ["trajectory", "import", "none.xyz", *more])
    assert result.exit_code == code and words in result.output

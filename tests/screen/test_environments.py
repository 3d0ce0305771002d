"""A campaign whose models live in environments that could not share one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import units

from tests.mlips.lonely import arguments, make_environment

from .conftest import Workspace

VERSIONS = {"soft": ("scale", 4.0), "stiff": ("factor", 16.0)}
"""Two versions of one package: what each calls its argument, and its stiffness in eV/Å^2."""
SHORT = {"steps": 800, "timestep": 2.0, "equilibration": 0.1, "frame_stride": 20, "friction": 0.05}


@pytest.mark.qe
def test_two_versions_of_one_package_in_one_campaign(workspace: Workspace) -> None:
    """Each version knows its own argument only. Which one ran is seen in the physics: variances go as kT/stiffness."""
    for name, (keyword, stiffness) in VERSIONS.items():
        folder = make_environment(workspace.folder / name, keyword, stiffness)
        said = workspace.run(
            *("model", "add", f"wells-{name}", "--env", str(folder), "--family", "ase"),
            *("--kwargs", arguments(keyword)),
        )
        assert f"python-wells-{name}@localhost" in said and "1 layers" in said
    file = workspace.campaign(
        "two-environments",
        mlips={"wells-soft": None, "wells-stiff": None},
        md=SHORT,
        selection={"stratified": 1, "uniform": 0, "strata": 1, "start": 0.2},
    )
    workspace.run("screen", file.name, "--follow")
    rows = workspace.rows("two-environments")
    assert sorted((row["mlip"], row["exit_code"]) for row in rows) == [("wells-soft", 0), ("wells-stiff", 0)]
    assert all(row["gap"] > 0.5 for row in rows)
    found = workspace.python(SPREAD)
    codes = {name: code for name, code, _ in found}
    assert codes == {"wells-soft": "python-wells-soft", "wells-stiff": "python-wells-stiff"}
    spread = {name: np.array(values) for name, _, values in found}
    for name, (_, stiffness) in VERSIONS.items():
        # 24 atoms in 3 directions, 35 frames 40 fs apart, at least every third independent (an oxygen forgets in
        # 20 fs): 840 degrees of freedom, a standard deviation of 5 %. Four of them are allowed; the two differ by a
        # factor of 4.
        assert spread[f"wells-{name}"].mean() == pytest.approx(units.kB * 300.0 / stiffness, rel=0.2)


SPREAD = """
from aiida.plugins import WorkflowFactory
query = orm.QueryBuilder()
query.append(WorkflowFactory("falsemetal.pair"), filters={"extras.falsemetal_campaign": "two-environments"})
found = []
for (node,) in query.all():
    frames = node.outputs.trajectory.get_positions()
    # The first frame is the interface as it was built: the wells' centres.
    found.append([node.inputs.mlip.label, node.inputs.md_code.label,
                  ((frames[6:] - frames[0]) ** 2).mean(axis=(1, 2)).tolist()])
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.qe
def test_mace_and_sevennet_in_one_campaign(workspace: Workspace) -> None:
    """mace-torch needs e3nn 0.4.4 and sevenn 0.5 or later. The second environment is made from its pins."""
    said = workspace.run("model", "env", "sevennet", timeout=1800)
    assert "model 7net-0: sevennet, not long-ranged, cutoff 5 Å, 5 layers" in said
    file = workspace.campaign(
        "mace-and-sevennet",
        mlips={"twin-sr": None, "7net-0": None},
        md={"steps": 40, "equilibration": 0.0, "frame_stride": 20},
        selection={"stratified": 1, "uniform": 0, "strata": 1, "start": 0.0},
    )
    workspace.run("screen", file.name, "--follow", timeout=1800)
    rows: list[dict[str, Any]] = workspace.rows("mace-and-sevennet")
    assert sorted((row["mlip"], row["exit_code"]) for row in rows) == [("7net-0", 0), ("twin-sr", 0)]
    versions = workspace.python(
        "from aiida.plugins import WorkflowFactory\n"
        "query = orm.QueryBuilder()\n"
        "query.append(WorkflowFactory('falsemetal.pair'),"
        " filters={'extras.falsemetal_campaign': 'mace-and-sevennet'})\n"
        "print(json.dumps({n.inputs.mlip.label: n.outputs.md_results['versions']['e3nn'] for (n,) in query.all()}))"
    )
    assert versions["twin-sr"] == "0.4.4"
    assert tuple(map(int, versions["7net-0"].split(".")[:2])) >= (0, 5)

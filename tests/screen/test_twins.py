"""Twins for real: sampling, pw.x with forces, the graph, an archive of labels in another profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Workspace

pytestmark = [pytest.mark.qe, pytest.mark.slow]

TINY = Path(__file__).parents[2] / "workflows" / "twins" / "tiny.yaml"
ROUNDS = """
rounds: {number: 1, committee: 2, sources: [film8], frames: 1, least: 0.0, most: 1000.0, training: {epochs: 1},
         sampling: {steps: 200, equilibration: 0.0, stride: 5, frame_stride: 5}}
"""
"""The committee knows nothing yet, so any frame that it disagrees on will do."""
COUNT = "print(json.dumps(orm.QueryBuilder().append(orm.ProcessNode).count()))"
JOBS = COUNT.replace("ProcessNode", "CalcJobNode")
DIFFERENCE = """
import numpy as np
from aiida.engine import run_get_node
from aiida_falsemetal.workflows.label import LabelWorkChain
rows = orm.QueryBuilder().append(orm.Dict, filters={'attributes.source': SOURCE, 'attributes.chosen_for': 'spread',
                                                    'attributes': {'has_key': 'energy'}}).all(flat=True)
label = rows[0].get_dict()
chain = [n for n in rows[0].base.links.get_incoming().all_nodes() if n.process_label == 'LabelWorkChain'][0]
atoms, order = chain.inputs.structure.get_ase(), np.random.default_rng(3).permutation(len(chain.inputs.structure.sites))
forces = chain.outputs.forces.get_array('forces')
atom, axis, step = 4, 2, 0.01
energies = []
for sign in (1, -1):
    moved = atoms.copy()
    moved.positions[atom, axis] += sign * step
    moved.positions[:, 2] += 7.0       # a film may lie anywhere in its cell,
    moved = moved[order]               # its atoms in any order
    moved.wrap()                       # and its molecules across the faces
    builder = LabelWorkChain.get_builder_from_protocol(
        orm.load_code('pw@localhost'), orm.StructureData(ase=moved), 'fast',
        {'ecutwfc': 30.0, 'conv_thr': 1e-8, 'vacuum': 9.0, 'degauss': 0.001}, {'slots': 2})
    outputs, node = run_get_node(builder)
    energies.append(outputs['label'].get_dict()['energy'])
print(json.dumps([-(energies[0] - energies[1]) / (2 * step), float(forces[atom, axis]), label['net_force']]))
"""


@pytest.fixture(scope="module")
def labelled(workspace: Workspace) -> str:
    """What the command printed that labelled the tiny twins."""
    (workspace.folder / "tiny.yaml").write_text(TINY.read_text())
    assert "0 of 8 labels" in workspace.run("twins", "tiny.yaml", "--dry-run")
    return workspace.run("twins", "tiny.yaml", "--follow", "--stop-after", "labels", timeout=3000)


def test_every_configuration_has_its_label(workspace: Workspace, labelled: str) -> None:
    assert "8 of 8 labels" in labelled
    found = workspace.python(
        "from aiida_falsemetal.query.twins import label_rows\nprint(json.dumps(label_rows('tiny')))"
    )
    assert [row["exit_code"] for row in found] == [0] * 8 and all(row["usable"] for row in found)
    assert {row["source"] for row in found} == {"film8", "bulk8"}
    for row in found:
        assert row["gap"] > 1.0 and row["energy"] < -3000.0
        # The drop of the density is that of the screened charges, a liquid has none.
        assert row["drop"] is None if row["bulk"] else row["drop"] == pytest.approx(row["expected_drop"], abs=1.0)


def test_the_same_command_computes_nothing(workspace: Workspace, labelled: str) -> None:
    before = workspace.python(COUNT)
    assert "nothing to compute" in workspace.run("twins", "tiny.yaml", "--follow", "--stop-after", "labels")
    assert workspace.python(COUNT) == before


@pytest.mark.parametrize("source", ["film8", "bulk8"])
def test_forces_are_the_slope_of_the_energy(workspace: Workspace, labelled: str, source: str) -> None:
    slope, force, net = workspace.python(DIFFERENCE.replace("SOURCE", repr(source)))
    assert force == pytest.approx(slope, abs=0.02) and abs(force) > 0.05
    assert net < 1e-3


def test_an_archive_of_labels_spares_another_profile_the_work(
    workspace: Workspace, labelled: str, tmp_path: Path
) -> None:
    archive = workspace.folder / "labels.aiida"
    said = workspace.run("twins", "tiny.yaml", "--export", str(archive))
    assert "8 pw.x runs" in said and archive.stat().st_size < 1_000_000
    assert "is there already" in workspace.run("twins", "tiny.yaml", "--export", str(archive), code=1)
    other = Workspace(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY.read_text())
    other.run("setup")
    assert "2 of 2 sampling runs, 8 of 8 labels" in other.run(
        "twins", "tiny.yaml", "--import", str(archive), "--dry-run"
    )
    assert "nothing to compute" in other.run("twins", "tiny.yaml", "--follow", "--stop-after", "labels")
    # Also where only the fingerprints lead there: another name, the same configurations.
    renamed = TINY.read_text().replace("name: tiny", "name: other")
    (tmp_path / "other.yaml").write_text(renamed)
    before = other.python(JOBS)
    assert "8 of 8 labels" in other.run("twins", "other.yaml", "--follow", "--stop-after", "labels")
    assert other.python(JOBS) == before


def test_both_twins_are_trained_and_known_to_a_campaign(workspace: Workspace, labelled: str) -> None:
    said = workspace.run("twins", "tiny.yaml", "--follow", timeout=3000)
    assert "missing-energy slope" in said and "tiny-sr:" in said and "tiny-lr:" in said
    found = workspace.python(
        "from aiida_falsemetal.query.twins import trained_twins\n"
        "made = trained_twins('tiny')\n"
        "print(json.dumps([made.labels, {k: [n.family, n.facts, n.kwargs] for k, n in made.models.items()},"
        " {k: e['rows'][0] for k, e in made.errors.items()}]))"
    )
    labels, models, errors = found
    assert labels == 8 and models["short_ranged"][0] == "mace" and models["long_ranged"][0] == "mace_ewald"
    assert not models["short_ranged"][1]["long_ranged"] and models["long_ranged"][1]["long_ranged"]
    assert models["long_ranged"][2]["charges"]["O"] == pytest.approx(-0.742, abs=1e-3)
    for row in errors.values():
        assert row["part"] == "test" and row["frames"] >= 1 and 0.0 < row["force_rmse"] < 5000.0
    assert "nothing to compute" in workspace.run("twins", "tiny.yaml", "--follow")
    # The line that the command prints is one of a campaign, and leads to the very node that was trained.
    lines = [line.partition("  #")[0] for line in said.splitlines() if line.startswith("  tiny-")]
    text = "name: use\ninterfaces: {f: {recipe: film, molecules: 8, lateral: 6.5}}\nmlips:\n" + "\n".join(lines)
    (workspace.folder / "use.yaml").write_text(text + "\n")
    assert "2 to submit" in workspace.run("screen", "use.yaml", "--dry-run")
    same = workspace.python(
        "from pathlib import Path\n"
        "from aiida_falsemetal.cli.screen import read_campaign\n"
        "from aiida_falsemetal.data.mlip import MlipData\n"
        f"_, pairs = read_campaign(Path({str(workspace.folder)!r}, 'use.yaml'))\n"
        "nodes = [MlipData.get_or_create(p.path, p.family, p.kwargs, m.facts.as_dict(), p.mlip) for p, m in pairs]\n"
        "print(json.dumps([n.creator.process_label if n.creator else None for n in nodes]))"
    )
    assert same == ["make_twin", "make_twin"]


def test_an_active_round_labels_what_its_committee_disagrees_on(workspace: Workspace, labelled: str) -> None:
    (workspace.folder / "rounds.yaml").write_text(TINY.read_text() + ROUNDS)
    said = workspace.run("twins", "rounds.yaml", "--follow", "--stop-after", "rounds", timeout=3000)
    assert "active rounds: 2 of 2 sampling runs, 2 of 2 labels" in said
    found = workspace.python(
        "from aiida_falsemetal.query.twins import label_rows\nprint(json.dumps(label_rows('tiny')))"
    )
    own = [row for row in found if row["round"] == 1]
    assert {row["sampler"] for row in own} == {"tiny-r1-sr", "tiny-r1-lr"} and len(found) == 10
    for row in own:
        assert row["chosen_for"] == "disagreement" and row["disagreement"] > 0.0 and row["exit_code"] == 0
    # From a label back to what it was trained on: the model that moved it was made from the labels before.
    origin = workspace.python(
        "chain = orm.load_node(LABEL)\n"
        "frame = chain.inputs.structure.creator.caller\n"
        "model = frame.inputs.mlip\n"
        "print(json.dumps([frame.process_label, model.label, model.creator.process_label,"
        " sorted(frame.inputs.committee)]))".replace("LABEL", str(own[0]["pk"]))
    )
    assert origin == ["SampleWorkChain", own[0]["sampler"], "make_twin", ["m00", "m01"]]
    before = workspace.python(JOBS)
    workspace.run("twins", "rounds.yaml", "--follow", "--stop-after", "rounds")
    assert workspace.python(JOBS) == before


def test_a_round_comes_with_its_archive(workspace: Workspace, labelled: str, tmp_path: Path) -> None:
    archive = workspace.folder / "rounds.aiida"
    workspace.run("twins", "rounds.yaml", "--export", str(archive))
    other = Workspace(tmp_path)
    (tmp_path / "rounds.yaml").write_text(TINY.read_text() + ROUNDS)
    other.run("setup")
    said = other.run("twins", "rounds.yaml", "--import", str(archive), "--dry-run")
    assert "active rounds: 2 of 2 sampling runs, 2 of 2 labels" in said
    before = other.python(JOBS)
    other.run("twins", "rounds.yaml", "--follow", "--stop-after", "rounds")
    assert other.python(JOBS) == before > 10

"""What a frame has besides its gap: asked for, refused in time, made, and never at the gap's cost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.plugins import CalculationFactory, OrbitalFactory

from aiida_falsemetal.workflows import pair
from aiida_falsemetal.workflows.gap import GapWorkChain
from aiida_falsemetal.workflows.properties import (
    CODE_NAMES,
    check_properties,
    check_substrate,
    scf_settings,
)
from aiida_falsemetal.workflows.protocols import load_protocol
from tests.data import nodes

from .conftest import Driven
from .test_gap import pseudo, runs  # noqa: F401  (a fixture)

Go = Callable[..., Driven]
POTENTIAL = {"potential_drop": 1.9, "vacuum_lower": 4.0, "vacuum_upper": 2.1, "plateau_ripple": 1e-3}
CHILD = {"gap": 3.5, "vbm": -5.0, "cbm": -1.5, "drop": 2.0, "metallic": False}


def settings(**changes: Any) -> dict[str, Any]:
    return load_protocol("gap", "fast", changes)


def projections(structure: orm.StructureData) -> orm.ProjectionData:
    """40 states, 32 of them occupied: one after the other on the 24 atoms."""
    bands = orm.BandsData()
    bands.set_kpoints([[0.0, 0.0, 0.0]])
    bands.set_bands(np.arange(40.0)[None], units="eV")
    bands.store()
    orbital = OrbitalFactory("core.realhydrogen")
    where = [
        orbital(position=tuple(site.position), angular_momentum=0, magnetic_number=0, radial_nodes=0)
        for site in structure.sites
    ]
    values = [0.97 * (np.arange(40) % len(where) == index)[None].astype(float) for index in range(len(where))]
    node = orm.ProjectionData()
    node.set_reference_bandsdata(bands)
    node.set_projectiondata(where, list_of_projections=values, bands_check=False)
    return node


@pytest.fixture
def go(
    drive: Callable[..., Driven],
    runs: Callable[..., orm.WorkChainNode],  # noqa: F811
    aiida_code_installed: Any,
    aiida_localhost: orm.Computer,
) -> Go:
    """Runs the workchain; ``failing`` names the stages that fail, ``killed`` says how often those are cut off first."""

    def go(
        asked: list[str], failing: tuple[str, ...] = (), substrate: list[int] | None = None, killed: int = 0
    ) -> Driven:
        seen: dict[str, orm.StructureData] = {}
        left = dict.fromkeys(("layers", "potential"), killed)

        def job(plugin: str, name: str, outputs: dict[str, Any]) -> orm.ProcessNode:
            if left[name]:
                left[name] -= 1
                folder = orm.FolderData()
                folder.base.repository.put_object_from_bytes(b"Program PROJWFC starts", "aiida.out")
                return nodes.calculation(plugin, aiida_localhost, {}, {"retrieved": folder}, None, 300, "killed")
            failed = name in failing
            return nodes.calculation(
                plugin, aiida_localhost, {}, {} if failed else outputs, None, 300 * failed, f"{name} broke" * failed
            )

        def answer(_: int, inputs: Any) -> orm.ProcessNode:
            if "pw" in inputs:
                seen["film"] = inputs["pw"]["structure"]
                return runs(0)
            if "pseudos" in inputs:
                failed = "stripped" in failing
                outputs = {"result": orm.Dict(dict.fromkeys(CHILD) if failed else CHILD)}
                return nodes.workchain("falsemetal.gap", {}, outputs, exit_status=401 * failed, exit_message="no gap")
            if "average_code" in inputs:
                array = orm.ArrayData(np.zeros(3))
                return job("falsemetal.potential", "potential", {"potential": array, "scalars": orm.Dict(POTENTIAL)})
            return job("quantumespresso.projwfc", "layers", {"projections": projections(seen["film"])})

        structure, _ = nodes.film_nodes()
        code = aiida_code_installed(default_calc_job_plugin="quantumespresso.pw")
        inputs = {"substrate": orm.List(substrate)} if substrate else {}
        return drive(
            GapWorkChain,
            answer,
            structure=structure,
            parameters=orm.Dict({**settings(properties=asked), "functional": "PBE"}),
            code=code,
            **dict.fromkeys(CODE_NAMES, code),
            pseudos={"O": pseudo("O", 6.0), "H": pseudo("H", 1.0)},
            options=orm.Dict({}),
            **inputs,
        )

    return go


def test_nothing_is_asked_for_unless_it_is(go: Go) -> None:
    driven = go([])
    assert len(driven.submitted) == 1
    assert driven.outputs["result"]["gap_of"] == "film"
    assert driven.outputs["result"]["vbm_z"] is None


def test_both_properties_are_outputs_and_in_the_result(go: Go) -> None:
    driven = go(["layers", "potential"])
    assert driven.node.is_finished_ok, driven.report()
    assert {"layers", "potential", "result"} <= set(driven.outputs)
    found = driven.outputs["result"].get_dict()
    assert found.items() >= {**POTENTIAL, "gap_of": "film", "property_message": ""}.items()
    assert found["edge_separation"] == pytest.approx(found["cbm_z"] - found["vbm_z"])
    assert found["gap"] == pytest.approx(4.5)
    driven.check_inputs()
    _, projwfc, potential = (inputs for _, inputs in driven.submitted)
    # The wavefunctions are read where they are.
    assert projwfc["settings"]["PARENT_FOLDER_SYMLINK"] is True
    assert potential["structure"].uuid == driven.outputs["film"].uuid
    # An empty state a water, for eight waters of 32 occupied states.
    assert driven.submitted[0][1]["pw"]["parameters"]["SYSTEM"]["nbnd"] == 40


def test_what_was_cut_off_is_run_again(go: Go) -> None:
    """A machine that goes down takes projwfc.x with it, and must not take a frame's layers for good."""
    driven = go(["layers", "potential"], killed=2)
    assert driven.node.is_finished_ok and {"layers", "potential"} <= set(driven.outputs)
    assert len(driven.submitted) == 1 + 3 * 2 and not driven.outputs["result"]["property_message"]
    labels = [inputs["metadata"]["call_link_label"] for _, inputs in driven.submitted[1:]]
    assert labels == [f"{name}{end}" for end in ("", "_again_1", "_again_2") for name in ("projwfc", "potential")]
    given_up = go(["layers"], killed=9)
    assert given_up.node.is_finished_ok and len(given_up.submitted) == 1 + 4
    assert "killed" in given_up.outputs["result"]["property_message"]


@pytest.mark.parametrize("failing", [("layers",), ("potential",), ("layers", "potential")])
def test_property_that_fails_does_not_take_the_gap(go: Go, failing: tuple[str, ...]) -> None:
    driven = go(["layers", "potential"], failing)
    assert driven.node.is_finished_ok
    found = driven.outputs["result"].get_dict()
    assert found["gap"] == pytest.approx(4.5)
    for name, key in (("layers", "vbm_z"), ("potential", "potential_drop")):
        assert (name in driven.outputs) == (found[key] is not None) == (name not in failing)
        assert (f"{name}: {name} broke" in found["property_message"]) == (name in failing)
    assert f"{failing[0]} failed, the gap stays" in driven.report()


def test_failed_property_is_no_cache_hit(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    go(["layers"], ("layers",))
    query = orm.QueryBuilder().append(CalculationFactory("quantumespresso.projwfc"), tag="job")
    query.order_by([{"job": [{"id": "desc"}]}])
    assert not query.first(flat=True).base.caching.is_valid_cache


def test_substrate_gives_the_solvents_gap_and_the_stripped_one(go: Go) -> None:
    driven = go([], substrate=[0, 1, 2])
    assert driven.node.is_finished_ok, driven.report()
    found = driven.outputs["result"].get_dict()
    assert found["gap_of"] == "solvent"
    assert found["gap"] == pytest.approx(found["solvent_gap"])
    assert found["solvent_vbm"] == pytest.approx(found["vbm"] - found["fermi"])
    assert found["witness"] is None
    assert found.items() >= {"stripped_gap": 3.5, "stripped_drop": 2.0, "stripped_metallic": False}.items()
    assert driven.outputs["stripped_result"].get_dict() == CHILD
    system = driven.submitted[0][1]["pw"]["parameters"]["SYSTEM"]
    assert (system["degauss"], system["nbnd"]) == (0.01, 32 + 8 + 6)
    child = driven.submitted[-1][1]
    assert len(child["structure"].sites) == 21 and "substrate" not in child


def test_mesh_is_for_a_film_on_a_metal_alone(go: Go) -> None:
    """The film is 6.5 Å wide: 2 pi/6.5 = 0.967 1/Å, 3.9 times the spacing of 0.25."""
    film, on_metal = go([]), go([], substrate=[0, 1, 2])
    meshes = [
        [tuple(inputs["kpoints"].get_kpoints_mesh()[0]) for _, inputs in driven.submitted if "pw" in inputs]
        for driven in (film, on_metal)
    ]
    side = float(np.linalg.norm(nodes.film_nodes()[0].cell[0]))
    points = int(np.ceil(2 * np.pi / side / 0.25))
    assert meshes == [[(1, 1, 1)], [(points, points, 1)]]
    assert film.submitted[0][1]["pw"]["settings"]["GAMMA_ONLY"] is True
    assert on_metal.submitted[0][1]["pw"]["settings"]["GAMMA_ONLY"] is False


def test_lost_layers_of_a_solvent_are_a_lost_gap(go: Go) -> None:
    driven = go([], ("layers",), substrate=[0, 1, 2])
    assert driven.node.exit_status == 402
    assert "layers broke" in driven.node.exit_message
    found = driven.outputs["result"].get_dict()
    assert (found["gap"], found["metallic"], found["gap_of"]) == (None, None, "solvent")
    assert found["stripped_gap"] == 3.5


def test_lost_stripped_run_is_only_that(go: Go) -> None:
    driven = go([], ("stripped",), substrate=[0, 1, 2])
    assert driven.node.is_finished_ok
    found = driven.outputs["result"].get_dict()
    assert (found["stripped_gap"], found["property_message"]) == (None, "stripped: no gap")
    assert found["gap"] is not None


@pytest.mark.parametrize(
    ("changes", "codes", "substrate", "message"),
    [
        ({"properties": ["layers"]}, (), False, "the property 'layers' needs projwfc.x .*falsemetal setup"),
        ({"properties": ["potential"]}, ("pp_code",), False, "needs average.x"),
        ({"properties": []}, (), True, "a substrate needs projwfc.x"),
        ({"properties": ["laers"]}, CODE_NAMES, False, "no property 'laers'; .* layers, potential"),
        ({"properties": "layers"}, CODE_NAMES, False, "must be a list"),
        ({"kpoints": [2, 2, 2]}, (), False, "no dispersion in z"),
        ({"kpoints": [2, 2]}, (), False, "kpoints"),
        ({"kpoints": [2, 0, 1]}, (), False, "kpoints"),
        ({"kpoints": 2}, (), False, "kpoints"),
        ({"properties": [["layers"]]}, CODE_NAMES, False, "no property"),
    ],
)
def test_what_cannot_be_made_is_refused(
    changes: dict[str, Any], codes: tuple[str, ...], substrate: bool, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_properties(settings(**changes), codes, substrate)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"properties": ["layers"]}, "needs projwfc.x"),
        ({"smearing": [0.001, 0.01]}, "smearing: .*not falling; give"),
        ({"rescues": [{"degauss": 0.1}]}, "rescues: .*'degauss'; use"),
        ({"moved_limit": -1.0}, "moved_limit: .*; give"),
    ],
)
def test_refusal_comes_before_anything_runs(
    changes: dict[str, Any], message: str, drive: Callable[..., Driven], aiida_code_installed: Any
) -> None:
    structure, _ = nodes.film_nodes()
    with pytest.raises(ValueError, match=message):
        drive(
            GapWorkChain,
            lambda *_: pytest.fail("something was submitted"),
            structure=structure,
            parameters=orm.Dict(settings(**changes)),
            code=aiida_code_installed(default_calc_job_plugin="quantumespresso.pw"),
            pseudos={"O": pseudo("O", 6.0), "H": pseudo("H", 1.0)},
            options=orm.Dict({}),
        )


def test_pair_takes_the_codes_or_refuses_before_its_md(
    aiida_code_installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No pseudopotentials are installed here.
    monkeypatch.setattr(pair, "gap_settings", lambda protocol, overrides, _: settings(**overrides))
    code = aiida_code_installed(default_calc_job_plugin="quantumespresso.pw")
    arguments = (code, code, nodes.mlip(), "film", {"molecules": 8, "lateral": 6.5, "vacuum": 20.0, "seed": 3})
    overrides = {"gap": {"properties": ["layers"]}}
    with pytest.raises(ValueError, match="needs projwfc.x"):
        pair.PairWorkChain.get_builder_from_protocol(*arguments, steps=10, seed=1, overrides=overrides)
    codes = {"projwfc_code": code}
    builder = pair.PairWorkChain.get_builder_from_protocol(
        *arguments, steps=10, seed=1, overrides=overrides, codes=codes
    )
    assert builder.projwfc_code.uuid == code.uuid
    assert builder.gap["properties"] == ["layers"]


@pytest.mark.parametrize("indices", [[], [24], [-1], [0, 0], list(range(24)), ["Al"], [0.5]])
def test_substrate_that_is_none_is_refused(indices: list[Any]) -> None:
    with pytest.raises(ValueError, match="substrate"):
        check_substrate(indices, 24)


def test_states_that_the_properties_need() -> None:
    given = settings()
    assert scf_settings(given, set(), 800, 0) == given
    assert scf_settings(given, {"potential"}, 800, 0) == given
    # 400 occupied states are 100 waters: one empty state each.
    assert scf_settings(given, {"layers"}, 800, 0)["empty_bands"] == 100
    metal = scf_settings(given, {"layers"}, 800, 20)
    assert metal["empty_bands"] == 100 + 2 * 20
    assert metal["smearing"] == [given["substrate_degauss"]]


LAUNCHER = Path(__file__).parents[2] / "calculations" / "gap.py"
WATERS = """{count}
Lattice="{a} 0 0 0 {a} 0 0 0 24" Properties=species:S:1:pos:R:3 pbc="T T T"
"""
WATER = ((0.0, 0.0, 0.0), (0.76, 0.0, 0.59), (-0.76, 0.0, 0.59))
"""O, H, H; the dipole points up."""


def launch(tmp_path: Path, atoms: list[tuple[str, tuple[float, float, float]]], a: float, *options: str) -> Any:
    """Run the launcher on a file in a profile of its own; returns what it printed, by name."""
    lines = "".join(f"{symbol} {x:.4f} {y:.4f} {z:.4f}\n" for symbol, (x, y, z) in atoms)
    (tmp_path / "frame.xyz").write_text(WATERS.format(count=len(atoms), a=a) + lines)
    environment = {**os.environ, "AIIDA_PATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    environment.pop("AIIDA_PROFILE", None)
    scripts = Path(sys.executable).parent
    subprocess.run([scripts / "falsemetal", "setup"], env=environment, check=True, capture_output=True)
    line = [sys.executable, str(LAUNCHER), str(tmp_path / "frame.xyz"), *options]
    done = subprocess.run(line, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    words = [line.split() for line in done.stdout.splitlines() if len(line.split()) == 3]
    return {name: float(value) if unit not in ("bool", "what", "name") else value for name, value, unit in words}


@pytest.mark.slow
@pytest.mark.qe
def test_polarised_film_in_pw_and_projwfc_and_pp(tmp_path: Path) -> None:
    """Three waters that point up: holes at the lower face, electrons at the upper one, and one drop by two routes."""
    atoms = []
    for layer, (x, y) in enumerate([(1.2, 1.3), (3.6, 3.7), (1.2, 3.7)]):
        # Tilted by 60 degrees, so that the drop stays below the gap.
        turn = [(p[0] * 0.5 + p[2] * 0.866, p[1], -p[0] * 0.866 + p[2] * 0.5) for p in WATER]
        atoms += [
            (symbol, (x + p[0], y + p[1], 6.0 + 2.3 * layer + p[2])) for symbol, p in zip("OHH", turn, strict=True)
        ]
    found = launch(tmp_path, atoms, 5.0, "--potential", "--ecutwfc", "35")
    assert found["drop"] > 1.0
    # Both are integrals over the same density: they part by the plateaus' ripple.
    assert found["potential_drop"] == pytest.approx(found["drop"], abs=5e-3)
    assert found["plateau_ripple"] < 5e-3
    assert found["vbm_z"] < 0.0 < found["cbm_z"]
    assert found["edge_separation"] == pytest.approx(found["cbm_z"] - found["vbm_z"], abs=1e-4)
    assert found["tilt"] < 0.0
    assert found["vbm_projected"] > 0.9


@pytest.mark.slow
@pytest.mark.qe
def test_water_on_a_metal(tmp_path: Path) -> None:
    """Two waters on four layers of Li(100): the whole has no gap, the water has one, and so has it alone."""
    a = 3.44 * 2**0.5
    metal = [("Li", (a * 0.5 * i, a * 0.5 * ((i + k) % 2), 4.0 + 1.72 * k)) for k in range(4) for i in range(2)]
    top = 4.0 + 1.72 * 3
    waters = [
        (symbol, (x + p[0], y + p[1], top + 2.9 + 2.6 * number + p[2]))
        for number, (x, y) in enumerate([(1.2, 1.2), (3.6, 3.6)])
        for symbol, p in zip("OHH", WATER, strict=True)
    ]
    found = launch(tmp_path, metal + waters, a, "--substrate", "Li", "--kpoints", "2", "2", "--ecutwfc", "30")
    assert found["gap_of"] == "solvent"
    assert found["gap"] == pytest.approx(found["solvent_gap"])
    assert 1.0 < found["stripped_gap"]
    # The water lies above the metal, and so do its edges.
    assert found["vbm_z"] > 1.0 and found["cbm_z"] > 1.0


@pytest.mark.slow
@pytest.mark.qe
def test_closing_gap_goes_down_the_ladder_in_pw(tmp_path: Path) -> None:
    """Four waters on top of each other that all point up: from scratch at 0.001 Ry pw.x does not converge them."""
    atoms = [
        (symbol, (2.5 + p[0] + (layer % 2), 2.5 + p[1] + layer // 2, 6.0 + 1.6 * layer + p[2]))
        for layer in range(4)
        for symbol, p in zip("OHH", WATER, strict=True)
    ]
    found = launch(tmp_path, atoms, 5.0, "--no-layers")
    assert found["degauss"] == pytest.approx(0.001)
    assert found["attempt"] >= 3
    assert found["metallic"] == "True"
    # The upper end is where the electrons are drawn to: the dipole points up.
    assert found["drop"] > 0.0
    assert found["gap"] < 0.2 or found["witness"] > 0.01

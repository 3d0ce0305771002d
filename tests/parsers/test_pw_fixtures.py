"""Recorded runs of pw.x 6.7, converged and failed: aiida-quantumespresso's parser, then our result of the frame.

``tests/fixtures/pw/make.py`` made them and says how.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.plugins import ParserFactory
from ase.io import read

from aiida_falsemetal.workflows.gap import GapWorkChain
from aiida_falsemetal.workflows.protocols import load_protocol
from tests.data import nodes
from tests.workflows.conftest import Driven
from tests.workflows.test_gap import pseudo

RUNS = Path(__file__).parents[1] / "fixtures" / "pw"
HARTREE = 27.211386245988
"""eV; written here once more, so that a slip in ours would show."""
RECORD = {"step": 100, "Mz": 0.3}
SETTINGS = {"smearing": [0.001], "rescues": [], "functional": "revPBE"}
"""One run and no more; the functional is looked at in the input only, for the run is a recorded one."""
WATERS = 4
CONVERGED = ("converged", "metallic")
FAILED = {"not_converged": 410, "killed": 305, "walltime": 400}
"""Exit codes in aiida-quantumespresso's numbering."""

Recorded = Callable[[str], orm.WorkChainNode]
Frame = Callable[..., Driven]


@pytest.fixture
def recorded(aiida_localhost: orm.Computer) -> Recorded:
    """``recorded(name)``: a PwBaseWorkChain that called the recorded run, parsed as AiiDA would."""

    def recorded(name: str) -> orm.WorkChainNode:
        retrieved = orm.FolderData()
        for path in (RUNS / name).iterdir():
            retrieved.base.repository.put_object_from_file(str(path), path.name)
        mesh = orm.KpointsData()
        mesh.set_kpoints_mesh([1, 1, 1])
        inputs = {
            "structure": structure(name),
            "kpoints": mesh,
            "parameters": orm.Dict({"CONTROL": {"calculation": "scf"}, "ELECTRONS": {"electron_maxstep": 80}}),
            "settings": orm.Dict({"GAMMA_ONLY": True}),
        }
        options = {"output_filename": "aiida.out", "without_xml": False}
        # The parser is what gives a job its exit code: before it, there is none.
        running = nodes.calculation(
            "quantumespresso.pw", aiida_localhost, inputs, {"retrieved": retrieved}, exit_status=None, options=options
        )
        parser = ParserFactory("quantumespresso.pw")(running)
        code = parser.parse()
        outputs = {key: parser.outputs[key] for key in parser.outputs}
        status, message = (code.status, code.message) if code else (0, "")
        base = nodes.workchain(
            "quantumespresso.pw.base", outputs={**outputs, "retrieved": retrieved}, exit_status=300 if status else 0
        )
        copies = {"output_parameters": outputs["output_parameters"].clone()}
        nodes.calculation("quantumespresso.pw", aiida_localhost, {}, copies, base, status, message)
        return base

    return recorded


@pytest.fixture
def frame(drive: Callable[..., Driven], recorded: Recorded, aiida_code_installed: Any) -> Frame:
    """``frame(name)``: GapWorkChain with the recorded run as its only run."""

    def frame(name: str) -> Driven:
        return drive(
            GapWorkChain,
            lambda *_: recorded(name),
            structure=structure(name),
            record=orm.Dict(RECORD),
            parameters=orm.Dict(load_protocol("gap", "fast", SETTINGS)),
            code=aiida_code_installed(default_calc_job_plugin="quantumespresso.pw"),
            pseudos={"O": pseudo("O", 6.0), "H": pseudo("H", 1.0)},
            options=orm.Dict({}),
        )

    return frame


def structure(name: str) -> orm.StructureData:
    """The film that the recorded run was given."""
    return orm.StructureData(ase=read(RUNS / name / "aiida.in", format="espresso-in"))


def levels(name: str) -> tuple[np.ndarray, np.ndarray, ElementTree.Element]:
    """Eigenvalues in eV and occupations (0 to 1) straight from the XML, and its tree."""
    tree = ElementTree.parse(RUNS / name / "data-file-schema.xml").getroot()
    ((block),) = tree.findall(".//ks_energies")
    values = [np.array(str(block.findtext(key)).split(), dtype=float) for key in ("eigenvalues", "occupations")]
    return values[0] * HARTREE, values[1], tree


@pytest.mark.parametrize("name", CONVERGED)
def test_result_is_what_the_xml_says(name: str, frame: Frame) -> None:
    driven = frame(name)
    assert driven.node.is_finished_ok, driven.node.exit_message
    found = driven.outputs["result"].get_dict()
    energies, occupations, tree = levels(name)
    filled = 4 * WATERS
    assert float(str(tree.findtext(".//nelec"))) == 2 * filled
    assert list(energies) == sorted(energies)
    assert found["vbm"] == pytest.approx(energies[filled - 1], abs=1e-4)
    assert found["cbm"] == pytest.approx(energies[filled], abs=1e-4)
    assert found["gap"] == pytest.approx(energies[filled] - energies[filled - 1], abs=1e-4)
    assert found["witness"] == pytest.approx(2.0 * occupations[filled:].sum(), abs=1e-6)
    assert found["energy"] == pytest.approx(float(str(tree.findtext(".//total_energy/etot"))) * HARTREE, abs=1e-3)
    dipole = float(str(tree.findtext(".//dipoleInfo/dipole"))) * 0.529177210903
    assert found["dipole"] == pytest.approx(dipole, abs=1e-5)
    # 5 x 5 Å, and 5.526e-3 e/Å for a volt.
    assert found["drop"] == pytest.approx(dipole / 25.0 / 5.526349e-3, abs=1e-4)
    assert found.items() >= {**RECORD, "exit_code": 0, "attempt": 1, "functional": "revPBE"}.items()
    assert driven.submitted[0][1]["pw"]["parameters"]["SYSTEM"]["input_dft"] == "REVPBE"


def test_fermi_level_and_iterations_are_those_of_the_text(frame: Frame) -> None:
    found = frame("converged").outputs["result"].get_dict()
    text = (RUNS / "converged" / "aiida.out").read_text()
    assert f"the Fermi energy is {found['fermi']:10.4f} ev" in text
    assert f"convergence has been achieved in {found['scf_iterations']:3d} iterations" in text


def test_insulator(frame: Frame) -> None:
    found = frame("converged").outputs["result"].get_dict()
    assert found["gap"] > 3.0
    assert found["witness"] == pytest.approx(0.0, abs=1e-9)
    assert found["metallic"] is False
    assert abs(found["drop"]) < 1.0


def test_metal_has_electrons_across_the_film(frame: Frame) -> None:
    found = frame("metallic").outputs["result"].get_dict()
    limits = load_protocol("gap", "fast")
    assert found["metallic"] is True
    assert found["gap"] < limits["metallic_gap_eV"] or found["witness"] > limits["metallic_witness"]
    assert found["witness"] > 0.01
    # The electrons that crossed pin the drop near the gap of the insulator, far below that of four aligned waters.
    assert 5.0 < found["drop"] < 9.0


@pytest.mark.parametrize("name", FAILED)
def test_failed_run_leaves_a_result_without_gap(name: str, frame: Frame) -> None:
    driven = frame(name)
    assert driven.node.exit_status == GapWorkChain.exit_codes.ERROR_NO_GAP.status
    found = driven.outputs["result"].get_dict()
    assert (found["exit_code"], found["functional"]) == (FAILED[name], "revPBE")
    assert found["exit_message"] and found["exit_message"] in driven.node.exit_message
    assert found.items() >= RECORD.items()
    assert [found[key] for key in ("gap", "vbm", "cbm", "metallic", "witness", "dipole")] == [None] * 6
    assert set(driven.outputs) == {"film", "result"}


@pytest.mark.parametrize("name", [*CONVERGED, *FAILED])
def test_recorded_files_name_nothing_of_the_machine(name: str) -> None:
    paths = sorted((RUNS / name).iterdir())
    assert {path.name for path in paths} - {"data-file-schema.xml"} == {"aiida.in", "aiida.out"}
    for path in paths:
        text = path.read_text()
        assert len(text) < 150_000
        assert "./pseudo/" in text
        for word in ("/work", "/tmp", "/home", "/root", "running on node"):
            assert word not in text, (path, word)

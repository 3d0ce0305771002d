"""The label of a configuration: what pw.x is given, what becomes of its forces, and what of a failure."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.plugins import DataFactory
from ase import Atoms

from aiida_falsemetal.calculations.label import is_bulk, label_fingerprint
from aiida_falsemetal.interfaces.bulk import BulkParameters, build_bulk
from aiida_falsemetal.names import TWINS_GROUP
from aiida_falsemetal.workflows.label import KEPT, LabelWorkChain
from aiida_falsemetal.workflows.protocols import load_protocol
from tests.data import nodes

from .conftest import Driven
from .pw_outputs import pw_chain

SETTINGS = {
    **{key: value for key, value in load_protocol("gap", "fast").items() if key in KEPT},
    "functional": "PBE",
    "ecutrho": 200.0,
    "cutoffs_from": "protocol",
    "kpoints": [1, 1, 1],
    "degauss": 0.001,
}
HEADER = '<UPF version="2.0.1"><PP_HEADER element="{}" z_valence="{}" functional="PBE" pseudo_type="NC"/></UPF>'


def pseudos() -> dict[str, Any]:
    """Just enough of pseudopotentials for oxygen and hydrogen."""
    found = {}
    for element, valence in (("O", 6.0), ("H", 1.0)):
        text = HEADER.format(element, valence)
        found[element] = DataFactory("pseudo.upf")(io.BytesIO(text.encode()), filename=f"{element}.upf")
    return found


def film(shuffled: bool = False) -> orm.StructureData:
    """Eight waters, across the cell's face in z, their atoms in another order if asked."""
    atoms = nodes.film()[0].copy()
    atoms.positions[:, 2] -= 15.0
    atoms.wrap()
    order = np.random.default_rng(1).permutation(len(atoms)) if shuffled else np.arange(len(atoms))
    return orm.StructureData(ase=atoms[order])


@pytest.fixture
def label(drive: Callable[..., Driven], aiida_code_installed: Any) -> Callable[..., Driven]:
    """``label(structure, *exit statuses of pw.x, **what pw.x finds)``."""

    def run(
        structure: orm.StructureData,
        *statuses: int,
        record: dict[str, Any] | None = None,
        settings: dict[str, Any] = SETTINGS,
        **given: Any,
    ) -> Driven:
        code = aiida_code_installed(default_calc_job_plugin="quantumespresso.pw")

        def answer(number: int, inputs: dict[str, Any]) -> orm.ProcessNode:
            return pw_chain(inputs["pw"]["structure"], statuses[number], **given)

        return drive(
            LabelWorkChain,
            answer,
            structure=structure,
            parameters=orm.Dict(settings),
            code=code,
            pseudos=pseudos(),
            options=orm.Dict({"slots": 2}),
            record=orm.Dict(record or {"source": "here", "Mz": 0.1}),
            twins=orm.Str("mine"),
        )

    return run


def asked(driven: Driven, number: int = 0) -> dict[str, Any]:
    """Namelists of the run ``number``."""
    content: dict[str, Any] = driven.submitted[number][1]["pw"]["parameters"].get_dict()
    return content


def test_forces_are_those_of_the_configurations_atoms(label: Callable[..., Driven]) -> None:
    """pw.x is given a film that was moved; its atoms keep their order, so that force i is that of atom i."""
    structure = film(shuffled=True)
    driven = label(structure, 0)
    given = driven.submitted[0][1]["pw"]["structure"].get_ase()
    own: Atoms = structure.get_ase()
    assert given.get_chemical_symbols() == own.get_chemical_symbols()
    forces = driven.outputs["forces"].get_array("forces")
    assert forces.shape == (24, 3) and forces[7] == pytest.approx([7e-3, -7e-3, 0.0])
    # Neighbours in the periodic cell are neighbours in what pw.x has.
    for i, j in ((0, 1), (5, 19)):
        plane = own.get_distance(i, j, mic=True, vector=True)[:2], given.get_distance(i, j, mic=True, vector=True)[:2]
        assert plane[0] == pytest.approx(plane[1], abs=1e-8)
    found = driven.outputs["label"].get_dict()
    assert found["energy"] == -3750.25 and found["usable"] and found["source"] == "here" and found["atoms"] == 24


def test_a_film_has_the_dipole_correction_and_a_liquid_has_not(label: Callable[..., Driven]) -> None:
    namelists = asked(label(film(), 0))
    assert namelists["CONTROL"]["tprnfor"] and namelists["CONTROL"]["dipfield"]
    assert namelists["SYSTEM"]["degauss"] == 0.001 and namelists["SYSTEM"]["edir"] == 3
    liquid = orm.StructureData(ase=build_bulk(BulkParameters(molecules=8)).atoms)
    driven = label(liquid, 0, dipole=None)
    namelists = asked(driven)
    assert namelists["CONTROL"]["tprnfor"] and "dipfield" not in namelists["CONTROL"]
    assert not {"edir", "eamp", "emaxpos", "eopreg"} & set(namelists["SYSTEM"])
    assert driven.submitted[0][1]["pw"]["structure"].cell == pytest.approx(np.array(liquid.cell))
    found = driven.outputs["label"].get_dict()
    assert found["bulk"] and found["drop"] is None and found["dipole"] is None
    assert is_bulk(liquid) and not is_bulk(film())


def test_a_film_whose_vapour_fills_its_vacuum_is_a_film(label: Callable[..., Driven]) -> None:
    """Two molecules on their way through 20 Å leave no gap as wide as a vacuum; who chose the frame knows."""
    atoms = film().get_ase()
    height = float(atoms.cell.array[2, 2])
    middle = atoms.positions[:, 2].mean()
    far = np.arange(0.0, 20.0, 6.0)
    for place, first in zip(far, range(0, 12, 3), strict=True):
        molecule = atoms.positions[first : first + 3]
        molecule[:, 2] += middle + height / 2 - 10.0 + place - molecule[0, 2]
    evaporated = orm.StructureData(ase=atoms)
    assert is_bulk(evaporated)
    driven = label(evaporated, 0, record={"source": "here", "bulk": False})
    assert asked(driven)["CONTROL"]["dipfield"] and not driven.outputs["label"].get_dict()["bulk"]


def test_a_metallic_frame_is_a_label_that_is_not_used(label: Callable[..., Driven]) -> None:
    driven = label(film(), 0, gap=0.1)
    found = driven.outputs["label"].get_dict()
    assert driven.node.is_finished_ok and found["converged"] and found["metallic"] and not found["usable"]
    assert label(film(), 0, moved=0.05).outputs["label"].get_dict()["usable"] is False


def test_a_failure_is_tried_once_more_and_then_kept(label: Callable[..., Driven]) -> None:
    driven = label(film(), 410, 410)
    assert driven.node.exit_status == 401 and len(driven.submitted) == 2
    assert asked(driven, 0)["ELECTRONS"]["mixing_beta"] > asked(driven, 1)["ELECTRONS"]["mixing_beta"]
    found = driven.outputs["label"].get_dict()
    assert (found["exit_code"], found["usable"], found["energy"]) == (410, False, None)
    assert found["wall_seconds"] == 20.0 and "forces" not in driven.outputs
    jobs = driven.jobs()
    assert jobs and not any(job.base.caching.is_valid_cache for job in jobs)


def test_a_failure_without_a_rescue_is_final(label: Callable[..., Driven]) -> None:
    settings = {**SETTINGS, "rescues": []}
    driven = label(film(), 410, settings=settings)
    assert driven.node.exit_status == 401 and len(driven.submitted) == 1
    assert label_fingerprint(film(), settings, pseudos()) == label_fingerprint(film(), SETTINGS, pseudos())


def test_calmer_mixing_may_help(label: Callable[..., Driven]) -> None:
    driven = label(film(), 410, 0)
    assert driven.node.is_finished_ok and driven.outputs["label"].get_dict()["attempt"] == 2


def test_a_run_that_was_cut_off_is_done_again_as_it_was(label: Callable[..., Driven]) -> None:
    """A machine that goes down must not decide that there is no label."""
    driven = label(film(), 305, 305, 410, 0)
    mixing = [asked(driven, number)["ELECTRONS"]["mixing_beta"] for number in range(4)]
    assert mixing[0] == mixing[1] == mixing[2] > mixing[3]
    assert driven.node.is_finished_ok and driven.outputs["label"].get_dict()["attempt"] == 2
    links = [inputs["metadata"]["call_link_label"] for _, inputs in driven.submitted]
    assert links == ["pw_run_1", "pw_run_2", "pw_run_3", "pw_run_4"]


def test_a_run_that_is_always_cut_off_ends(label: Callable[..., Driven]) -> None:
    driven = label(film(), *[305] * 5)
    assert driven.node.exit_status == 401 and driven.outputs["label"].get_dict()["exit_code"] == 305


def test_the_node_can_be_found(label: Callable[..., Driven]) -> None:
    structure = film()
    node = label(structure, 0).node
    assert node.base.extras.get("falsemetal_twins") == "mine"
    assert node.base.extras.get("falsemetal_label") == label_fingerprint(structure, SETTINGS, pseudos())
    assert node.uuid in [n.uuid for n in orm.load_group(TWINS_GROUP + "mine").nodes]


def test_fingerprint_follows_what_decides_the_numbers() -> None:
    structure, own = film(), pseudos()
    first = label_fingerprint(structure, SETTINGS, own)
    for same in ({"mixing_beta": 0.1}, {"electron_maxstep": 7}, {"pseudo_family": "another name"}):
        assert label_fingerprint(structure, {**SETTINGS, **same}, own) == first
    for other in ({"ecutwfc": 60.0}, {"vacuum": 14.0}, {"functional": "revPBE"}, {"conv_thr": 1e-9}):
        assert label_fingerprint(structure, {**SETTINGS, **other}, own) != first
    atoms = structure.get_ase()
    atoms.positions[3, 0] += 1e-4
    assert label_fingerprint(orm.StructureData(ase=atoms), SETTINGS, own) != first
    assert label_fingerprint(structure, SETTINGS, {**own, "H": own["O"]}) != first

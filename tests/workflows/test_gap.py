"""The ladder of attempts: climbed one by one, and a frame that no attempt saves still has a result."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.plugins import DataFactory, WorkflowFactory

from aiida_falsemetal.workflows.gap import GapWorkChain, load_pseudos
from aiida_falsemetal.workflows.protocols import load_protocol
from tests.calculations.test_gap import OUTPUT, xml
from tests.data import nodes

from .conftest import Driven

PwBase = WorkflowFactory("quantumespresso.pw.base")
RECORD = {"step": 100, "Mz": 0.3, "stratum": 1, "probability": 0.5}
Go = Callable[..., Driven]


def pseudo(element: str, valence: float) -> Any:
    """As little of a pseudopotential as its class accepts."""
    header = f'<PP_HEADER element="{element}" pseudo_type="NC" z_valence="{valence}"/>'
    content = f'<UPF version="2.0.1">\n{header}\n</UPF>\n'
    return DataFactory("pseudo.upf")(io.BytesIO(content.encode()), filename=f"{element}.upf")


@pytest.fixture
def runs(aiida_localhost: orm.Computer) -> Callable[..., orm.WorkChainNode]:
    """Makes finished PwBaseWorkChains: ``code`` 0 with bands, else a failed job with that exit code."""

    def make(code: int, seconds: float = 10.0) -> orm.WorkChainNode:
        if code:
            base = nodes.workchain("quantumespresso.pw.base", exit_status=300, exit_message="unrecoverable")
            outputs = {"output_parameters": orm.Dict({"wall_time_seconds": seconds})}
            nodes.calculation("quantumespresso.pw", aiida_localhost, {}, outputs, base, code, f"pw.x said {code}")
            return base
        bands = orm.BandsData()
        bands.set_kpoints([[0.0, 0.0, 0.0]])
        energies = np.concatenate([np.linspace(-20, -2, 32), np.linspace(2.5, 5, 8)])
        bands.set_bands(energies[None], units="eV", occupations=np.repeat([2.0, 0.0], [32, 8])[None])
        retrieved = orm.FolderData()
        retrieved.base.repository.put_object_from_bytes(xml(0.5).encode(), "data-file-schema.xml")
        outputs = {"output_band": bands, "output_parameters": orm.Dict(OUTPUT), "retrieved": retrieved}
        return nodes.workchain("quantumespresso.pw.base", outputs=outputs)

    return make


@pytest.fixture
def go(drive: Callable[..., Driven], runs: Callable[..., orm.WorkChainNode], aiida_code_installed: Any) -> Go:
    """Runs the workchain; each argument is the exit code of one attempt."""

    def go(*codes: int, record: dict[str, Any] | None = RECORD, **changes: Any) -> Driven:
        def answer(number: int, _: Any) -> orm.WorkChainNode:
            assert number < len(codes), f"attempt {number + 1} was not expected"
            return runs(codes[number], seconds=10.0 * (number + 1))

        structure, _ = nodes.film_nodes()
        return drive(
            GapWorkChain,
            answer,
            structure=structure,
            **({"record": orm.Dict(record)} if record is not None else {}),
            parameters=orm.Dict(load_protocol("gap", "fast", changes)),
            code=aiida_code_installed(default_calc_job_plugin="quantumespresso.pw"),
            pseudos={"O": pseudo("O", 6.0), "H": pseudo("H", 1.0)},
            options=orm.Dict({"slots": 2}),
        )

    return go


def parameters(driven: Driven, attempt: int) -> dict[str, Any]:
    return dict(driven.submitted[attempt][1]["pw"]["parameters"].get_dict())


def test_first_attempt_converges(go: Go) -> None:
    driven = go(0)
    assert driven.node.is_finished_ok
    assert set(driven.outputs) == {"film", "band", "pw_parameters", "result"}
    found = driven.outputs["result"].get_dict()
    assert found.items() >= {**RECORD, "exit_code": 0, "attempt": 1}.items()
    assert found["gap"] == pytest.approx(4.5)
    film = driven.outputs["film"].get_ase()
    assert film.cell[2, 2] - np.ptp(film.positions[:, 2]) == pytest.approx(16.0)


def test_pw_gets_the_film_and_inputs_that_it_accepts(go: Go) -> None:
    driven = go(0)
    process, inputs = driven.submitted[0]
    assert process is PwBase
    # Eight waters of eight valence electrons: 32 filled states and the protocol's eight empty ones.
    assert parameters(driven, 0)["SYSTEM"]["nbnd"] == 40
    assert inputs["pw"]["structure"].uuid == driven.outputs["film"].uuid
    assert inputs["pw"]["settings"].get_dict() == {"GAMMA_ONLY": True}
    assert inputs["kpoints"].get_kpoints_mesh() == ([1, 1, 1], [0.0, 0.0, 0.0])
    assert "wait for 1 of 2 slots" in inputs["pw"]["metadata"]["options"]["prepend_text"]
    driven.check_inputs()


def test_each_attempt_is_the_protocol_with_its_own_changes(go: Go) -> None:
    driven = go(410, 410, 0)
    assert driven.node.is_finished_ok
    settings = load_protocol("gap", "fast")
    for number, attempt in enumerate(settings["attempts"]):
        wanted = {**settings, **attempt}
        given = parameters(driven, number)
        for key in ("mixing_beta", "mixing_ndim", "electron_maxstep"):
            assert given["ELECTRONS"][key] == wanted[key]
        assert given["SYSTEM"]["degauss"] == wanted["degauss"]
        # From scratch: the density of a run that sloshed charge is a worse start than atoms.
        assert "parent_folder" not in driven.submitted[number][1]["pw"]
    assert driven.outputs["result"]["attempt"] == 3
    assert [inputs["metadata"]["call_link_label"] for _, inputs in driven.submitted] == [
        "pw_attempt_1",
        "pw_attempt_2",
        "pw_attempt_3",
    ]


def test_failed_last_attempt_leaves_a_result_without_gap(go: Go) -> None:
    driven = go(305, 410, 541)
    assert driven.node.exit_status == 401
    assert "after 3 attempts" in driven.node.exit_message
    assert "pw.x said 541" in driven.node.exit_message
    assert set(driven.outputs) == {"film", "result"}
    found = driven.outputs["result"].get_dict()
    assert found.items() >= RECORD.items()
    assert (found["gap"], found["metallic"], found["dipole"]) == (None, None, None)
    assert (found["exit_code"], found["exit_message"], found["attempt"]) == (541, "pw.x said 541", 3)
    assert found["wall_seconds"] == 60.0
    assert "attempt 2 failed: pw.x said 410" in driven.report()


def test_number_of_attempts_is_the_protocols(go: Go) -> None:
    driven = go(410, attempts=[{}])
    assert driven.node.exit_status == 401
    assert len(driven.submitted) == 1


def test_frame_without_a_record_has_a_result(go: Go) -> None:
    assert go(0, record=None).outputs["result"]["gap"] == pytest.approx(4.5)


def test_run_without_a_job_speaks_for_itself(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(nodes, "calculation", lambda *_: None)
    driven = go(410, attempts=[{}])
    found = driven.outputs["result"].get_dict()
    assert (found["exit_code"], found["exit_message"]) == (300, "unrecoverable")
    assert found["wall_seconds"] == 0.0


def test_family_that_is_not_installed_is_refused_with_the_remedy() -> None:
    structure, _ = nodes.film_nodes()
    with pytest.raises(ValueError, match="falsemetal setup"):
        load_pseudos("no/such/family", structure)

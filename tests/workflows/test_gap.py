"""The ladder of smearings in the workchain, and a frame that no rung saves still has a result."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.plugins import DataFactory, WorkflowFactory

from aiida_falsemetal.workflows.gap import GapWorkChain
from aiida_falsemetal.workflows.protocols import load_protocol
from aiida_falsemetal.workflows.pseudos import pseudos_of
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
    """Makes finished PwBaseWorkChains: ``code`` 0 with bands, else a failed job with that exit code; ``said`` is what
    pw.x has printed; ``lost`` is one whose job has lost its remote_folder."""

    def make(
        code: int, moved: float = 0.0, gap: float = 4.5, said: str | None = None, lost: bool = False
    ) -> orm.WorkChainNode:
        status = 300 if code else 11 * lost
        base = nodes.workchain("quantumespresso.pw.base", exit_status=status, exit_message="unrecoverable")
        outputs: dict[str, Any] = {"output_parameters": orm.Dict(OUTPUT)}
        if not code:
            bands = orm.BandsData()
            bands.set_kpoints([[0.0, 0.0, 0.0]])
            energies = np.concatenate([np.linspace(-20, -2, 32), -2 + gap + np.linspace(0, 3, 8)])
            occupations = np.repeat([2.0, 0.0], [32, 8])
            occupations[31:33] = 2.0 - moved, moved
            bands.set_bands(energies[None], units="eV", occupations=occupations[None])
            retrieved = orm.FolderData()
            retrieved.base.repository.put_object_from_bytes(xml(0.5).encode(), "data-file-schema.xml")
            remote = orm.RemoteData(remote_path="/nowhere", computer=aiida_localhost)
            outputs.update(output_band=bands, retrieved=retrieved)
            if not lost:
                outputs["remote_folder"] = remote
        elif said is not None:
            outputs["retrieved"] = orm.FolderData()
            outputs["retrieved"].base.repository.put_object_from_bytes(said.encode(), "aiida.out")
        nodes.calculation("quantumespresso.pw", aiida_localhost, {}, outputs, base, code, f"pw.x said {code}")
        if not code:
            for name, data in outputs.items():
                data.base.links.add_incoming(base, LinkType.RETURN, name)
        return base

    return make


@pytest.fixture
def go(drive: Callable[..., Driven], runs: Callable[..., orm.WorkChainNode], aiida_code_installed: Any) -> Go:
    """Runs the workchain; each argument is a run: its exit code, or what :func:`runs` is to make of it."""

    def go(*answers: int | dict[str, Any], record: dict[str, Any] | None = RECORD, **changes: Any) -> Driven:
        def answer(number: int, _: Any) -> orm.WorkChainNode:
            assert number < len(answers), f"run {number + 1} was not expected"
            what = answers[number]
            return runs(what) if isinstance(what, int) else runs(**{"code": 0, **what})

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
    assert film.cell[2, 2] - np.ptp(film.positions[:, 2]) == pytest.approx(12.0)


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


METAL = {"moved": 0.05, "gap": 0.1}


def rungs(driven: Driven) -> list[float]:
    return [parameters(driven, number)["SYSTEM"]["degauss"] for number in range(len(driven.submitted))]


def test_open_gap_needs_one_run(go: Go) -> None:
    driven = go(0)
    assert rungs(driven) == [0.01]
    assert driven.outputs["result"].get_dict().items() >= {"degauss": 0.01, "scf_iterations": 13}.items()


def test_closed_gap_goes_down_the_ladder_from_the_density_above(go: Go) -> None:
    driven = go(METAL, METAL, METAL, METAL)
    assert driven.node.is_finished_ok
    assert rungs(driven) == [0.01, 0.003, 0.0017, 0.001]
    for number, (_, inputs) in enumerate(driven.submitted):
        assert inputs["metadata"]["call_link_label"] == f"pw_run_{number + 1}"
        start = parameters(driven, number)["ELECTRONS"]
        if number == 0:
            assert "parent_folder" not in inputs["pw"]
            assert "startingpot" not in start
        else:
            assert inputs["pw"]["parent_folder"].creator.caller.pk < driven.node.pk + 1000
            assert (start["startingpot"], start["startingwfc"]) == ("file", "file")
    found = driven.outputs["result"].get_dict()
    assert found["metallic"] is True
    # Cost is that of all runs.
    assert found.items() >= {"attempt": 4, "scf_iterations": 52, "wall_seconds": 170.0, "degauss": 0.001}.items()
    driven.check_inputs()


def test_almost_open_gap_skips_the_rungs_between(go: Go) -> None:
    assert rungs(go({"moved": 0.005, "gap": 1.8}, 0)) == [0.01, 0.001]


def test_rung_that_fails_is_tried_half_way_with_calmer_mixing(go: Go) -> None:
    driven = go(METAL, 410, METAL, METAL, METAL, METAL)
    assert driven.node.is_finished_ok
    rescue = load_protocol("gap", "fast")["rescues"][0]
    half_way = (0.01 * 0.003) ** 0.5
    assert rungs(driven) == pytest.approx([0.01, 0.003, half_way, 0.003, 0.0017, 0.001])
    for key, value in rescue.items():
        assert parameters(driven, 2)["ELECTRONS"][key] == value
        assert parameters(driven, 3)["ELECTRONS"][key] != value
    # From the first run, not from the one that failed.
    starts = [inputs["pw"].get("parent_folder") for _, inputs in driven.submitted]
    assert starts[1].uuid == starts[2].uuid != starts[3].uuid
    assert "run 2 failed: pw.x said 410" in driven.report()


def test_first_rung_that_fails_is_tried_with_more_smearing_from_atoms(go: Go) -> None:
    driven = go(410, 0)
    assert rungs(driven) == pytest.approx([0.01, 0.02])
    assert "parent_folder" not in driven.submitted[1][1]["pw"]


def test_frame_that_nothing_saves_has_a_result_with_a_bound(go: Go) -> None:
    driven = go(METAL, 305, 410, 410, 541)
    assert driven.node.exit_status == 401
    assert "in 5 runs" in driven.node.exit_message
    assert "pw.x said 541" in driven.node.exit_message
    assert set(driven.outputs) == {"film", "result"}
    found = driven.outputs["result"].get_dict()
    assert found.items() >= RECORD.items()
    assert (found["gap"], found["metallic"], found["dipole"]) == (None, None, None)
    assert (found["exit_code"], found["exit_message"], found["attempt"]) == (541, "pw.x said 541", 5)
    assert found["gap_bound"] == pytest.approx(0.1)
    assert found["wall_seconds"] == pytest.approx(5 * 42.5)


def test_failed_runs_are_no_cache_sources(go: Go) -> None:
    driven = go(410, rescues=[])
    jobs = driven.jobs()
    assert jobs
    assert not any(job.base.caching.is_valid_cache for job in jobs)
    assert driven.outputs["result"]["gap_bound"] is None


def test_run_that_was_cut_off_is_done_again_as_it_was(go: Go) -> None:
    """A machine's failure must not decide which rung the gap is from."""
    cut = {"code": 305, "said": "iteration #  1"}
    driven = go({"moved": 0.5}, cut, cut, {"moved": 0.0})
    degauss = [parameters(driven, number)["SYSTEM"]["degauss"] for number in range(4)]
    assert degauss[1:] == [0.003] * 3 and parameters(driven, 1) == parameters(driven, 3)
    labels = [inputs["metadata"]["call_link_label"] for _, inputs in driven.submitted]
    assert len(set(labels)) == 4
    result = driven.outputs["result"].get_dict()
    assert (result["exit_code"], result["attempt"], result["degauss"]) == (0, 2, 0.003)


def test_run_whose_work_folder_was_lost_is_done_again_as_it_was(go: Go) -> None:
    """AiiDA loses it where the daemon's worker is killed at a certain moment; pw.x itself has ended well."""
    driven = go({"moved": 0.5}, {"moved": 0.0, "lost": True}, {"moved": 0.0})
    assert parameters(driven, 1) == parameters(driven, 2)
    result = driven.outputs["result"].get_dict()
    assert (result["exit_code"], result["attempt"], result["degauss"]) == (0, 2, 0.003)


def test_run_that_is_always_cut_off_has_a_result(go: Go) -> None:
    driven = go(*[{"code": 305, "said": "iteration #  1"}] * 7)
    assert driven.outputs["result"]["exit_code"] == 305


def test_density_that_cannot_be_read_is_made_again(go: Go) -> None:
    driven = go(
        {"moved": 0.5}, {"code": 305, "said": "Error in routine read_rhog (3):"}, {"moved": 0.5}, {"moved": 0.0}
    )
    assert [parameters(driven, number)["SYSTEM"]["degauss"] for number in range(4)] == [0.01, 0.003, 0.01, 0.003]
    starts = ["parent_folder" in driven.submitted[number][1]["pw"] for number in range(4)]
    assert starts == [False, True, False, True]
    assert driven.submitted[3][1]["pw"]["parent_folder"].pk == driven.jobs()[2].outputs.remote_folder.pk


def test_number_of_runs_is_the_protocols(go: Go) -> None:
    driven = go(410, rescues=[])
    assert driven.node.exit_status == 401
    assert len(driven.submitted) == 1


def test_frame_without_a_record_has_a_result(go: Go) -> None:
    assert go(0, record=None).outputs["result"]["gap"] == pytest.approx(4.5)


def test_run_without_a_job_speaks_for_itself(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(nodes, "calculation", lambda *_: None)
    driven = go(410, rescues=[])
    found = driven.outputs["result"].get_dict()
    assert (found["exit_code"], found["exit_message"]) == (300, "unrecoverable")
    assert found["wall_seconds"] == 0.0


def test_family_that_is_not_installed_is_refused_with_the_remedy() -> None:
    structure, _ = nodes.film_nodes()
    with pytest.raises(ValueError, match="falsemetal setup"):
        pseudos_of("no/such/family", structure)

"""A pair whose interface starts from a structure, and one whose trajectory is there already: nodes are linked."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import ToContext

from aiida_falsemetal.calculations.imported import describe_trajectory
from aiida_falsemetal.calculations.verdict import THRESHOLDS
from aiida_falsemetal.interfaces.from_file import FileRecipe
from aiida_falsemetal.interfaces.recipe import InterfaceError
from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.query.rows import pair_rows
from aiida_falsemetal.workflows import pair
from aiida_falsemetal.workflows.protocols import load_protocol
from tests.data import nodes

from .conftest import Driven

EXAMPLE = FileRecipe.examples()[5]
"""A whole interface, water on MgO."""


@pytest.fixture
def make(aiida_code_installed: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``make(recipe, parameters, structure)``."""

    def build(recipe: str, parameters: dict[str, Any], structure: orm.StructureData | None) -> Any:
        # No pseudopotentials are installed here.
        monkeypatch.setattr(pair, "gap_settings", lambda protocol, given, _: load_protocol("gap", "fast", given or {}))
        monkeypatch.setattr(pair, "pseudos_of", nodes.pseudos)
        code = aiida_code_installed(default_calc_job_plugin="quantumespresso.pw")
        return pair.PairWorkChain.get_builder_from_protocol(
            code, code, nodes.mlip(), recipe, parameters, steps=10, seed=1, structure=structure
        )

    return build


def lost(number: int, inputs: Any) -> orm.ProcessNode:
    """An MD that left nothing."""
    return nodes.workchain("falsemetal.md", {}, {}, exit_status=310, exit_message="no progress")


def test_structure_is_linked_to_the_pair_and_to_the_building(
    make: Callable[..., Any], drive: Callable[..., Driven]
) -> None:
    structure = orm.StructureData(ase=FileRecipe.structures()[5]).store()
    inputs = make("file", EXAMPLE, structure)._inputs(prune=True)
    driven = drive(pair.PairWorkChain, lost, **inputs)
    assert driven.node.exit_status == 310
    assert driven.node.inputs.structure.uuid == structure.uuid
    (call,) = [node for node in driven.node.called if node.process_label == "build_interface"]
    assert call.inputs.structure.uuid == structure.uuid
    made = driven.outputs["interface"]
    info = driven.outputs["interface_info"].get_dict()
    expected = FileRecipe().build(FileRecipe.parameters(**EXAMPLE), structure.get_ase())
    assert made.get_ase().get_chemical_symbols() == expected.atoms.get_chemical_symbols()
    assert made.get_ase().positions == pytest.approx(expected.atoms.positions, abs=1e-9)
    assert info["molecules"] == expected.info["molecules"] and info["fixed_indices"] == expected.info["fixed_indices"]
    # The MD starts from what was built.
    ((builder, _),) = driven.submitted
    assert builder.md.structure.uuid == made.uuid


def test_structure_and_recipe_must_fit(make: Callable[..., Any]) -> None:
    structure, _ = nodes.film_nodes()
    film = {"molecules": 8, "lateral": 6.5, "vacuum": 20.0, "seed": 3}
    assert "structure" not in make("film", film, None)._inputs(prune=True)
    with pytest.raises(InterfaceError, match="takes no structure"):
        make("film", film, structure)
    with pytest.raises(InterfaceError, match="needs a structure"):
        make("file", {}, None)


def test_a_pair_that_cannot_be_built_says_why(make: Callable[..., Any], drive: Callable[..., Driven]) -> None:
    slab = orm.StructureData(ase=FileRecipe.structures()[0])
    inputs = make("file", {}, slab)._inputs(prune=True)
    driven = drive(pair.PairWorkChain, lost, **inputs)
    assert driven.node.exit_status == 210 and not driven.submitted
    assert "to pack a liquid on it, give `molecules`" in driven.node.exit_message


STEPS = list(range(0, 400, 10))


@pytest.fixture
def given(aiida_code_installed: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``given(mlip)``: inputs of a pair whose trajectory is there already."""

    def build(mlip: Any = None) -> Any:
        monkeypatch.setattr(pair, "gap_settings", lambda protocol, given, _: load_protocol("gap", "fast", given or {}))
        monkeypatch.setattr(pair, "pseudos_of", nodes.pseudos)
        parameters = {"temperature": 300.0, "timestep": 1.0, "solvent": None, "metal": None, "made_by": "AIMD"}
        trajectory = nodes.trajectory(STEPS).store()
        found = describe_trajectory(trajectory, orm.Dict(parameters))
        return pair.PairWorkChain.get_builder_from_trajectory(
            aiida_code_installed(default_calc_job_plugin="quantumespresso.pw"),
            trajectory,
            found["series"],
            found["interface"],
            found["interface_info"],
            md={"temperature": 300.0, "timestep": 1.0, "steps": 390},
            seed=1,
            mlip=mlip,
            overrides={"selection": {"stratified": 1, "uniform": 0, "start": 0.0, "equilibration": 0.0}},
            labels={"campaign": "given", "interface": "film8", "mlip": "AIMD, PBE"},
        )._inputs(prune=True)

    return build


def insulating(number: int, inputs: Any) -> orm.ProcessNode:
    """A gap of 4 eV."""
    record = inputs["record"]
    result = {**record.get_dict(), "gap": 4.0, "metallic": False, "exit_code": 0, "exit_message": ""}
    return nodes.workchain("falsemetal.gap", {"record": record}, {"result": orm.Dict(result)})


def test_a_given_trajectory_is_selected_from_and_judged(
    given: Callable[..., Any], drive: Callable[..., Driven]
) -> None:
    inputs = given()
    driven = drive(pair.PairWorkChain, insulating, **inputs)
    assert driven.node.exit_status == 0, driven.node.exit_message
    assert [node.process_label for node in driven.node.called] == ["select_frames", "pair_verdict"]
    assert len(driven.submitted) == 1
    for name in ("trajectory", "series", "interface", "interface_info"):
        assert driven.outputs[name].uuid == driven.node.inputs[name].uuid == inputs[name].uuid
    verdict = driven.outputs["verdict"].get_dict()
    # The packed film, which these frames are copies of, is polar: the verdict says that it lies beyond the window.
    assert (verdict["selected"], verdict["converged"], verdict["fraction_beyond_window"]) == (1, 1, 1.0)
    assert verdict["verdict"] == "undecided" and "beyond the window" in verdict["reason"]
    assert verdict["sampled_ps"] == pytest.approx(0.39)
    (row,) = [row for row in pair_rows("given") if row["pair_pk"] == driven.node.pk]
    assert (row["interface"], row["mlip"]) == ("film8", "AIMD, PBE")
    assert (row["md_steps"], row["md_ps"], row["temperature"]) == (390, pytest.approx(0.39), 300.0)
    assert row["imported_from"] is not None
    assert all(row[key] is None for key in ("sha256", "long_ranged", "cutoff", "layers", "coulomb_cutoff"))


def test_the_model_that_made_it_is_linked(given: Callable[..., Any], drive: Callable[..., Driven]) -> None:
    model = nodes.mlip()
    driven = drive(pair.PairWorkChain, insulating, **given(model))
    (row,) = [row for row in pair_rows("given") if row["pair_pk"] == driven.node.pk]
    assert row["sha256"] == model.sha256 and row["cutoff"] == model.facts["cutoff"]


def test_series_of_a_given_trajectory(given: Callable[..., Any]) -> None:
    inputs = given()
    series, info = inputs["series"], inputs["interface_info"].get_dict()
    assert set(series.get_arraynames()) == {"step", "time_ps", "dipole_z", "evaporated"}
    assert series.get_array("step").tolist() == STEPS
    charges = np.array(info["charges"])
    expected = inputs["trajectory"].get_positions()[:, :, 2] @ charges
    assert series.get_array("dipole_z") == pytest.approx(expected)
    assert not series.get_array("evaporated").any()
    film, atoms = nodes.film()[1], inputs["interface"].get_ase()
    assert info["molecules"] == film["molecules"] and info["area"] == pytest.approx(film["area"])
    assert atoms.positions == pytest.approx(inputs["trajectory"].get_positions()[0])


@pytest.mark.parametrize(
    ("remove", "add", "words"),
    [
        ("series", {}, "series: missing; a trajectory needs all of"),
        ("trajectory", {}, "trajectory: missing"),
        ("", {"recipe": {"recipe": "film", "parameters": {}}}, "recipe: does not go with a trajectory"),
    ],
)
def test_a_pair_is_one_or_the_other(remove: str, add: dict[str, Any], words: str, given: Callable[..., Any]) -> None:
    inputs = {key: value for key, value in given().items() if key != remove}
    inputs.update({key: orm.Dict(value) for key, value in add.items()})
    sentence = pair.validate_inputs(inputs, None)
    assert sentence is not None and words in sentence


def test_a_pair_that_runs_its_md_needs_a_model(make: Callable[..., Any]) -> None:
    inputs = make("film", {"molecules": 8, "lateral": 6.5}, None)._inputs(prune=True)
    assert pair.validate_inputs(inputs, None) is None
    del inputs["mlip"]
    sentence = pair.validate_inputs(inputs, None)
    assert sentence is not None and sentence.startswith("mlip: missing, or a trajectory")


# --- frames are added, MD goes on ---


def by_law(number: int, inputs: Any) -> orm.ProcessNode:
    """The gap that a law of 4.4 eV and the range inside leaves."""
    record = inputs["record"]
    gap = max(4.4 - record["potential_range"], 0.0)
    result = {**record.get_dict(), "gap": gap, "metallic": gap < 0.2, "exit_code": 0, "exit_message": ""}
    return nodes.workchain("falsemetal.gap", {"record": record}, {"result": orm.Dict(result)})


def polar(inputs: Any, sd: float = 7.0, count: int = 80) -> Any:
    """The same trajectory with other dipoles: a spread of ``sd`` V, white."""
    area = inputs["interface_info"]["area"]
    steps = list(range(0, 10 * count, 10))
    moments = np.random.default_rng(4).normal(scale=sd * EPS0 * area, size=count)
    return {**inputs, "trajectory": nodes.polarised(steps, moments), "series": nodes.series(steps, moments)}


def test_frames_are_added_until_the_answer_is_known(given: Callable[..., Any], drive: Callable[..., Driven]) -> None:
    inputs = polar(given())
    inputs["thresholds"] = orm.Dict({**THRESHOLDS, "acceptable": 0.05})
    selection = {**inputs["selection"].get_dict(), "stratified": 4, "strata": 4, "most": 40, "batch": 6}
    inputs["selection"] = orm.Dict(selection)
    driven = drive(pair.PairWorkChain, by_law, **inputs)
    assert driven.node.exit_status == 0, driven.node.exit_message
    verdict = driven.outputs["verdict"].get_dict()
    called = [node.process_label for node in driven.node.called]
    draws = called.count("draw_frames")
    assert draws >= 1 and called[-1] == "pair_verdict"
    assert 4 < verdict["selected"] == len(driven.submitted) <= 40
    labels = [inputs["metadata"]["call_link_label"] for _, inputs in driven.submitted]
    assert len(set(labels)) == len(labels)
    true = float(np.mean(driven.outputs["population"].get_array("potential_range") > 4.2))
    assert verdict["metallized_low"] <= true <= verdict["metallized_high"]
    assert verdict["verdict"] == "false metallization"
    assert "lies above 0.05" in driven.report()
    # Every batch is in the graph, and the verdict is linked to it.
    (call,) = [node for node in driven.node.called if node.process_label == "pair_verdict"]
    batches = {name for name in call.base.links.get_incoming().all_link_labels() if name.startswith("batch_")}
    assert len(batches) == draws  # the first one, and one a draw, but for the last, which settled it


def md_piece(first: int, last: int, status: int = 0) -> dict[str, Any]:
    """Outputs of an MD that went from step ``first`` to ``last``; white noise."""
    steps = list(range(first, last + 1, 10))
    dipole = np.random.default_rng(first).normal(size=len(steps))
    return {
        "trajectory": nodes.trajectory([step for step in steps if step % 20 == 0]),
        "series": nodes.series(steps, dipole),
        "results": orm.Dict({"status": "finished", "last_step": last}),
        "checkpoint": orm.SinglefileData(io.BytesIO(b"state"), filename="checkpoint.npz"),
    }


def test_md_goes_on_until_the_spread_is_known(make: Callable[..., Any], drive: Callable[..., Driven]) -> None:
    """White noise of 40 samples knows its spread to 23 %: one extension to 10 %, from the checkpoint."""
    inputs = make("film", {"molecules": 8, "lateral": 6.5, "vacuum": 20.0, "seed": 3}, None)._inputs(prune=True)
    inputs["md"] = orm.Dict(
        {**inputs["md"].get_dict(), "steps": 400, "stride": 10, "frame_stride": 20, "precision": 0.1, "max_steps": 9000}
    )
    settings = {**inputs["selection"].get_dict(), "stratified": 1, "uniform": 0, "start": 0.0, "equilibration": 0.0}
    inputs["selection"] = orm.Dict(settings)
    computer = orm.load_computer("localhost")
    inputs["md_batch"] = orm.RemoteData(computer=computer, remote_path="/none/seed-1").store()
    ended = [0]

    def answer(number: int, what: Any) -> orm.ProcessNode:
        if "md" not in what:
            return by_law(number, what)
        total = what["md"]["parameters"]["steps"]
        node = nodes.workchain("falsemetal.md", {}, md_piece(ended[-1] + 10 if ended[1:] else 0, total))
        ended.append(total)
        return node

    driven = drive(pair.PairWorkChain, answer, **inputs)
    assert driven.node.exit_status == 0, driven.node.exit_message
    runs = [given for what, given in driven.submitted if "md" in given]
    assert len(runs) >= 2 and "checkpoint" not in runs[0]["md"] and "checkpoint" in runs[1]["md"]
    # A batch of seeds has run the first job, and no other.
    assert runs[0]["md"]["batch"].pk == inputs["md_batch"].pk and "batch" not in runs[1]["md"]
    assert [given["metadata"]["call_link_label"] for given in runs][:2] == ["md", "md_1"]
    steps = driven.outputs["series"].get_array("step")
    assert steps.tolist() == list(range(0, ended[-1] + 1, 10)) and ended[-1] > 400
    verdict = driven.outputs["verdict"].get_dict()
    assert (verdict["sd_high"] - verdict["sd_low"]) / 2 <= 0.101 * verdict["sd_Mz_per_area"]
    assert verdict["more_ps"] == 0.0
    assert driven.outputs["trajectory"].get_stepids()[-1] == ended[-1]


def test_an_extension_that_fails_keeps_what_there_is(make: Callable[..., Any], drive: Callable[..., Driven]) -> None:
    inputs = make("film", {"molecules": 8, "lateral": 6.5, "vacuum": 20.0, "seed": 3}, None)._inputs(prune=True)
    inputs["md"] = orm.Dict(
        {**inputs["md"].get_dict(), "steps": 400, "stride": 10, "frame_stride": 20, "precision": 0.1}
    )
    settings = {**inputs["selection"].get_dict(), "stratified": 1, "uniform": 0, "start": 0.0, "equilibration": 0.0}
    inputs["selection"] = orm.Dict(settings)

    def answer(number: int, what: Any) -> orm.ProcessNode:
        if "md" not in what:
            return by_law(number, what)
        if "checkpoint" in what["md"]:
            piece = md_piece(410, 500)
            return nodes.workchain("falsemetal.md", {}, piece, exit_status=400, exit_message="It exploded.")
        return nodes.workchain("falsemetal.md", {}, md_piece(0, 400))

    driven = drive(pair.PairWorkChain, answer, **inputs)
    assert driven.node.exit_status == 410
    verdict = driven.outputs["verdict"].get_dict()
    assert verdict["verdict"] == "undecided" and "It exploded" in verdict["reason"]
    assert driven.outputs["series"].get_array("step")[-1] == 500


def test_gaps_are_submitted_a_few_at_a_time(
    given: Callable[..., Any], drive: Callable[..., Driven], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once would fill the daemon's worker with processes that wait for those it has no room for."""
    inputs = polar(given())
    inputs["selection"] = orm.Dict({**inputs["selection"].get_dict(), "stratified": 20, "strata": 4})
    awaited = []

    def recorded(**processes: Any) -> Any:
        awaited.append(len(processes))
        return ToContext(**processes)

    monkeypatch.setattr(pair, "ToContext", recorded)
    driven = drive(pair.PairWorkChain, by_law, **inputs)
    assert awaited == [pair.GAPS_AT_ONCE, pair.GAPS_AT_ONCE, 20 - 2 * pair.GAPS_AT_ONCE]
    assert driven.outputs["verdict"]["converged"] == 20


def test_pairs_fit_into_a_worker() -> None:
    """AiiDA's own 200 processes hold six pairs with all their gaps under way; a screen and one pair always go."""
    assert pair.pairs_at_once(200) == 6
    assert 1 + 6 * (1 + pair.GAPS_AT_ONCE * pair.GAP_DEPTH) <= 200
    assert pair.pairs_at_once(2000) >= 16
    assert pair.pairs_at_once(10) == 0

"""Frames, pairs, interfaces and models as tables, from a graph made by hand; and as DataFrames."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_falsemetal.calculations.evidence import FRAME_KEYS, Seed, summarize
from aiida_falsemetal.calculations.verdict import THRESHOLDS
from aiida_falsemetal.names import EXTRAS, FRAME_COLUMNS, JUDGED_BY
from aiida_falsemetal.query import QueryError, frames, interfaces, mlips, pairs
from aiida_falsemetal.query.columns import column_kinds, kind_of
from aiida_falsemetal.query.subjects import FRAMES, INTERFACES, MLIPS, PAIRS, SUBJECTS, table
from tests.data import nodes

from .stories import RECIPE, Told
from .test_rows import INFO, MD, SELECTION, Graph, graph  # noqa: F401  (a fixture)


def law(campaign: str, **content: Any) -> orm.Dict:
    """A gap law, as `conclude_campaign` leaves it."""
    function = orm.CalcFunctionNode(process_type=JUDGED_BY["law"]).store()
    labels = {"kind": "law", "campaign": campaign, "interface": "film8"}
    function.base.extras.set_many({f"falsemetal_{key}": value for key, value in labels.items()})
    result = orm.Dict(content)
    result.base.links.add_incoming(function, LinkType.CREATE, "result")
    return result.store()


def test_frames_of_the_pairs_that_count(graph: Graph) -> None:  # noqa: F811
    graph.gap(graph.pair(exit_status=310), 100)
    pair = graph.pair()
    graph.gap(pair, 200, gap=0.3)
    graph.gap(pair, 300, gap=None, exit_status=401)
    ask: dict[str, Any] = {"campaign": graph.campaign, "columns": "step,gap"}
    assert table("frames", **ask)[1][0]["step"] == 200
    assert list(frames(**ask)["step"]) == [200, 300]
    assert list(frames(**ask, all_runs=True)["step"]) == [100, 200, 300]
    assert list(frames("gap < 0.5", **ask)["step"]) == [200]
    assert list(frames("not gap < 0.5", **ask)["step"]) == []
    assert list(frames("gap is null and exit_code = 410", **ask)["step"]) == [300]
    assert list(frames(**ask, sort="-step", limit=1)["step"]) == [300]
    assert list(frames(campaign=graph.campaign).columns) == list(FRAME_COLUMNS)
    assert frames(campaign="none").empty and list(frames(campaign="none").columns) == list(FRAME_COLUMNS)


def test_pairs_have_their_verdict(graph: Graph) -> None:  # noqa: F811
    graph.pair(exit_status=310)
    pair = graph.pair(interface_info=orm.Dict(INFO), verdict=orm.Dict({"verdict": "safe", "own": 3, "min_gap": 2.0}))
    waiting = graph.pair(seed=2, exit_status=None)
    found = pairs(campaign=graph.campaign)
    assert list(found["pair_pk"]) == [pair.pk, waiting.pk]
    assert list(found["verdict"][:1]) == ["safe"] and found["verdict"].isna()[1]
    assert len(pairs(campaign=graph.campaign, all_runs=True)) == 3
    # What else a verdict holds is a column too.
    assert list(pairs("own = 3 and long_ranged = false", campaign=graph.campaign)["min_gap"]) == [2.0]
    with pytest.raises(QueryError, match="'safe': is of another type"):
        pairs("own = 'safe'", campaign=graph.campaign)


def test_interfaces_have_recipe_geometry_and_law(graph: Graph) -> None:  # noqa: F811
    told = Told(graph)
    graph.pair(seed=2, exit_status=None)
    (before,) = table("interfaces", campaign=graph.campaign)[1]
    assert before["E_g0"] is before["slope"] is before["law_pk"] is None
    law(graph.campaign, intercept=4.0, slope=0.9, frames=2)
    newest = law(graph.campaign, intercept=4.4, intercept_low=4.3, slope=1.0, slope_high=1.1, frames=9)
    (row,) = table("interfaces", campaign=graph.campaign)[1]
    assert set(row) == set(INTERFACES)
    assert (row["campaign"], row["interface"], row["recipe"]) == (graph.campaign, "film8", "film")
    assert json.loads(row["parameters"]) == RECIPE["parameters"]
    assert [row[key] for key in ("area", "thickness", "vacuum", "solvent", "molecules")] == [42.25, 5.7, 20, "water", 2]
    assert [row[key] for key in ("E_g0", "E_g0_low", "slope", "slope_high", "law_frames")] == [4.4, 4.3, 1.0, 1.1, 9]
    assert (row["pairs"], row["recipe_pk"], row["interface_pk"]) == (2, told.recipe.pk, told.structure.pk)
    assert row["law_pk"] == newest.pk
    assert list(interfaces("slope >= 1", campaign=graph.campaign)["interface"]) == ["film8"]


def test_an_interface_that_is_not_built_yet_is_a_row(graph: Graph) -> None:  # noqa: F811
    graph.pair(exit_status=None)
    (row,) = table("interfaces", campaign=graph.campaign)[1]
    assert set(row) == set(INTERFACES)
    assert row["area"] is row["recipe"] is row["interface_pk"] is None and row["pairs"] == 1


def use(campaign: str, model: orm.Data, label: str, seed: int = 1) -> orm.WorkChainNode:
    """A pair that a model was used in under a label."""
    inputs = {"md": orm.Dict(MD), "selection": orm.Dict(SELECTION), "mlip": model}
    node = nodes.workchain("falsemetal.pair", inputs)
    labels = {"campaign": campaign, "interface": "film8", "mlip": label, "seed": seed, "fingerprint": "f"}
    node.base.extras.set_many({f"falsemetal_{key}": value for key, value in labels.items()})
    return node


def test_models_with_the_same_file_and_arguments_are_one_row(graph: Graph) -> None:  # noqa: F811
    one, again = nodes.mlip(label="one").store(), nodes.mlip(label="again").store()
    other = nodes.mlip("spcfw-ewald", label="other").store()
    other.base.extras.set("kept", True)
    use(graph.campaign, one, "one")
    use(graph.campaign, again, "renamed", 2)
    use(graph.campaign, other, "other")
    rows = table("mlips", campaign=graph.campaign)[1]
    assert [row["labels"] for row in rows] == ["again, one, renamed", "other"]
    short, full = rows
    assert set(short) == set(MLIPS)
    assert (short["pairs"], short["mlip_pk"], short["campaigns"]) == (2, again.pk, graph.campaign)
    assert (short["sha256"], short["family"], short["file"]) == (one.sha256, "openmm", "spcfw.xml")
    assert (short["long_ranged"], full["long_ranged"]) == (False, True)
    assert all(short[key] == one.facts[key] for key in ("cutoff", "layers", "receptive_field", "boundary"))
    assert (short["elements"], short["scan"], short["accepted"]) == ("H, O", "safe", None)
    # What no pair has used is there without a campaign.
    unused = nodes.mlip(label="unused here").store()
    assert any("unused here" in labels for labels in mlips()["labels"])
    assert unused.pk not in list(mlips(campaign=graph.campaign)["mlip_pk"])


def test_a_model_of_before_the_scan_and_one_taken_all_the_same(graph: Graph) -> None:  # noqa: F811
    old, unsafe = nodes.mlip(label="old"), nodes.mlip("spcfw-ewald", label="unsafe")
    old.base.attributes.delete("scan")
    unsafe.base.attributes.set("scan", {"verdict": "unknown"})
    unsafe.base.attributes.set("accepted", "mine")
    use(graph.campaign, old, "old")
    use(graph.campaign, unsafe, "unsafe")
    rows = table("mlips", campaign=graph.campaign)[1]
    assert {(row["scan"], row["accepted"]) for row in rows} == {("not scanned", None), ("unknown", "mine")}


def test_a_trajectory_without_a_model_is_no_model(graph: Graph) -> None:  # noqa: F811
    Told(graph, given=True)
    assert table("mlips", campaign=graph.campaign)[1] == []
    (row,) = table("interfaces", campaign=graph.campaign)[1]
    assert (row["recipe"], row["imported_from"]) == (None, "run 7.xyz")


@pytest.mark.parametrize("subject", SUBJECTS)
def test_rows_hold_what_is_declared(graph: Graph, subject: str) -> None:  # noqa: F811
    Told(graph).judge()
    kinds = column_kinds([], SUBJECTS[subject])
    for row in table(subject, campaign=graph.campaign)[1]:
        assert {
            name: kind for name in row if (kind := kind_of(row[name])) not in {None, *kinds.get(name, [kind])}
        } == {}


def test_what_a_verdict_holds_is_declared_as_it_is() -> None:
    """A verdict of real numbers: of what is declared nothing has another kind."""
    rng = np.random.default_rng(0)
    known = {"gap": 3.0, "metallic": False, "functional": "PBE", "exit_code": 0, "drop": 1.0, "expected_drop": 1.0}
    frames_ = [{**dict.fromkeys(FRAME_KEYS), **known, "step": step, "gap": 3.0 - step} for step in range(3)]
    given = {"temperature": 300.0, "equilibration": "auto", "precision": None, "facts": None, "dipole_charges": None}
    geometry = {"area": 42.0, "thickness": 6.0, "eps": 78.0, "eps_inf": 1.8, "vacuum": 20.0, "height": 26.0}
    seed = Seed(np.arange(400) * 0.01, rng.normal(size=400) * 0.01, frames_, population=100)
    found = summarize([seed], geometry, {**given, **THRESHOLDS})
    wrong = {
        name: value for name, value in found.items() if PAIRS.get(name) and kind_of(value) not in {None, PAIRS[name]}
    }
    assert wrong == {}
    assert {name for name in PAIRS if name in found} > {
        "verdict",
        "min_gap",
        "sd_ratio",
        "law_slope",
        "metallized_bound",
    }


def test_declared_columns_of_frames_are_those_of_the_rows() -> None:
    assert tuple(FRAMES) == FRAME_COLUMNS
    assert tuple(PAIRS)[: len(EXTRAS)] == EXTRAS

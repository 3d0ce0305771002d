"""A campaign is judged once for what it holds, all seeds together, and anew where the rule or the reference changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.physics.verdict import FALSE, SAFE, UNDECIDED
from aiida_falsemetal.query.cells import cell_rows, law_rows
from aiida_falsemetal.workflows import conclude, pair
from aiida_falsemetal.workflows.conclude import conclude_campaign
from aiida_falsemetal.workflows.protocols import load_protocol
from tests.data import nodes

from .conftest import Driven

COUNT = 300


def by_drop(number: int, inputs: Any) -> orm.ProcessNode:
    """The gap that a law of 4.4 eV leaves."""
    record = inputs["record"]
    gap = max(4.4 - abs(record["expected_drop"]), 0.0)
    result = {**record.get_dict(), "gap": gap, "metallic": gap < 0.2, "exit_code": 0, "exit_message": ""}
    return nodes.workchain("falsemetal.gap", {"record": record}, {"result": orm.Dict(result)})


@pytest.fixture
def run(
    aiida_code_installed: Any, monkeypatch: pytest.MonkeyPatch, drive: Callable[..., Driven]
) -> Callable[..., orm.WorkChainNode]:
    """``run(campaign, mlip, seed, sd)``: a pair that has ended, of a trajectory with a spread of ``sd`` V."""
    monkeypatch.setattr(pair, "gap_settings", lambda protocol, given, _: load_protocol("gap", "fast", given or {}))
    monkeypatch.setattr(pair, "pseudos_of", nodes.pseudos)
    atoms, info = nodes.film()

    def make(campaign: str, mlip: str, seed: int, sd: float) -> orm.WorkChainNode:
        steps = list(range(0, 10 * COUNT, 10))
        moments = np.random.default_rng(100 * seed + len(mlip)).normal(scale=sd * EPS0 * info["area"], size=COUNT)
        inputs = pair.PairWorkChain.get_builder_from_trajectory(
            aiida_code_installed(default_calc_job_plugin="quantumespresso.pw"),
            nodes.polarised(steps, moments).store(),
            nodes.series(steps, moments),
            orm.StructureData(ase=atoms),
            orm.Dict(info),
            md={"temperature": 300.0, "timestep": 1.0, "steps": steps[-1]},
            seed=seed,
            overrides={"selection": {"stratified": 6, "uniform": 2, "start": 0.0, "equilibration": 0.0}},
            labels={"campaign": campaign, "interface": "film8", "mlip": mlip},
        )._inputs(prune=True)
        return drive(pair.PairWorkChain, by_drop, **inputs).node

    return make


def test_seeds_are_judged_together(run: Callable[..., orm.WorkChainNode]) -> None:
    for mlip, sd in (("short", 3.0), ("longer", 0.6)):
        for seed in (1, 2):
            run("two", mlip, seed, sd)
    assert conclude_campaign("two") == []
    rows = {row["mlip"]: row for row in cell_rows("two")}
    assert {name: row["verdict"] for name, row in rows.items()} == {"short": FALSE, "longer": SAFE}
    assert all((row["seeds"], row["selected"]) == (2, 16) for row in rows.values())
    (law,) = law_rows("two")
    assert (law["interface"], law["frames"]) == ("film8", 32)
    assert law["intercept_low"] <= 4.4 <= law["intercept_high"]
    group = orm.load_group("falsemetal/two")
    assert rows["short"]["verdict_pk"] in {node.pk for node in group.nodes}
    # The verdict's origins are in the graph.
    made = orm.load_node(rows["short"]["verdict_pk"]).creator
    assert {"verdict_1", "verdict_2", "series_1", "series_2", "info", "parameters"} == set(
        made.base.links.get_incoming().all_link_labels()
    )


def test_nothing_is_judged_twice(run: Callable[..., orm.WorkChainNode]) -> None:
    run("once", "short", 1, 3.0)

    def made() -> int:
        query = orm.QueryBuilder()
        query.append(orm.CalcFunctionNode, filters={"extras.falsemetal_campaign": "once"})
        return query.count()

    conclude_campaign("once")
    assert made() == 2  # a cell and a law
    conclude_campaign("once")
    conclude_campaign("once", {"acceptable": 0.01})
    assert made() == 2
    conclude_campaign("once", {"acceptable": 0.9})
    assert made() == 3
    (row,) = cell_rows("once")
    assert row["acceptable"] == 0.9 and row["verdict"] != FALSE
    # Asked again as before: that verdict is in the graph, and it is what counts now.
    conclude_campaign("once")
    (row,) = cell_rows("once")
    assert made() == 3 and row["acceptable"] == 0.01 and row["verdict"] == FALSE
    run("once", "short", 2, 3.0)
    conclude_campaign("once")
    (row,) = cell_rows("once")
    assert row["seeds"] == 2 and row["verdict"] == FALSE


def test_other_rules_judge_anew(run: Callable[..., orm.WorkChainNode], monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older version has judged does not stand for this one's verdict."""
    run("rules", "short", 1, 3.0)
    conclude_campaign("rules")
    (before,) = cell_rows("rules")
    conclude_campaign("rules")
    assert cell_rows("rules")[0]["verdict_pk"] == before["verdict_pk"]
    monkeypatch.setattr(conclude, "RULES", conclude.RULES + 1)
    conclude_campaign("rules")
    (after,) = cell_rows("rules")
    assert after["verdict_pk"] > before["verdict_pk"]


def test_false_is_relative_to_the_reference(run: Callable[..., orm.WorkChainNode]) -> None:
    for seed in (1, 2):
        run("ref", "a-short", seed, 3.0)
        run("ref", "z-twin", seed, 0.6)
        run("ref", "b-wide", seed, 3.2)
    conclude_campaign("ref", {"reference": "z-twin"})
    rows = {row["mlip"]: row for row in cell_rows("ref")}
    assert rows["a-short"]["verdict"] == FALSE and rows["a-short"]["reference"] == "z-twin"
    assert "exceeds it by" in rows["a-short"]["reason"]
    assert rows["z-twin"]["reference"] is None and rows["z-twin"]["verdict"] == SAFE
    conclude_campaign("ref", {"reference": "b-wide"})
    rows = {row["mlip"]: row for row in cell_rows("ref")}
    assert rows["a-short"]["verdict"] == UNDECIDED and "may be real" in rows["a-short"]["reason"]
    conclude_campaign("ref", {"reference": "not there"})
    rows = {row["mlip"]: row for row in cell_rows("ref")}
    assert rows["a-short"]["verdict"] == UNDECIDED


def test_a_seed_that_was_lost_stands_against_safe(
    run: Callable[..., orm.WorkChainNode], drive: Callable[..., Driven]
) -> None:
    run("lost", "longer", 1, 0.6)
    conclude_campaign("lost")
    assert cell_rows("lost")[0]["verdict"] == SAFE
    node = nodes.workchain("falsemetal.pair", {}, {}, exit_status=310, exit_message="The MD could not be run.")
    labels = {"campaign": "lost", "interface": "film8", "mlip": "longer", "seed": 2}
    node.base.extras.set_many({f"falsemetal_{key}": value for key, value in labels.items()})
    conclude_campaign("lost")
    (row,) = cell_rows("lost")
    assert row["verdict"] == UNDECIDED and "Seed 2: The MD could not be run." in row["reason"]


def test_a_pair_under_way_is_waited_for(run: Callable[..., orm.WorkChainNode]) -> None:
    run("wait", "longer", 1, 0.6)
    node = nodes.workchain("falsemetal.pair", {}, {}, exit_status=None)
    labels = {"campaign": "wait", "interface": "film8", "mlip": "longer", "seed": 2}
    node.base.extras.set_many({f"falsemetal_{key}": value for key, value in labels.items()})
    assert conclude_campaign("wait") == [] and cell_rows("wait") == []

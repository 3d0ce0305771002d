"""Frames whose energy a model misses most, found in the graph and made configurations to label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_falsemetal.calculations.configurations import outlier_record
from aiida_falsemetal.query.outliers import configuration_nodes, find_outliers
from tests.data import nodes

from .test_rows import Graph

DIFFERENCES = [0.0, 0.1, -0.5, 0.9, 2.0, -0.1]
"""E(DFT) - E(MLIP) in eV of the steps 0, 1, 2, ...; the mean of the first four is 0.125."""


@pytest.fixture
def campaign(aiida_localhost: orm.Computer) -> Graph:
    """One pair of six frames: the fifth is metallic, the sixth too polar."""
    graph = Graph(aiida_localhost)
    _, info = nodes.film_nodes()
    graph.pair_node = graph.pair(interface_info=info)  # type: ignore[attr-defined]
    for step, difference in enumerate(DIFFERENCES):
        frame(graph, step, difference, step == 4, 3.5 if step == 5 else 1.0)
    return graph


def frame(graph: Graph, step: int, difference: float, metallic: bool, drop: float) -> None:
    content = {
        **{"step": step, "time_ps": 0.1 * step, "Mz": 0.2, "expected_drop": drop, "functional": "PBE"},
        **{"gap": 0.0 if metallic else 3.0, "metallic": metallic, "exit_code": 0, "exit_message": ""},
        **{"energy": -100.0 + difference, "energy_mlip": -100.0},
    }
    atoms = nodes.film()[0].copy()
    atoms.positions += 0.01 * step
    inputs = {"record": orm.Dict({"step": step}), "structure": orm.StructureData(ase=atoms)}
    pair = graph.pair_node  # type: ignore[attr-defined]
    nodes.workchain("falsemetal.gap", inputs, {"result": orm.Dict(content)}, pair, f"gap_{step:08d}")


def test_the_largest_residuals_come_first_and_metals_are_none(campaign: Graph) -> None:
    found = find_outliers(campaign.campaign, "sr", 9, max_drop=2.5)
    # The sixth frame counts in the mean, which is that of the five that are no metals: 0.08.
    used = [DIFFERENCES[k] for k in (0, 1, 2, 3, 5)]
    expected = sorted((value - np.mean(used) for value in used[:4]), key=lambda value: -abs(value))
    assert [one.residual for one in found] == pytest.approx(expected)
    assert [round(one.residual, 2) for one in find_outliers(campaign.campaign, "sr", 2, 2.5)] == [0.82, -0.58]


def test_what_is_not_there_is_named(campaign: Graph) -> None:
    with pytest.raises(ValueError, match="no campaign nowhere"):
        find_outliers("nowhere", "sr", 1, 2.5)
    with pytest.raises(ValueError, match="no MLIP lr; it has sr"):
        find_outliers(campaign.campaign, "lr", 1, 2.5)


def test_films_on_a_substrate_are_none(aiida_localhost: orm.Computer) -> None:
    graph = Graph(aiida_localhost)
    _, info = nodes.film_nodes()
    info = orm.Dict({**info.get_dict(), "substrate_indices": [0]})
    graph.pair_node = graph.pair(interface_info=info)  # type: ignore[attr-defined]
    frame(graph, 1, 0.5, False, 1.0)
    frame(graph, 2, 0.1, False, 1.0)
    assert find_outliers(graph.campaign, "sr", 5, 2.5) == []


def test_a_frame_becomes_a_configuration_with_its_record(campaign: Graph) -> None:
    first = find_outliers(campaign.campaign, "sr", 1, 2.5)[0]
    given: dict[str, Any] = configuration_nodes(first)
    assert given["result"].get_dict()["step"] == 3
    said = {"source": "polar", "sampler": "sr", "campaign": "mine", "residual": first.residual, "temperature": 330.0}
    record = outlier_record(**given, parameters=orm.Dict(said))
    content = record.get_dict()
    assert content["residual"] == pytest.approx(first.residual) and content["source"] == "polar"
    assert (content["chosen_for"], content["step"], content["Mz"], content["bulk"]) == ("missing energy", 3, 0.2, False)
    info = nodes.film()[1]
    assert content["area"] == info["area"] and 1.0 < content["contact"] < 4.0
    assert record.creator.inputs.result.pk == given["result"].pk

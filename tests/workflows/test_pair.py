"""A pair whose interface starts from a structure: the node itself is in the graph, at the pair and at the building."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm

from aiida_falsemetal.interfaces.from_file import FileRecipe
from aiida_falsemetal.interfaces.recipe import InterfaceError
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

"""Many pairs in one workchain: what its checkpoint holds, and in which order it submits them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine.persistence import AiiDAPersister
from plumpy import ProcessState

from aiida_falsemetal.cli.screen import read_campaign
from aiida_falsemetal.cli.submit import Made, existing_pairs, missing_pairs, screen_builder
from aiida_falsemetal.workflows import plan, screen
from aiida_falsemetal.workflows.plan import plan_length, read_plan
from tests.cli.test_submit import FILM, campaign, ready  # noqa: F401  (a fixture)
from tests.faults.test_quick import made

AS_INPUTS = 3


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds for many pairs is tested with few."""
    monkeypatch.setattr(screen, "AS_INPUTS", AS_INPUTS)
    monkeypatch.setattr(plan, "CHUNK", 4)


def many(folder: Path, count: int) -> Any:
    """A campaign of ``count`` pairs that differ by their seeds."""
    changes = {"interfaces": {"film": FILM}, "mlips": {"spcfw-ewald": None}, "seeds": list(range(1, count + 1))}
    return read_campaign(campaign(folder, **changes))


def submitted(folder: Path, count: int) -> Any:
    """The process of such a campaign, as the command makes it."""
    content, pairs = many(folder, count)
    nodes = Made()
    builder = screen_builder(content, pairs, None, nodes)
    nodes.store_planned()
    return made(builder)


def test_a_checkpoint_does_not_grow_with_the_campaign(ready: None, tmp_path: Path) -> None:  # noqa: F811
    sizes = []
    for count in (AS_INPUTS + 1, 3 * AS_INPUTS + 1):
        process = submitted(tmp_path, count)
        process.setup()
        AiiDAPersister().save_checkpoint(process)
        sizes.append(len(process.node.checkpoint))
        process.node.set_process_state("finished")
    assert sizes[1] < sizes[0] + 50 and sizes[1] < 5000


def test_pairs_of_a_plan_are_known_before_they_are_submitted(ready: None, tmp_path: Path) -> None:  # noqa: F811
    content, pairs = many(tmp_path, AS_INPUTS + 2)
    nodes = Made()
    builder = screen_builder(content, pairs[:-1], None, nodes)
    nodes.store_planned()
    made(builder)
    assert missing_pairs(pairs, existing_pairs(content.name)) == pairs[-1:]


def test_every_pair_of_a_plan_is_submitted_once(
    ready: None,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In batches, with the inputs that the campaign gives it; what has ended leaves the context."""
    count = 11
    process = submitted(tmp_path, count)
    seeds: list[int] = []

    def submit(what: Any, inputs: Any = None, **more: Any) -> orm.WorkChainNode:
        seeds.append(more["md"]["seed"])
        return orm.WorkChainNode().store()

    monkeypatch.setattr(process.runner, "submit", submit)
    with process._process_scope():
        process.setup()
        while process.has_more():
            children = process.run_some()
            assert len(children) <= process.inputs.max_pairs.value
            for name, node in children.items():
                node.set_exit_status(410 if name == "pair_0000005" else 0)
                node.set_process_state(ProcessState.FINISHED)
                process.ctx[name] = node
            process.inspect()
            assert not [name for name in vars(process.ctx) if name.startswith("pair_")]
    assert seeds == list(range(1, count + 1))
    assert process.ctx.failed == 1


def test_nodes_that_pairs_share_are_stored_once(ready: None, tmp_path: Path) -> None:  # noqa: F811
    count = AS_INPUTS + 2
    given = submitted(tmp_path, count).inputs.plan
    assert plan_length(given) == count
    pairs = read_plan(given, 0, count)
    for name in ("recipe", "mlip", "gap", "pw_options", "md_options", "thresholds"):
        assert len({pair[name].pk for pair in pairs.values()}) == 1, name
    for name in ("labels", "md"):
        assert len({pair[name].pk for pair in pairs.values()}) == count, name
    assert all(isinstance(node, orm.Node) and node.is_stored for pair in pairs.values() for node in pair.values())

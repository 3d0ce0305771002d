"""Submitting: nothing is stored before everything that can be refused was refused, and shared nodes are stored once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from aiida import orm
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from ase.io import write

from aiida_falsemetal.cli import profile
from aiida_falsemetal.cli.screen import read_campaign
from aiida_falsemetal.cli.submit import pair_builder, screen_builder
from aiida_falsemetal.cli.twins import check_label, read_twins
from aiida_falsemetal.cli.twins_run import run_twins
from aiida_falsemetal.cli.twins_submit import twins_builder
from aiida_falsemetal.data.mlip import MlipData
from tests.data import nodes

pytest.importorskip("openmm")

FILM = {"recipe": "film", "molecules": 24, "lateral": 7.0, "vacuum": 25.0, "seed": 1}


@pytest.fixture
def ready(aiida_profile_clean: Any) -> None:
    """Codes, whose programs are never run, and pseudopotentials."""
    computer = profile.ensure_computer(lambda _: None)
    for name, plugin in (("pw", "quantumespresso.pw"), ("python-mlip", "falsemetal.md")):
        profile.ensure_code(name, plugin, Path("/bin/true"), computer, lambda _: None)
    profile.ensure_pseudos(lambda _: None)


def count(kind: Any = orm.Node) -> int:
    return int(orm.QueryBuilder().append(kind).count())


def campaign(folder: Path, **changes: Any) -> Path:
    """A campaign of two MLIPs and two seeds at a film and at a structure from a file."""
    write(folder / "whole.xyz", nodes.film()[0])
    data = {
        "name": "stored",
        "interfaces": {"film": FILM, "own": {"recipe": "file", "file": "whole.xyz"}},
        "mlips": {"spcfw-ewald": None, "spcfw-truncated": None},
        "seeds": [1, 2],
        **changes,
    }
    path = folder / "stored.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mlips": {"spcfw-ewald": None, "spcfw-truncated": {"code": "none@localhost"}}}, "none@localhost"),
        ({"gap": {"properties": ["potential"]}}, "average@localhost"),
    ],
)
def test_a_code_that_is_missing_leaves_nothing(changes: Any, said: str, ready: None, tmp_path: Path) -> None:
    """Before, the models and structures of the pairs before it were stored already."""
    before = count()
    with pytest.raises(click.ClickException, match=said):
        screen_builder(*read_campaign(campaign(tmp_path, **changes)))
    assert count() == before


def test_inputs_of_a_pair_are_checked_before_the_screen_begins(
    ready: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the ScreenWorkChain would fail in the middle of submitting."""
    content, pairs = read_campaign(campaign(tmp_path))
    monkeypatch.setattr(
        "aiida_falsemetal.workflows.pair.check_ladder", lambda _: (_ for _ in ()).throw(ValueError("no"))
    )
    before = count()
    with pytest.raises(click.ClickException, match=r"film x spcfw-ewald x seed 1: gap: no"):
        pair_builder(content, *pairs[0])
    assert count() == before


def test_a_builder_stores_nothing_and_shares_what_is_new(ready: None, tmp_path: Path) -> None:
    content, pairs = read_campaign(campaign(tmp_path))
    before = count()
    builder = screen_builder(content, pairs)
    assert count() == before
    process = instantiate_process(get_manager().get_runner(), builder)
    assert count(MlipData) == 2 and count(orm.StructureData) == 1
    process.node.set_process_state("killed")  # else it would take up the room of a second one
    again = screen_builder(content, pairs)
    assert all(pair["mlip"].is_stored for pair in again.pairs.values())


def test_a_twins_builder_stores_nothing(ready: None) -> None:
    file = Path(__file__).parents[2] / "workflows" / "twins" / "tiny.yaml"
    content, samplers = read_twins(file)
    from aiida_falsemetal.campaign.twin_runs import expand_runs

    settings = check_label(content, file)
    before = count()
    builder = twins_builder(content, samplers, settings, expand_runs(content, samplers), "training", False)
    assert count() == before and not any(node.is_stored for node in builder.samplers.values())
    instantiate_process(get_manager().get_runner(), builder)
    assert count(MlipData) == 1


def test_twins_of_a_campaign_that_is_not_there_are_refused_before_anything(ready: None, tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "workflows" / "twins" / "tiny.yaml"
    file = tmp_path / "tiny.yaml"
    file.write_text(source.read_text() + "\noutliers: {polar: {campaign: nowhere, mlip: sr, frames: 2}}\n")
    before = count()
    content, samplers = read_twins(file)
    settings = check_label(content, file)
    with pytest.raises(click.ClickException, match=r"outliers\.polar: there is no campaign nowhere in the graph"):
        run_twins(content, samplers, settings, stop_after="labels", retry=False, dry_run=False, follow=True)
    assert count() == before

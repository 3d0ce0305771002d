"""Nothing of a campaign is stored before all that can be refused was refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from aiida import orm
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from hypothesis import strategies as st

from aiida_falsemetal.campaign.twin_runs import expand_runs
from aiida_falsemetal.cli import profile
from aiida_falsemetal.cli.screen import check_dft, read_campaign
from aiida_falsemetal.cli.submit import screen_builder
from aiida_falsemetal.cli.twins import check_label, read_twins
from aiida_falsemetal.cli.twins_submit import twins_builder

from . import grown
from .harness import fuzzed, run, sentence
from .test_campaigns import FOLDER


@pytest.fixture(scope="module", autouse=True)
def ready(aiida_profile: Any) -> Iterator[None]:
    """A profile with the codes and pseudopotentials of `falsemetal setup`; the programs are stand-ins, none is run."""
    computer = profile.ensure_computer(lambda _: None)
    for name, plugin in (
        ("pw", "quantumespresso.pw"),
        ("projwfc", "quantumespresso.projwfc"),
        ("python-mlip", "falsemetal.md"),
    ):
        profile.ensure_code(name, plugin, Path("/bin/true"), computer, lambda _: None)
    profile.ensure_pseudos(lambda _: None)
    yield


def _counted() -> list[int]:
    return [orm.QueryBuilder().append(kind).count() for kind in (orm.Node, orm.Group, orm.Computer)]


def _submitted(build: Any, path: Path) -> str:
    """Do all that submitting does but telling a daemon."""
    before = _counted()
    try:
        builder = build(path)
    except click.ClickException as error:
        sentence(error.message)
        assert _counted() == before
        return "refused"
    assert _counted() == before
    if builder is None:
        return "nothing to do"
    process = instantiate_process(get_manager().get_runner(), builder)  # raises if a node cannot be stored
    process.node.set_process_state("killed")  # not under way: a second campaign of the same name is another case
    assert _counted()[0] > before[0]
    return "accepted"


def _screen(path: Path) -> Any:
    campaign, pairs = read_campaign(path)
    check_dft(campaign, path)
    return screen_builder(campaign, pairs[:3]) if pairs else None


def _twins(path: Path) -> Any:
    content, samplers = read_twins(path)
    settings = check_label(content, path)
    return twins_builder(content, samplers, settings, expand_runs(content, samplers)[:3], "training", False)


def check_submission_of_campaigns(text: bytes) -> str:
    path = FOLDER / "submitted.yaml"
    path.write_bytes(text)
    return _submitted(_screen, path)


def check_submission_of_twins(text: bytes) -> str:
    path = FOLDER / "submitted.yaml"
    path.write_bytes(text)
    return _submitted(_twins, path)


def check_dry_runs(case: tuple[str, bytes]) -> str:
    """The command, from its arguments to what it prints."""
    command, text = case
    path = FOLDER / "dry.yaml"
    path.write_bytes(text)
    before = _counted()
    said = run(command, path, "--dry-run")
    assert _counted() == before
    return "refused" if said == "refused" else "accepted"


test_campaigns, test_campaigns_long = fuzzed(
    check_submission_of_campaigns, st.one_of(grown.campaigns().map(grown.written), grown.campaign_files), 10, 400
)
test_twins, test_twins_long = fuzzed(
    check_submission_of_twins, st.one_of(grown.twin_files().map(grown.written), grown.twin_texts), 10, 200
)
test_commands, test_commands_long = fuzzed(
    check_dry_runs,
    st.one_of(st.tuples(st.just("screen"), grown.campaign_files), st.tuples(st.just("twins"), grown.twin_texts)),
    20,
    300,
)

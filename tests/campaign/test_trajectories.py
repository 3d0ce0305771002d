"""Trajectories in a campaign file: found by a stand-in for the profile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aiida_falsemetal.campaign.check import check_campaign
from aiida_falsemetal.campaign.errors import CampaignError
from aiida_falsemetal.campaign.expand import TrajectoryPair, expand, expand_trajectories
from aiida_falsemetal.campaign.schema import load_campaign
from aiida_falsemetal.campaign.trajectories import ResolvedTrajectory

from .conftest import put

Write = Callable[[Any], Path]
AIMD = ResolvedTrajectory(
    node="5c8e",
    content="f00d",
    made_by="AIMD, PBE-D3, CP2K",
    elements=frozenset("HO"),
    metal=False,
    temperature=330.0,
    timestep=20.0,
    steps=500,
    times=tuple(0.02 * frame for frame in range(501)),
)
ONLY: dict[str, Any] = {"name": "given", "trajectories": {"aimd": {"trajectory": 12}}}


def find(identifier: str) -> ResolvedTrajectory:
    """Node 12 is ``AIMD``, 13 a run of one picosecond, and there is no other."""
    if identifier == "13":
        return replace(AIMD, content="beef", steps=50, times=AIMD.times[:51])
    if identifier != "12":
        raise LookupError(f"the profile has no node {identifier}; name a trajectory.")
    return AIMD


def pairs(path: Path) -> list[TrajectoryPair]:
    return expand_trajectories(load_campaign(path, find_trajectory=find))


def test_a_campaign_of_a_trajectory_alone(write: Write) -> None:
    path = write(ONLY)
    campaign = load_campaign(path, find_trajectory=find)
    assert expand(campaign, check_campaign(campaign, path)) == []
    (pair,) = expand_trajectories(campaign)
    assert (pair.interface, pair.mlip, pair.seed) == ("aimd", "AIMD, PBE-D3, CP2K", 1)
    assert pair.trajectory is AIMD and pair.equilibration == 2.0
    assert pair.selection == campaign.selection.model_dump() and pair.gap == campaign.gap.model_dump()


def test_beside_interfaces_and_mlips(good: dict[str, Any], write: Write) -> None:
    given = {"trajectory": "12", "interface": "film24", "mlip": "pbe", "seed": 2, "equilibration": "auto"}
    path = write({**good, "trajectories": {"a": given, "b": {"trajectory": 12}}})
    campaign = load_campaign(path, find_trajectory=find)
    assert len(expand(campaign, check_campaign(campaign, path))) == 2
    first, second = expand_trajectories(campaign)
    assert (first.interface, first.mlip, first.seed, first.equilibration) == ("film24", "pbe", 2, "auto")
    assert second.interface == "b"


def test_fingerprint_is_that_of_the_content(write: Write) -> None:
    (plain,) = pairs(write(ONLY))
    named = {"trajectory": "12", "interface": "film", "mlip": "pbe"}
    assert pairs(write({**ONLY, "trajectories": {"x": named}}))[0].fingerprint == plain.fingerprint
    assert pairs(write({**ONLY, "gap": {"ranks": 2}}))[0].fingerprint == plain.fingerprint
    for changes in (
        {"trajectories": {"aimd": {"trajectory": 12, "seed": 2}}},
        {"trajectories": {"aimd": {"trajectory": 12, "equilibration": 1.0}}},
        {"selection": {"stratified": 3}},
        {"gap": {"protocol": "standard"}},
    ):
        assert pairs(write({**ONLY, **changes}))[0].fingerprint != plain.fingerprint
    assert replace(plain, trajectory=replace(AIMD, content="beef")).fingerprint != plain.fingerprint


@pytest.mark.parametrize(
    ("place", "value", "field", "words"),
    [
        ("trajectories/aimd/trajectory", 99, "trajectories.aimd.trajectory", ["no node 99", "name a trajectory"]),
        ("trajectories/aimd/trajectory", None, "trajectories.aimd.trajectory", ["null"]),
        ("trajectories/aimd/trajectroy", 12, "trajectories.aimd.trajectroy", ["unknown key", "`trajectory`"]),
        ("trajectories/aimd", {"seed": 1}, "trajectories.aimd.trajectory", ["is missing", "PK or UUID"]),
        ("trajectories/aimd/interface", "a/b", "trajectories.aimd.interface", ["not a name"]),
        ("trajectories/aimd/trajectory", 13, "selection.start", ["as long as", "1 ps", "longer trajectory"]),
        ("selection/stratified", 500, "trajectories.aimd", ["401 frames from 2 ps", "asks for 501"]),
        ("trajectories/aimd/equilibration", 10.0, "trajectories.aimd.equilibration", ["10 ps", "auto"]),
        (
            "trajectories/b",
            {"trajectory": 12, "interface": "aimd"},
            "trajectories.b",
            ["as does the trajectory `aimd`"],
        ),
        ("trajectories", {}, "interfaces", ["is missing", "`trajectories` alone"]),
        ("interfaces/f", {"recipe": "ice"}, "mlips", ["is missing", "neither"]),
        ("mlips/spcfw-ewald", None, "interfaces", ["is missing", "neither"]),
    ],
)
def test_refusals(place: str, value: Any, field: str, words: list[str], write: Write) -> None:
    path = write(put({**ONLY, "trajectories": {"aimd": {"trajectory": 12}}}, place, value))
    with pytest.raises(CampaignError) as raised:
        load_campaign(path, find_trajectory=find)
    sentence = str(raised.value)
    assert sentence.startswith(f"{path}: {field}: ") and sentence.endswith(".") and "; " in sentence
    assert [word for word in words if word not in sentence] == [], sentence


def test_names_of_a_pair_of_the_campaign_are_taken(good: dict[str, Any], write: Write) -> None:
    given = {"trajectory": 12, "interface": "film24", "mlip": "spcfw-ewald"}
    path = write({**good, "trajectories": {"a": given}})
    with pytest.raises(CampaignError, match="film24 x spcfw-ewald x 1, as does a pair that the campaign runs itself"):
        load_campaign(path, find_trajectory=find)
    assert pairs(write({**good, "trajectories": {"a": {**given, "seed": 3}}}))[0].seed == 3


def test_without_a_profile_trajectories_are_refused(write: Write) -> None:
    with pytest.raises(CampaignError, match="cannot be looked up here"):
        load_campaign(write(ONLY))

"""Pairs are counted right, and their fingerprints follow what determines a result and nothing else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from aiida_falsemetal.campaign.check import check_campaign
from aiida_falsemetal.campaign.expand import Pair, canonical, expand
from aiida_falsemetal.campaign.schema import load_campaign
from aiida_falsemetal.mlips.catalogue import model_path, presets

from .conftest import put

BASE: dict[str, Any] = {
    "name": "test",
    "interfaces": {"film24": {"recipe": "film", "molecules": 24, "lateral": 7.0}},
    "mlips": {"spcfw": {"preset": "spcfw-truncated"}},
}


BEFORE = "60fb7931dc569848ed5e9b09f5e7874a78b80115f1ea7b1ba633af1bcb68457f"
"""Of ``BASE``, as long as ``FINGERPRINT_VERSION`` is 2."""


def _pairs(data: dict[str, Any], folder: Path) -> list[Pair]:
    path = folder / "campaign.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    campaign = load_campaign(path)
    return expand(campaign, check_campaign(campaign, path))


def _fingerprint(data: dict[str, Any], folder: Path) -> str:
    (pair,) = _pairs(data, folder)
    return pair.fingerprint


def test_count_and_order(tmp_path: Path) -> None:
    data = copy.deepcopy(BASE)
    data["interfaces"]["film32"] = {"recipe": "film", "molecules": 32, "lateral": 7.0}
    data["mlips"] = {
        "spcfw-truncated": {"md": {"steps": 20000}},
        "spcfw-ewald": None,
        "far": {"preset": "spcfw-ewald", "kwargs": {"cutoff": 7}},
    }
    data["seeds"] = [5, 3]
    pairs = _pairs(data, tmp_path)
    assert len(pairs) == 2 * 3 * 2
    assert [(p.interface, p.mlip, p.seed) for p in pairs[:3]] == [
        ("film24", "spcfw-truncated", 5),
        ("film24", "spcfw-truncated", 3),
        ("film24", "spcfw-ewald", 5),
    ]
    assert len({p.fingerprint for p in pairs}) == len(pairs)
    assert {p.md["steps"] for p in pairs if p.mlip == "spcfw-truncated"} == {20000}
    assert {p.md["steps"] for p in pairs if p.mlip != "spcfw-truncated"} == {10000}
    assert pairs[0].parameters == {"molecules": 24, "lateral": 7.0, "vacuum": 25.0, "seed": 1, "solvent": "water"}


CHANGES: list[tuple[str, Any]] = [
    ("interfaces/film24/molecules", 25),
    ("interfaces/film24/lateral", 7.5),
    ("interfaces/film24/vacuum", 30.0),
    ("interfaces/film24/seed", 2),
    ("mlips/spcfw/preset", "spcfw-ewald"),
    ("mlips/spcfw/kwargs", {"cutoff": 5.5}),
    ("mlips/spcfw/kwargs", {"damping": 0.21}),
    ("mlips/spcfw/md", {"steps": 9999}),
    ("seeds", [2]),
    ("md/steps", 9999),
    ("md/timestep", 0.9),
    ("md/temperature", 301.0),
    ("md/friction", 0.02),
    ("md/hydrogen_mass", 1.008),
    ("md/stride", 20),
    ("md/frame_stride", 200),
    ("md/equilibration", "auto"),
    ("md/equilibration", 1.0),
    ("md/max_evaporated", 0.2),
    ("selection/stratified", 3),
    ("selection/uniform", 2),
    ("selection/strata", 4),
    ("selection/start", 3.0),
    ("md/precision", 0.2),
    ("md", {"precision": 0.2, "max_steps": 30000}),
    ("selection", {"most": 9}),
    ("selection", {"most": 9, "batch": 4}),
    ("selection", {"most": 9, "half_width": 0.1}),
    ("gap/protocol", "standard"),
    ("gap/properties", ["layers"]),
    ("gap/overrides", {"pw": {"ecutwfc": 40}}),
    ("gap/pseudo_family", "mine"),
    ("gap/functional", "revPBE"),
]


@pytest.mark.parametrize(("place", "value"), CHANGES)
def test_fingerprint_changes_with(place: str, value: Any, tmp_path: Path) -> None:
    before = _fingerprint(BASE, tmp_path)
    assert _fingerprint(put(copy.deepcopy(BASE), place, value), tmp_path) != before


@pytest.mark.parametrize(
    ("place", "first", "other"),
    [
        ("md", {"precision": 0.2, "max_steps": 30000}, {"precision": 0.2, "max_steps": 40000}),
        ("selection", {"most": 9, "batch": 4}, {"most": 9, "batch": 5}),
        ("selection", {"most": 9, "half_width": 0.1}, {"most": 9, "half_width": 0.2}),
    ],
)
def test_fingerprint_tells_adaptive_settings_apart(place: str, first: Any, other: Any, tmp_path: Path) -> None:
    found = [_fingerprint(put(copy.deepcopy(BASE), place, value), tmp_path) for value in (first, other)]
    assert found[0] != found[1]


def test_results_older_than_adaptive_settings_stay_in_force(tmp_path: Path) -> None:
    """The fingerprint of a campaign without them, computed by the version before there were any."""
    assert _fingerprint(BASE, tmp_path) == BEFORE


def test_every_setting_is_accounted_for() -> None:
    """A new field must be declared as physical (in ``CHANGES``) or as a resource (in ``RESOURCES``)."""
    from aiida_falsemetal.campaign.expand import RESOURCES
    from aiida_falsemetal.campaign.schema import GapSettings, MdSettings, Selection

    tested = {place for place, _ in CHANGES}
    for section, model in (("md", MdSettings), ("selection", Selection), ("gap", GapSettings)):
        physical = {place.split("/")[1] for place in tested if place.startswith(f"{section}/")}
        physical |= {key for place, value in CHANGES if place == section for key in value}
        assert physical | set(RESOURCES.get(section, ())) == set(model.model_fields)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("name", "other"),
        ("slots", 8),
        ("md/walltime", 60),
        ("md/threads", 2),
        ("md/device", "cpu"),
        ("md/jobs_per_gpu", 4),
        ("gap/ranks", 2),
        ("mlips/spcfw/code", "md@cluster"),
    ],
)
def test_fingerprint_stays_with(place: str, value: Any, tmp_path: Path) -> None:
    assert _fingerprint(put(copy.deepcopy(BASE), place, value), tmp_path) == _fingerprint(BASE, tmp_path)


def test_fingerprint_stays_with_seeds_that_run_together(tmp_path: Path) -> None:
    base = {**copy.deepcopy(BASE), "mlips": {"twin-sr": None}}
    assert _fingerprint(put(copy.deepcopy(base), "md/batch", 4), tmp_path) == _fingerprint(base, tmp_path)


def test_fingerprint_stays_under_renaming_and_spelling(tmp_path: Path) -> None:
    (tmp_path / "copy.xml").write_bytes(model_path(presets()["spcfw-truncated"]).read_bytes())
    respelt = {
        "seeds": [1],
        "mlips": {
            "same": {
                "file": "copy.xml",
                "kwargs": {"damping": 0.2, "cutoff": 6, "electrostatics": "truncated"},
                "family": "openmm",
                "reference": "elsewhere",
            }
        },
        "md": {"temperature": 300, "steps": 10000},
        "interfaces": {"slab": {"seed": 1, "vacuum": 25, "lateral": 7, "molecules": 24, "recipe": "film"}},
        "name": "test",
    }
    assert _fingerprint(respelt, tmp_path) == _fingerprint(BASE, tmp_path)


def test_canonical() -> None:
    assert canonical({"b": [1.0, None], "a": {"y": 0.1, "x": True}}) == '{"a":{"x":true,"y":0.1},"b":[1,null]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("inf"))


def test_missing_model_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(yaml.safe_dump(BASE))
    with pytest.raises(KeyError):
        expand(load_campaign(path), [])

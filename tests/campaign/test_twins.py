from __future__ import annotations

import copy
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from aiida_falsemetal.campaign.errors import CampaignError
from aiida_falsemetal.campaign.source import parse_source
from aiida_falsemetal.campaign.twin_runs import check_samplers, expand_rounds, expand_runs
from aiida_falsemetal.campaign.twins import load_twins, parse_twins

FILES = Path(__file__).parents[2] / "workflows" / "twins"
GOOD: dict[str, Any] = {
    "name": "mine",
    "samplers": {"spcfw-ewald": None},
    "sources": {
        "film": {
            "film": {"molecules": 8, "lateral": 6.5},
            "sampler": "spcfw-ewald",
            "frames": 4,
            "seed": 1,
            "temperatures": [300.0, 400.0],
        },
        "liquid": {"bulk": {"molecules": 8}, "sampler": "spcfw-ewald", "frames": 3, "seed": 9},
    },
}


def changed(*path: str, value: Any) -> dict[str, Any]:
    """The good file with one value changed."""
    data = copy.deepcopy(GOOD)
    inner = data
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
    inner[path[-1]] = value
    return data


@pytest.mark.parametrize("file", sorted(FILES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_shipped_files_are_good(file: Path) -> None:
    twins = load_twins(file)
    assert expand_runs(twins, check_samplers(twins, file))


def test_water_is_what_issue_and_docs_say() -> None:
    twins = load_twins(FILES / "water.yaml")
    # Each active run is moved by two models.
    active = 2 * sum(run["selection"]["frames"] for run in expand_rounds(twins))
    assert twins.configurations + active >= 200
    assert all((source.film or source.bulk or {}).get("molecules", 0) >= 24 for source in twins.sources.values())


def test_the_file_of_the_documentation_is_good() -> None:
    page = (FILES.parents[1] / "docs" / "twins.md").read_text()
    block = page[page.index("    name: water") :].split("\n\n")[0]
    twins = parse_twins(parse_source(dedent(block), "docs"))
    assert list(twins.sources) == ["film24", "bulk32"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "name: is missing"),
        (changed("nmae", value=1), "nmae: unknown key; did you mean `name`?"),
        (changed("samplers", value={"spcfw-ewal": None}), "there is no model 'spcfw-ewal'; did you mean"),
        (changed("sources", "film", "sampler", value="nobody"), "sources.film.sampler: there is no sampler 'nobody'"),
        (changed("sources", "film", "bulk", value={"molecules": 8}), "film or bulk is wanted, and one only"),
        (changed("sources", "film", "film", value={"molecules": 8}), "sources.film.film.lateral: is missing"),
        (changed("sources", "liquid", "bulk", value={"molecules": 2}), "sources.liquid.bulk.molecules: 2 is too small"),
        (changed("sources", "film", "frames", value=500), "500 frames are asked for and a run stores 80"),
        (changed("sources", "film", "close", value=5), "5 is more than 4 frames"),
        (changed("sources", "film", "sampling", value={"steps": 100}), "as long as the run"),
        (changed("sources", "film", "temperatures", value=[300.0, 300.0]), "300 K is given twice"),
        (changed("label", "functional", value="PBEE"), "label.functional: there is no functional 'PBEE'"),
        (changed("label", "ranks", value=4), "label.ranks: 4 cores are needed at once, and slots is 2"),
        (changed("split", "test", value=0.95), "leave next to nothing to train on"),
        (changed("ewald", "charges", value={"O": -0.8}), "there is no charge for H"),
        (changed("ewald", "charges", value={"O": -0.8, "H": 0.41}), "ewald.charges: OHH has a charge of 0.02 e"),
        (changed("training", "epochs", value=0), "training.epochs: 0 is too small"),
        (changed("sources", "film", "sampling", value={"threads": 3}), "sources.film.sampling.threads: 3 cores"),
        (changed("samplers", "spcfw-truncated", value=None), "samplers.spcfw-truncated: moves none of the sources"),
        (
            changed("samplers", "spcfw-ewald", value={"md": {"steps": 7}}),
            "samplers.spcfw-ewald.md: a sampler has no MD settings",
        ),
    ],
)
def test_a_fault_is_one_sentence_that_names_its_place(data: dict[str, Any], says: str) -> None:
    with pytest.raises(CampaignError) as caught:
        parse_twins(data, "mine.yaml")
    text = str(caught.value)
    assert says in text and text.startswith("mine.yaml: ") and "\n" not in text


def fingerprints(data: dict[str, Any]) -> list[str]:
    """Of the runs of a file."""
    twins = parse_twins(data)
    return [run.fingerprint for run in expand_runs(twins, check_samplers(twins, Path("mine.yaml")))]


def test_a_run_for_every_temperature_with_a_seed_of_its_own() -> None:
    twins = parse_twins(GOOD)
    runs = expand_runs(twins, check_samplers(twins, Path("mine.yaml")))
    found = [(r.source, r.content["md"]["temperature"], r.content["md"]["seed"]) for r in runs]
    assert found == [("film", 300.0, 1), ("film", 400.0, 2), ("liquid", 300.0, 9)]
    assert twins.configurations == 11 and len({r.fingerprint for r in runs}) == 3


@pytest.mark.parametrize(
    "path", [("slots",), ("sampling", "threads"), ("sampling", "walltime"), ("training", "epochs")]
)
def test_what_changes_no_configuration_changes_no_fingerprint(path: tuple[str, ...]) -> None:
    value = 2 if path[-1] != "walltime" else 99
    assert fingerprints(changed(*path, value=value)) == fingerprints(GOOD)


def test_names_are_not_part_of_a_fingerprint_and_settings_are() -> None:
    renamed = copy.deepcopy(GOOD)
    renamed["name"] = "other"
    renamed["sources"]["f"] = renamed["sources"].pop("film")
    assert set(fingerprints(renamed)) == set(fingerprints(GOOD))
    assert not set(fingerprints(changed("sampling", "timestep", value=0.5))) & set(fingerprints(GOOD))
    assert not set(fingerprints(changed("label", "max_drop", value=1.0))) & set(fingerprints(GOOD))


def rounds(**given: Any) -> dict[str, Any]:
    return {**copy.deepcopy(GOOD), "rounds": {"number": 2, **given}}


def test_active_runs_are_of_every_round_source_and_temperature() -> None:
    runs = expand_rounds(parse_twins(rounds(sampling={"steps": 8000, "equilibration": 0.5})))
    found = [(run["round"], run["source"], run["md"]["temperature"], run["md"]["seed"]) for run in runs]
    one = [("film", 300.0, 1), ("film", 400.0, 2), ("liquid", 300.0, 9)]
    assert found == [(number, *run[:2], run[2] + 1000 * number) for number in (1, 2) for run in one]
    assert {run["md"]["steps"] for run in runs} == {8000} and {run["selection"]["start"] for run in runs} == {0.5}
    assert {run["md"]["max_evaporated"] for run in runs if run["recipe"] == "bulk"} == {1.0}
    assert all("fingerprint" not in run for run in runs)


def test_active_runs_may_be_of_other_sources_and_temperatures() -> None:
    runs = expand_rounds(parse_twins(rounds(number=1, sources=["liquid"], temperatures=[350.0, 500.0], frames=2)))
    assert [(run["source"], run["md"]["temperature"]) for run in runs] == [("liquid", 350.0), ("liquid", 500.0)]
    assert {run["selection"]["frames"] for run in runs} == {2}


def test_without_rounds_there_are_no_active_runs() -> None:
    assert expand_rounds(parse_twins(GOOD)) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sources": ["flim"]}, "rounds.sources: there is no source 'flim'; did you mean `film`"),
        ({"sources": []}, "rounds.sources: an empty list"),
        ({"sources": ["film", "film"]}, "named twice"),
        ({"temperatures": [300.0, 300.0]}, "rounds.temperatures.1: 300 K is given twice"),
        ({"least": 1.5}, "rounds.least: 1.5 eV/Å is not less than most, 1"),
        ({"frames": 500}, "rounds.frames: 500 frames are asked for and a run of `film` stores 80"),
        ({"sampling": {"step": 3}}, "rounds.sampling.step: unknown key"),
        ({"committee": 1}, "rounds.committee"),
        ({"training": {"epoch": 3}}, "rounds.training.epoch: unknown key"),
        ({"training": {"epochs": 0}}, "rounds.training.epochs"),
        ({"training": {"threads": 8}}, "rounds.training.threads: 8 cores are needed at once, and slots is 2"),
        ({"sampling": {"threads": 8}}, "rounds.sampling.threads: 8 cores are needed at once"),
        ({"training": {"code": "python@cluster"}}, "rounds.training.code: all models are trained with one code"),
    ],
)
def test_a_fault_in_the_rounds_is_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(CampaignError) as raised:
        parse_twins(rounds(**given), "mine.yaml")
    assert says in str(raised.value)


def test_labels_may_be_fewer_than_configurations_and_the_runs_are_the_same() -> None:
    few = changed("label", "most", value=5)
    assert parse_twins(few).configurations == 5 and fingerprints(few) == fingerprints(GOOD)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"film": {"campaign": "a", "mlip": "b", "frames": 1}}, "outliers.film: is the name of a source, too"),
        ({"polar": {"campaign": "a", "frames": 1}}, "outliers.polar.mlip"),
        ({"polar": {"campaign": "a", "mlip": "b", "frames": 0}}, "outliers.polar.frames"),
        ({"polar": {"campaign": "../a", "mlip": "b", "frames": 1}}, "outliers.polar.campaign"),
    ],
)
def test_a_fault_in_the_outliers_is_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(CampaignError) as raised:
        parse_twins({**copy.deepcopy(GOOD), "outliers": given}, "mine.yaml")
    assert says in str(raised.value)

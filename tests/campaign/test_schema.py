"""Every way in which a campaign file can be wrong by itself is refused with the file, the field and the remedy."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_falsemetal.campaign.errors import CampaignError
from aiida_falsemetal.campaign.schema import Campaign, MdSettings, load_campaign, parse_campaign
from aiida_falsemetal.campaign.source import parse_source

from .conftest import GOOD, put

FILM = "interfaces/film24"

WRONG_VALUES: list[tuple[str, Any, str, list[str]]] = [
    # where, what is put there, the field that the sentence must name, words that it must hold
    ("name", "a/b", "name", ["'a/b'", "letters, digits"]),
    ("name", "x" * 65, "name", ["at most 64"]),
    ("name", "..", "name", ["letter or digit first"]),
    ("slotz", 2, "slotz", ["unknown key", "`slots`"]),
    ("interfaces", {}, "interfaces", ["at least 1"]),
    ("interfaces", [1], "interfaces", ["mapping"]),
    ("interfaces/a b", {"recipe": "film"}, "interfaces.a b", ["not a name"]),
    (FILM, None, "interfaces.film24", ["empty", "recipe"]),
    (f"{FILM}/recipe", "flim", "interfaces.film24.recipe", ["no interface recipe 'flim'", "`film`"]),
    (FILM, {"molecules": 24}, "interfaces.film24.recipe", ["missing", "film"]),
    (f"{FILM}/molecule", 24, "interfaces.film24.molecule", ["unknown key", "`molecules`"]),
    (f"{FILM}/molecules", -24, "interfaces.film24.molecules", ["too small", "at least 8"]),
    (f"{FILM}/molecules", "24", "interfaces.film24.molecules", ["'24'", "whole number"]),
    (f"{FILM}/seed", True, "interfaces.film24.seed", ["true", "whole number"]),
    (f"{FILM}/vacuum", 0.0, "interfaces.film24.vacuum", ["too small", "at least 10", "vacuum in Å"]),
    (f"{FILM}/vacuum", None, "interfaces.film24.vacuum", ["null", "number", "vacuum in Å"]),
    ("mlips", {}, "mlips", ["at least 1"]),
    ("mlips/spcfw-ewlad", None, "mlips.spcfw-ewlad", ["no model", "`spcfw-ewald`"]),
    ("mlips/x", {"preset": "twin-rs"}, "mlips.x.preset", ["no model", "`twin-sr`"]),
    ("mlips/x", {"family": "macee", "file": "a"}, "mlips.x.family", ["no MLIP family", "`mace`"]),
    ("mlips/x", {"family": "mace"}, "mlips.x.file", ["missing", "relative to the campaign file"]),
    ("mlips/x", {"file": "a.model"}, "mlips.x.family", ["missing", "mace"]),
    ("mlips/x", {"preset": "twin-sr", "file": "a"}, "mlips.x.file", ["preset", "remove"]),
    ("mlips/x", {"family": "mace", "fiel": "a"}, "mlips.x.fiel", ["unknown key", "`file`"]),
    ("mlips/x", {"family": "mace", "file": "a", "sha256": "12"}, "mlips.x.sha256", ["not a SHA-256", "64"]),
    ("mlips/spcfw-ewald/md/stpes", 5, "mlips.spcfw-ewald.md.stpes", ["unknown key", "`steps`"]),
    ("mlips/spcfw-ewald/md/steps", -5, "mlips.spcfw-ewald.md.steps", ["too small", "at least 1"]),
    (
        "mlips/spcfw-ewald/md/frame_stride",
        20000,
        "mlips.spcfw-ewald.md.frame_stride",
        ["10000 steps", "smaller frame_stride"],
    ),
    ("mlips/spcfw-ewald/md/threads", 3, "mlips.spcfw-ewald.md.threads", ["slots is 2", "3 slots"]),
    ("mlips/spcfw-ewald/md/steps", 2020, "mlips.spcfw-ewald.md.steps", ["1 frames", "asks for 3", "more steps"]),
    ("seeds", [], "seeds", ["at least 1"]),
    ("seeds", [3, 3], "seeds.1", ["twice", "once"]),
    ("seeds", [0], "seeds.0", ["too small", "at least 1"]),
    ("md/step", 5, "md.step", ["unknown key", "`steps`"]),
    ("md/steps", -10, "md.steps", ["-10 is too small", "at least 1", "number of MD steps"]),
    ("md/steps", 10.5, "md.steps", ["10.5", "whole number"]),
    ("md/timestep", 50.0, "md.timestep", ["too large", "at most 5", "fs"]),
    ("md/temperature", -300, "md.temperature", ["too small", "in K"]),
    ("md/friction", 0, "md.friction", ["more than 0", "1/fs"]),
    ("md/friction", float("nan"), "md.friction", ["nan", "number"]),
    ("md/frame_stride", 20000, "md.frame_stride", ["10000 steps", "smaller frame_stride"]),
    ("md/stride", 30, "md.frame_stride", ["100 is not a multiple", "a multiple of 30"]),
    ("md/equilibration", "atuo", "md.equilibration", ["'atuo'", "auto"]),
    ("md/equilibration", 10.0, "md.equilibration", ["as long as the run", "shorter"]),
    ("md/max_evaporated", 1.5, "md.max_evaporated", ["at most 1", "share"]),
    ("md/threads", 4, "md.threads", ["slots is 2", "4 slots"]),
    ("md/device", "gpu", "md.device", ["'gpu'", "'auto', 'cpu' or 'cuda'"]),
    ("md/jobs_per_gpu", 0, "md.jobs_per_gpu", ["too small", "at least 1"]),
    ("md", {"device": "cpu", "jobs_per_gpu": 2}, "md.jobs_per_gpu", ["device is cpu", "another device"]),
    ("md/batch", 1, "md.batch", ["too small", "at least 2"]),
    ("md", None, "md", ["null", "mapping"]),
    ("selection/start", 10.0, "selection.start", ["as long as the run", "earlier"]),
    ("selection/uniform", 5000, "md.steps", ["81 frames", "more steps"]),
    ("selection", {"stratified": 0, "uniform": 0}, "selection.stratified", ["no frame", "at least 1"]),
    ("selection/strta", 5, "selection.strta", ["unknown key", "`strata`"]),
    ("gap/protocol", "slow", "gap.protocol", ["'slow'", "'fast' or 'standard'"]),
    ("gap/properties", ["laers"], "gap.properties.0", ["'laers'", "'layers' or 'potential'"]),
    ("gap/properties", "layers", "gap.properties", ["a list", "besides its gap"]),
    ("gap/properties", ["layers", "layers"], "gap.properties.1", ["twice", "once"]),
    ("gap/ranks", 3, "gap.ranks", ["slots is 2", "3 slots"]),
    ("gap/ecut", 3, "gap.ecut", ["unknown key", "overrides"]),
    ("slots", 0, "slots", ["too small", "at least 1"]),
]


@pytest.mark.parametrize(("place", "value", "field", "words"), WRONG_VALUES)
def test_wrong_value(
    place: str, value: Any, field: str, words: list[str], good: dict[str, Any], write: Callable[[Any], Path]
) -> None:
    path = write(put(good, place, value))
    with pytest.raises(CampaignError) as raised:
        load_campaign(path)
    sentence = str(raised.value)
    assert sentence.startswith(f"{path}: {field}: ")
    assert sentence.endswith(".") and "\n" not in sentence
    assert "; " in sentence, "no remedy"
    assert [word for word in words if word not in sentence] == [], sentence


@pytest.mark.parametrize("field", ["name", "interfaces", "mlips"])
def test_missing_field(field: str, good: dict[str, Any]) -> None:
    del good[field]
    with pytest.raises(CampaignError, match=f"campaign: {field}: is missing; add it"):
        parse_campaign(good)


BILLION_LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{previous}'] * 10)}]\n" for previous, name in pairwise("abcdefg")
)

WRONG_TEXTS: list[tuple[str | bytes, str, list[str]]] = [
    ("", "name", ["missing"]),
    ("- a\n- b\n", "top level", ["mapping"]),
    ("name: [", "line 1", ["not YAML", "syntax"]),
    ("name: a\n---\nname: b\n", "line 2", ["not YAML"]),
    (b"name: \xff\xfe", "top level", ["not YAML"]),
    ("name: a\nname: b\n", "name", ["twice", "line 2", "keep one"]),
    ("md:\n  steps: 1\n  stride: 1\n  steps: 2\n", "md.steps", ["twice", "line 4"]),
    ("? [a]\n: b\n", "top level", ["key in line 1", "quotes"]),
    ("name: !!python/object:os.system {}\n", "name", ["python/object", "not allowed"]),
    ("name: !!python/object/apply:os.system ['true']\n", "name", ["python/object/apply", "not allowed"]),
    ("name: !!python/name:os.system\n", "name", ["python/name", "not allowed"]),
    ("md: {steps: !mine 5}\n", "md.steps", ["!mine", "not allowed"]),
    ("name: !!binary aGFsbG8=\n", "name", ["!!binary", "not allowed"]),
    ("name: !!int abc\n", "name", ["does not fit its tag", "remove the tag"]),
    ("name: &a [*a]\n", "name.0.0.0", ["too deeply", "flat"]),
    ("name: " + "[" * 5000 + "]" * 5000, "top level", ["too deeply"]),
    (BILLION_LAUGHS, "e.", ["too often"]),
    ("seeds: [" + "9" * 5000 + "]", "seeds.0", ["5000 digits"]),
    ('name: "a\\0"\n', "name", ["U+0000", "remove it"]),
    ('mlips: {x: {kwargs: {a: ["\\ud800"]}}}\n', "mlips.x.kwargs.a.0", ["U+D800", "remove it"]),
    ('gap: {overrides: {"\\udfff": 1}}\n', "gap.overrides", ["U+DFFF", "remove it"]),
    ("#" * 1_000_001, "top level", ["1000001 bytes", "at most"]),
]


@pytest.mark.parametrize(("text", "field", "words"), WRONG_TEXTS, ids=range(len(WRONG_TEXTS)))
def test_wrong_text(text: str | bytes, field: str, words: list[str], write: Callable[[Any], Path]) -> None:
    path = write(text)
    with pytest.raises(CampaignError) as raised:
        load_campaign(path)
    sentence = str(raised.value)
    assert sentence.startswith(f"{path}: {field}"), sentence
    assert [word for word in words if word not in sentence] == [], sentence


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match=r"none\.yaml: top level: cannot be read"):
        load_campaign(tmp_path / "none.yaml")
    with pytest.raises(CampaignError, match="cannot be read"):
        load_campaign(tmp_path)


def test_scalars_follow_yaml_1_2() -> None:
    read = parse_source("[1e4, 2, -1.5, no, on, true, ~, 1:30, 010, 2024-01-01, 1_000, '5', .5, 2.]", "f")
    assert read == [1e4, 2, -1.5, "no", "on", True, None, "1:30", "010", "2024-01-01", "1_000", "5", 0.5, 2.0]


def test_an_error_quotes_only_the_start_of_what_is_long_and_commands_no_terminal() -> None:
    said = str(CampaignError("f\x1b[2J.yaml", "md", "x" * 1_000_000 + "\ud800", "mend it"))
    assert len(said) < 2000 and said.isprintable() and said.endswith("; mend it.")
    assert said.startswith("f\\x1b[2J.yaml: md: xxx")


def test_error_survives_pickling() -> None:
    # AiiDA and concurrent.futures carry errors between processes.
    error = CampaignError("f.yaml", "md.steps", "is\nwrong", "mend it")
    copied = pickle.loads(pickle.dumps(error))
    assert str(copied) == str(error) == "f.yaml: md.steps: is wrong; mend it."
    assert isinstance(error, ValueError)


def test_good_file(good: dict[str, Any], write: Callable[[Any], Path]) -> None:
    campaign = load_campaign(write(good))
    assert campaign.mlips["spcfw-ewald"].preset == "spcfw-ewald"
    assert campaign.interfaces["film24"].parameters["solvent"] == "water"
    assert campaign.interfaces["film24"].elements() == {"H", "O"}
    assert campaign.md == MdSettings(steps=10000)
    assert campaign.md.frames_from(2.0) == 81  # 2.0, 2.1, ... 10.0 ps


def test_order_of_properties_does_not_matter(good: dict[str, Any]) -> None:
    asked = parse_campaign(put(good, "gap/properties", ["potential", "layers"])).gap.properties
    assert asked == ["layers", "potential"]


def test_md_overrides_are_merged(good: dict[str, Any]) -> None:
    good["md"] = {"steps": 10000, "temperature": 330.0}
    good["mlips"] = {"twin-sr": {"md": {"steps": 5000}}, "spcfw-ewald": None}
    campaign = parse_campaign(good)
    assert (campaign.md_of("twin-sr").steps, campaign.md_of("twin-sr").temperature) == (5000, 330.0)
    assert campaign.md_of("spcfw-ewald") == campaign.md


def test_shipped_campaigns_are_right() -> None:
    folder = Path(__file__).parents[2] / "workflows" / "campaigns"
    files = sorted(folder.glob("*.yaml"))
    assert files
    for file in files:
        name = load_campaign(file).name
        # One that goes on with the campaign of another file has that one's name, and begins with it.
        assert name == file.stem or (file.stem.startswith(f"{name}-") and folder / f"{name}.yaml" in files)


def test_nothing_can_be_changed_afterwards(good: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_campaign(good).slots = 3


_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=3), st.dates()
)
_keys = st.one_of(
    st.sampled_from(sorted(Campaign.model_fields) + sorted(MdSettings.model_fields) + ["recipe", "film", "preset"]),
    st.text(max_size=6),
    st.integers(),
)
_anything = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4), max_leaves=8
)


def _places(data: Any, path: str = "") -> list[str]:
    inner = [] if not isinstance(data, dict) else [p for k, v in data.items() for p in _places(v, f"{path}/{k}")]
    return [path, *inner] if path else inner


_MORE = ["gap", "selection", "gap/overrides", "mlips/x", "mlips/x/md"]
_PLACES = [place.lstrip("/") for place in _places(GOOD)] + _MORE


@settings(max_examples=150, deadline=None)
@given(_anything)
def test_anything_gives_campaign_or_error(data: Any) -> None:
    try:
        assert isinstance(parse_campaign(data), Campaign)
    except CampaignError as error:
        assert str(error)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_PLACES), _anything)
def test_anything_inside_of_a_good_campaign(place: str, value: Any) -> None:
    try:
        assert isinstance(parse_campaign(put(copy.deepcopy(GOOD), place, value)), Campaign)
    except CampaignError as error:
        assert "\n" not in str(error)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("ab:{}[]&*!?|>-'\"#%@ \n\t0.1e~")), max_size=40))
def test_any_text_gives_data_or_error(text: str) -> None:
    try:
        parse_source(text, "f")
    except CampaignError as error:
        assert str(error)


def test_dump_is_read_alike(good: dict[str, Any]) -> None:
    """YAML that PyYAML wrote reads as what it was written from."""
    assert parse_source(yaml.safe_dump(good), "f") == good


@pytest.mark.parametrize(
    ("film", "sentence"),
    [
        ({"solvent": "benzene"}, "interfaces.a.solvent: there is no solvent 'benzene'; use one of water, methanol"),
        ({"salt": {"LiF": 1}}, "interfaces.a.salt: there is no salt 'LiF'; use one of NaCl, KCl"),
        (
            {"thickness": 9.0},
            "interfaces.a: the amount of liquid is given by `molecules` or by `thickness`; give exactly",
        ),
    ],
)
def test_sentences_of_recipes(film: dict[str, Any], sentence: str) -> None:
    interface = {"recipe": "film", "molecules": 24, "lateral": 7.0, **film}
    with pytest.raises(CampaignError) as caught:
        parse_campaign({"name": "x", "interfaces": {"a": interface}, "mlips": {"spcfw-ewald": None}}, "x.yaml")
    assert sentence in str(caught.value)


def test_what_a_recipe_learned_later_changes_no_old_interface() -> None:
    """Fingerprints are made of the parameters: those of today's film must stay what they were in the first version."""
    interface = {"recipe": "film", "molecules": 24, "lateral": 7.0}
    campaign = parse_campaign({"name": "x", "interfaces": {"a": interface}, "mlips": {"spcfw-ewald": None}}, "x.yaml")
    old = {"molecules": 24, "lateral": 7.0, "vacuum": 25.0, "seed": 1, "solvent": "water"}
    assert campaign.interfaces["a"].parameters == old

"""Functional and cutoffs are decided when a builder is made: every rule, and every refusal with its field."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.plugins import DataFactory, GroupFactory

from aiida_falsemetal.workflows import pair, pseudos
from aiida_falsemetal.workflows.gap import GapWorkChain, pw_parameters
from aiida_falsemetal.workflows.label import label_settings
from aiida_falsemetal.workflows.protocols import DftError, load_protocol
from aiida_falsemetal.workflows.pseudos import (
    chosen_functional,
    cutoff_note,
    decided_once,
    family_pseudos,
    gap_settings,
    input_dft,
)
from tests.data import nodes

VALENCE = {"H": 1, "O": 6}
OWN = load_protocol("gap")["pseudo_family"]
Family = Callable[..., str]


def upf(element: str, functional: str | None = "PBE", kind: str = "NC") -> Any:
    """A pseudopotential that is all header."""
    name = f'functional="{functional}"' if functional else ""
    header = f'<PP_HEADER element="{element}" pseudo_type="{kind}" z_valence="{VALENCE[element]}" {name}/>'
    content = f'<UPF version="2.0.1">\n{header}\n</UPF>\n'
    return DataFactory("pseudo.upf")(io.BytesIO(content.encode()), filename=f"{element}.upf")


@pytest.fixture
def family(aiida_profile_clean: Any) -> Family:
    """``family(label, functional, kind, recommended)`` installs one for water; Ry by element."""

    def family(
        label: str = OWN,
        functional: str | None = "PBE",
        kind: str = "NC",
        recommended: dict[str, tuple[float, float]] | None = None,
    ) -> str:
        plugin = "pseudo.family" if recommended is None else "pseudo.family.cutoffs"
        group = GroupFactory(plugin)(label).store()
        group.add_nodes([upf("O", functional, kind).store(), upf("H", functional).store()])
        if recommended:
            given = {
                key: dict(zip(("cutoff_wfc", "cutoff_rho"), value, strict=True)) for key, value in recommended.items()
            }
            group.set_cutoffs(given, "normal", unit="Ry")
        return label

    return family


def settings(elements: str = "HO", protocol: str = "fast", **given: Any) -> dict[str, Any]:
    return gap_settings(protocol, given, set(elements))


def decided(**given: Any) -> tuple[Any, ...]:
    found = settings(**given)
    return found["functional"], found["ecutwfc"], found["ecutrho"]


def test_offline_family_has_the_protocols_cutoffs_and_its_own_functional(family: Family) -> None:
    family()
    assert decided() == ("PBE", 50.0, 200.0)
    assert decided(protocol="standard") == ("PBE", 80.0, 320.0)
    assert decided(functional=None, ecutwfc=None, ecutrho=None) == ("PBE", 50.0, 200.0)


def test_own_family_keeps_the_protocols_cutoffs_where_it_has_recommendations(family: Family) -> None:
    family(recommended={"O": (90.0, 360.0), "H": (60.0, 240.0)})
    assert decided() == ("PBE", 50.0, 200.0)


def test_recommended_cutoffs_are_those_of_the_elements_at_hand(family: Family) -> None:
    label = family("SSSP/like", recommended={"O": (50.0, 225.0), "H": (30.0, 120.0)})
    assert decided(pseudo_family=label) == ("PBE", 50.0, 225.0)
    assert decided(pseudo_family=label, elements="H") == ("PBE", 30.0, 120.0)


@pytest.mark.parametrize("recommended", [None, {}])
def test_norm_conserving_family_without_recommendation_has_the_protocols(
    family: Family, recommended: dict[str, Any] | None
) -> None:
    label = family("mine", recommended=recommended)
    assert decided(pseudo_family=label) == ("PBE", 50.0, 200.0)
    assert "recommends no cutoffs" in str(cutoff_note(settings(pseudo_family=label)))
    assert cutoff_note(settings(pseudo_family=label, ecutwfc=60.0)) is None


def test_rule_that_gave_the_cutoffs_is_stored(family: Family) -> None:
    label = family("SSSP/like", recommended={"O": (50.0, 225.0), "H": (30.0, 120.0)})
    family()
    assert settings()["cutoffs_from"] == "protocol"
    assert settings(pseudo_family=label)["cutoffs_from"] == settings(pseudo_family=label, ecutrho=400.0)["cutoffs_from"]
    assert settings(pseudo_family=label)["cutoffs_from"] == "family"
    assert settings(pseudo_family=label, ecutwfc=60.0)["cutoffs_from"] == "user"
    assert cutoff_note(settings()) is cutoff_note(settings(pseudo_family=label)) is None


def test_the_users_cutoffs_come_first(family: Family) -> None:
    label = family("SSSP/like", recommended={"O": (50.0, 225.0), "H": (30.0, 120.0)})
    assert decided(pseudo_family=label, ecutwfc=60.0) == ("PBE", 60.0, 240.0)
    assert decided(pseudo_family=label, ecutwfc=60.0, ecutrho=300.0) == ("PBE", 60.0, 300.0)
    assert decided(pseudo_family=label, ecutrho=400.0) == ("PBE", 50.0, 400.0)


@pytest.mark.parametrize("kind", ["US", "PAW"])
def test_ultrasoft_and_paw_need_more_for_the_density(family: Family, kind: str) -> None:
    bare = family("bare", kind=kind)
    told = family("told", kind=kind, recommended={"O": (40.0, 400.0), "H": (30.0, 120.0)})
    assert decided(pseudo_family=bare, ecutwfc=40.0) == ("PBE", 40.0, 320.0)
    assert decided(pseudo_family=told) == ("PBE", 40.0, 400.0)
    # The family's ratio, where it is more than eight.
    assert decided(pseudo_family=told, ecutwfc=50.0) == ("PBE", 50.0, 500.0)
    # Hydrogen alone is norm-conserving here.
    assert decided(pseudo_family=bare, elements="H") == ("PBE", 50.0, 200.0)


def test_ultrasoft_without_any_cutoff_is_refused(family: Family) -> None:
    label = family("bare", kind="US")
    with pytest.raises(DftError, match=r"ultrasoft or PAW for O and recommends no cutoffs; give ecutwfc") as raised:
        settings(pseudo_family=label)
    assert raised.value.field == "ecutwfc"


@pytest.mark.parametrize(("kind", "density", "least"), [("NC", 170.0, "180"), ("PAW", 180.0, "225")])
def test_too_small_density_cutoff_is_refused(family: Family, kind: str, density: float, least: str) -> None:
    label = family("mine", kind=kind)
    with pytest.raises(DftError, match=rf"give {least} or more") as raised:
        settings(pseudo_family=label, ecutwfc=45.0, ecutrho=density)
    assert raised.value.field == "ecutrho"


def test_functional_is_that_of_the_family_unless_named(family: Family) -> None:
    label = family("sol", functional="SLA  PW   PSX  PSC")
    assert settings(pseudo_family=label)["functional"] == "PBEsol"
    assert settings(pseudo_family=label, functional="revpbe")["functional"] == "revPBE"


@pytest.mark.parametrize("written", [None, "SOMETHING NEW"])
def test_functional_must_be_named_where_the_headers_do_not_tell(family: Family, written: str | None) -> None:
    label = family("odd", functional=written)
    with pytest.raises(DftError, match="name one of PBE, revPBE") as raised:
        settings(pseudo_family=label)
    assert raised.value.field == "functional"
    assert settings(pseudo_family=label, functional="PBE")["functional"] == "PBE"


def test_pseudopotentials_that_disagree_need_a_name() -> None:
    mixed = [upf("O", "PBE"), upf("H", "PBESOL")]
    with pytest.raises(DftError, match="PBE, PBEsol"):
        chosen_functional(None, mixed)
    assert input_dft("PBE", mixed) == "PBE"


def test_unknown_functional_is_refused_with_those_there_are(family: Family) -> None:
    family()
    with pytest.raises(DftError, match="did you mean revPBE.*known are PBE, revPBE, RPBE") as raised:
        settings(functional="revPEB")
    assert raised.value.field == "functional"


@pytest.mark.parametrize(
    ("label", "words"),
    [("none", "'none' is not installed; .*falsemetal setup"), ("not-pseudos", "no pseudopotentials")],
)
def test_family_that_is_not_there(family: Family, label: str, words: str) -> None:
    orm.Group("not-pseudos").store()
    with pytest.raises(DftError, match=words) as raised:
        settings(pseudo_family=label)
    assert raised.value.field == "pseudo_family"


def test_element_that_the_family_lacks(family: Family) -> None:
    family()
    with pytest.raises(DftError, match="cannot serve this structure.*Cu") as raised:
        gap_settings("fast", {}, {"H", "O", "Cu"})
    assert raised.value.field == "pseudo_family"


def test_files_that_pw_cannot_read(aiida_profile_clean: Any) -> None:
    group = GroupFactory("pseudo.family")("psp8").store()
    other = DataFactory("pseudo")(io.BytesIO(b"x"), filename="H.psp8")
    other.element = "H"
    group.add_nodes([other.store()])
    with pytest.raises(DftError, match="pw.x is given UPF"):
        settings(pseudo_family="psp8", elements="H")


def test_pw_is_told_only_of_another_functional() -> None:
    pseudos = [upf("O"), upf("H")]
    assert input_dft(None, pseudos) is None
    assert input_dft("PBE", pseudos) is None
    assert input_dft("revPBE", pseudos) == "REVPBE"
    # An unreadable header may be anything.
    assert input_dft("PBE", [upf("O", None)]) == "PBE"
    given = load_protocol("gap")
    given.setdefault("degauss", 0.001)
    assert "input_dft" not in pw_parameters({**given, "input_dft": None}, 64, 0.001)["SYSTEM"]
    assert pw_parameters({**given, "input_dft": "REVPBE"}, 64, 0.001)["SYSTEM"]["input_dft"] == "REVPBE"
    assert pw_parameters({**given, "ecutrho": 400.0}, 64, 0.001)["SYSTEM"]["ecutrho"] == 400.0


def test_what_was_decided_is_stored_with_the_builder(
    family: Family, aiida_code_installed: Callable[..., orm.AbstractCode]
) -> None:
    label = family("SSSP/like", recommended={"O": (50.0, 225.0), "H": (30.0, 120.0)})
    family()
    structure = orm.StructureData(cell=[[5, 0, 0], [0, 5, 0], [0, 0, 20]])
    for symbol, height in (("O", 9.0), ("H", 9.6), ("H", 8.4)):
        structure.append_atom(position=(2.5, 2.5, height), symbols=symbol)
    code = aiida_code_installed(default_calc_job_plugin="quantumespresso.pw")
    builder = GapWorkChain.get_builder_from_protocol(code, structure, pseudo_family=label, functional="revPBE")
    stored = builder.parameters.get_dict()
    assert (stored["pseudo_family"], stored["functional"]) == (label, "revPBE")
    assert (stored["ecutwfc"], stored["ecutrho"]) == (50.0, 225.0)
    assert {pseudo.element for pseudo in builder.pseudos.values()} == {"H", "O"}


@pytest.mark.parametrize("given, rescues", [({}, 1), ({"rescue": True}, 1), ({"rescue": False}, 0)])
def test_labels_have_one_rescue_or_none(given: dict[str, Any], rescues: int, family: Family) -> None:
    family()
    found = label_settings({"protocol": "fast", "degauss": 0.001, **given}, set(VALENCE))
    assert found["rescues"] == load_protocol("gap", "fast")["rescues"][:rescues]


BAD_LADDERS: list[dict[str, Any]] = [{"smearing": [0.001, 0.01]}, {"rescues": [{"degauss": 0.1}]}, {"moved_limit": -1}]


@pytest.mark.parametrize("changes", BAD_LADDERS, ids=lambda changes: next(iter(changes)))
def test_builders_refuse_a_ladder_that_makes_no_sense(
    changes: dict[str, Any], family: Family, aiida_code_installed: Callable[..., orm.AbstractCode]
) -> None:
    family()
    (field,) = changes
    code = aiida_code_installed(default_calc_job_plugin="quantumespresso.pw")
    structure, _ = nodes.film_nodes()
    with pytest.raises(DftError, match="; (give|use)") as raised:
        GapWorkChain.get_builder_from_protocol(code, structure, overrides=changes)
    assert raised.value.field == field
    parameters = {"molecules": 8, "lateral": 6.5, "vacuum": 20.0, "seed": 3}
    with pytest.raises(DftError) as raised:
        pair.PairWorkChain.get_builder_from_protocol(
            code, code, nodes.mlip(), "film", parameters, steps=10, seed=1, overrides={"gap": changes}
        )
    assert raised.value.field == field
    # Made by hand: before the MD, not after it.
    assert str(pair.validate_inputs({"gap": orm.Dict({**load_protocol("gap"), **changes})}, None)).startswith(
        f"gap: {field}: "
    )


def test_within_one_block_a_family_is_looked_up_once(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    label = family("mine")
    looked: list[list[str]] = []
    look_up = pseudos._looked_up
    monkeypatch.setattr(pseudos, "_looked_up", lambda *asked: (looked.append(asked[1]), look_up(*asked))[1])
    with decided_once():
        first = family_pseudos(label, "OH")
        first.clear()
        assert sorted(family_pseudos(label, ["H", "O", "H"])) == ["H", "O"]
        assert sorted(family_pseudos(label, "H")) == ["H"]
    assert looked == [["H", "O"], ["H"]]
    family_pseudos(label, "H")
    assert looked[2:] == [["H"]]

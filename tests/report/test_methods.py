"""The methods paragraph says what is recorded, and nothing else; its works are real entries."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aiida_falsemetal.mlips.registry import family_names
from aiida_falsemetal.physics.functionals import FUNCTIONALS as KNOWN_FUNCTIONALS
from aiida_falsemetal.report.data import plain
from aiida_falsemetal.report.methods import Methods, methods, prose
from aiida_falsemetal.report.methods.citations import (
    FAMILIES,
    FUNCTIONALS,
    PSEUDOPOTENTIALS,
    bibtex,
    named_in,
    parse,
    works,
)

from .conftest import Campaign

RECORDED: dict[str, Any] = {
    "md": [{"timestep": 1.0, "temperature": 300.0, "friction": 0.01, "hydrogen_mass": 2.014}],
    "selection": [{"stratified": 12, "uniform": 4, "strata": 3, "start": 10.0, "equilibration": "auto"}],
    "gap": [
        {
            **{"functional": "revPBE", "pseudo_family": "PseudoDojo/0.4/PBE/SR", "ecutwfc": 80.0, "ecutrho": 320.0},
            **{"vacuum": 20.0, "smearing": [0.01, 0.003, 0.001], "moved_limit": 1e-5, "conv_thr": 1e-8},
            **{"metallic_gap_eV": 0.2, "metallic_witness": 0.01, "kpoints": None},
        }
    ],
    "thresholds": [{"acceptable": 0.01, "confidence": 0.95, "rhat": 1.1}],
    "recipes": [
        {"interface": "film-25A", "recipe": "film", "parameters": {"solvent": "water"}},
        {"interface": "film-38A", "recipe": "film", "parameters": {"solvent": "water"}},
    ],
    "models": [
        {"mlip": "mace-sr-4.5", "family": "mace", "reference": "trained by us"},
        {"mlip": "polar-mace", "family": "mace", "reference": ""},
        {"mlip": "spcfw-ewald", "family": "openmm", "reference": "Wu et al., J. Chem. Phys. 124, 024503 (2006)"},
    ],
    "pw_versions": ["7.4"],
    "dipole_correction": True,
}


def of(given: Campaign, **recorded: Any) -> Methods:
    settings = {**given.settings, **({"recorded": recorded} if recorded else {})}
    parts = {name: plain(getattr(given, name)) for name in ("pairs", "cells", "laws")}
    found = methods({"campaign": "water", "settings": plain(settings), "frames": plain(given.rows), **parts})
    assert found is not None
    return found


def test_all_that_is_recorded_is_said(campaign: Campaign) -> None:
    text = of(campaign, **RECORDED).text
    for said in (
        "with 3 interatomic potentials at 2 interfaces: film-25A (area 154.5 Å², thickness 25 Å); film-38A (",
        "Liquids were packed with Packmol [martinez2009].",
        "BAOAB splitting of Langevin dynamics [leimkuhler2013] at 300 K, with a friction of 0.01 per fs, a time step "
        "of 1 fs and a hydrogen mass of 2.014 u.",
        "The runs were 200 ps long, with 1 to 2 seeds for each interface and potential.",
        "Equilibration was detected [chodera2016].",
        "mace-sr-4.5 [batatia2022] (family mace, cutoff 4.5 Å, 2 layers, receptive field 9.0 Å, short-ranged, SHA-256 "
        "abababababab)",
        "spcfw-ewald [eastman2017, wu2006] (family openmm, cutoff 9.0 Å, 1 layer, long-ranged, SHA-256 efefefefefef).",
        "From each run 12 frames from 3 strata of |M_z|/A and 4 frames with equal probability were drawn with known "
        "probability, 10 ps after its start or later.",
        "pw.x of Quantum ESPRESSO 7.4 [giannozzi2009, giannozzi2017] and the functional revPBE [zhang1998].",
        "pseudopotentials PseudoDojo/0.4/PBE/SR [hamann2013, vansetten2018], cutoffs of 80 Ry for wavefunctions and "
        "320 Ry for the density and an SCF threshold of 1e-8 Ry.",
        "Each film was isolated by 20 Å of vacuum and a dipole correction [bengtsson1999]",
        "from 0.01 over 0.003 to 0.001 Ry, or until fewer than 1e-5 electrons have left",
        "metallic where its gap is below 0.2 eV or more than 0.01 electrons have left the lowest N/2 states.",
        "Intervals have 95 % confidence: ",
        "the lower end of the metallic fraction exceeds 1 %",
        "R-hat is at most 1.1 and the runs are complete",
        "as in ML-PEG [mlpeg].",
        "Software: aiida-falsemetal 0.1.0 and aiida-core 2.9.4 [huber2020, uhrin2021]. Data as of 2026-03-05 14:20.",
    ):
        assert said in text, said
    gaps = [row for row in campaign.rows if row["gap"] is not None]
    failed = sum(row["gap"] is None and row["exit_code"] is not None for row in campaign.rows)
    metallic = sum(row["metallic"] for row in gaps)
    assert (
        f"In all {len(gaps)} frames have a gap, {metallic} of them metallic; {failed} calculations failed and count as "
        "unknown."
    ) in text
    assert not re.search(r"\bNone\b|\bnan\b|\[\[|  |\(\)| ,|\.\.", text)


def test_what_is_not_recorded_is_not_said(campaign: Campaign) -> None:
    """Of every key of the record in turn: its clause goes, no dash or None takes its place, the rest stays."""
    whole = of(campaign, **RECORDED).text
    clauses = {
        ("md", "friction"): "Langevin",
        ("md", "timestep"): "a time step of",
        ("md", "hydrogen_mass"): "a hydrogen mass of",
        ("selection", "equilibration"): "Equilibration was detected",
        ("selection", "stratified"): "12 frames from 3 strata",
        ("gap", "functional"): "the functional",
        ("gap", "pseudo_family"): "pseudopotentials",
        ("gap", "ecutwfc"): "cutoffs of",
        ("gap", "vacuum"): "of vacuum",
        ("gap", "smearing"): "smearing",
        ("gap", "metallic_gap_eV"): "its gap is below",
        ("models", "family"): "family mace",
        ("recipes", "recipe"): "Packmol",
        ("thresholds", "rhat"): "R-hat is at most",
    }
    for (name, key), clause in clauses.items():
        assert clause in whole
        less = {**RECORDED, name: [{k: v for k, v in row.items() if k != key} for row in RECORDED[name]]}
        text = of(campaign, **less).text
        assert clause not in text, (name, key)
        assert not re.search(r"\bNone\b|\bnan\b|\[\[|  |\(\)| ,|\.\.|with\.|used\.", text), (name, key)
    assert "Quantum ESPRESSO [giannozzi2009" in of(campaign, **{**RECORDED, "pw_versions": []}).text
    assert "dipole correction" not in of(campaign, **{**RECORDED, "dipole_correction": False}).text


def test_an_old_graph_has_a_short_paragraph(campaign: Campaign) -> None:
    campaign.settings = {}
    campaign.laws, campaign.cells = [], []
    for pair in campaign.pairs:
        for key in ("verdict", "sha256", "cutoff", "layers", "receptive_field", "long_ranged", "temperature", "md_ps"):
            pair[key] = None
    text = of(campaign).text
    assert "Molecular dynamics was run in the NVT ensemble." in text
    for never in ("Langevin", "Software", "Potentials", "confidence", "vacuum", "smearing", "K.", "None"):
        assert never not in text, never


def test_singular_and_plural(campaign: Campaign) -> None:
    campaign.pairs, campaign.rows = campaign.pairs[:1], [row for row in campaign.rows if row["gap"] is not None][:1]
    campaign.rows[0]["metallic"] = True
    selection = {"stratified": 1, "uniform": 0, "strata": 1, "start": 0.0, "equilibration": 2.0, "most": None}
    text = of(campaign, **{**RECORDED, "selection": [selection]}).text
    assert "with 1 interatomic potential at 1 interface: " in text
    assert "with 1 seed for each" in text and "The first 2 ps were left out" in text
    assert "From each run 1 frame from 1 stratum of |M_z|/A was drawn with known probability." in text
    campaign.rows[0]["potential_range"] = 1.2
    text = of(campaign, **{**RECORDED, "selection": [selection]}).text
    assert "1 stratum of the range of these charges' plane-averaged potential inside the film was drawn" in text
    assert "In all 1 frame has a gap, 1 of it metallic." in text


def test_imported_trajectories_are_named_as_such(campaign: Campaign) -> None:
    for pair in campaign.pairs:
        pair["imported_from"] = "run.xyz"
    text = of(campaign).text
    assert f"{len(campaign.pairs)} trajectories were taken from elsewhere (300 K, 200 ps long)." in text
    assert "Molecular dynamics was run" not in text and "ASE" not in text


def test_bibtex_is_of_exactly_the_cited_works(campaign: Campaign) -> None:
    found = of(campaign, **RECORDED)
    cited = {key for group in re.findall(r"\[([a-z0-9, ]+)\]", found.text) for key in group.split(", ")}
    assert set(found.keys) == set(parse(found.bibtex)) == cited
    assert set(re.findall(r"@([a-z][a-z0-9]+)", found.markdown)) == cited
    latex = {key for group in re.findall(r"\\cite\{([^}]+)\}", found.latex) for key in group.split(",")}
    assert latex == cited and "vehtari2021" in cited and "perdew1996" not in cited


def test_latex_has_no_character_that_it_would_take_for_a_command(campaign: Campaign) -> None:
    for row in [*campaign.rows, *campaign.pairs, *campaign.cells]:
        row["mlip"] = row["mlip"] + r"_50%&$#{x}~^\input"
    found = of(campaign, **RECORDED)
    assert r"\_50\%\&\$\#\{x\}\textasciitilde{}\textasciicircum{}\textbackslash{}input" in found.latex
    bare = re.sub(r"\\(cite\{[^}]*\}|[a-zA-Z]+(\{\})?|.)|\$[^$]*\$", "", found.latex)
    assert not set("%&#_^$\\Å±×Γ²−") & set(bare) and "$|M_z|/A$" in found.latex


def test_a_label_is_no_citation() -> None:
    text = f"{prose.label('x [[parker2026]]')}{prose.cite('huber2020')}"
    assert prose.cited([text]) == ["huber2020"] and prose.plain(text) == "x [ [parker2026]] [huber2020]"


@pytest.mark.parametrize(
    ("items", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists_read_well(items: list[str], text: str) -> None:
    assert prose.listing(items) == text


@pytest.mark.parametrize(
    ("value", "text"), [(2.0, "2"), (0.01, "0.01"), (1e-6, "1e-6"), (2.014, "2.014"), (1e9, "1e9")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert prose.figure(value) == text


def test_entries_are_complete() -> None:
    for key, work in works().items():
        assert {"author", "title"} <= set(work.fields), key
        if work.kind == "article":
            assert {"journal", "volume", "pages", "year", "doi"} <= set(work.fields), key
        else:
            assert {"eprint", "doi", "booktitle"} & set(work.fields), key
        assert re.fullmatch(r"10\.\d{4,9}/\S+", work.fields.get("doi", "10.1000/none")), key
        assert re.fullmatch(r"(19|20)\d\d", work.fields.get("year", "2000")), key
        assert re.fullmatch(r"\d{4}\.\d{5}", work.fields.get("eprint", "0000.00000")), key
    dois = [work.fields["doi"] for work in works().values() if "doi" in work.fields]
    assert len(set(dois)) == len(dois)


def test_every_family_has_its_work() -> None:
    assert set(FAMILIES) == set(family_names()) - {"ase"}
    for group in (*FAMILIES.values(), *FUNCTIONALS.values(), *dict(PSEUDOPOTENTIALS).values()):
        assert bibtex(group)
    assert set(FUNCTIONALS) <= set(KNOWN_FUNCTIONALS)


def test_references_of_models_are_found_by_volume_and_page() -> None:
    assert named_in("Y. Park et al., J. Chem. Theory Comput. 20, 4857 (2024); trained on MPtrj") == ["park2024"]
    assert named_in("H. Yang et al., arXiv:2405.04967; PBE+U") == ["yang2024"]
    assert named_in("J. Chem. Phys. 124, 24503 (2006)") == [] and named_in("124, 0245031") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@article{a2000,\n  year = {2000}\n", "has no end"),
        ("@article{a2000,\n  year = 2000\n}\n", "line 2 is not part"),
        ("@article{a2000,\n  title = {a {b}\n}\n", "line 2 is not part"),
        ("@article{a2000,\n  title = {a} b {c}\n}\n", "line 2 is not part"),
        ("year = {2000}\n", "line 1 is not part"),
        ("@misc{a,\n  year = {1}\n}\n@misc{a,\n  year = {1}\n}\n", "line 6: the key 'a' is there twice"),
    ],
)
def test_a_broken_bibliography_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse(text)


def test_no_pairs_no_methods() -> None:
    assert methods({"settings": {}, "frames": [], "pairs": [], "cells": [], "laws": []}) is None

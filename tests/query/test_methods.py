"""What a campaign was computed with, from the graph: by hand, and of the campaign that is shipped."""

from __future__ import annotations

import pytest
from aiida import orm

from aiida_falsemetal.archive.mount import mounted
from aiida_falsemetal.cli.archive import DEMO
from aiida_falsemetal.cli.query import _settings, concluded, current_rows
from aiida_falsemetal.query.methods import recorded_methods
from aiida_falsemetal.report.data import plain
from aiida_falsemetal.report.methods import Methods, methods
from tests.data import nodes

from .test_rows import MD, SELECTION, Graph, graph  # noqa: F401  (a fixture)


def test_what_pairs_have_in_common_is_said_once(graph: Graph) -> None:  # noqa: F811
    pairs = [graph.pair(seed=1), graph.pair(seed=2)]
    found = recorded_methods([pair.pk for pair in pairs])
    # Steps and seeds are each pair's own, and in its row.
    assert found["md"] == [{key: value for key, value in MD.items() if key != "steps"}]
    assert found["selection"] == [SELECTION]
    assert len(found["gap"]) == 1 and found["gap"][0]["metallic_gap_eV"] == 0.2
    assert [(model["mlip"], model["family"]) for model in found["models"]] == [("sr", "openmm")]
    assert found["models"][0]["sha256"] == pairs[0].inputs.mlip.sha256
    assert found["recipes"] == found["thresholds"] == found["pw_versions"] == [] and not found["dipole_correction"]


def test_what_pw_says_of_itself(graph: Graph) -> None:  # noqa: F811
    pair = graph.pair()
    for index, (version, corrected) in enumerate([("7.4", True), ("6.7MaX", True), ("7.4", True)]):
        output = orm.Dict({"creator_version": version, "has_dipole_correction": corrected})
        nodes.workchain("falsemetal.gap", {}, {"pw_parameters": output}, pair, f"gap_{index}")
    found = recorded_methods([pair.pk])
    assert found["pw_versions"] == ["6.7MaX", "7.4"] and found["dipole_correction"]
    output = orm.Dict({"creator_version": "7.4", "has_dipole_correction": False})
    nodes.workchain("falsemetal.gap", {}, {"pw_parameters": output}, pair, "gap_x")
    assert not recorded_methods([pair.pk])["dipole_correction"]


def test_nothing_of_no_pairs() -> None:
    assert not any(recorded_methods([]).values())


@pytest.fixture(scope="module")
def shipped() -> Methods:
    """The paragraphs on the campaign that comes with the package."""
    with mounted(DEMO):
        rows, pairs = current_rows("quickstart")
        cells, laws = concluded("quickstart")
        document = {"campaign": "quickstart", "settings": _settings(pairs), "frames": rows, "pairs": pairs}
        found = methods(plain({**document, "cells": cells, "laws": laws}))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "said",
    [
        "with 4 interatomic potentials at 1 interface: film16 (16 molecules of water, area 42.2 Å², thickness 11.3 Å).",
        "ASE 3.29.0 [larsen2017], by the BAOAB splitting of Langevin dynamics [leimkuhler2013] at 300 K, with a "
        "friction of 0.01 per fs, a time step of 2 fs and a hydrogen mass of 4 u. The runs were 4 to 24 ps long, with "
        "1 seed for each interface and potential. The first 1 ps were left out as equilibration.",
        "spcfw-truncated [eastman2017, wu2006, fennell2006] (family openmm, cutoff 6.0 Å, 1 layer, receptive field "
        "6.0 Å, short-ranged, Coulomb term ends at 6.0 Å, SHA-256 3c33cd262c22)",
        "twin-lr [batatia2022, loche2025] (family mace_ewald, ",
        "Batches of 2 frames were added, those that narrow the interval of the metallic fraction most, until the "
        "half-width is 5 % or a run has 4 frames. In all 12 frames have a gap, 2 of them metallic.",
        "pw.x of Quantum ESPRESSO 6.7MaX [giannozzi2009, giannozzi2017] and the functional PBE [perdew1996].",
        "Each film was isolated by 12 Å of vacuum and a dipole correction [bengtsson1999] and sampled at the Γ point.",
        "slope −0.84 [−1.22, −0.46] eV/V, from 12 frames",
        "aiida-core 2.9.4 [huber2020, uhrin2021], aiida-quantumespresso 5.1.0, ase 3.29.0, mace-torch 0.3.16 and "
        "openmm 8.6.1. Data as of 2026-11-24 21:12.",
    ],
)
def test_the_shipped_campaign(shipped: Methods, said: str) -> None:
    assert said in shipped.text

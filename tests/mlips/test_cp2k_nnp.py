"""The committee for water: what its files say here, and what CP2K computes where it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.mlips.catalogue import presets
from aiida_falsemetal.mlips.families import cp2k_nnp
from aiida_falsemetal.mlips.families._tools import bundle
from aiida_falsemetal.mlips.family import ModelError, ModelFacts
from aiida_falsemetal.mlips.registry import load_family

from .gradient import slopes
from .test_openmm import two_waters

FAMILY = load_family("cp2k_nnp")
INPUT = b"""number_of_elements 2 # of them
elements O H  # Specification
symfunction_short H 2 H 0.001 0.0 12.00
#symfunction_short H 2 H 0.001 0.0 99.00
symfunction_short O 3 H H 0.07 1.0 1.0 10.5 # angular
"""
FILES = {"nnp-1/input.nn": INPUT, "nnp-1/scaling.data": b"", "nnp-1/weights.001.data": b""}


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_facts_are_those_of_the_input_in_bohr() -> None:
    facts = FAMILY.inspect(bundle(FILES, "a"), {})
    assert facts == ModelFacts(("H", "O"), facts.cutoff, 1, False, "float64")
    assert facts.cutoff == pytest.approx(12.0 * 0.529177, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"nnp-1/input.nn": b"elements O H\n"}, "no symmetry functions"),
        ({"nnp-1/input.nn": INPUT.replace(b"elements O H", b"")}, "names no elements"),
        ({"nnp-1/input.nn": INPUT.replace(b"elements O H", b"elements O Qq")}, "names no elements"),
        ({"nnp-1/scaling.data": None}, "no nnp-1/scaling.data"),
    ],
)
def test_files_that_are_no_networks_are_refused(change: dict[str, Any], text: str) -> None:
    files = {name: content for name, content in {**FILES, **change}.items() if content is not None}
    with pytest.raises(ModelError, match=text):
        FAMILY.inspect(bundle(files, "a"), {})


def test_data_and_program_that_are_missing_are_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cp2k_nnp, "DATA", tmp_path)
    monkeypatch.delenv("CP2K_DATA_DIR", raising=False)
    with pytest.raises(ModelError, match="no network 'bulkH2O'.*apt-get install cp2k cp2k-data"):
        FAMILY.locate("bulkH2O")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(cp2k_nnp.VARIABLE, raising=False)
    with pytest.raises(ModelError, match="no cp2k_shell here; install CP2K.*or name it in FALSEMETAL_CP2K_SHELL"):
        FAMILY.calculator(bundle(FILES, "a"), {}, Atoms("OHH"))
    with pytest.raises(ModelError, match="was not trained on Cl"):
        FAMILY.calculator(bundle(FILES, "a"), {}, Atoms("ClH"))


def test_data_folder_of_the_user_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, content in FILES.items():
        path = tmp_path / "NNP" / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    monkeypatch.setenv("CP2K_DATA_DIR", str(tmp_path))
    assert FAMILY.locate("mine").read_bytes() == bundle(FILES, "b").read_bytes()
    with pytest.raises(ModelError, match="no network"):
        FAMILY.locate("../NNP/mine")


@pytest.fixture
def weights() -> Path:
    if not any(map(shutil.which, cp2k_nnp.PROGRAMS)):
        pytest.fail(f"this test runs CP2K, which is not here; {cp2k_nnp.INSTALL}.")
    return FAMILY.locate(str(presets()["cnnp-water"].source))


def film() -> Atoms:
    return FilmRecipe().build(FilmParameters(molecules=16, lateral=7.0, vacuum=25.0, seed=1)).atoms


def run(atoms: Atoms, weights: Path) -> Atoms:
    atoms = atoms.copy()
    atoms.calc = FAMILY.calculator(weights, {}, atoms)
    return atoms


@pytest.mark.slow
def test_the_committee_computes(weights: Path) -> None:
    facts = FAMILY.inspect(weights, {})
    assert (facts.elements, facts.layers, facts.long_ranged) == (("H", "O"), 1, False)
    assert facts.cutoff == pytest.approx(6.35, abs=0.01)
    atoms = run(film(), weights)
    found, expected = slopes(atoms, 1e-4)
    # Double precision; CP2K prints twelve digits or more of an energy of 25 keV.
    assert abs(expected) > 0.5
    assert found == pytest.approx(expected, rel=1e-4)
    assert np.abs(atoms.get_forces().sum(axis=0)).max() < 1e-8
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    moved = atoms.copy()
    moved.calc = atoms.calc
    moved.positions += [3.1, -8.2, 5.7]
    assert moved.get_potential_energy() == pytest.approx(energy, abs=1e-6)
    assert moved.get_forces() == pytest.approx(forces, abs=1e-6)
    twice = run(film().repeat((2, 1, 1)), weights)
    assert twice.get_potential_energy() == pytest.approx(2 * energy, abs=1e-6)
    # A restart must be exact: a new process gives the same bits.
    assert (run(film(), weights).get_forces() == run(film(), weights).get_forces()).all()


@pytest.mark.slow
def test_it_sees_nothing_beyond_its_cutoff(weights: Path) -> None:
    energies = {distance: run(two_waters(distance), weights).get_potential_energy() for distance in (5.0, 8.0, 25.0)}
    assert energies[8.0] == pytest.approx(energies[25.0], abs=1e-8)
    assert abs(energies[5.0] - energies[25.0]) > 1e-3

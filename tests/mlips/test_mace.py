"""The twins: what their files say, forces that are gradients, and how far each of them sees."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.io import write

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.families.mace import check_head
from aiida_falsemetal.mlips.families.mace_ewald import EwaldBaseline
from aiida_falsemetal.mlips.family import ModelError
from aiida_falsemetal.mlips.registry import load_family
from aiida_falsemetal.physics.constants import EPS0

from .gradient import slopes
from .test_openmm import coulomb, two_waters

TWINS = ("twin-sr", "twin-lr", "water-sr", "water-lr")
RECEPTIVE_FIELD = 9.0
TRAINING = Path(__file__).parents[2] / "training" / "train.py"


@pytest.mark.parametrize("head", ["omat_pbe", 0, ""])
def test_a_head_that_is_not_there_is_refused(head: Any) -> None:
    """mace-torch would take the last one."""
    entry, atoms = presets()["twin-sr"], film(8)
    family, path = load_family(entry.family), model_path(entry)
    for ask in (family.inspect, lambda path, kwargs: family.calculator(path, kwargs, atoms)):
        with pytest.raises(ModelError, match="has no head .*; give one of Default"):
            ask(path, {"head": head})
    assert family.inspect(path, {"head": "Default"}).long_ranged is False


def test_a_model_with_several_heads_wants_one_named() -> None:
    model = SimpleNamespace(heads=["omol", "omat_pbe"])
    check_head(model, "m.model", {"head": "omol"})
    check_head(SimpleNamespace(heads=["omol", "default"]), "m.model", {})
    check_head(SimpleNamespace(), "m.model", {})
    with pytest.raises(ModelError, match="several heads; give one of omol, omat_pbe"):
        check_head(model, "m.model", {})


def twin(name: str, atoms: Atoms) -> Atoms:
    """A copy of ``atoms`` with the twin's calculator."""
    entry = presets()[name]
    atoms = atoms.copy()
    atoms.calc = load_family(entry.family).calculator(model_path(entry), entry.kwargs, atoms)
    return atoms


def film(molecules: int = 16, seed: int = 1) -> Atoms:
    return FilmRecipe().build(FilmParameters(molecules=molecules, lateral=7.0, vacuum=25.0, seed=seed)).atoms


def baseline(atoms: Atoms) -> Atoms:
    """A copy of ``atoms`` with the long-ranged twin's electrostatics alone."""
    kwargs = presets()["twin-lr"].kwargs
    atoms = atoms.copy()
    atoms.calc = EwaldBaseline(atoms, kwargs["charges"], kwargs["smearing"])
    return atoms


@pytest.mark.parametrize(("name", "long_ranged"), zip(TWINS, (False, True) * 2, strict=True))
def test_facts(name: str, long_ranged: bool) -> None:
    entry = presets()[name]
    facts = load_family(entry.family).inspect(model_path(entry), entry.kwargs)
    assert (facts.elements, facts.cutoff, facts.layers) == (("H", "O"), 4.5, 2)
    assert facts.receptive_field == RECEPTIVE_FIELD
    assert facts.long_ranged is long_ranged
    assert facts.precision == "float32"
    assert facts.as_dict()["receptive_field"] == RECEPTIVE_FIELD


def test_boundary_of_the_long_ranged_twin_is_that_of_its_sum() -> None:
    family, path, kwargs = load_family("mace_ewald"), model_path(presets()["twin-lr"]), presets()["twin-lr"].kwargs
    assert family.inspect(path, kwargs).boundary == "isolated"
    assert family.inspect(path, {**kwargs, "slab_correction": False}).boundary == "tin-foil"
    # The one long-ranged energy that it has is that of these charges.
    assert family.inspect(path, kwargs).charges == kwargs["charges"]
    assert load_family("mace").inspect(model_path(presets()["twin-sr"]), {}).boundary == "isolated"


def test_sum_of_polar_mace_is_tin_foil_in_a_periodic_cell() -> None:
    """What `boundary_of` says of graph_longrange. With open z a film's energy does not depend on the cell's height; in
    a cell that is periodic along z too, as ours, it is lower by M_z^2 / (2 eps0 V)."""
    module = pytest.importorskip("graph_longrange.energy")
    from graph_longrange.kspace import compute_k_vectors_flat

    atoms = film(8)
    charges = np.where(atoms.numbers == 8, -0.82, 0.41)
    block = module.GTOElectrostaticEnergy(density_max_l=0, density_smearing_width=1.5, kspace_cutoff=5.0).double()

    def energy(height: float, along_z: bool) -> float:
        cell = torch.tensor(np.diag([*atoms.cell.lengths()[:2], height]))[None]
        k, square, batch, zero = compute_k_vectors_flat(5.0, cell, 2 * np.pi * torch.linalg.inv(cell).transpose(1, 2))
        found = block(
            k.double(),
            square.double(),
            batch,
            zero,
            source_feats=torch.tensor(charges)[:, None, None],
            node_positions=torch.tensor(atoms.positions),
            batch=torch.zeros(len(atoms), dtype=torch.int64),
            volume=torch.linalg.det(cell),
            pbc=torch.tensor([[True, True, along_z]]),
        )
        return float(found[0])

    moment = float(charges @ atoms.positions[:, 2])
    area = float(np.prod(atoms.cell.lengths()[:2]))
    assert energy(30.0, False) == pytest.approx(energy(60.0, False), abs=1e-4)
    for height in (30.0, 60.0):
        missing = moment**2 / (2 * EPS0 * area * height)
        assert missing > 0.002  # far above the tolerance
        assert energy(height, False) - energy(height, True) == pytest.approx(missing, abs=1e-4)


@pytest.mark.parametrize("name", TWINS)
def test_truncated_file_is_refused(name: str, tmp_path: Path) -> None:
    entry = presets()[name]
    content = model_path(entry).read_bytes()
    family = load_family(entry.family)
    for share in (0.0, 0.5, 0.99):
        path = tmp_path / "cut.model"
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ModelError, match="cut.model cannot be loaded as a MACE model.*is it complete"):
            family.inspect(path, entry.kwargs)


def test_file_of_something_else_is_refused(tmp_path: Path) -> None:
    family = load_family("mace")
    weights = tmp_path / "weights.model"
    torch.save({"layer": torch.zeros(3)}, weights)
    with pytest.raises(ModelError, match="holds a dict, not a MACE model"):
        family.inspect(weights, {})
    with pytest.raises(ModelError, match="holds a dict"):
        family.calculator(weights, {}, film())
    layer = tmp_path / "layer.model"
    torch.save(torch.nn.Linear(2, 2), layer)
    with pytest.raises(ModelError, match="holds a Linear"):
        family.inspect(layer, {})
    text = tmp_path / "text.model"
    text.write_text("no model at all")
    with pytest.raises(ModelError, match="cannot be loaded"):
        family.inspect(text, {})
    with pytest.raises(ModelError, match="cannot be loaded"):
        family.inspect(tmp_path / "missing.model", {})


def test_unknown_keyword_is_refused() -> None:
    with pytest.raises(ModelError, match="does not know the keyword 'dtype'; it knows default_dtype"):
        load_family("mace").inspect(model_path(presets()["twin-sr"]), {"dtype": "float64"})


@pytest.mark.parametrize("name", TWINS)
def test_forces_are_the_gradient(name: str) -> None:
    atoms = twin(name, film())
    found, expected = slopes(atoms, 1e-3)
    # float32 leaves some 1e-5 eV of the energy, over 2e-3 Å; central differences err by step^2 times the third
    # derivative, which at 2e-3 Å was 0.02 eV/Å of water-sr.
    assert found == pytest.approx(expected, rel=5e-3, abs=0.02)
    # Neither part of the energy depends on where the film is.
    assert np.abs(atoms.get_forces().sum(axis=0)).max() < 1e-3


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("repeats", [(2, 1, 1), (1, 2, 1)])
def test_energy_is_extensive(name: str, repeats: tuple[int, int, int]) -> None:
    small = film()
    one, two = twin(name, small), twin(name, small.repeat(repeats))
    # float32: 1e-5 eV an atom, also where energies count from free atoms, -467 eV a water of PBE.
    assert 2 * one.get_potential_energy() == pytest.approx(two.get_potential_energy(), abs=1e-5 * 2 * len(small))
    assert two.get_forces()[: len(small)] == pytest.approx(one.get_forces(), abs=1e-3)


def interaction(calculate: Any) -> float:
    """Energy of two molecules 12 Å apart, beyond the receptive field, less that at 20 Å."""
    near, far = (calculate(two_waters(distance)).get_potential_energy() for distance in (12.0, 20.0))
    return float(near - far)


def gap_between(atoms: Atoms) -> float:
    first, second = atoms.positions[:3], atoms.positions[3:]
    return float(np.linalg.norm(first[:, None] - second[None], axis=-1).min())


def test_short_ranged_twin_sees_nothing_beyond_its_receptive_field() -> None:
    near, far = two_waters(12.0), two_waters(20.0)
    assert gap_between(near) > RECEPTIVE_FIELD
    # Equal to the rounding of float32; what it should have seen is three hundred times that.
    assert interaction(lambda atoms: twin("twin-sr", atoms)) == pytest.approx(0.0, abs=1e-5)
    assert twin("twin-sr", near).get_forces() == pytest.approx(twin("twin-sr", far).get_forces(), abs=1e-4)
    assert abs(coulomb(near) - coulomb(far)) > 3e-3


def test_long_ranged_twin_sees_the_dipoles() -> None:
    found = interaction(lambda atoms: twin("twin-lr", atoms))
    # Beyond the receptive field there is the baseline and nothing else ...
    assert found == pytest.approx(interaction(baseline), abs=1e-5)
    # ... which at this distance is the interaction of point charges: 1 % for the lateral images left out of the sum.
    exact = coulomb(two_waters(12.0)) - coulomb(two_waters(20.0))
    assert found == pytest.approx(exact, rel=0.02)


def test_twins_have_learnt_the_same_labels() -> None:
    # A coarse bound: it fails for a swapped or untrained file, not for a difference in quality.
    atoms = film()
    short, long = twin("twin-sr", atoms).get_forces(), twin("twin-lr", atoms).get_forces()
    assert np.sqrt(np.mean((short - long) ** 2)) < 0.3 * np.sqrt(np.mean(short**2))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ten small films labelled by SPC/Fw with full Ewald."""
    folder = tmp_path_factory.mktemp("labels")
    entry = presets()["spcfw-ewald"]
    frames = []
    for seed in range(1, 11):
        atoms = FilmRecipe().build(FilmParameters(molecules=8, lateral=6.5, vacuum=20.0, seed=seed)).atoms
        atoms.rattle(0.03, seed=seed)
        atoms.calc = load_family(entry.family).calculator(model_path(entry), entry.kwargs, atoms)
        frame = atoms.copy()
        frame.info["REF_energy"] = atoms.get_potential_energy()
        frame.arrays["REF_forces"] = atoms.get_forces()
        frames.append(frame)
    write(folder / "train.xyz", frames[:8], format="extxyz")
    write(folder / "test.xyz", frames[8:], format="extxyz")
    return folder


def train(labels: Path, out: Path, kind: str) -> Path:
    """Train a tiny model for two epochs with the command of training/train.py."""
    spec = importlib.util.spec_from_file_location("training_train", TRAINING)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    line = [*module.command(labels, out, kind, 1, 2), "--num_channels=8"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, cwd=out, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return out / f"twin-{kind}.model"


@pytest.mark.slow
def test_polar_mace_is_trained_and_loads_as_long_ranged(labelled: Path, tmp_path: Path) -> None:
    path = train(labelled, tmp_path, "polar")
    family = load_family("mace")
    facts = family.inspect(path, {})
    assert facts.long_ranged
    assert (facts.elements, facts.cutoff, facts.layers) == (("H", "O"), 4.5, 2)
    atoms = FilmRecipe().build(FilmParameters(molecules=8, lateral=6.5, vacuum=20.0, seed=20)).atoms
    atoms.calc = family.calculator(path, {}, atoms)
    forces = atoms.get_forces()
    assert np.isfinite(forces).all()
    assert np.isfinite(atoms.get_potential_energy())
    dipole = np.asarray(atoms.calc.results["dipole"]).reshape(-1)
    assert dipole.shape == (3,)
    assert np.isfinite(dipole).all()
    # e Å, as the driver's series has it, not debye: the model's own charges say so.
    charges = np.asarray(atoms.calc.results["density_coefficients"])[:, 0]
    assert dipole == pytest.approx(charges @ atoms.positions, abs=1e-3)
    # The mirror image has the opposite dipole along z: a model of the right symmetry, whatever it has learnt.
    mirrored = atoms.copy()
    mirrored.positions[:, 2] = atoms.cell[2, 2] - atoms.positions[:, 2]
    mirrored.calc = family.calculator(path, {}, mirrored)
    mirrored.get_forces()
    assert mirrored.calc.results["dipole"][2] == pytest.approx(-dipole[2], abs=1e-3)

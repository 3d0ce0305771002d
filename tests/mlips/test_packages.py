"""The models whose weights come inside of a package, run for real, each in its own environment.

Each of them computes the same frames once (``answers``); the tests look at what it said.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from numpy.typing import NDArray
from scipy.special import erf, expit

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.mlips.catalogue import presets
from aiida_falsemetal.physics.constants import COULOMB
from aiida_falsemetal.runner import archive

from .environments import python_of
from .test_openmm import two_waters

pytestmark = pytest.mark.slow

PROBE = Path(__file__).with_name("probe.py")
STEP = 2e-3
"""Å; finite differences of single precision energies leave 1e-5 eV over 4e-3 Å, as with the twins."""
DISTANCES = (4.0, 5.0, 5.5, 6.0, 7.0, 8.0, 9.0, 10.5, 11.5, 13.0, 14.0, 16.0, 20.0, 25.0)
"""Å between the oxygens of two molecules; the closest atoms are 0.59 Å closer."""
SHIFT, ORDER = np.array([3.1, -8.2, 5.7]), 5


@dataclass(frozen=True)
class Expected:
    """What is known of a model from its paper, not from its file."""

    cutoff: float
    layers: int
    elements: int
    stranger: str
    coulomb: float | None = None
    kwargs: tuple[tuple[str, Any], ...] = ()


MODELS = {
    "7net-0": Expected(5.0, 5, 89, "Po"),
    "7net-l3i5": Expected(5.0, 5, 89, "Rn"),
    "7net-mf-0": Expected(5.0, 5, 89, "Ra"),
    "chgnet": Expected(6.0, 4, 89, "At"),
    "ani-1x": Expected(5.2, 1, 4, "Cl"),
    # Its energies are 165 eV a atom below zero, of which single precision leaves 0.5 meV for the film.
    "so3lr": Expected(4.5, 3, 8, "Cu", coulomb=12.0, kwargs=(("default_dtype", "float64"),)),
}


def film() -> Atoms:
    return FilmRecipe().build(FilmParameters(molecules=16, lateral=7.0, vacuum=25.0, seed=1)).atoms


def direction(atoms: Atoms) -> NDArray[np.float64]:
    return np.random.default_rng(2).normal(size=(len(atoms), 3))


def frames(stranger: str) -> dict[str, Atoms]:
    base = film()
    forward, backward, moved = base.copy(), base.copy(), base.copy()
    forward.positions += STEP * direction(base)
    backward.positions -= STEP * direction(base)
    moved.positions += SHIFT
    strange = molecule("H2O", vacuum=6.0)
    strange.symbols[0] = stranger
    return {
        "film": base,
        "forward": forward,
        "backward": backward,
        "moved": moved,
        "permuted": base[np.random.default_rng(ORDER).permutation(len(base))],
        "twice": base.repeat((2, 1, 1)),
        "stranger": strange,
        **{f"pair {distance}": two_waters(distance) for distance in DISTANCES},
    }


def ask(python: Path, folder: Path, request: dict[str, Any], atoms: dict[str, Atoms]) -> dict[str, Any]:
    """What ``probe.py`` answers in another environment."""
    (folder / "runner.pyz").write_bytes(archive.build())
    request["frames"] = {
        name: {
            "symbols": frame.get_chemical_symbols(),
            "positions": frame.positions.tolist(),
            "cell": frame.cell.array.tolist(),
        }
        for name, frame in atoms.items()
    }
    (folder / "request.json").write_text(json.dumps(request))
    line = [str(python), "-P", str(PROBE), "runner.pyz", "request.json", "answer.json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads((folder / "answer.json").read_text())
    return answer


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """The answer of the model called ``name``, asked once."""
    known: dict[str, dict[str, Any]] = {}

    def of(name: str) -> dict[str, Any]:
        if name not in known:
            entry, expected = presets()[name], MODELS[name]
            assert entry.environment is not None
            kwargs = {**entry.kwargs, **dict(expected.kwargs)}
            request = {"family": entry.family, "source": entry.source, "kwargs": kwargs}
            folder = tmp_path_factory.mktemp("model")
            known[name] = ask(python_of(entry.environment), folder, request, frames(expected.stranger))
            assert "error" not in known[name], known[name]["error"]
        return known[name]

    return of


def forces(answer: dict[str, Any], frame: str) -> NDArray[np.float64]:
    return np.array(answer["frames"][frame]["forces"])


def energy(answer: dict[str, Any], frame: str) -> float:
    return float(answer["frames"][frame]["energy"])


def closest(distance: float) -> float:
    atoms = two_waters(distance)
    return float(np.linalg.norm(atoms.positions[:3, None] - atoms.positions[None, 3:], axis=-1).min())


@pytest.mark.parametrize("name", MODELS)
def test_facts_read_from_the_file_are_those_of_the_paper(answers: Any, name: str) -> None:
    facts, expected = answers(name)["facts"], MODELS[name]
    assert (facts["cutoff"], facts["layers"], len(facts["elements"])) == (
        expected.cutoff,
        expected.layers,
        expected.elements,
    )
    assert {"H", "O"} <= set(facts["elements"])
    assert facts["long_ranged"] is False
    assert facts["coulomb_cutoff"] == expected.coulomb
    assert facts["receptive_field"] == expected.cutoff * expected.layers + (expected.coulomb or 0.0)


def test_sevennet_and_chgnet_learnt_from_the_same_elements(answers: Any) -> None:
    # MPtrj, both: one list is in SevenNet's files, the other is ours to know.
    assert answers("chgnet")["facts"]["elements"] == answers("7net-0")["facts"]["elements"]


@pytest.mark.parametrize("name", MODELS)
def test_an_element_it_never_saw_is_refused(answers: Any, name: str) -> None:
    answer, stranger = answers(name), MODELS[name].stranger
    assert stranger not in answer["facts"]["elements"]
    assert f"was not trained on {stranger}" in answer["frames"]["stranger"]["refused"]


@pytest.mark.parametrize("name", MODELS)
def test_forces_are_the_gradient(answers: Any, name: str) -> None:
    answer = answers(name)
    found = (energy(answer, "forward") - energy(answer, "backward")) / (2 * STEP)
    expected = -float((forces(answer, "film") * direction(film())).sum())
    assert abs(expected) > 1.0
    assert found == pytest.approx(expected, rel=5e-3, abs=0.03)
    assert np.abs(forces(answer, "film").sum(axis=0)).max() < 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_energy_does_not_depend_on_place_or_order(answers: Any, name: str) -> None:
    answer = answers(name)
    # Single precision: some 1e-6 of 240 eV, and of forces of 10 eV/Å.
    for frame in ("moved", "permuted"):
        assert energy(answer, frame) == pytest.approx(energy(answer, "film"), abs=2e-3)
    assert forces(answer, "moved") == pytest.approx(forces(answer, "film"), abs=2e-3)
    order = np.random.default_rng(ORDER).permutation(len(film()))
    assert forces(answer, "permuted") == pytest.approx(forces(answer, "film")[order], abs=2e-3)


@pytest.mark.parametrize("name", MODELS)
def test_images_closer_than_the_cutoff_are_counted(answers: Any, name: str) -> None:
    """The cell is 7 Å wide: a calculator with one image of each atom would fail this."""
    answer = answers(name)
    assert energy(answer, "twice") == pytest.approx(2 * energy(answer, "film"), abs=4e-3)
    assert forces(answer, "twice")[: len(film())] == pytest.approx(forces(answer, "film"), abs=2e-3)


@pytest.mark.parametrize("name", MODELS)
def test_two_dipoles_do_not_see_each_other_beyond_its_range(answers: Any, name: str) -> None:
    """Vacuum carries no messages: between two molecules, the range is the cutoff, or that of the Coulomb term."""
    answer = answers(name)
    reach = MODELS[name].coulomb or MODELS[name].cutoff
    far = energy(answer, f"pair {DISTANCES[-1]}")
    felt = {closest(d): abs(energy(answer, f"pair {d}") - far) for d in DISTANCES[:-1]}
    outside = {distance: change for distance, change in felt.items() if distance > reach}
    assert len(outside) >= 3
    # Rounding, where the dipoles' true energy would change by 2 meV between 13 and 25 Å.
    assert max(outside.values()) < 2e-5, felt
    assert max(change for distance, change in felt.items() if distance < reach) > 1e-3, felt


def switched(r: NDArray[np.float64], radius: float, width: float) -> NDArray[np.float64]:
    """Interaction of two unit charges in SO3LR as so3krates-torch documents it, 1/Å.

    v = erf(r / width) / r, less its value at ``radius``; from 0.45 ``radius`` on it goes over into the shifted force,
    v(r) - v(R) - (r - R) v'(R), with the smooth step that is built of exp(-1/x).
    """

    def value(x: Any) -> Any:
        return erf(x / width) / x

    slope = (value(radius + 1e-5) - value(radius - 1e-5)) / 2e-5
    inside = np.clip((r - 0.45 * radius) / (0.55 * radius), 1e-9, 1 - 1e-9)
    step = expit(1.0 / inside - 1.0 / (1.0 - inside))
    kept = value(r) - value(radius) - (1.0 - step) * (r - radius) * slope
    return np.asarray(np.where(r < radius, kept, 0.0))


@pytest.mark.parametrize("distance", [7.0, 8.0, 9.0, 10.5, 11.5, 13.0])
def test_coulomb_of_so3lr_is_that_of_its_charges_and_ends(answers: Any, distance: float) -> None:
    """It looks long-ranged, has charges and a Coulomb term; and yet at 13 Å there is nothing."""
    said, atoms = answers("so3lr")["frames"][f"pair {distance}"], two_waters(distance)
    charges = np.array(said["charges"])
    assert charges.sum() == pytest.approx(0.0, abs=1e-6)
    assert 0.2 < charges[1] < 0.45
    r = np.linalg.norm(atoms.positions[:3, None] - atoms.positions[None, 3:], axis=-1)
    expected = COULOMB * float((charges[:3, None] * charges[None, 3:] * switched(r, 12.0, 4.0)).sum())
    found = said["energy"] - energy(answers("so3lr"), f"pair {DISTANCES[-1]}")
    # What is left is dispersion: at 6.4 Å, C6 of two water molecules (45 hartree bohr^6) gives 0.4 meV.
    assert found == pytest.approx(expected, abs=5e-4)
    if distance > 12.6:
        assert found == pytest.approx(0.0, abs=1e-9)
        bare = COULOMB * float((charges[:3, None] * charges[None, 3:] / r).sum())
        assert bare < -1.5e-3


def test_dipole_of_so3lr_is_that_of_its_charges(answers: Any) -> None:
    said = answers("so3lr")["frames"]["film"]
    # e Å, as the driver's series has it.
    assert np.array(said["dipole"]) == pytest.approx(np.array(said["charges"]) @ film().positions, abs=1e-4)


UNTRAINED = {
    "mattersim": ("mattersim", "a.pth", {"elements": ["H", "O"]}, (4.5, 2, False)),
    "orb": ("orb", "a.ckpt", {"model": "orb-v3-conservative-inf-omat", "elements": ["H", "O"]}, (6.0, 5, False)),
    "metatomic": ("upet", "a.pt", {}, (4.5, 2, False)),
    "metatomic_long": ("upet", "a.pt", {}, (4.5, 2, True)),
    "nequip": ("nequip", "a.nequip.zip", {}, (4.5, 2, False)),
    "nequip_compiled": ("nequip", "a.nequip.pth", {"layers": 2}, (4.5, 2, False)),
    "grace": ("grace", "a.tar.gz", {}, (4.5, 2, False)),
}
"""Kind of ``tiny.py``, environment, file, kwargs, and cutoff, layers and range that it was made with."""
NEWER = ("nequip", "nequip_compiled", "grace")
"""Those made with forces of some eV/Å, and computed without a memory."""


def make_untrained(folder: Path, kind: str) -> tuple[Path, dict[str, Any]]:
    """Python of the environment, and the request, for a small model with random weights."""
    name, file, kwargs, _ = UNTRAINED[kind]
    python = python_of(name)
    line = [str(python), "-P", str(PROBE.with_name("tiny.py")), kind, str(folder / file)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return python, {"family": kind.partition("_")[0], "path": str(folder / file), "kwargs": kwargs}


@pytest.mark.parametrize("kind", UNTRAINED)
def test_models_whose_weights_are_not_to_be_had_here_run_untrained(tmp_path: Path, kind: str) -> None:
    """A small model with random weights goes the whole way that a downloaded one would."""
    python, request = make_untrained(tmp_path, kind)
    wanted = {key: frame for key, frame in frames("Cu").items() if not key.startswith("pair")}
    answer = ask(python, tmp_path, request, wanted)
    assert "error" not in answer, answer.get("error")
    facts = answer["facts"]
    assert (facts["cutoff"], facts["layers"], facts["long_ranged"]) == UNTRAINED[kind][3]
    assert facts["elements"] == ["H", "O"]
    assert "was not trained on Cu" in answer["frames"]["stranger"]["refused"]
    found = (energy(answer, "forward") - energy(answer, "backward")) / (2 * STEP)
    expected = -float((forces(answer, "film") * direction(film())).sum())
    # Of an energy of 340 eV, single precision leaves 3e-5, over 4e-3 Å.
    assert found == pytest.approx(expected, rel=2e-2, abs=0.03)
    assert energy(answer, "moved") == pytest.approx(energy(answer, "film"), abs=5e-3)
    assert forces(answer, "permuted").std() == pytest.approx(forces(answer, "film").std(), rel=1e-3)
    if kind in NEWER:
        assert abs(expected) > 1.0
        order = np.random.default_rng(ORDER).permutation(len(film()))
        assert forces(answer, "permuted") == pytest.approx(forces(answer, "film")[order], abs=2e-3)
        assert energy(answer, "permuted") == pytest.approx(energy(answer, "film"), abs=2e-3)
        assert energy(answer, "twice") == pytest.approx(2 * energy(answer, "film"), abs=4e-3)
        # What it computed before does not change a bit: a restart is exact.
        later = ask(python, tmp_path, request, {key: wanted[key] for key in ("twice", "forward", "film")})
        assert later["frames"]["film"] == answer["frames"]["film"]


@pytest.mark.parametrize(
    ("name", "source", "where"),
    [
        ("nequip", "mir-group/NequIP-OAM-L:0.1", "www.nequip.net"),
        ("grace", "GRACE-2L-OAM", "GRACE-2L-OAM-model.tar.gz"),
    ],
)
def test_weights_that_cannot_be_downloaded_are_named_with_their_place(
    tmp_path: Path, name: str, source: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("NEQUIP_CACHE_DIR", str(tmp_path))
    answer = ask(python_of(name), tmp_path, {"family": name, "source": source, "kwargs": {}}, {})
    assert f"the weights of {source} are not on this machine and cannot be downloaded" in answer["error"]
    assert where in answer["error"]
    assert "give the local file with `file:`" in answer["error"]

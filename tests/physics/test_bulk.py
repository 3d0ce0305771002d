"""The longitudinal structure factor against arrangements whose answer is known, and against the shipped controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from aiida_falsemetal.physics import bulk, dielectric
from aiida_falsemetal.physics.constants import BOLTZMANN, EPS0

Array = NDArray[np.float64]

KELVIN = 300.0
TRICLINIC = np.array([[12.0, 0.0, 0.0], [3.0, 13.0, 0.0], [-2.0, 4.0, 15.0]])
SHEARED = TRICLINIC + np.array([[0, 0, 0], [12.0, 0.0, 0.0], [-3.0, -13.0, 0.0]])
"""The same lattice, other vectors."""


def unit(k: float, cell: Array) -> float:
    """k^2 V eps0 kT."""
    return k**2 * abs(float(np.linalg.det(cell))) * EPS0 * BOLTZMANN * KELVIN


# --- wave vectors ---


@pytest.mark.parametrize("cell", [np.diag([10.0, 10.0, 10.0]), np.diag([8.0, 9.0, 30.0]), TRICLINIC, SHEARED])
def test_wave_vectors_are_the_smallest(cell: Array) -> None:
    """Every vector fits into the cell, of k and -k there is one, and a search over all integers to 6 finds no other."""
    shells = bulk.wave_vectors(cell, 4)
    grid = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3, indexing="ij"), -1).reshape(-1, 3)
    lengths = np.linalg.norm(grid @ (2 * np.pi * np.linalg.inv(cell).T), axis=1)
    for vectors in shells:
        integers = vectors @ cell.T / (2 * np.pi)
        assert np.allclose(integers, np.round(integers), atol=1e-9)
        length = np.linalg.norm(vectors[0])
        assert len(vectors) == np.sum(np.abs(lengths - length) < 1e-6) / 2
    longest = np.linalg.norm(shells[-1][0])
    assert sum(map(len, shells)) == np.sum((lengths > 1e-9) & (lengths < longest + 1e-6)) / 2


def test_cube_has_the_known_shells() -> None:
    shells = bulk.wave_vectors(np.eye(3) * 10, 4)
    assert [len(vectors) for vectors in shells] == [3, 6, 4, 3]
    lengths = [np.linalg.norm(vectors[0]) for vectors in shells]
    assert lengths == pytest.approx(2 * np.pi / 10 * np.sqrt([1, 2, 3, 4]))


def test_lattice_vectors_are_a_matter_of_taste() -> None:
    """Another choice of vectors for the same lattice changes no number."""
    rng = np.random.default_rng(1)
    positions, charges = rng.uniform(0, 30, (40, 20, 3)), np.tile([1.0, -1.0], 10)
    one, other = (bulk.structure_factor(positions, charges, cell, KELVIN, shells=3) for cell in (TRICLINIC, SHEARED))
    assert [s.k for s in one] == pytest.approx([s.k for s in other])
    assert [s.value for s in one] == pytest.approx([s.value for s in other])


# --- arrangements ---


def test_crystal_of_ions_has_no_long_waves() -> None:
    """Rock salt, 3 x 3 x 3 cells: nothing below the first reciprocal vector of one cell."""
    unit_cell = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]) * 2.8
    shifts = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 3) * 5.6
    positions = (shifts[:, None] + unit_cell).reshape(1, -1, 3)
    charges = np.tile([1.0] * 4 + [-1.0] * 4, 27)
    found = bulk.structure_factor(np.repeat(positions, 3, axis=0), charges, np.eye(3) * 16.8, KELVIN, shells=3)
    assert [shell.value for shell in found] == pytest.approx([0, 0, 0], abs=1e-20)


def test_one_wandering_ion() -> None:
    """|rho| is the charge, wherever it is: q^2 / (k^2 V eps0 kT) exactly."""
    rng = np.random.default_rng(2)
    positions = rng.uniform(-50, 50, (30, 1, 3))
    for shell in bulk.structure_factor(positions, np.array([2.0]), TRICLINIC, KELVIN, shells=3):
        assert shell.value == pytest.approx(4.0 / unit(shell.k, TRICLINIC))


def test_independent_dipoles() -> None:
    """N rigid pairs of +-q, l apart, anywhere and anyhow: <|rho|^2> = 2 N q^2 (1 - sin(kl)/(kl)), to N mu^2 k^2 / 3."""
    rng = np.random.default_rng(3)
    count, length, q = 50, 1.5, 0.4
    centre = rng.uniform(size=(600, count, 3)) @ TRICLINIC
    direction = rng.normal(size=(600, count, 3))
    half = 0.5 * length * direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    positions = np.concatenate([centre + half, centre - half], axis=1)
    charges = np.repeat([q, -q], count)
    for shell in bulk.structure_factor(positions, charges, TRICLINIC, KELVIN, shells=4, confidence=0.999):
        expected = 2 * count * q**2 * (1 - np.sinc(shell.k * length / np.pi)) / unit(shell.k, TRICLINIC)
        assert shell.low < expected < shell.high
        assert shell.value == pytest.approx(expected, rel=0.15)
        assert expected == pytest.approx(count * (q * length) ** 2 / 3 * shell.k**2 / unit(shell.k, TRICLINIC), rel=0.1)


def test_origin_and_wrapping_do_not_matter() -> None:
    rng = np.random.default_rng(4)
    positions, charges = rng.uniform(0, 12, (30, 12, 3)), np.tile([0.5, -0.5], 6)
    moved = positions + np.array([1.7, -3.0, 20.0]) + rng.integers(-3, 4, positions.shape) @ TRICLINIC
    one, other = (bulk.structure_factor(x, charges, TRICLINIC, KELVIN, shells=3) for x in (positions, moved))
    assert [s.value for s in one] == pytest.approx([s.value for s in other], rel=1e-9)


def gaussian_field(rng: np.random.Generator, frames: int, longitudinal: float, transverse: float) -> tuple[Array, ...]:
    """Positions, charges and cell of 125 small dipoles on a grid, whose waves have the variances asked for."""
    n, side = 5, 15.0
    cell = np.eye(3) * side
    frequencies = np.fft.fftfreq(n, 1 / n)
    k = np.stack(np.meshgrid(*[frequencies] * 3, indexing="ij"), -1)
    k /= np.maximum(np.linalg.norm(k, axis=-1, keepdims=True), 1e-9)
    white = np.fft.fftn(rng.normal(size=(frames, n, n, n, 3)), axes=(1, 2, 3))
    along = np.sum(white * k, axis=-1, keepdims=True) * k
    wave = np.sqrt(longitudinal) * along + np.sqrt(transverse) * (white - along)
    scale = np.sqrt(side**3 * EPS0 * BOLTZMANN * KELVIN / n**3)
    moment = scale * np.fft.ifftn(wave, axes=(1, 2, 3)).real.reshape(frames, -1, 3)
    sites = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(1, -1, 3) * side / n
    charge = 100.0  # so the dipoles are short
    positions = np.concatenate([sites + moment / (2 * charge), sites - moment / (2 * charge)], axis=1)
    return positions, np.repeat([charge, -charge], n**3), cell


@pytest.mark.parametrize("kept", [1.0, 0.3, 0.02])
def test_prescribed_dielectric_response(kept: float) -> None:
    """A Gaussian field with S_L = chi/(1 + chi kept) and the transverse eps - 1 = 77: only the longitudinal part is
    seen, whatever the other. 400 frames and 3 vectors: standard error 3 %; at 99.9 % the truth is inside."""
    truth = bulk.expected_structure_factor(78.0, kept)
    positions, charges, cell = gaussian_field(np.random.default_rng(5), 400, truth, 77.0)
    for shell in bulk.structure_factor(positions, charges, cell, KELVIN, shells=2, confidence=0.999):
        assert shell.low < truth < shell.high
        assert shell.value == pytest.approx(truth, rel=0.12)


def test_coverage() -> None:
    """95 % within 4 points (R = 300: one standard error is 1.3)."""
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(300):
        positions, charges, cell = gaussian_field(rng, 30, 1.0, 1.0)
        shell = bulk.structure_factor(positions, charges, cell, KELVIN, shells=1)[0]
        hits += shell.low <= 1.0 <= shell.high
    assert hits / 300 == pytest.approx(0.95, abs=0.04)


# --- theory ---


def test_expectations() -> None:
    """Full: 1 - 1/eps. erfc: as the film's formula at d = pi/k. Nothing kept: eps - 1."""
    assert bulk.expected_structure_factor(78.0) == pytest.approx(dielectric.isolated_film(78.0))
    film = bulk.expected_structure_factor(78.0, bulk.kept_by_erfc(np.pi / 25.0, 5.0))
    assert film == pytest.approx(dielectric.truncated(78.0, 25.0, 5.0))
    assert bulk.expected_structure_factor(78.0, 0.0) == 77.0


def test_kept_share_of_known_interactions() -> None:
    """erfc(r/s)/r by quadrature gives the closed form; the shifted force keeps k^2 times its volume at small k."""
    from scipy.special import erfc

    assert bulk.kept_by_truncation(0.5, lambda r: float(erfc(r / 4.0)) / r if r else 0.0, 60.0) == pytest.approx(
        bulk.kept_by_erfc(0.5, 4.0), rel=1e-6
    )
    v = bulk.shifted_force(6.0, 0.2)
    assert v(6.0) == pytest.approx(0.0, abs=1e-12)
    assert (v(6.0) - v(5.999)) == pytest.approx(0.0, abs=1e-6)
    assert bulk.kept_by_truncation(1e-3, v, 6.0) < 1e-5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bulk.wave_vectors(np.zeros((3, 3)), 1), "independent"),
        (lambda: bulk.wave_vectors(np.eye(3), 0), "none"),
        (lambda: bulk.structure_factor(np.zeros((2, 1, 3)), np.ones(1), np.eye(3), 0.0), "temperature"),
        (lambda: bulk.structure_factor(np.zeros((2, 1, 3)), np.ones(2), np.eye(3), 300.0), "fit"),
        (lambda: bulk.expected_structure_factor(0.5), "below 1"),
        (lambda: bulk.expected_structure_factor(78.0, -0.1), "by itself"),
    ],
)
def test_nonsense_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- the shipped controls ---


def water_md(name: str, steps: int, every: int) -> tuple[Array, Array, Array]:
    """Positions, charges and cell of 128 SPC/Fw waters at 300 K in 12.4 x 12.4 x 24.8 Å, after 3 ps, by OpenMM's own
    integrator."""
    openmm = pytest.importorskip("openmm")
    from ase import Atoms

    from aiida_falsemetal.mlips.catalogue import model_path, presets
    from aiida_falsemetal.mlips.families import openmm as family

    from .conftest import water

    rng = np.random.default_rng(7)
    spacing = 29.915 ** (1 / 3)
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(4), np.arange(8), indexing="ij"), -1).reshape(-1, 3)
    turns = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in grid]
    start = np.concatenate([site * spacing + water() @ turn for site, turn in zip(grid, turns, strict=True)])
    cell = np.diag([4.0, 4.0, 8.0]) * spacing
    atoms = Atoms("OHH" * len(grid), positions=start, cell=cell, pbc=True)
    preset = presets()[name]
    molecules = [[3 * i, 3 * i + 1, 3 * i + 2] for i in range(len(grid))]
    options = {**family.DEFAULTS, **preset.kwargs}
    system = family._create_system(model_path(preset), atoms, molecules, np.diag(cell), 1, options)
    for index in np.flatnonzero(atoms.numbers == 1):
        system.setParticleMass(int(index), 2.0)
    integrator = openmm.LangevinMiddleIntegrator(KELVIN, 5.0, 0.001)
    integrator.setRandomNumberSeed(3)
    platform = openmm.Platform.getPlatformByName("CPU")
    context = openmm.Context(system, integrator, platform, {"Threads": "1", "DeterministicForces": "true"})
    context.setPositions(start * 0.1)
    openmm.LocalEnergyMinimizer.minimize(context, 10.0, 500)
    context.setVelocitiesToTemperature(KELVIN, 5)
    integrator.step(3000)
    frames = []
    for _ in range(steps // every):
        integrator.step(every)
        frames.append(context.getState(getPositions=True).getPositions(asNumpy=True)._value * 10.0)
    return np.array(frames), family._charges(system, len(atoms)), cell


@pytest.mark.slow
def test_bulk_water_tells_the_controls_apart() -> None:
    """15 ps of 128 waters, the smallest k, 0.253 1/Å. Theory: 0.99 with full electrostatics, 5.2 with the truncated
    control's shifted force (18 % of 4 pi / k^2 kept). Measured: 0.93 [0.75, 1.19] and 4.0 [2.8, 6.3]. Both theories lie
    inside of 99 % intervals, and the controls differ by a factor of two at least."""
    ewald, second, *_ = bulk.structure_factor(*water_md("spcfw-ewald", 15_000, 20), KELVIN, shells=2, confidence=0.99)
    assert ewald.low < bulk.expected_structure_factor(78.0) < ewald.high
    assert second.value == pytest.approx(1.05, abs=0.2)
    truncated = bulk.structure_factor(*water_md("spcfw-truncated", 15_000, 20), KELVIN, shells=1, confidence=0.99)[0]
    kept = bulk.kept_by_truncation(truncated.k, bulk.shifted_force(6.0, 0.2), 6.0)
    assert kept == pytest.approx(0.18, abs=0.01)
    assert truncated.low < bulk.expected_structure_factor(78.0, kept) < truncated.high
    assert truncated.low > ewald.high
    assert truncated.value > 2.0 * ewald.value

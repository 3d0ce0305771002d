"""The film that pw.x gets: in one piece, molecules whole, centred, and nothing where the sawtooth falls."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from ase import Atoms

from aiida_falsemetal.calculations.film import prepare_film
from aiida_falsemetal.workflows.gap import pw_parameters
from aiida_falsemetal.workflows.protocols import load_protocol
from tests.data import nodes

VACUUM = 16.0


def prepared(atoms: Atoms, vacuum: float = VACUUM) -> Atoms:
    return prepare_film(orm.StructureData(ase=atoms), orm.Dict({"vacuum": vacuum})).get_ase()


def shifted(height: float, wrap: bool) -> Atoms:
    """The packed film moved along z, by whole molecules or atom by atom."""
    atoms, info = nodes.film()
    atoms = atoms.copy()
    atoms.positions[:, 2] += height
    period = atoms.cell[2, 2]
    if wrap:
        atoms.wrap()
    else:
        for members in info["molecules"]:
            atoms.positions[members, 2] -= period * np.floor(atoms.positions[members[0], 2] / period)
    return atoms


def inner_distances(atoms: Atoms) -> np.ndarray:
    """O-H distances inside each molecule as the coordinates stand, without minimum image."""
    z = atoms.get_positions().reshape(-1, 3, 3)
    return np.linalg.norm(z[:, 1:] - z[:, :1], axis=-1)


def extent(atoms: Atoms) -> float:
    return float(np.ptp(atoms.positions[:, 2]))


@pytest.mark.parametrize("vacuum", [12.0, 16.0, 40.0])
def test_vacuum_is_as_asked_and_the_film_is_centred(vacuum: float) -> None:
    film = prepared(nodes.film()[0], vacuum)
    z = film.positions[:, 2]
    assert film.cell[2, 2] - extent(film) == pytest.approx(vacuum)
    assert z.min() == pytest.approx(vacuum / 2)
    assert z.max() == pytest.approx(film.cell[2, 2] - vacuum / 2)


@pytest.mark.parametrize("wrap", [False, True], ids=["molecules", "atoms"])
@pytest.mark.parametrize("height", [-11.0, 3.0, 11.0, 13.5, 100.0])
def test_film_split_by_the_boundary_is_put_together(height: float, wrap: bool) -> None:
    reference, film = prepared(nodes.film()[0]), prepared(shifted(height, wrap))
    # Wrapping may have moved a molecule laterally by the cell; along z nothing may differ.
    assert film.positions[:, 2] == pytest.approx(reference.positions[:, 2], abs=1e-6)
    assert film.cell.array == pytest.approx(reference.cell.array)
    assert inner_distances(film) == pytest.approx(inner_distances(nodes.film()[0]), abs=1e-6)


def test_molecules_split_laterally_are_made_whole() -> None:
    atoms = nodes.film()[0].copy()
    atoms.positions[:, :2] += 3.0  # packmol leaves no molecule across a face
    atoms.wrap()
    assert inner_distances(atoms).max() > 3.0, "the film was meant to be split"
    assert inner_distances(prepared(atoms)).max() < 1.2


def test_neither_energy_nor_dipole_can_have_changed() -> None:
    atoms = shifted(11.0, wrap=True)
    film = prepared(atoms)
    assert film.get_chemical_symbols() == atoms.get_chemical_symbols()
    assert film.cell.array[:2] == pytest.approx(atoms.cell.array[:2])
    charges = np.where(film.symbols == "O", -0.82, 0.41)
    whole = nodes.film()[0]
    assert charges @ film.positions[:, 2] == pytest.approx(charges @ whole.positions[:, 2], abs=1e-6)


def test_evaporated_molecule_keeps_its_vacuum() -> None:
    atoms = nodes.film()[0].copy()
    atoms.positions[:3, 2] += 8.0
    film = prepared(atoms)
    assert film.cell[2, 2] - extent(film) == pytest.approx(VACUUM)
    assert extent(film) == pytest.approx(extent(atoms), abs=1e-6)


@pytest.mark.parametrize("protocol", ["fast", "standard"])
@pytest.mark.parametrize("height", [0.0, 11.0])
def test_nothing_lies_where_the_sawtooth_falls(protocol: str, height: float) -> None:
    settings = load_protocol("gap", protocol)
    film = prepared(shifted(height, wrap=True), settings["vacuum"])
    system = pw_parameters(settings, 64, 0.001)["SYSTEM"]
    begin, width = system["emaxpos"], system["eopreg"]
    share = (film.get_scaled_positions()[:, 2] - begin) % 1.0
    # Ångströms from the falling region to the nearest atom, on either side: electrons spill some 3 Å out.
    length = film.cell[2, 2]
    assert ((share - width) * length).min() > 4.0
    assert ((1.0 - share) * length).min() > 4.0

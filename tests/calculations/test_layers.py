"""Nodes of projwfc.x and pw.x become layers: of a film, and of a solvent on a metal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.plugins import OrbitalFactory
from ase import Atoms

from aiida_falsemetal.calculations.layers import (
    LAYER_KEYS,
    SOLVENT_KEYS,
    kpoint_weights,
    layers_of_film,
    read_states,
    strip_substrate,
)

HEIGHTS = np.array([6.0, 8.0, 10.0, 12.0])
FIELD = 0.5
SETTINGS = {"spacing": 0.5, "width": 0.7, "broadening": 0.1, "substrate": [], "metallic_gap": 0.2}


def film() -> Atoms:
    positions = [[0.5, 1.0, z] for z in HEIGHTS]
    return Atoms("LiHHH", positions=positions, cell=[5.0, 5.0, 18.0], pbc=True)


def nodes_of(energies: np.ndarray, shares: np.ndarray, occupied: int, weights: list[float] | None = None) -> Any:
    """Projections and bands; ``shares`` of shape (kpoints, states, atoms), the second half in a second orbital."""
    kpoints = orm.KpointsData()
    places = np.zeros((len(energies), 3))
    places[:, 0] = 0.25 * np.arange(len(energies))
    kpoints.set_kpoints(places, weights=weights or [1.0] * len(energies))
    bands = orm.BandsData()
    bands.set_kpointsdata(kpoints)
    occupations = np.repeat([[2.0] * occupied + [0.0] * (energies.shape[1] - occupied)], len(energies), axis=0)
    bands.set_bands(energies, units="eV", occupations=occupations)
    bands.store()
    orbital = OrbitalFactory("core.realhydrogen")
    orbitals, values = [], []
    for index, site in enumerate(film()):
        for radial in (0, 1):
            place = {"position": tuple(site.position), "angular_momentum": 0, "magnetic_number": 0}
            orbitals.append(orbital(**place, radial_nodes=radial, kind_name=site.symbol))
            values.append((0.75 if radial == 0 else 0.25) * shares[:, :, index])
    projections = orm.ProjectionData()
    projections.set_reference_bandsdata(bands)
    projections.set_projectiondata(orbitals, list_of_projections=values, bands_check=False)
    return projections, bands


def tilted() -> Any:
    """Each atom has one occupied level at FIELD z and an empty one 3 eV above; sorted by energy."""
    levels = np.concatenate([FIELD * (HEIGHTS - 9.0), FIELD * (HEIGHTS - 9.0) + 5.0])
    order = np.argsort(levels)
    shares = 0.98 * np.tile(np.eye(4), (2, 1))[order]
    return nodes_of(levels[order][None], shares[None], occupied=4)


def made(projections: Any, bands: Any, electrons: int, fermi: float = 2.0, **changes: Any) -> Any:
    output = orm.Dict({"number_of_electrons": electrons, "fermi_energy": fermi})
    structure = orm.StructureData(ase=film())
    return layers_of_film(projections, bands, output, structure, orm.Dict({**SETTINGS, **changes}))


def test_film_in_a_field() -> None:
    found = made(*tilted(), electrons=8)
    scalars = found["scalars"].get_dict()
    assert set(scalars) == set(LAYER_KEYS)
    # The atoms' middle is the zero; the highest occupied level is at the top, the lowest empty one at the bottom.
    assert (scalars["vbm_z"], scalars["cbm_z"]) == (pytest.approx(3.0, abs=1e-3), pytest.approx(-3.0, abs=1e-3))
    assert scalars["edge_separation"] == pytest.approx(-6.0, abs=1e-3)
    assert scalars["tilt"] == pytest.approx(FIELD, rel=0.1)
    assert (scalars["spilling"], scalars["vbm_projected"]) == (pytest.approx(0.02), pytest.approx(0.98))
    layers = found["layers"]
    z, energies, dos = (layers.get_array(name) for name in ("z", "energies", "dos"))
    assert dos.shape == (len(z), len(energies))
    assert np.trapezoid(np.trapezoid(dos, energies, axis=1), z) == pytest.approx(2 * 8 * 0.98, rel=0.005)
    for name in ("vbm", "cbm", "centre", "content"):
        assert layers.get_array(name).shape == z.shape
    assert 0.0 in z


def on_metal(shift: float = 0.0, **changes: Any) -> dict[str, Any]:
    """The first atom is a metal with a state at every half eV; three solvent atoms with levels at -4 and +2 eV."""
    metal = np.arange(-5.3, 4.0, 0.5)
    solvent = np.array([-4.2, -4.1, -4.0, 2.0, 2.1, 2.2]) + shift
    energies = np.concatenate([metal, solvent])
    shares = np.zeros((len(energies), 4))
    shares[: len(metal), 0] = 0.95
    shares[: len(metal), 1] = 0.04
    for number, atom in enumerate((1, 2, 3, 3, 2, 1)):
        shares[len(metal) + number, atom] = 0.9
        shares[len(metal) + number, 0] = 0.05
    order = np.argsort(energies)
    nodes = nodes_of(energies[order][None], shares[order][None], occupied=12)
    # 25 electrons: odd, as metals may have it.
    found = made(*nodes, electrons=25, fermi=0.0, substrate=[0], solvent_electrons=6, **changes)
    content: dict[str, Any] = found["scalars"].get_dict()
    return content


def test_solvent_on_a_metal_has_its_own_edges() -> None:
    scalars = on_metal()
    assert set(scalars) == {*LAYER_KEYS, *SOLVENT_KEYS, "gap", "vbm", "cbm", "metallic", "gap_of"}
    assert (scalars["solvent_vbm"], scalars["solvent_cbm"]) == (pytest.approx(-4.0), pytest.approx(2.0))
    assert (scalars["gap"], scalars["gap_of"], scalars["metallic"]) == (pytest.approx(6.0), "solvent", False)
    # Both edges on the uppermost atom, at +3 from the middle of all atoms.
    assert scalars["vbm_z"] == pytest.approx(3.0, abs=0.1) and scalars["cbm_z"] == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize(("shift", "metallic"), [(-1.85, False), (-1.95, True), (-2.5, True), (3.95, True)])
def test_fermi_level_in_the_solvents_bands_is_metallization(shift: float, metallic: bool) -> None:
    assert on_metal(shift)["metallic"] is metallic


def test_too_few_empty_states_are_said() -> None:
    with pytest.raises(ValueError, match="raise `substrate_bands`"):
        energies = np.array([[-5.0, -4.0, -3.0, 0.5]])
        shares = np.array([[[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]]], dtype=float)
        made(*nodes_of(energies, shares, 3), electrons=7, substrate=[0], solvent_electrons=6)


def test_projections_of_something_else_are_refused() -> None:
    projections, bands = tilted()
    moved = film()
    moved.positions += [0.5, 0.0, 0.0]
    with pytest.raises(ValueError, match="from any atom"):
        read_states(projections, bands, orm.StructureData(ase=moved))


def test_weights_of_k_points_are_normalised() -> None:
    energies = np.array([[-1.0, 1.0], [-0.5, 2.0]])
    _, bands = nodes_of(energies, np.full((2, 2, 4), 0.2), 1, weights=[1.0, 3.0])
    assert kpoint_weights(bands).tolist() == [0.25, 0.75]
    bare = orm.BandsData()
    bare.set_kpoints([[0.0, 0.0, 0.0]])
    assert kpoint_weights(bare).tolist() == [1.0]


def test_stripped_solvent_stays_where_it_was() -> None:
    stripped = strip_substrate(orm.StructureData(ase=film()), orm.List([0])).get_ase()
    assert stripped.get_chemical_formula() == "H3"
    assert np.allclose(stripped.positions, film().positions[1:])
    assert np.allclose(stripped.cell.array, film().cell.array)

"""Structures that someone has: any format, a liquid packed on a slab, a whole interface sorted and made whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.io import write
from pydantic import ValidationError

from aiida_falsemetal.interfaces.adsorbed import AdsorbedParameters, AdsorbedRecipe
from aiida_falsemetal.interfaces.confined import ConfinedParameters, ConfinedRecipe
from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.interfaces.from_file import FileParameters, FileRecipe, planes
from aiida_falsemetal.interfaces.measure import measure, problems
from aiida_falsemetal.interfaces.reading import file_format, read_atoms
from aiida_falsemetal.interfaces.recipe import BuiltInterface, InterfaceError
from aiida_falsemetal.interfaces.recognize import find_solvents, recognize
from aiida_falsemetal.interfaces.solvents import SOLVENTS
from aiida_falsemetal.interfaces.substrates import substrate, surface_cell
from aiida_falsemetal.interfaces.upright import upright
from aiida_falsemetal.physics.molecules import find_molecules

RECIPE = FileRecipe()


def build(atoms: Atoms, **given: Any) -> BuiltInterface:
    return RECIPE.build(FileParameters(**given), atoms)


def refusal(atoms: Atoms, **given: Any) -> str:
    """The sentence with which a structure is refused: by the check before anything is computed, as by the building."""
    sentences = set()
    for way in (RECIPE.check, RECIPE.build):
        with pytest.raises(InterfaceError) as raised:
            way(FileParameters(**given), atoms)
        sentences.add(str(raised.value))
    (sentence,) = sentences
    assert "; " in sentence and sentence.endswith(".")
    return sentence


def scrambled(atoms: Atoms, seed: int = 0, shift: float = 0.0) -> Atoms:
    """The same structure as a file may have it: any order, atoms wrapped one by one, moved along z."""
    moved = atoms[np.random.default_rng(seed).permutation(len(atoms))]
    moved.positions += [2.3, 1.7, shift]
    moved.wrap()
    return moved


def distances(atoms: Atoms) -> np.ndarray:
    """All distances by minimum image, sorted: what no moving or reordering changes."""
    return np.sort(atoms.get_all_distances(mic=True), axis=None)


def slab(layers: int = 3, vacuum: float = 8.0) -> Atoms:
    return fcc111("Cu", (3, 4, layers), a=3.615, vacuum=vacuum, orthogonal=True, periodic=True)


# Reading


@pytest.mark.parametrize("name", ["slab.cif", "POSCAR", "slab.extxyz", "slab.traj", "slab.xsf", "slab.json", "a@2.xyz"])
def test_any_format_of_ase(name: str, tmp_path: Path) -> None:
    atoms = slab()
    write(tmp_path / name, atoms, format="extxyz" if name.endswith("xyz") else None)
    found = read_atoms(tmp_path / name)
    assert found.get_chemical_symbols() == atoms.get_chemical_symbols()
    assert distances(found) == pytest.approx(distances(atoms), abs=1e-4)
    assert found.cell.volume == pytest.approx(atoms.cell.volume, rel=1e-5)
    assert not found.constraints and set(found.arrays) == {"numbers", "positions"}
    assert file_format(tmp_path / name)


def test_frames_of_a_file(tmp_path: Path) -> None:
    write(tmp_path / "all.extxyz", [slab(2), slab(3)])
    assert len(read_atoms(tmp_path / "all.extxyz")) == 36
    assert len(read_atoms(tmp_path / "all.extxyz", 0)) == 24
    with pytest.raises(InterfaceError, match="has no frame 7 .*; give another index"):
        read_atoms(tmp_path / "all.extxyz", 7)


MIXED = """data_x
_cell_length_a 4
_cell_length_b 4
_cell_length_c 20
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_occupancy
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Cu1 Cu 0.5 0 0 0
Au1 Au 0.5 0 0 0
"""


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("none.cif", None, "there is no file"),
        ("x" * 5000, None, "there is no file"),
        ("nocell.xyz", "1\n\nCu 0 0 0\n", "has no cell"),
        ("flat.xyz", '1\nLattice="5 0 0 0 5 0 0 0 0" pbc="T T F"\nCu 0 0 0\n', "has no cell"),
        ("broken.cif", "data_x\nloop_\n_atom", "broken.cif has no structure"),
        ("empty.extxyz", "", "empty.extxyz"),
        ("words.txt", "not a structure", "ase cannot read words.txt"),
        ("mixed.cif", MIXED, "partly occupied"),
        ("nan.xyz", '1\nLattice="5 0 0 0 5 0 0 0 20"\nCu 0 0 nan\n', "not a number"),
        ("what.xyz", '1\nLattice="5 0 0 0 5 0 0 0 20"\nX 0 0 0\n', "no element"),
    ],
)
def test_what_cannot_be_read_is_refused(name: str, content: str | None, problem: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InterfaceError) as raised:
        read_atoms(tmp_path / name)
    sentence = str(raised.value)
    assert problem in sentence and "; " in sentence and sentence.endswith(".") and "\n" not in sentence


# The form of an interface


@pytest.mark.parametrize("shift", [0.0, 3.0, -4.0, 11.0])
def test_a_slab_that_the_face_cuts_is_put_in_one_piece(shift: float) -> None:
    atoms = slab()
    atoms.pbc = True
    found = upright(scrambled(atoms, shift=shift))
    z = found.atoms.positions[:, 2]
    assert z.min() == 0.0 and np.ptp(z) == pytest.approx(2.0 * 3.615 / 3**0.5)
    assert found.vacuum == pytest.approx(16.0) and found.atoms.cell.array[2, 2] == pytest.approx(np.ptp(z) + 16.0)
    assert distances(found.atoms) == pytest.approx(distances(atoms), abs=1e-8)


def test_a_slab_that_is_open_along_z_is_not_wrapped() -> None:
    atoms = slab(vacuum=0.5)
    atoms.pbc = (True, True, False)
    atoms.positions[:, 2] += 100.0
    found = upright(atoms)
    assert np.ptp(found.atoms.positions[:, 2]) == pytest.approx(2.0 * 3.615 / 3**0.5)
    assert found.vacuum == pytest.approx(1.0)


def test_left_handed_and_downward_cells_are_the_same_lattice() -> None:
    atoms = slab()
    atoms.pbc = True
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array * [[-1.0], [1.0], [-1.0]])
    found = upright(turned)
    assert found.area > 0.0 and found.atoms.cell.array[2, 2] > 0.0
    assert distances(found.atoms) == pytest.approx(distances(atoms), abs=1e-8)


def test_what_has_no_normal_or_no_vacuum_is_refused() -> None:
    tilted = slab()
    tilted.set_cell(tilted.cell.array + [[0, 0, 0], [0, 0, 0], [1.5, 0, 0]])
    lying = slab()
    lying.rotate(90, "x", rotate_cell=True)
    crystal = bulk("Cu", cubic=True).repeat((3, 3, 3))
    for atoms, fault in ((tilted, "along z"), (lying, "along z"), (crystal, "nowhere empty along z")):
        assert fault in refusal(atoms, molecules=20)
    # Sheets of a layered crystal are no vacuum.
    graphite = surface_cell(substrate("graphene"), 4).repeat((4, 4, 1))
    graphite.cell[2, 2] = 4 * 3.354
    assert "over more than 3.4 Å" in refusal(graphite, molecules=20)


# A liquid on a slab


def test_liquid_is_packed_as_on_a_substrate_of_ours() -> None:
    ours = AdsorbedRecipe().build(
        AdsorbedParameters(substrate="Cu(111)", layers=3, repeat=(3, 2), thickness=12.0, fixed_layers=1, seed=5)
    )
    alone = ours.atoms[ours.info["substrate_indices"]]
    theirs = build(alone, thickness=12.0, fixed_layers=1, seed=5)
    assert theirs.atoms.get_positions() == pytest.approx(ours.atoms.get_positions(), abs=1e-4)
    same = ("area", "thickness", "vacuum", "fixed_indices", "metal_indices", "charges", "kpoints", "eps")
    assert theirs.info["molecules"] == ours.info["molecules"]
    for key in same:
        assert theirs.info[key] == pytest.approx(ours.info[key]), key
    assert theirs.info["gaps"] == pytest.approx([1.40 + 1.52])  # Bondi's copper and oxygen


def test_contact_of_a_surface_without_a_radius() -> None:
    iron = fcc111("Fe", (3, 4, 2), a=3.6, vacuum=6.0, orthogonal=True)
    interface = build(iron, molecules=12)
    z = interface.atoms.positions[:, 2]
    assert z[24:].min() - z[:24].max() >= 1.6 + 1.52 - 0.2
    assert interface.info["metal_indices"] == list(range(24))


@pytest.mark.parametrize(
    ("name", "given", "metal"),
    [("Pt(111)", {}, True), ("MgO(100)", {}, False), ("graphene", {}, False), ("graphene", {"metal": True}, True)]
    + [("Pt(111)", {"metal": False}, False)],
)
def test_metals(name: str, given: dict[str, Any], metal: bool) -> None:
    atoms = surface_cell(substrate(name), 1).repeat((4, 4, 1))
    parameters = FileParameters(molecules=30, **given)
    interface = RECIPE.build(parameters, atoms)
    assert RECIPE.has_metal(parameters, atoms) == metal == ("metal_indices" in interface.info)
    assert (interface.info["kpoints"] != [1, 1, 1]) == metal


def test_what_is_held() -> None:
    atoms = scrambled(slab(4), shift=9.0)

    def heights(**given: Any) -> list[float]:
        interface = build(atoms, molecules=20, **given)
        z = interface.atoms.positions[interface.info["fixed_indices"], 2]
        return sorted(set(np.round((z - 12.5) / (3.615 / 3**0.5), 6)))

    assert heights() == [0, 1]
    assert heights(fixed_layers=0) == []
    assert heights(fixed_layers=3) == [0, 1, 2]
    assert heights(fixed_below=2.0) == [0]
    assert heights(fixed_below=2.2) == [0, 1]
    with pytest.raises(InterfaceError, match="fixed_layers 5 is more than the 4 planes"):
        build(atoms, molecules=20, fixed_layers=5)


def test_planes_follow_a_rumpled_surface() -> None:
    assert planes(np.array([4.1, 0.0, 2.0, 0.2, 4.0, 2.25])) == [[1, 3], [2, 5], [4, 0]]
    assert planes(np.array([])) == []


def test_too_little_room_is_refused_before_packing() -> None:
    small = surface_cell(substrate("Cu(111)"), 3)
    assert "use a larger repeat" in refusal(small, molecules=20)
    assert "use more molecules" in refusal(small, molecules=2, repeat=(4, 4))
    assert RECIPE.size(FileParameters(molecules=20, repeat=(3, 3)), small) == 27 + 60


def test_a_slab_with_a_liquid_gets_no_second_one() -> None:
    whole = FilmRecipe().build(FilmParameters(molecules=24, lateral=7.0)).atoms
    assert "24 molecules of water already" in refusal(whole, molecules=20)


# A whole interface


@pytest.mark.parametrize("name", sorted(SOLVENTS))
@pytest.mark.parametrize("shift", [0.0, 12.0, 25.0])
def test_a_scrambled_film_is_put_together_again(name: str, shift: float) -> None:
    built = FilmRecipe().build(FilmParameters(molecules=12, lateral=8.5, solvent=name, seed=2))
    atoms = scrambled(built.atoms, 3, shift)
    interface = build(atoms)
    assert problems(interface) == []
    assert distances(interface.atoms) == pytest.approx(distances(built.atoms), abs=1e-6)
    assert interface.info["solvent"] == name and len(interface.info["molecules"]) == 12
    # Vacuum is what no atom is in; a packed film's is nominal.
    assert interface.info["vacuum"] == pytest.approx(measure(built)["vacuum"], abs=1e-6)
    assert interface.info["molecules"] == built.info["molecules"]
    for key in ("area", "thickness", "charges", "eps", "eps_inf", "substrate_indices", "lattice"):
        assert interface.info[key] == pytest.approx(built.info[key]), key
    # Charges sit on the right atoms: the same dipole, although the order of the file knows nothing of it.
    assert measure(interface)["dipole"] == pytest.approx(measure(built)["dipole"], abs=1e-6)


def test_methanol_with_its_hydroxyl_hydrogen_anywhere() -> None:
    """By symbols alone the hydrogens of methanol are alike; by bonds one is on the oxygen."""
    one = SOLVENTS["methanol"].atoms()
    for order in ([5, 4, 3, 2, 1, 0], [3, 0, 1, 2, 4, 5], [2, 3, 4, 5, 0, 1]):
        atoms = one[order]
        atoms.set_cell([12, 12, 30])
        atoms.pbc = True
        ((members,),) = find_solvents(atoms).values()
        assert np.array(order)[members][[0, 1, 3]].tolist() == [0, 1, 3]
        bond = atoms.get_distance(members[1], members[3])
        assert bond == pytest.approx(one.get_distance(1, 3)) and bond < 1.0


def test_isomers_are_not_taken_for_the_solvent() -> None:
    isocyanide = molecule("CH3CN")
    isocyanide.symbols = [{1: "N", 2: "C"}.get(i, s) for i, s in enumerate(isocyanide.get_chemical_symbols())]
    bonded = sorted(isocyanide.get_chemical_symbols())
    assert bonded == sorted(molecule("CH3CN").get_chemical_symbols())
    isocyanide.set_cell([12, 12, 30])
    isocyanide.pbc = True
    assert len(find_molecules(isocyanide)) == 1 and find_solvents(isocyanide) == {}


@pytest.mark.parametrize("shift", [0.0, 8.0, 17.0])
def test_an_adsorbed_film_is_sorted(shift: float) -> None:
    built = AdsorbedRecipe().build(
        AdsorbedParameters(substrate="NaCl(100)", layers=3, repeat=(2, 2), molecules=24, salt={"KCl": 1}, seed=4)
    )
    interface = build(scrambled(built.atoms, 5, shift), fixed_layers=1)
    assert problems(interface) == []
    count = len(built.info["substrate_indices"])
    # The crystal's sodium and chlorine are the substrate, the ions in solution are ions.
    assert interface.info["substrate_indices"] == list(range(count))
    assert interface.atoms.get_chemical_symbols()[-2:] == ["K", "Cl"]
    assert interface.info["molality"] == pytest.approx(built.info["molality"])
    assert interface.info["charges"] == pytest.approx(built.info["charges"])
    assert measure(interface)["dipole"] == pytest.approx(measure(built)["dipole"], abs=1e-6)
    z = interface.atoms.positions[:, 2]
    assert sorted(np.unique(z[interface.info["fixed_indices"]].round(6))) == [pytest.approx(z.min())]
    assert z.max() < interface.atoms.cell.array[2, 2]


def test_both_plates_of_a_confined_liquid_are_held_outside() -> None:
    built = ConfinedRecipe().build(
        ConfinedParameters(substrate="MgO(100)", layers=2, lateral=9.0, thickness=10.0, fixed_layers=1)
    )
    interface = build(scrambled(built.atoms, 6, 20.0), fixed_layers=1)
    z = interface.atoms.positions[interface.info["fixed_indices"], 2]
    assert len(z) == len(built.info["fixed_indices"])
    lowest, highest = interface.atoms.positions[:, 2].min(), interface.atoms.positions[:, 2].max()
    assert set(np.round(z, 6)) == {round(lowest, 6), round(highest, 6)}


def test_ions_adsorbed_on_a_metal_are_ions_and_a_crystals_are_not() -> None:
    atoms = slab(3, vacuum=0.0)
    top = atoms.positions[:, 2].max()
    for number, (symbol, height) in enumerate((("Cl", 2.0), ("Na", 9.0))):
        atoms += Atoms(symbol, [[4.0 * number + 1.0, 2.0, top + height]])
    water = SOLVENTS["water"].atoms()
    water.positions += [4.0, 8.0, top + 4.0]
    atoms += water
    atoms.cell[2] = [0, 0, 40.0]
    atoms.pbc = True
    found = recognize(atoms)
    assert found.salts == {"NaCl": 1} and [atoms.symbols[i] for i in found.ions] == ["Na", "Cl"]
    assert len(found.rest) == 36
    with pytest.raises(InterfaceError, match=r"\(1 Cl\) are not neutral together"):
        recognize(atoms[[index for index in range(len(atoms)) if atoms.symbols[index] != "Na"]])


def test_what_is_no_whole_interface_is_refused() -> None:
    film = FilmRecipe().build(FilmParameters(molecules=24, lateral=7.0)).atoms
    assert "holds no molecule of water or methanol or acetonitrile; to pack a liquid on it" in refusal(slab())
    assert "holds no molecule of methanol" in refusal(film, solvent="methanol")
    mixed = film.copy()
    methanol = SOLVENTS["methanol"].atoms()
    methanol.positions += [3.0, 3.0, mixed.positions[:, 2].max() + 4.0]
    assert "molecules of water and methanol" in refusal(mixed + methanol)
    assert "without a metal" in refusal(film, metal=True)
    thin = film.copy()
    thin.cell[2, 2] = np.ptp(film.positions[:, 2]) + 8.0
    assert "8.0 Å of vacuum, 10 are needed" in refusal(thin)
    assert build(thin, vacuum=15.0).info["vacuum"] == 15.0


def test_overlapping_atoms_are_a_problem() -> None:
    film = FilmRecipe().build(FilmParameters(molecules=24, lateral=7.0)).atoms
    oxygens = [index for index, symbol in enumerate(film.get_chemical_symbols()) if symbol == "O"]
    vector = film.get_distance(0, oxygens[5], mic=True, vector=True)
    film.positions[oxygens[5] : oxygens[5] + 3] -= vector * (1.0 - 1.05 / np.linalg.norm(vector))
    interface = build(film)
    assert any("overlap" in sentence for sentence in problems(interface)) or len(interface.info["molecules"]) < 24


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"molecules": 10, "thickness": 10.0}, "give one of them"),
        ({"salt": {"NaCl": 1}}, "is for a liquid that is packed"),
        ({"gap": 3.0}, "is for a liquid that is packed"),
        ({"molecules": 10, "fixed_layers": 1, "fixed_below": 1.0}, "give one of them"),
        ({"solvent": "wine"}, "there is no solvent 'wine'"),
        ({"molecules": 10, "salt": {"LiF": 1}}, "there is no salt 'LiF'"),
        ({"vacuum": 5.0}, "greater than or equal to 10"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        FileParameters(**given)

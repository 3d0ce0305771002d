"""Systems that move side by side: each gets its own answer, whoever ends first and whatever fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from mace.calculators import MACECalculator

from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.families._lockstep import Lockstep
from aiida_falsemetal.mlips.families._mace_forces import MaceTogether
from aiida_falsemetal.mlips.families._tools import quietly, repeatable
from aiida_falsemetal.mlips.family import ModelError
from aiida_falsemetal.mlips.registry import load_family

from .test_mace import film
from .test_mace_forces import PATH, walk


def answers(systems: Mapping[int, Atoms]) -> dict[int, dict[str, Any]]:
    """An energy that tells the system."""
    return {place: {"energy": 10.0 * place + len(systems)} for place in systems}


def side_by_side(lockstep: Lockstep, members: list[Callable[[], Any]]) -> list[Any]:
    """Run a function for each system; what they return or raise."""
    found: list[Any] = [None] * len(members)

    def run(place: int) -> None:
        try:
            found[place] = members[place]()
        except RuntimeError as error:
            found[place] = error
        finally:
            lockstep.leave(place)

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(members))]
    for thread in threads:
        thread.start()
    try:
        lockstep.serve()
    finally:
        for thread in threads:
            thread.join(timeout=20.0)
            assert not thread.is_alive()
    return found


def test_each_gets_its_own_answer_and_nobody_waits_for_one_that_has_left() -> None:
    lockstep = Lockstep(answers, 3)

    def ask(place: int, times: int) -> list[float]:
        calculator = lockstep.calculator(place)
        energies = []
        for number in range(times):
            atoms = Atoms("H", positions=[[0.0, 0.0, number]])
            atoms.calc = calculator
            energies.append(atoms.get_potential_energy())
        return energies

    found = side_by_side(lockstep, [lambda: ask(0, 1), lambda: ask(1, 3), lambda: ask(2, 2)])
    assert found == [[3.0], [13.0, 12.0, 11.0], [23.0, 22.0]]


def test_what_fails_is_told_to_all_and_to_who_serves() -> None:
    def fail(systems: Mapping[int, Atoms]) -> Any:
        raise MemoryError("the card is full")

    lockstep = Lockstep(fail, 2)
    found: list[Any] = []

    def ask(place: int) -> None:
        try:
            lockstep.ask(place, Atoms("H"))
        except RuntimeError as error:
            found.append(str(error))

    with pytest.raises(MemoryError):
        side_by_side(lockstep, [lambda: ask(0), lambda: ask(1)])
    assert found == ["MemoryError: the card is full"] * 2


@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_a_batch_of_mace_is_mace(precision: str, tolerance: float) -> None:
    """To rounding, of which float32 has 1e-7 of the forces' 10 eV/Å; films of different sizes, across several lists of
    pairs, and with one that is missing for a while."""
    with quietly():
        reference = MACECalculator(model_paths=str(PATH), device=repeatable(), default_dtype=precision)
    together = MaceTogether(reference, 3)
    walks = [walk(film(size), 4, 0.1, seed=size) for size in (8, 12, 10)]
    for number in range(4):
        systems = {place: walks[place][number] for place in range(3) if (number, place) != (1, 0)}
        found = together(systems)
        assert set(found) == set(systems)
        for place, atoms in systems.items():
            reference.calculate(atoms)
            assert found[place]["energy"] == pytest.approx(reference.results["energy"], abs=10 * tolerance)
            assert np.abs(found[place]["forces"] - reference.results["forces"]).max() < tolerance


@pytest.mark.parametrize("name", ["twin-sr", "twin-lr"])
def test_a_family_that_batches(name: str) -> None:
    """Each system has the energy and the forces that it has alone; in single precision as above."""
    entry = presets()[name]
    family, systems = load_family(entry.family), walk(film(8), 3, 0.05)
    lockstep, calculators = family.batch(model_path(entry), entry.kwargs, systems)

    def forces(place: int) -> Any:
        systems[place].calc = calculators[place]
        return systems[place].get_forces()

    found = side_by_side(lockstep, [lambda p=place: forces(p) for place in range(3)])
    for atoms, together in zip(systems, found, strict=True):
        alone = atoms.copy()
        alone.calc = family.calculator(model_path(entry), entry.kwargs, alone)
        assert np.abs(alone.get_forces() - together).max() < 1e-4
        assert alone.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-3)


def test_other_families_say_so() -> None:
    entry = presets()["spcfw-ewald"]
    with pytest.raises(ModelError, match="one system at a time"):
        load_family(entry.family).batch(model_path(entry), entry.kwargs, [film(8)])

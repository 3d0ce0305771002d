"""What pw.x needs is held against what its slots have, before anything is computed."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from ase import Atoms

from aiida_falsemetal.calculations.film import centred_film
from aiida_falsemetal.workflows.memory import film_memory, refuse_memory, slot_memory
from aiida_falsemetal.workflows.options import ranks_of
from aiida_falsemetal.workflows.protocols import load_protocol
from tests.data import nodes

SETTINGS = {**load_protocol("gap", "fast"), "ecutrho": 200.0}


@pytest.fixture
def film() -> Atoms:
    return centred_film(nodes.film()[0], SETTINGS["vacuum"])


def options(slots: int, ranks: int = 1, **more: Any) -> dict[str, Any]:
    return {"slots": slots, "resources": {"num_machines": 1, "num_mpiprocs_per_machine": ranks}, **more}


def test_share_of_the_machine(aiida_localhost: orm.Computer) -> None:
    aiida_localhost.set_default_memory_per_machine(8 * 1024 * 1024)
    whole = 8.0 * 1024**3
    assert slot_memory(options(4), aiida_localhost) == pytest.approx(whole / 4)
    assert slot_memory(options(4, ranks=2), aiida_localhost) == pytest.approx(whole / 2)
    assert slot_memory(options(0, ranks=2), aiida_localhost) == pytest.approx(whole)
    assert slot_memory(options(4, max_memory_kb=1000), aiida_localhost) == pytest.approx(1024000.0)
    assert ranks_of(options(4, ranks=3)) == 3 and ranks_of({}) == 1


def test_without_a_setting_it_is_this_machine_s(aiida_localhost: orm.Computer) -> None:
    aiida_localhost.set_default_memory_per_machine(None)
    with open("/proc/meminfo") as file:
        total = 1024.0 * float(file.readline().split()[1])
    assert slot_memory(options(2), aiida_localhost) == pytest.approx(total / 2, rel=0.01)


def test_a_film_that_does_not_fit_is_refused_with_what_to_do(aiida_localhost: orm.Computer, film: Atoms) -> None:
    needed = film_memory(film, nodes.pseudos(), SETTINGS, 1).total
    assert 1.2e8 < needed < 5e8
    enough, little = (options(2, max_memory_kb=factor * needed / 1024.0) for factor in (1.01, 0.5))
    refuse_memory(film, nodes.pseudos(), SETTINGS, enough, aiida_localhost)
    with pytest.raises(ValueError, match=r"pw\.x needs about 0\.\d GB for this film, and its share .* use fewer slots"):
        refuse_memory(film, nodes.pseudos(), SETTINGS, little, aiida_localhost)


def test_k_points_and_their_complex_waves_need_more(film: Atoms) -> None:
    gamma = film_memory(film, nodes.pseudos(), SETTINGS, 1)
    more = film_memory(film, nodes.pseudos(), {**SETTINGS, "kpoints": [2, 2, 1]}, 1)
    assert more.arrays > 1.9 * gamma.arrays and more.saved > 3.0 * gamma.saved

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from aiida_falsemetal.interfaces.bulk import BulkParameters, build_bulk
from aiida_falsemetal.physics.configurations import closest_contact, empty_height


def test_liquid_fills_its_cell_at_its_density() -> None:
    built = build_bulk(BulkParameters(molecules=12, seed=3))
    edges = built.atoms.cell.lengths()
    assert np.allclose(edges, edges[0]) and built.atoms.get_volume() == pytest.approx(12 * 29.97)
    assert len(built.atoms) == 36 and built.info["bulk"]
    assert empty_height(built.atoms.get_positions(), edges[2]) < 4.0
    # Also across the faces in z, which packmol does not know to be periodic.
    assert closest_contact(built.atoms.get_positions(), built.info["molecules"], built.atoms.cell.array) > 1.5


def test_the_same_seed_gives_the_same_atoms() -> None:
    first, again = (build_bulk(BulkParameters(molecules=8, seed=5)).atoms for _ in range(2))
    assert np.array_equal(first.positions, again.positions)


@pytest.mark.parametrize("given", [{"molecules": 4}, {"molecules": 12, "solvent": "honey"}, {}])
def test_what_cannot_be_is_refused(given: dict[str, object]) -> None:
    with pytest.raises((ValidationError, ValueError)):
        BulkParameters(**given)

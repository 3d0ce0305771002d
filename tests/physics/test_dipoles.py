"""Dipoles of molecules and films, and molecules that have left."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aiida_falsemetal.physics.constants import DEBYE
from aiida_falsemetal.physics.dipoles import DETACHED, SCREENED_CHARGES, charges_for, dipole_z, evaporated
from aiida_falsemetal.physics.molecules import make_whole

from .conftest import water

Array = NDArray[np.float64]
Box = tuple[Array, list[str], list[list[int]], Array]


def test_screened_water_has_1_6_debye() -> None:
    """PHYSICS.md, section 2, "about 1.6 D": within 0.05 D for the geometry of liquid water; along the axis."""
    charges = charges_for(["O", "H", "H"], SCREENED_CHARGES)
    assert charges.sum() == pytest.approx(0.0, abs=1e-12)
    assert dipole_z(water(), charges) / DEBYE == pytest.approx(1.6, abs=0.05)
    assert dipole_z(water()[:, [2, 0, 1]], charges, axis=0) == pytest.approx(dipole_z(water(), charges))
    assert dipole_z(water(), charges, axis=0) == pytest.approx(0.0, abs=1e-12)


def test_spce_water_has_2_35_debye() -> None:
    """A published value for other charges: SPC/E, 2.351 D (Berendsen et al., J. Phys. Chem. 91, 6269 (1987))."""
    charges = charges_for(["O", "H", "H"], {"O": -0.8476, "H": 0.4238})
    assert dipole_z(water(1.0, 109.47), charges) / DEBYE == pytest.approx(2.351, abs=0.001)


def test_does_not_depend_on_origin_or_order(box: Box) -> None:
    """A neutral film may sit anywhere, its atoms in any order; turned upside down it has the opposite dipole."""
    positions, symbols, _, _ = box
    charges = charges_for(symbols, SCREENED_CHARGES)
    moment = dipole_z(positions, charges)
    assert abs(moment) > 0.1
    assert dipole_z(positions + np.array([3.0, -200.0, 57.0]), charges) == pytest.approx(moment)
    order = np.random.default_rng(0).permutation(len(symbols))
    assert dipole_z(positions[order], charges[order]) == pytest.approx(moment)
    assert dipole_z(-positions, charges) == pytest.approx(-moment)


def test_is_the_sum_over_molecules(box: Box) -> None:
    """Each molecule about its own oxygen."""
    positions, symbols, molecules, _ = box
    charges = charges_for(symbols, SCREENED_CHARGES)
    single = sum(dipole_z(positions[m] - positions[m[0]], charges[m]) for m in molecules)
    assert dipole_z(positions, charges) == pytest.approx(single)


def test_wrapped_and_unwrapped_positions_agree(box: Box) -> None:
    """Wrapped into a cell whose face cuts the film, or with whole molecules many cells away: the same dipole after
    ``make_whole``, and another one without it."""
    positions, symbols, molecules, cell = box
    charges = charges_for(symbols, SCREENED_CHARGES)
    moment = dipole_z(positions, charges)
    fractional = (positions + np.array([0.0, 0.0, -3.3])) @ np.linalg.inv(cell)
    wrapped = (fractional % 1.0) @ cell
    assert abs(dipole_z(wrapped, charges) - moment) > 1.0
    assert dipole_z(make_whole(wrapped, molecules, cell), charges) == pytest.approx(moment)
    jumps = np.repeat(np.random.default_rng(1).integers(-3, 4, size=(27, 3)), 3, axis=0) @ cell
    assert dipole_z(positions + jumps, charges) == pytest.approx(moment)


def test_missing_charge_is_named() -> None:
    """All elements without a charge, once each."""
    with pytest.raises(ValueError, match="Cu, Na"):
        charges_for(["O", "Na", "Cu", "Cu"], SCREENED_CHARGES)
    assert charges_for(["Cu", "H"], {**SCREENED_CHARGES, "Cu": 0.0}).tolist() == [0.0, 0.2781]


def column(heights: list[float], axis: int = 2) -> tuple[Array, list[list[int]]]:
    """Molecules of two atoms 0.4 Å to either side of the heights given."""
    positions = np.zeros((2 * len(heights), 3))
    positions[0::2, axis] = np.array(heights) - 0.4
    positions[1::2, axis] = np.array(heights) + 0.4
    return positions, [[2 * i, 2 * i + 1] for i in range(len(heights))]


@pytest.mark.parametrize(
    ("heights", "left"),
    [
        ([0.0, 3.0, 6.0, 9.0], 0),
        ([9.0, 0.0, 6.0, 3.0], 0),
        ([0.0, 3.0, 6.0, 6.0 + DETACHED - 0.01], 0),
        ([0.0, 3.0, 6.0, 6.0 + DETACHED + 0.01], 1),
        ([-20.0, 0.0, 3.0, 6.0, 20.0], 2),
        ([0.0, 3.0, 6.0, 20.0, 22.0], 2),
        ([-30.0, -28.0, 0.0, 3.0, 6.0, 20.0], 3),
        ([5.0], 0),
    ],
)
def test_evaporated(heights: list[float], left: int) -> None:
    """Those outside the largest group without a gap, on either side, one by one or in clusters, in any order."""
    for axis in range(3):
        positions, molecules = column(heights, axis)
        assert evaporated(positions, molecules, axis) == left


def test_nothing_evaporates_from_a_whole_film(box: Box) -> None:
    """27 molecules in three layers; one of them lifted by 15 Å."""
    positions, _, molecules, _ = box
    assert evaporated(positions, molecules) == 0
    positions[molecules[13]] += [0.0, 0.0, 15.0]
    assert evaporated(positions, molecules) == 1

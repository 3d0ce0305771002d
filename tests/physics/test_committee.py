from __future__ import annotations

import numpy as np
import pytest

from aiida_falsemetal.physics.committee import disagreement


def test_two_members_that_differ_on_one_atom() -> None:
    """Two forces f and f + d deviate from their mean by |d|/2 each."""
    forces = np.random.default_rng(1).normal(size=(5, 3))
    other = forces.copy()
    other[2] += [0.3, 0.0, -0.4]
    assert disagreement(np.array([forces, other])) == pytest.approx(0.25, abs=1e-12)
    assert disagreement(np.array([forces, forces])) == 0.0


def test_it_is_the_deviation_of_the_members_where_it_is_largest() -> None:
    """Isotropic noise of standard deviation s on one atom: sqrt(3) s for many members."""
    rng = np.random.default_rng(2)
    forces = np.zeros((20000, 4, 3))
    forces[:, 3] = rng.normal(scale=0.2, size=(20000, 3))
    forces[:, 0] = rng.normal(scale=0.1, size=(20000, 3))
    # The relative error of a standard deviation from 60,000 numbers is 0.3 %.
    assert disagreement(forces) == pytest.approx(0.2 * np.sqrt(3.0), rel=0.015)


def test_what_is_no_number_is_an_infinite_disagreement() -> None:
    forces = np.zeros((2, 3, 3))
    forces[1, 0, 0] = np.nan
    assert disagreement(forces) == float("inf")


@pytest.mark.parametrize("shape", [(1, 4, 3), (2, 4), (2, 0, 3), (2, 4, 2)])
def test_one_member_or_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="two members"):
        disagreement(np.zeros(shape))

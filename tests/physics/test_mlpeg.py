"""ML-PEG's metrics by hand."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_falsemetal.physics import dipoles, gaplaw, mlpeg

from .conftest import water


def test_constants_are_the_published_ones() -> None:
    """0.02459 e/Å; the copper window as PHYSICS.md rounds it; the charges that the dipole series uses anyway."""
    assert mlpeg.FREE_FILM[1] == pytest.approx(0.02459, abs=5e-6)
    assert mlpeg.FREE_FILM == (-gaplaw.BREAKDOWN, gaplaw.BREAKDOWN)
    assert mlpeg.COPPER_FILM == pytest.approx((-0.01969, 0.01168), abs=5e-6)
    assert {"O": mlpeg.OXYGEN, "H": -mlpeg.OXYGEN / 2} == pytest.approx(dipoles.SCREENED_CHARGES)


def test_moment_of_one_molecule() -> None:
    """A water along z, on copper that counts nothing, whatever its height."""
    one = water()
    positions = np.stack([np.vstack([one, [[0, 0, -5.0]]]), np.vstack([-one + 7.0, [[0, 0, 3.0]]])])
    found = mlpeg.moment_per_area(positions, ["O", "H", "H", "Cu"], np.diag([4.0, 5.0, 30.0]))
    assert found == pytest.approx(0.5562 * one[1, 2] / 20.0 * np.array([1, -1]))


def test_molecules_are_not_made_whole() -> None:
    """Their way: a hydrogen on the other side of the cell counts where it is stored."""
    positions = water()[None].copy()
    positions[0, 1, 2] += 30.0
    found = mlpeg.moment_per_area(positions, ["O", "H", "H"], np.eye(3) * 10.0)
    assert found[0] > 0.2781 * 30.0 / 100.0


def test_metrics_by_hand() -> None:
    """Divisor n, about the mean; frames on the edge are inside; all frames count."""
    moment = np.array([0.0, 0.03, -0.03, mlpeg.FREE_FILM[1]])
    found = mlpeg.metrics(moment)
    assert found.sigma == pytest.approx(np.sqrt(np.mean((moment - moment.mean()) ** 2)))
    assert (found.fraction, found.frames) == (0.5, 4)
    assert mlpeg.metrics(np.array([0.015, -0.015]), mlpeg.COPPER_FILM).fraction == 0.5
    assert mlpeg.sigma_deviation(moment, 2 * moment) == pytest.approx(found.sigma)


@pytest.mark.parametrize("bad", [[], [np.nan], [[1.0]]])
def test_nonsense_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        mlpeg.metrics(np.array(bad))
    with pytest.raises(ValueError, match="fit"):
        mlpeg.moment_per_area(np.zeros((2, 3, 3)), ["O"], np.eye(3))

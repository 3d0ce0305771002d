"""How far the members of a committee of potentials disagree on a configuration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def disagreement(forces: Array) -> float:
    """The largest, over atoms, of the members' root mean square deviation from their mean force, in eV/Å.

    The model deviation of Y. Zhang, H. Wang, W. Chen, J. Zeng, L. Zhang, H. Wang, W. E, Comput. Phys. Commun. 253,
    107206 (2020): sqrt(<|f_i - <f_i>|^2>) over the members, of the atom i where it is largest.

    :param forces: shape (members, atoms, 3) in eV/Å, two members at least.
    :return: infinity where a force is not a number.
    :raises ValueError: if the shape is another one.
    """
    given = np.asarray(forces, dtype=float)
    if given.ndim != 3 or given.shape[0] < 2 or given.shape[2] != 3 or not given.shape[1]:
        raise ValueError(f"Forces of two members at least are wanted, (members, atoms, 3), not {given.shape}.")
    if not np.isfinite(given).all():
        return float("inf")
    return float(np.sqrt(((given - given.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0).max()))

"""Charges whose energy in vacuum has the electrons' screening right: the electronic continuum correction.

Nuclei move in a continuum of electrons with the permittivity eps_inf. Two bare charges q_0 that are some molecules
apart interact by q_0^2 / (4 pi eps0 eps_inf r); a potential without electrons has that with q = q_0 / sqrt(eps_inf) in
vacuum (Leontyev and Stuchebrukhov, Phys. Chem. Chem. Phys. 13, 2613 (2011)). The screened charges of :mod:`.dipoles`
are q_s = q_0 / eps_inf, for a film's drop is that of P_0 / eps_inf. So

    q = sqrt(eps_inf) q_s.

A film is the second way to the same: polarising it costs E_slab = eps_inf M_s^2 / (2 eps0 V) (:mod:`.missing_energy`),
and an Ewald sum of charges q over an isolated film gives (sum q z)^2 / (2 eps0 V), which is that if q = sqrt(eps_inf)
q_s. For water: eps_inf = 1.78 and q_s = -0.5562 e give -0.742 e on oxygen.

The scaling holds for distances beyond molecules. What is nearer is left to the short-ranged part, which learns the
difference to the labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from .dipoles import SCREENED_CHARGES
from .missing_energy import EPS_INF


def continuum_charges(screened: Mapping[str, float] = SCREENED_CHARGES, eps_inf: float = EPS_INF) -> dict[str, float]:
    """sqrt(eps_inf) q_s in e by element.

    :param screened: charge in e by element whose dipole makes the potential drop that DFT sees.
    :param eps_inf: electronic permittivity of the liquid, at least 1.
    :raises ValueError: if it is below 1.
    """
    if not eps_inf >= 1.0:
        raise ValueError(f"An electronic permittivity of {eps_inf} is below 1.")
    return {element: math.sqrt(eps_inf) * charge for element, charge in screened.items()}

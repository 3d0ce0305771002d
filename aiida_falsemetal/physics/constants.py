"""Constants in the units used everywhere here: Å, eV, e, K, fs.

Values are CODATA 2018; they equal those of PHYSICS.md to the digits given there.
"""

EPS0 = 5.526349358e-3
"""Vacuum permittivity in e / (V Å)."""

BOLTZMANN = 8.617333262e-5
"""Boltzmann constant in eV / K."""

DEBYE = 0.2081943
"""One debye in e Å."""

RYDBERG = 13.605693123
"""One rydberg in eV."""

HARTREE = 2 * RYDBERG
"""One hartree in eV."""

BOHR = 0.529177210903
"""One bohr in Å."""

COULOMB = 1.0 / (4.0 * 3.141592653589793 * EPS0)
"""Prefactor of the Coulomb energy, 1 / (4 pi eps0), in eV Å / e^2."""

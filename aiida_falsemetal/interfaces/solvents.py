"""Liquids and ions that interfaces are filled with: geometry, volume, permittivities and screened charges.

Screened charges are those whose dipole makes the potential drop that DFT sees (PHYSICS.md, section 2): the molecule's
dipole in the liquid over eps_inf, for the electrons of the other molecules weaken it. Water's are the authors' own.
The other liquids' are a force field's (OPLS-AA), scaled to mu_liquid / eps_inf. They order frames and expect drops; the
drop that counts is that of each frame's own density, which pw.x gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from ase import Atoms, units
from ase.build import molecule

from ..physics.dipoles import SCREENED_CHARGES
from .recipe import InterfaceError

Kind = TypeVar("Kind")
AVOGADRO = 0.602214
"""Å^-3 cm^3/mol: molar volumes in cm^3 over this are Å^3 a molecule."""


@dataclass(frozen=True)
class Solvent:
    """One kind of molecule.

    :param name: as in a campaign file.
    :param symbols: chemical symbols in the order of the atoms, a heavy atom first.
    :param volume: Å^3 a molecule at 298 K.
    :param force_field: charges in e whose ratios the screened ones keep.
    :param liquid_dipole: D, of a molecule in the liquid; None where ``force_field`` is screened already.
    :param eps: static relative permittivity at 298 K.
    :param eps_inf: optical one, the square of the refractive index.
    :param source: where the numbers are from.
    """

    name: str
    symbols: tuple[str, ...]
    volume: float
    force_field: tuple[float, ...]
    liquid_dipole: float | None
    eps: float
    eps_inf: float
    source: str

    def atoms(self) -> Atoms:
        """One molecule (G2 geometry), its atoms in the order of ``symbols``."""
        found = molecule(_G2[self.name])
        if self.name == "water":
            return found[[0, 1, 2]]
        return found

    def charges(self) -> tuple[float, ...]:
        """Screened charge of every atom, e; they sum to zero."""
        if self.liquid_dipole is None:
            return self.force_field
        moment = float(np.linalg.norm(np.array(self.force_field) @ self.atoms().positions)) / units.Debye
        scale = self.liquid_dipole / self.eps_inf / moment
        return tuple(scale * charge for charge in self.force_field)

    def grams_per_cm3(self) -> float:
        """Density that ``volume`` means."""
        return float(self.atoms().get_masses().sum() / (AVOGADRO * self.volume))


@dataclass(frozen=True)
class Salt:
    """Two ions.

    :param ions: chemical symbols.
    :param charges: formal ones, e.
    :param volume: Å^3 that a pair adds to water (partial molar volume at infinite dilution).
    """

    name: str
    ions: tuple[str, str]
    charges: tuple[int, int]
    volume: float
    source: str


_G2 = {"water": "H2O", "methanol": "CH3OH", "acetonitrile": "CH3CN"}

SOLVENTS = {
    found.name: found
    for found in (
        Solvent(
            name="water",
            symbols=("O", "H", "H"),
            volume=29.97,
            force_field=(SCREENED_CHARGES["O"], SCREENED_CHARGES["H"], SCREENED_CHARGES["H"]),
            liquid_dipole=None,
            eps=78.0,
            eps_inf=1.78,
            source="0.997 g/cm^3 at 25 °C (IAPWS-95); eps, eps_inf and charges: PHYSICS.md, sections 2 and 3",
        ),
        Solvent(
            name="methanol",
            symbols=("C", "O", "H", "H", "H", "H"),
            volume=32.042 / 0.7866 / AVOGADRO,
            force_field=(0.145, -0.683, 0.04, 0.418, 0.04, 0.04),
            liquid_dipole=2.64,
            eps=32.6,
            eps_inf=1.3265**2,
            source="0.7866 g/cm^3, eps, n_D at 25 °C: CRC Handbook; charges: OPLS-AA, Jorgensen et al., J. Am. Chem. "
            "Soc. 118, 11225 (1996); 2.64 D: ab initio MD, Pagliai et al., J. Chem. Phys. 119, 6655 (2003)",
        ),
        Solvent(
            name="acetonitrile",
            symbols=("C", "C", "N", "H", "H", "H"),
            volume=41.053 / 0.7766 / AVOGADRO,
            force_field=(-0.08, 0.46, -0.56, 0.06, 0.06, 0.06),
            liquid_dipole=4.91,
            eps=35.9,
            eps_inf=1.3416**2,
            source="0.7766 g/cm^3, eps, n_D, gas-phase dipole 3.92 D: CRC Handbook; charges: OPLS-AA, Price et al., J. "
            "Comput. Chem. 22, 1340 (2001); 4.91 D: the gas phase's in Onsager's reaction field, mu (2 eps + 1) "
            "(eps_inf + 2) / (3 (2 eps + eps_inf)), J. Am. Chem. Soc. 58, 1486 (1936)",
        ),
    )
}
SALTS = {
    found.name: found
    for found in (
        Salt("NaCl", ("Na", "Cl"), (1, -1), 16.6 / AVOGADRO, "Millero, Chem. Rev. 71, 147 (1971)"),
        Salt("KCl", ("K", "Cl"), (1, -1), 26.8 / AVOGADRO, "Millero, Chem. Rev. 71, 147 (1971)"),
    )
}


def solvent(name: str) -> Solvent:
    """The solvent called ``name``.

    :raises InterfaceError: if there is none.
    """
    return _known(name, SOLVENTS, "solvent")


def salt(name: str) -> Salt:
    """The salt called ``name``.

    :raises InterfaceError: if there is none.
    """
    return _known(name, SALTS, "salt")


def _known(name: str, table: dict[str, Kind], what: str) -> Kind:
    if name not in table:
        raise InterfaceError(f"there is no {what} {name!r}; use one of {', '.join(table)}.")
    return table[name]


@cache
def by_formula() -> dict[str, Solvent]:
    """Solvents by formula in Hill's order, as ase writes it."""
    return {found.atoms().get_chemical_formula(): found for found in SOLVENTS.values()}


def ion_charge(charge: int, eps_inf: float) -> float:
    """Screened charge in e of an ion in a liquid: the electrons around it leave charge / eps_inf."""
    return charge / eps_inf

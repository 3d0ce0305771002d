"""Short-ranged MACE on top of a fixed-charge Ewald baseline: explicit long-ranged electrostatics that cannot run away.

E = E_MACE + E_baseline. The baseline is the Ewald sum (torch-pme, reciprocal space only) of Gaussian charges of width
``smearing``; MACE has learnt what is left of the labels, which is short-ranged. Films get the slab correction unless
``slab_correction`` is false; a film on a metal, with vacuum above, is one of them. The metal has no charges here, so it
screens nothing, and need not: the correction takes away what the images do, and the depolarising field that is left is
the same with a neutral metal and without.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from ...physics.constants import COULOMB
from ...physics.slab import is_film, slab_correction
from ..family import Family, ModelError, ModelFacts
from ._lockstep import Lockstep
from .mace import mace_calculator, mace_lockstep, read_facts

KEYS = {"default_dtype", "charges", "smearing", "slab_correction"}
RECIPROCAL_TAIL = 4.5
"""k-vectors up to this over the smearing: what is left out weighs exp(-4.5^2 / 2) = 4e-5."""


class MaceEwaldFamily(Family):
    """A MACE file plus ``charges`` (e, by element) and ``smearing`` (Å) as keyword arguments."""

    name = "mace_ewald"
    requires = ("mace", "torch", "torchpme")
    environment = "mace"
    batches = True

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`."""
        self._check(kwargs)
        facts = read_facts(path)
        missing = sorted(set(facts.elements) - set(kwargs["charges"]))
        if missing:
            raise ModelError(f"charges has no entry for {missing[0]}; give one for every element of the model.")
        # All that is long-ranged in its energy is that of these charges, so it is their dipole whose width is known.
        return replace(
            facts,
            long_ranged=True,
            boundary="isolated" if kwargs.get("slab_correction", True) else "tin-foil",
            charges={element: float(charge) for element, charge in kwargs["charges"].items()},
        )

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`."""
        self._check(kwargs)
        return SumOfTwo(mace_calculator(path, _options(kwargs)), _baseline(atoms, kwargs))

    def batch(self, path: Path, kwargs: dict[str, Any], systems: Sequence[Atoms]) -> tuple[Lockstep, list[Calculator]]:
        """See :meth:`Family.batch`. The baseline is each system's own."""
        self._check(kwargs)
        lockstep = mace_lockstep(path, _options(kwargs), len(systems))
        return lockstep, [
            SumOfTwo(lockstep.calculator(place), _baseline(atoms, kwargs)) for place, atoms in enumerate(systems)
        ]

    def _check(self, kwargs: dict[str, Any]) -> None:
        self.check_keys(kwargs, KEYS)
        for key in ("charges", "smearing"):
            if key not in kwargs:
                raise ModelError(f"family `mace_ewald` needs the keyword {key!r}.")
        if not float(kwargs["smearing"]) > 0.3:
            raise ModelError(f"smearing must be larger than 0.3 Å, not {kwargs['smearing']}.")


def _options(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {"default_dtype": kwargs["default_dtype"]} if "default_dtype" in kwargs else {}


def _baseline(atoms: Atoms, kwargs: dict[str, Any]) -> EwaldBaseline:
    return EwaldBaseline(atoms, kwargs["charges"], kwargs["smearing"], kwargs.get("slab_correction", True))


class EwaldBaseline(Calculator):
    """Energy and forces of smeared fixed charges in a periodic cell, with the slab correction for films.

    :param atoms: the system: fixes the charges, and whether it is a film (:func:`is_film`).
    :param charges: charge in e of each element; their sum over ``atoms`` must vanish.
    :param smearing: width (standard deviation of the split, Å): two charges interact as
        erf(r / (sqrt(2) smearing)) / r.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (ASE's own convention)

    def __init__(self, atoms: Atoms, charges: dict[str, float], smearing: float, slab: bool = True) -> None:
        super().__init__()
        import torch
        import torchpme

        self.charges = np.array([charges[s] for s in atoms.get_chemical_symbols()])
        if abs(self.charges.sum()) > 1e-6:
            raise ModelError(
                f"the baseline's charges sum to {self.charges.sum():.4f} e on this interface, not to zero."
            )
        potential = torchpme.CoulombPotential(smearing=smearing, prefactor=COULOMB)
        # torch-pme takes half as many k-vectors along each axis as the wavelength suggests (it lays them out as an FFT
        # does, from -n/2 to n/2), hence the factor of one half.
        wavelength = 0.5 * 2.0 * math.pi * smearing / RECIPROCAL_TAIL
        self.ewald = torchpme.EwaldCalculator(potential, lr_wavelength=wavelength).to(torch.float64)
        self.torch_charges = torch.tensor(self.charges[:, None], dtype=torch.float64)
        self.corrected = slab and is_film(atoms.get_positions(), atoms.cell.lengths()[2])

    def calculate(self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """ASE's entry point; fills ``results``."""
        super().calculate(atoms, properties, system_changes)
        import torch

        positions = torch.tensor(self.atoms.get_positions(), dtype=torch.float64, requires_grad=True)
        cell = torch.tensor(self.atoms.cell.array, dtype=torch.float64)
        # No pairs: the sum over pairs would add the rest of the point-charge Coulomb energy, which MACE has learnt.
        nobody = torch.zeros((0, 2), dtype=torch.int64)
        nothing = torch.zeros(0, dtype=torch.float64)
        potential = self.ewald(self.torch_charges, cell, positions, nobody, nothing)
        energy = (self.torch_charges * potential).sum()
        (gradient,) = torch.autograd.grad(energy, positions)
        value, forces = float(energy.detach()), -gradient.numpy()
        if self.corrected:
            extra, more = slab_correction(self.atoms.get_positions(), self.charges, self.atoms.get_volume())
            value, forces = value + extra, forces + more
        self.results = {"energy": value, "forces": forces}


class SumOfTwo(Calculator):
    """Adds energies and forces of two calculators."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (ASE's own convention)

    def __init__(self, first: Calculator, second: Calculator) -> None:
        super().__init__()
        self.parts = (first, second)

    def calculate(self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """ASE's entry point; fills ``results``."""
        super().calculate(atoms, properties, system_changes)
        for part in self.parts:
            part.calculate(self.atoms, ["energy", "forces"], all_changes)
        self.results = {
            "energy": sum(part.results["energy"] for part in self.parts),
            "forces": sum(np.asarray(part.results["forces"], dtype=float) for part in self.parts),
        }


FAMILY = MaceEwaldFamily()

"""Classical force fields through OpenMM: the controls whose electrostatics is known exactly.

The file is an OpenMM ForceField XML. ``electrostatics`` is ``pme`` (full particle-mesh Ewald, the negative control) or
``truncated`` (damped shifted force of Fennell and Gezelter, J. Chem. Phys. 124, 234104 (2006): nothing beyond
``cutoff``; the positive control). The mesh sum has tin-foil boundary; a film in a cell with vacuum gets the slab
correction (:func:`..physics.slab.is_film`) unless ``slab_correction`` is false. Small cells are tiled laterally, so
that a cutoff may exceed half of the cell.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from ...physics.molecules import find_molecules
from ...physics.slab import is_film, slab_correction
from ..family import Family, ModelError, ModelFacts

DEFAULTS: dict[str, Any] = {
    "electrostatics": "pme",
    "cutoff": 6.0,
    "damping": 0.2,
    "slab_correction": True,
    "ewald_tolerance": 1e-4,
    "platform": "CPU",
}
NM = 0.1
COULOMB_KJ_NM = 138.935456
"""1 / (4 pi eps0) in kJ nm / (mol e^2)."""
ERFC = "t*(0.254829592 + t*(-0.284496736 + t*(1.421413741 + t*(-1.453152027 + t*1.061405429))))"
"""erfc(x) = this times exp(-x^2), t = 1/(1 + 0.3275911 x), to 1.5e-7 (Abramowitz and Stegun, 7.1.26). OpenMM compiles
powers and exponentials, and interprets erfc, which took twice as long."""
KJ_MOL = 0.010364269656262175
"""1 kJ/mol in eV."""


class OpenmmFamily(Family):
    """OpenMM ForceField XML files with one residue template a molecule."""

    name = "openmm"
    requires = ("openmm",)

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`."""
        options = self._options(kwargs)
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError as error:
            raise ModelError(f"{path.name} is not a complete OpenMM ForceField XML file: {error}.") from error
        elements = tuple(sorted({t.get("element", "") for t in root.iter("Type")} - {""}))
        if root.tag != "ForceField" or not elements:
            raise ModelError(f"{path.name} is not an OpenMM ForceField XML file: no <ForceField> with atom types.")
        truncated = options["electrostatics"] == "truncated"
        return ModelFacts(
            elements=elements,
            cutoff=float(options["cutoff"]),
            layers=1,
            long_ranged=not truncated,
            precision="mixed",
            coulomb_cutoff=float(options["cutoff"]) if truncated else None,
            boundary="isolated" if truncated or options["slab_correction"] else "tin-foil",
            charges=_charges_by_element(root),
        )

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`."""
        return OpenmmCalculator(path, atoms, self._options(kwargs))

    def _options(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        self.check_keys(kwargs, set(DEFAULTS))
        options = {**DEFAULTS, **kwargs}
        if options["electrostatics"] not in ("pme", "truncated"):
            raise ModelError(f"electrostatics must be `pme` or `truncated`, not {options['electrostatics']!r}.")
        if not 3.0 <= float(options["cutoff"]) <= 15.0:
            raise ModelError(f"cutoff must lie between 3 and 15 Å, not {options['cutoff']}.")
        return options


class OpenmmCalculator(Calculator):
    """Energy (eV) and forces (eV/Å) of an OpenMM system, one thread, deterministic.

    :param path: the ForceField XML.
    :param atoms: the system; its atoms keep their order and their molecules.
    :param options: all keys of ``DEFAULTS``.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (ASE's own convention)

    def __init__(self, path: Path, atoms: Atoms, options: dict[str, Any]) -> None:
        super().__init__()
        import openmm

        cell = atoms.cell.lengths()
        if np.abs(atoms.cell.array - np.diag(cell)).max() > 1e-6:
            raise ModelError("family `openmm` takes orthogonal cells only.")
        needed = 2.0 * float(options["cutoff"]) + 0.1
        # Lateral images are real atoms here, because OpenMM refuses a cutoff above half of the cell.
        self.tiles = tuple(max(1, math.ceil(needed / length)) for length in cell)
        self.shifts = np.array([np.array(i) * cell for i in np.ndindex(*self.tiles)])
        molecules = find_molecules(atoms)
        system = _create_system(path, atoms, molecules, cell * self.tiles, len(self.shifts), options)
        platform = openmm.Platform.getPlatformByName(options["platform"])
        properties = {"Threads": "1", "DeterministicForces": "true"} if options["platform"] == "CPU" else {}
        self.context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform, properties)
        self.charges = _charges(system, len(atoms))
        corrects = options["electrostatics"] == "pme" and options["slab_correction"]
        self.corrected = corrects and is_film(atoms.get_positions(), cell[2])
        self.volume = float(atoms.get_volume())

    def forget(self) -> None:
        """Rebuild the neighbour list from the next positions alone, as a new calculator would."""
        self.context.reinitialize()
        self.reset()

    def calculate(self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """ASE's entry point; fills ``results``."""
        super().calculate(atoms, properties, system_changes)
        positions = self.atoms.get_positions()
        tiled = (positions[None, :, :] + self.shifts[:, None, :]).reshape(-1, 3) * NM
        self.context.setPositions(tiled)
        state = self.context.getState(getEnergy=True, getForces=True)
        copies = len(self.shifts)
        energy = state.getPotentialEnergy()._value * KJ_MOL / copies
        forces = state.getForces(asNumpy=True)._value[: len(positions)] * (KJ_MOL * NM)
        if self.corrected:
            extra_energy, extra_forces = slab_correction(positions, self.charges, self.volume)
            energy, forces = energy + extra_energy, forces + extra_forces
        self.results = {"energy": energy, "forces": forces}


def _charges_by_element(root: ElementTree.Element) -> dict[str, float] | None:
    """Charges (e) by element, as the file has them by type; None where two types of an element differ."""
    element = {kind.get("name"): kind.get("element", "") for kind in root.iter("Type")}
    found: dict[str, float] = {}
    for atom in root.findall("NonbondedForce/Atom"):
        symbol, charge = element.get(atom.get("type"), ""), float(atom.get("charge", "nan"))
        if found.setdefault(symbol, charge) != charge:
            return None
    return found if set(found) == set(element.values()) else None


def _create_system(
    path: Path, atoms: Atoms, molecules: list[list[int]], box: np.ndarray, copies: int, options: dict[str, Any]
) -> Any:
    """OpenMM system of ``copies`` of ``atoms`` in an orthogonal ``box`` (Å)."""
    import openmm
    from openmm import app

    topology = app.Topology()
    topology.setPeriodicBoxVectors(np.diag(box * NM))
    symbols = atoms.get_chemical_symbols()
    owner = {index: number for number, members in enumerate(molecules) for index in members}
    chain = topology.addChain()
    for _ in range(copies):
        _add_copy(topology, chain, symbols, owner, molecules)
    method = app.PME if options["electrostatics"] == "pme" else app.CutoffPeriodic
    cutoff = float(options["cutoff"]) * NM
    system = app.ForceField(str(path)).createSystem(
        topology,
        nonbondedMethod=method,
        nonbondedCutoff=cutoff,
        ewaldErrorTolerance=float(options["ewald_tolerance"]),
        removeCMMotion=False,
        rigidWater=False,
    )
    nonbonded = _nonbonded(system)
    nonbonded.setUseDispersionCorrection(False)
    nonbonded.setUseSwitchingFunction(True)
    nonbonded.setSwitchingDistance(0.85 * cutoff)
    if options["electrostatics"] == "truncated":
        _truncate_coulomb(openmm, system, nonbonded, cutoff, float(options["damping"]) / NM)
    return system


def _add_copy(topology: Any, chain: Any, symbols: list[str], owner: dict[int, int], molecules: list[list[int]]) -> None:
    """Add one copy of all molecules, a residue each; atoms must be contiguous within their molecule."""
    from openmm import app

    expected = 0
    for members in molecules:
        if members != list(range(expected, expected + len(members))):
            raise ModelError("family `openmm` needs the atoms of a molecule one after the other (O H H O H H ...).")
        expected += len(members)
        if sorted(symbols[i] for i in members) != ["H", "H", "O"]:
            raise ModelError("the shipped OpenMM controls are for water alone.")
        residue = topology.addResidue("HOH", chain)
        made = {}
        hydrogens = 0
        for index in members:
            hydrogens += symbols[index] == "H"
            name = "O" if symbols[index] == "O" else f"H{hydrogens}"
            made[index] = topology.addAtom(name, app.Element.getBySymbol(symbols[index]), residue)
        oxygen = next(made[i] for i in members if symbols[i] == "O")
        for index in members:
            if symbols[index] == "H":
                topology.addBond(oxygen, made[index])


def _nonbonded(system: Any) -> Any:
    import openmm

    return next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))


def _charges(system: Any, count: int) -> np.ndarray:
    """Charges (e) of the first ``count`` particles, wherever the Coulomb part lives."""
    import openmm

    for force in system.getForces():
        if isinstance(force, openmm.CustomNonbondedForce):
            return np.array([force.getParticleParameters(i)[0] for i in range(count)])
    force = _nonbonded(system)
    return np.array([force.getParticleParameters(i)[0]._value for i in range(count)])


def _truncate_coulomb(openmm: Any, system: Any, nonbonded: Any, cutoff: float, damping: float) -> None:
    """Move the Coulomb part into a damped shifted force that ends at ``cutoff`` (nm) with zero energy and force."""
    shift = math.erfc(damping * cutoff) / cutoff
    slope = shift / cutoff + 2.0 * damping / math.sqrt(math.pi) * math.exp(-((damping * cutoff) ** 2)) / cutoff
    custom = openmm.CustomNonbondedForce(
        f"{COULOMB_KJ_NM}*q1*q2*({ERFC}*exp(-(a*r)^2)/r - {shift!r} + {slope!r}*(r - rc)); t = 1/(1 + 0.3275911*a*r)"
    )
    custom.addPerParticleParameter("q")
    custom.addGlobalParameter("a", damping)
    custom.addGlobalParameter("rc", cutoff)
    custom.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
    custom.setCutoffDistance(cutoff)
    for index in range(nonbonded.getNumParticles()):
        charge, sigma, epsilon = nonbonded.getParticleParameters(index)
        custom.addParticle([charge._value])
        nonbonded.setParticleParameters(index, 0.0, sigma, epsilon)
    for index in range(nonbonded.getNumExceptions()):
        i, j, _, sigma, epsilon = nonbonded.getExceptionParameters(index)
        nonbonded.setExceptionParameters(index, i, j, 0.0, sigma, epsilon)
        custom.addExclusion(i, j)
    system.addForce(custom)


FAMILY = OpenmmFamily()

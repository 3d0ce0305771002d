"""A bulk liquid in a cubic cell, periodic in all directions.

It is no interface: it has no normal, no vacuum and no potential drop, so it is not among the recipes of a campaign.
Potentials are trained on it besides films (:mod:`aiida_falsemetal.campaign.twins`).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field, field_validator

from .liquid import cell_info, check_width, film_info, make_liquid
from .packing import pack_slab
from .recipe import BuiltInterface, Parameters
from .solvents import SOLVENTS, solvent


class BulkParameters(Parameters):
    """``molecules`` of a liquid at its density at 298 K."""

    molecules: int = Field(ge=8, le=20000, description="of the solvent")
    seed: int = Field(default=1, ge=1, lt=2**31, description="of the packing")
    solvent: str = Field(default="water", description=f"one of {', '.join(SOLVENTS)}")

    @field_validator("solvent")
    @classmethod
    def _is_solvent(cls, name: str) -> str:
        solvent(name)
        return name

    @property
    def edge(self) -> float:
        """Of the cubic cell, Å."""
        return float((self.molecules * solvent(self.solvent).volume) ** (1.0 / 3.0))

    def elements(self) -> set[str]:
        """Chemical symbols."""
        return set(solvent(self.solvent).symbols)


def build_bulk(parameters: BulkParameters) -> BuiltInterface:
    """The packed liquid; ``info`` is that of a film whose vacuum is 0, with ``bulk`` true.

    packmol keeps the molecules half a contact from the walls in z, so that the periodic copies do not overlap; the MD's
    equilibration takes that seam away.

    :raises InterfaceError: if it cannot be packed.
    """
    edge = parameters.edge
    liquid = make_liquid(parameters.solvent, edge * edge, parameters.molecules)
    check_width(np.diag([edge, edge]), liquid)
    atoms = pack_slab(np.diag([edge, edge, edge]), 0.0, edge, liquid.contents, parameters.seed)
    info = {**film_info(liquid, 0.0), "bulk": True}
    return BuiltInterface(atoms, {**info, **cell_info(atoms, [], info["solvent_indices"])})

"""A liquid between two plates, with vacuum outside.

The vacuum keeps the outer faces of the plates apart: without it, metal, liquid and metal are one periodic pile that is
short-circuited through its images, and the liquid's dipole fluctuates 9 to 16 times as much for a good reason, which
makes it a poor test of an MLIP. It is therefore required. It does not help that *two metals in one DFT run share one
Fermi level*: electrons go from plate to plate whatever lies between, and the drop can be no more than the difference of
their work functions. To judge an MLIP by drops and gaps, let one plate at most be a metal.

The second plate is turned and strained onto the first one's cell; how much is in ``info['lattice']['second']``.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from ase import Atoms
from pydantic import Field, field_validator, model_validator

from .plates import Constant, Layers, held, matched_plate, plate
from .recipe import BuiltInterface, Parameters, Recipe
from .substrates import substrate
from .wetting import Gap, LiquidParameters, Wall, assemble, contact


class ConfinedParameters(LiquidParameters):
    """See the module. Without ``second``, both plates are alike; ``fixed_layers`` holds for both."""

    second: str | None = Field(default=None, description="substrate above the liquid; by default the same as below")
    second_layers: Layers | None = Field(
        default=None, description="layers of the second plate; by default its own number"
    )
    second_lattice_constant: Constant | None = Field(default=None, description="Å, instead of the experimental one")
    second_gap: Gap | None = Field(default=None, description="Å between the second plate and the liquid; as `gap`")
    max_strain: float = Field(default=3.0, gt=0.0, le=15.0, description="% that the second plate may be strained")

    @field_validator("second")
    @classmethod
    def _second_known(cls, name: str | None) -> str | None:
        if name is not None:
            substrate(name)
        return name

    @model_validator(mode="after")
    def _second_has_layers(self) -> Self:
        most = self.upper["layers"]
        if self.fixed_layers is not None and self.fixed_layers > most:
            raise ValueError(f"fixed_layers {self.fixed_layers} is more than the second plate's {most}; lower it")
        return self

    @property
    def upper(self) -> dict[str, Any]:
        """The second plate's ``name``, ``layers`` and ``lattice_constant``: those of the first unless it differs."""
        name = self.second or self.substrate
        alike = name == self.substrate
        constant = self.second_lattice_constant or (self.lattice_constant if alike else None)
        layers = self.second_layers or (self.layers if alike else None) or substrate(name).layers
        return {"name": name, "layers": layers, "lattice_constant": constant}

    def elements(self) -> set[str]:
        """Chemical symbols of both plates and the liquid."""
        return super().elements() | set(substrate(self.upper["name"]).species)


class ConfinedRecipe(Recipe):
    """See the module."""

    name: ClassVar[str] = "confined"
    summary: ClassVar[str] = "a liquid between two plates, with vacuum outside"
    parameters: ClassVar[type[Parameters]] = ConfinedParameters

    @classmethod
    def examples(cls) -> list[dict[str, Any]]:
        """See :meth:`Recipe.examples`."""
        return [
            {"substrate": "h-BN", "repeat": [4, 2], "molecules": 20, "seed": 2},
            {"substrate": "graphene", "cell": "hexagonal", "repeat": [4, 4], "thickness": 8.0},
            {"substrate": "MgO(100)", "layers": 2, "lateral": [9.0, 9.0], "thickness": 10.0, "fixed_layers": 1},
            {
                "substrate": "Cu(111)",
                "layers": 3,
                "cell": "hexagonal",
                "repeat": [4, 4],
                "second": "h-BN",
                "molecules": 25,
            },
        ]

    def elements(self, parameters: ConfinedParameters) -> set[str]:
        """See :meth:`Recipe.elements`."""
        return parameters.elements()

    def has_metal(self, parameters: ConfinedParameters) -> bool:
        """See :meth:`Recipe.has_metal`."""
        return substrate(parameters.substrate).metal or substrate(parameters.upper["name"]).metal

    def size(self, parameters: ConfinedParameters) -> int:
        """See :meth:`Recipe.size`."""
        below = plate(parameters)
        upper, _ = matched_plate(**parameters.upper, below=below, max_strain=parameters.max_strain)
        return below.count + len(upper) + parameters.liquid(below.area).count

    def build(self, parameters: ConfinedParameters) -> BuiltInterface:
        """Put the plates down and pack the liquid between them. See :meth:`Recipe.build`."""
        p = parameters
        below = plate(p)
        upper, second = matched_plate(**p.upper, below=below, max_strain=p.max_strain)
        gap = p.second_gap or (p.gap if p.second is None else None) or contact(p, upper)
        layers = p.upper["layers"]
        roof = Wall(
            mirrored(upper),
            held(len(upper), layers, p.fixed_layers, top=True),
            substrate(p.upper["name"]).metal,
            gap,
        )
        lattice = {**below.report(), "second": second}
        return assemble(p, below, held(below.count, below.layers, p.fixed_layers), lattice, roof)


def mirrored(atoms: Atoms) -> Atoms:
    """A plate turned upside down by reflection, which keeps its lateral cell; again sorted from bottom to top."""
    turned = atoms[::-1]
    turned.positions[:, 2] = atoms.positions[:, 2].max() - turned.positions[:, 2]
    return turned


RECIPE = ConfinedRecipe()

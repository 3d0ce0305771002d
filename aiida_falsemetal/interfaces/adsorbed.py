"""A film of a liquid on a substrate, vacuum above: the paper's second kind of interface.

The paper's Cu(111)/water is ``{substrate: Cu(111), repeat: [5, 3], layers: 4, thickness: 32}``: 4 layers of 30 atoms.

With a metal (graphene counts as one) ``metal_indices`` are given, and a frame's gap is that of the liquid's own states.
With an insulator there are none, and the gap is that of the whole: rutile's own in PBE, some 2 eV, lies within that of
water, so that there the drop tells of the liquid and the gap does not.

Charges are 0 on every substrate. A metal answers the liquid's field with its surface charge, and no charge that is
fixed to an atom can say so. The ions of NaCl, MgO and TiO2 do have charges, but every layer is neutral and without a
dipole along the normal; what their vibrations add is the substrate's, not the liquid's, and is left out of M_z.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .plates import held, plate
from .recipe import BuiltInterface, Parameters, Recipe
from .substrates import substrate
from .wetting import LiquidParameters, assemble


class AdsorbedParameters(LiquidParameters):
    """See the module; vacuum is between the film's upper surface and the substrate's lower one."""


class AdsorbedRecipe(Recipe):
    """See the module."""

    name: ClassVar[str] = "adsorbed"
    summary: ClassVar[str] = "a film of a liquid on a substrate, with vacuum above"
    parameters: ClassVar[type[Parameters]] = AdsorbedParameters

    @classmethod
    def examples(cls) -> list[dict[str, Any]]:
        """Every substrate, both cells, both ways to give sizes. See :meth:`Recipe.examples`."""
        small: dict[str, dict[str, Any]] = {
            "Cu(111)": {"layers": 3, "cell": "hexagonal", "repeat": [3, 3]},
            "Cu(100)": {"layers": 3, "repeat": [3, 3]},
            "Pt(111)": {"layers": 3, "lateral": [8.0, 9.0]},
            "Au(111)": {"layers": 3, "cell": "hexagonal", "lateral": 9.0},
            "graphene": {"cell": "hexagonal", "repeat": [4, 4]},
            "h-BN": {"lateral": [8.0, 8.0]},
            "NaCl(100)": {"layers": 2, "repeat": [2, 2]},
            "MgO(100)": {"layers": 2, "repeat": [3, 3]},
            "TiO2(110)": {"layers": 2, "repeat": [3, 1]},
        }
        films = [{"substrate": name, "molecules": 16, "seed": 3, **size} for name, size in small.items()]
        more = [
            {"substrate": "Cu(111)", "layers": 3, "repeat": [3, 2], "thickness": 12.0, "solvent": "methanol"},
            {"substrate": "graphene", "lateral": [10.0, 9.0], "thickness": 10.0, "vacuum": 15.0, "fixed_layers": 0},
            {"substrate": "Pt(111)", "layers": 3, "repeat": [3, 2], "molecules": 24, "salt": {"NaCl": 1}},
            {"substrate": "Al(111)", "layers": 3, "cell": "hexagonal", "repeat": [3, 3], "molecules": 16, "seed": 3},
        ]
        return films + more

    def elements(self, parameters: AdsorbedParameters) -> set[str]:
        """See :meth:`Recipe.elements`."""
        return parameters.elements()

    def has_metal(self, parameters: AdsorbedParameters) -> bool:
        """See :meth:`Recipe.has_metal`."""
        return substrate(parameters.substrate).metal

    def size(self, parameters: AdsorbedParameters) -> int:
        """See :meth:`Recipe.size`."""
        below = plate(parameters)
        return below.count + parameters.liquid(below.area).count

    def build(self, parameters: AdsorbedParameters) -> BuiltInterface:
        """Put the substrate down and pack the film on it. See :meth:`Recipe.build`."""
        below = plate(parameters)
        fixed = held(below.count, below.layers, parameters.fixed_layers)
        return assemble(parameters, below, fixed, below.report())


RECIPE = AdsorbedRecipe()

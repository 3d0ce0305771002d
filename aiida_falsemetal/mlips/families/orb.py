"""Orb-v3 through `orb-models` (Rhodes et al., arXiv:2504.06231): universal, short-ranged, conservative models only.

The file has weights and nothing else: the keyword ``model`` says which architecture they belong to, and ``elements``
which elements they were trained on. Orb's direct models are left out: their forces are not the gradient of an energy.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import chemical_symbols

from ..family import Family, ModelError, ModelFacts
from ._tools import download, precision, quietly, repeatable, stated_elements

KIND = "orb-v3-conservative-"
KEYS = {"model", "elements"}


class OrbFamily(Family):
    """Weights (``.ckpt``) of Orb's conservative models without charge and spin."""

    name = "orb"
    requires = ("orb_models", "torch")
    environment = "orb"

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`. Cutoff and layers are those of the architecture that the weights fit."""
        elements = self._elements(kwargs)
        model = self._load(path, kwargs, "cpu")
        return ModelFacts(
            elements=elements,
            cutoff=float(model.system_config.radius),
            layers=int(model.model.num_message_passing_steps),
            long_ranged=False,
            precision=precision(model),
        )

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`."""
        self.check_elements(atoms, self._elements(kwargs))
        device = repeatable()
        model = self._load(path, kwargs, device)
        with quietly():
            from orb_models.forcefield.calculator import ORBCalculator

            return ORBCalculator(model, device=device)

    def locate(self, source: str) -> Path:
        """See :meth:`Family.locate`. ``source`` is one of Orb's own names, such as ``orb-v3-conservative-inf-omat``."""
        with quietly():
            from cached_path import cached_path

        address = inspect.signature(self._makers()[self._known(source)]).parameters["weights_path"].default
        return download(source, address, lambda: cached_path(address))

    def _elements(self, kwargs: dict[str, Any]) -> tuple[str, ...]:
        self.check_keys(kwargs, KEYS)
        return stated_elements(self.name, kwargs, chemical_symbols[1:])

    def _makers(self) -> dict[str, Any]:
        with quietly():
            from orb_models.forcefield.pretrained import ORB_PRETRAINED_MODELS

        found = ORB_PRETRAINED_MODELS.items()
        return {name: make for name, make in found if name.startswith(KIND) and not name.endswith("omol")}

    def _known(self, name: Any) -> str:
        if name not in self._makers():
            raise ModelError(f"model must be {' or '.join(self._makers())}, not {name!r}.")
        return str(name)

    def _load(self, path: Path, kwargs: dict[str, Any], device: str) -> Any:
        make = self._makers()[self._known(kwargs.get("model"))]
        try:
            with quietly():
                return make(weights_path=str(path), device=device, precision="float32-highest", compile=False)
        except Exception as error:  # torch raises many kinds for weights that do not fit
            message = " ".join(str(error).split())[:200]
            raise ModelError(
                f"{path.name} cannot be loaded as {kwargs['model']} ({type(error).__name__}: {message}); "
                "is it complete, and is `model` the one it belongs to?"
            ) from error


FAMILY = OrbFamily()

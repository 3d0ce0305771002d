"""SevenNet checkpoints through `sevenn` (Park et al., J. Chem. Theory Comput. 20, 4857 (2024)): short-ranged.

Some checkpoints were trained on several references at once; the keyword ``modal`` says which of them is meant.
``sevenn`` needs e3nn 0.5 or later and mace-torch needs 0.4.4: the two cannot share an environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator

from ..family import Family, ModelError, ModelFacts
from ._tools import download, load_checkpoint, quietly, repeatable

PRECISION = {"single": "float32", "double": "float64"}
WHERE = "the releases of github.com/MDIL-SNU/SevenNet"


class SevennetFamily(Family):
    """Checkpoint files (``.pth``) that SevenNet's training writes."""

    name = "sevennet"
    requires = ("sevenn", "torch")
    environment = "sevennet"

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`. Elements, cutoff, layers and precision are those of the training's settings."""
        config = self._config(path, kwargs)
        return ModelFacts(
            elements=tuple(sorted(config["chemical_species"])),
            cutoff=float(config["cutoff"]),
            layers=int(config["num_convolution_layer"]),
            long_ranged=False,
            precision=PRECISION.get(str(config.get("dtype")), "float32"),
        )

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`."""
        self.check_elements(atoms, self._config(path, kwargs)["chemical_species"])
        with quietly():
            from sevenn.calculator import SevenNetCalculator

            return SevenNetCalculator(model=str(path), device=repeatable(), modal=kwargs.get("modal"))

    def locate(self, source: str) -> Path:
        """See :meth:`Family.locate`. ``source`` is a name of SevenNet's, such as ``7net-0``."""
        from sevenn.util import get_available_pretrained_models, pretrained_name_to_path

        known = get_available_pretrained_models()
        if source not in known:
            raise ModelError(f"sevenn knows no model {source!r}; it knows {', '.join(known)}.")
        return download(source, WHERE, lambda: pretrained_name_to_path(source))

    def _config(self, path: Path, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The settings that the checkpoint holds."""
        self.check_keys(kwargs, {"modal"})
        content = load_checkpoint(path, "SevenNet checkpoint")
        config = content.get("config") if isinstance(content, dict) else None
        if not isinstance(config, dict) or not {"chemical_species", "cutoff", "num_convolution_layer"} <= set(config):
            raise ModelError(f"{path.name} holds no SevenNet checkpoint; give the .pth file that sevenn wrote.")
        modals = sorted(config.get("_modal_map") or {})
        modal = kwargs.get("modal")
        if modals and modal not in modals:
            raise ModelError(f"modal must be {' or '.join(modals)} with {path.name}, not {modal!r}.")
        if modal is not None and not modals:
            raise ModelError(f"{path.name} was trained on one reference only; remove the keyword 'modal'.")
        return config


FAMILY = SevennetFamily()

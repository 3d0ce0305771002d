"""MatterSim checkpoints through `mattersim` (Yang et al., arXiv:2405.04967): universal, short-ranged.

The file does not tell which elements it was trained on, and the model answers for all up to ``max_z``: the keyword
``elements`` states them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import chemical_symbols

from ..family import Family, ModelError, ModelFacts
from ._tools import download, load_checkpoint, quietly, repeatable, stated_elements

FILES = {"mattersim-v1.0.0-1m": "mattersim-v1.0.0-1M.pth", "mattersim-v1.0.0-5m": "mattersim-v1.0.0-5M.pth"}
WHERE = "https://github.com/microsoft/mattersim, pretrained_models"
NEEDED = {"cutoff", "num_blocks", "max_z"}


class MattersimFamily(Family):
    """Checkpoints (``.pth``) of MatterSim's M3GNet."""

    name = "mattersim"
    requires = ("mattersim", "torch")
    environment = "mattersim"

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`. Three-body terms reach less far than the cutoff, and add no layer."""
        self.check_keys(kwargs, {"elements"})
        content = load_checkpoint(path, "MatterSim checkpoint")
        settings = content.get("model_args") if isinstance(content, dict) else None
        if not isinstance(settings, dict) or not NEEDED <= set(settings) or "model" not in content:
            raise ModelError(f"{path.name} holds no MatterSim checkpoint; give the .pth file of a release.")
        return ModelFacts(
            elements=stated_elements(self.name, kwargs, chemical_symbols[1 : int(settings["max_z"]) + 1]),
            cutoff=float(settings["cutoff"]),
            layers=int(settings["num_blocks"]),
            long_ranged=False,
            precision=str(next(iter(content["model"].values())).dtype).removeprefix("torch."),
        )

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`."""
        self.check_elements(atoms, self.inspect(path, kwargs).elements)
        with quietly():
            from mattersim.forcefield.potential import MatterSimCalculator, Potential

            device = repeatable()
            potential = Potential.from_checkpoint(str(path.resolve()), device=device, load_training_state=False)
            return MatterSimCalculator(potential=potential, device=device)

    def locate(self, source: str) -> Path:
        """See :meth:`Family.locate`. ``source`` is one of the keys of ``FILES``."""
        from mattersim.utils.download_utils import download_checkpoint

        if source not in FILES:
            raise ModelError(f"MatterSim has no model {source!r}; it has {', '.join(FILES)}.")
        folder = Path.home() / ".local" / "mattersim" / "pretrained_models"

        def fetch() -> Path:
            if not (folder / FILES[source]).is_file():
                download_checkpoint(FILES[source], save_folder=str(folder))
            return folder / FILES[source]

        return download(source, WHERE, fetch)


FAMILY = MattersimFamily()

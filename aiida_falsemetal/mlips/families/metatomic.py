"""UPET (PET-MAD and its kin) and other models of metatomic's: checkpoints (``.ckpt``) and exported models (``.pt``).

The facts are what the model declares to the engines that run it. A model whose interaction range is infinite, or a PET
with a long-ranged featurizer (an Ewald sum over learnt features), is long-ranged.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import chemical_symbols

from ..family import Family, ModelError, ModelFacts
from ._tools import download, quietly, repeatable

REPOSITORY = "lab-cosmo/upet"
"""On the Hugging Face hub, folder ``models``."""


class MetatomicFamily(Family):
    """Models that ``metatomic-torch`` can load, and checkpoints that ``metatrain`` can export."""

    name = "metatomic"
    requires = ("metatomic", "metatrain", "torch")
    environment = "upet"

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`. Layers are the interaction range over the largest cutoff."""
        self.check_keys(kwargs, set())
        return _facts(_load(path), path)

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`. Forces are gradients; no direct ones are asked for."""
        self.check_keys(kwargs, set())
        model = _load(path)
        self.check_elements(atoms, _facts(model, path).elements)
        with quietly():
            from metatomic_ase import MetatomicCalculator

            return MetatomicCalculator(model, device=repeatable(), uncertainty_threshold=None)

    def locate(self, source: str) -> Path:
        """See :meth:`Family.locate`. ``source`` is the stem of a checkpoint of UPET's, such as ``pet-mad-s-v1.5.0``."""
        from huggingface_hub import hf_hub_download

        file = f"{source}.ckpt"
        where = f"https://huggingface.co/{REPOSITORY}, models/{file}"
        return download(source, where, lambda: hf_hub_download(REPOSITORY, file, subfolder="models"))


def _load(path: Path) -> Any:
    """The model, exported.

    :raises ModelError: if the file is neither of the two kinds.
    """
    try:
        with quietly():
            if path.suffix == ".ckpt":
                from metatrain.utils.io import load_model

                return load_model(str(path)).export()
            from metatomic.torch import load_atomistic_model

            return load_atomistic_model(str(path))
    except ImportError:
        raise
    except Exception as error:  # torch and metatrain raise many kinds for a broken file
        message = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{path.name} cannot be loaded by metatomic ({type(error).__name__}: {message}); is it complete, and a "
            "checkpoint that ends in .ckpt or an exported model that ends in .pt?"
        ) from error


def _facts(model: Any, path: Path) -> ModelFacts:
    said = model.capabilities()
    if not said.length_unit:
        raise ModelError(f"{path.name} does not say its unit of length; export it with `length_unit`.")
    reach = float(said.engine_interaction_range("angstrom"))
    cutoffs = [float(options.engine_cutoff("angstrom")) for options in model.requested_neighbor_lists()]
    cutoff = max(cutoffs, default=reach)
    full = math.isinf(reach) or bool(getattr(model.module, "long_range", False))
    if math.isinf(cutoff):
        raise ModelError(f"{path.name} names no cutoff at all; it cannot be told what it sees of its surroundings.")
    return ModelFacts(
        elements=tuple(sorted(chemical_symbols[number] for number in said.atomic_types)),
        cutoff=cutoff,
        layers=1 if math.isinf(reach) else max(1, round(reach / cutoff)),
        long_ranged=full,
        precision=str(said.dtype),
        # The cell is periodic in all directions, and nobody corrects the sum for a film.
        boundary="tin-foil" if full else "isolated",
    )


FAMILY = MetatomicFamily()

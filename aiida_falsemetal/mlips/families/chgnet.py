"""CHGNet files through `chgnet` (Deng et al., Nat. Mach. Intell. 5, 1031 (2023)): universal, short-ranged.

Its charges are magnetic moments that it predicts beside the energy; no Coulomb term is made of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import chemical_symbols

from ..family import Family, ModelError, ModelFacts
from ._tools import load_checkpoint, quietly, repeatable

NOT_TRAINED = ("Po", "At", "Rn", "Fr", "Ra")
"""The embedding has rows up to plutonium, but MPtrj, which CHGNet was trained on, has no frame with these: 89 elements
are left, as the paper says. The file does not tell trained rows from others, and CHGNet answers for all of them."""
FILES = {
    "0.3.0": "0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
    "0.2.0": "0.2.0/chgnet_0.2.0_e30f77s348m32.pth.tar",
    "r2scan": "r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar",
}


class ChgnetFamily(Family):
    """Files that CHGNet's trainer writes (``.pth.tar``)."""

    name = "chgnet"
    requires = ("chgnet", "torch")
    environment = "chgnet"

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`. The cutoff is that of the atom graph; the bond graph's is smaller, and its
        messages reach no further than the atom graph's in the same number of layers."""
        self.check_keys(kwargs, set())
        content = self._content(path)
        arguments, state = content["model_args"], content["state_dict"]
        rows = int(state["atom_embedding.embedding.weight"].shape[0])
        return ModelFacts(
            elements=tuple(sorted(set(chemical_symbols[1 : rows + 1]) - set(NOT_TRAINED))),
            cutoff=float(arguments["atom_graph_cutoff"]),
            layers=int(arguments["n_conv"]),
            long_ranged=False,
            precision=str(state["atom_embedding.embedding.weight"].dtype).removeprefix("torch."),
        )

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`."""
        self.check_elements(atoms, self.inspect(path, kwargs).elements)
        content = self._content(path)
        with quietly():
            from chgnet.model import CHGNet
            from chgnet.model.dynamics import CHGNetCalculator

            # Older files have this bias and newer ones do not; CHGNet goes by the name of the file, which may differ.
            biased = any(key.endswith("mlp_out.layers.1.bias") for key in content["state_dict"])
            model = CHGNet.from_dict(content, mlp_out_bias=biased)
            return CHGNetCalculator(model=model, use_device=repeatable(), on_isolated_atoms="ignore")

    def locate(self, source: str) -> Path:
        """See :meth:`Family.locate`. ``source`` is one of the keys of ``FILES``."""
        import chgnet

        if source not in FILES:
            raise ModelError(f"chgnet ships no model {source!r}; it ships {', '.join(FILES)}.")
        path = Path(str(chgnet.__file__)).parent / "pretrained" / FILES[source]
        if not path.is_file():
            raise ModelError(f"this chgnet lacks {path}; install the version of environments/chgnet.txt.")
        return path

    def _content(self, path: Path) -> dict[str, Any]:
        content = load_checkpoint(path, "CHGNet file")
        model = content.get("model") if isinstance(content, dict) else None
        if not isinstance(model, dict) or not {"model_args", "state_dict"} <= set(model):
            raise ModelError(f"{path.name} holds no CHGNet model; give the .pth.tar file that CHGNet's trainer wrote.")
        return model


FAMILY = ChgnetFamily()

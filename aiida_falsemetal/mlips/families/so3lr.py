"""SO3LR and So3krates files through `so3krates-torch` (Kabylda et al., J. Am. Chem. Soc. (2025), 10.1021/jacs.5c09558).

SO3LR predicts partial charges and adds a Coulomb and a dispersion term between all atoms within ``r_max_lr``, 12 Å
unless said otherwise. The Coulomb force is *switched and shifted to zero* there, so the model looks long-ranged and is
not: ``long_ranged`` is false, and ``coulomb_cutoff`` says where its electrostatics ends.

One thing does reach across the whole cell: the charges are shifted by the same amount on every atom, so that they sum
to the cell's charge. It does not depend on distances, and gives no force between distant molecules.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import chemical_symbols

from ..family import Family, ModelError, ModelFacts
from ._tools import load_checkpoint, precision, quietly, repeatable

RADIUS = 12.0
"""Å; what so3krates-torch takes for SO3LR."""
DAMPING = 2.0
"""Å over which the dispersion is switched off before ``r_max_lr``, likewise."""
KEYS = {"r_max_lr", "dispersion_energy_cutoff_lr_damping", "default_dtype"}


class So3lrFamily(Family):
    """Models that so3krates-torch saved whole."""

    name = "so3lr"
    requires = ("so3krates_torch", "torch")
    environment = "so3lr"

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`. An element was trained on if its energy scale is no longer the initial 1."""
        options = self._options(kwargs)
        return _facts(_load(path), options, path)

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`. The cell is neutral unless ``atoms.info`` has a ``charge``."""
        options = self._options(kwargs)
        model = _load(path)
        self.check_elements(atoms, _facts(model, options, path).elements)
        with quietly():
            from so3krates_torch.calculator.so3 import TorchkratesCalculator

            return TorchkratesCalculator(
                models=model,
                device=repeatable(),
                model_type="so3lr" if _has_charges(model) else "so3krates",
                **{"default_dtype": precision(model), **options},
            )

    def locate(self, source: str) -> Path:
        """See :meth:`Family.locate`. ``source`` is ``so3lr``."""
        import so3krates_torch

        if source != "so3lr":
            raise ModelError(f"so3krates-torch ships no model {source!r}; it ships so3lr.")
        path = Path(str(so3krates_torch.__file__)).parent / "pretrained" / "so3lr" / "so3lr.model"
        if not path.is_file():
            raise ModelError(f"this so3krates-torch lacks {path}; install the version of environments/so3lr.txt.")
        return path

    def _options(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        self.check_keys(kwargs, KEYS)
        options = {"r_max_lr": RADIUS, "dispersion_energy_cutoff_lr_damping": DAMPING, **kwargs}
        for key, low, high in (("r_max_lr", 5.0, 100.0), ("dispersion_energy_cutoff_lr_damping", 0.1, 10.0)):
            value = options[key]
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ModelError(f"{key} must be a length between {low:g} and {high:g} Å, not {value!r}.")
        return options


def _load(path: Path) -> Any:
    model = load_checkpoint(path, "So3krates model")
    if not all(hasattr(model, name) for name in ("r_max", "num_layers", "atomic_energy_output_block")):
        raise ModelError(f"{path.name} holds a {type(model).__name__}, not a So3krates model.")
    return model


def _has_charges(model: Any) -> bool:
    return hasattr(model, "partial_charges_output_block")


def _facts(model: Any, options: dict[str, Any], path: Path) -> ModelFacts:
    scales = getattr(model.atomic_energy_output_block, "energy_scales", None)
    if scales is None:
        raise ModelError(f"{path.name} does not tell which elements it was trained on; train with energy scales.")
    trained = (scales.weight.detach().flatten() != 1.0).nonzero().flatten()
    electrostatic = _has_charges(model) and bool(getattr(model, "electrostatic_energy_bool", False))
    # Models of one's own can be trained with a particle-mesh Ewald sum; the SO3LR that is shipped was not.
    full = electrostatic and bool(getattr(model, "use_pme", False))
    return ModelFacts(
        elements=tuple(sorted(chemical_symbols[int(index) + 1] for index in trained)),
        cutoff=float(model.r_max),
        layers=int(model.num_layers),
        long_ranged=full,
        precision=str(options.get("default_dtype", precision(model))),
        coulomb_cutoff=float(options["r_max_lr"]) if electrostatic and not full else None,
        # The cell is periodic in all directions, and nobody corrects the sum for a film.
        boundary="tin-foil" if full else "isolated",
    )


FAMILY = So3lrFamily()

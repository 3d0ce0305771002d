"""MACE files through mace-torch: short-ranged MACE, and PolarMACE, which is long-ranged.

A MACE file is a pickle: loading one runs code that it names. Load only files whose origin you trust.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import chemical_symbols

from ..family import Family, ModelError, ModelFacts

LONG_RANGED_CLASSES = ("PolarMACE", "MACELES")
"""Classes of mace-torch whose energy holds explicit long-ranged electrostatics."""


class MaceFamily(Family):
    """Model files written by ``mace_run_train``."""

    name = "mace"
    requires = ("mace", "torch")

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`."""
        self.check_keys(kwargs, {"default_dtype", "head"})
        return read_facts(path)

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`."""
        self.check_keys(kwargs, {"default_dtype", "head"})
        return mace_calculator(path, kwargs)


@contextmanager
def quietly() -> Iterator[None]:
    """Keep to itself what mace-torch and e3nn say on import (that cuequivariance is missing, that a variable is set):
    it is no news to anyone, and would run through the progress table. Errors are raised as ever."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def load_model(path: Path) -> Any:
    """The ``torch.nn.Module`` in ``path``, on the CPU.

    :raises ModelError: if the file is truncated or holds no MACE model.
    """
    import torch

    try:
        with quietly():
            model = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # torch raises many kinds for a broken file
        raise ModelError(
            f"{path.name} cannot be loaded as a MACE model ({type(error).__name__}: {error}); is it complete?"
        ) from error
    if not all(hasattr(model, name) for name in ("atomic_numbers", "r_max", "num_interactions")):
        raise ModelError(f"{path.name} holds a {type(model).__name__}, not a MACE model.")
    return model


def read_facts(path: Path) -> ModelFacts:
    """Cutoff, layers, elements, range and precision as the file itself states them."""
    model = load_model(path)
    return ModelFacts(
        elements=tuple(sorted(chemical_symbols[int(z)] for z in model.atomic_numbers)),
        cutoff=float(model.r_max),
        layers=int(model.num_interactions),
        long_ranged=type(model).__name__ in LONG_RANGED_CLASSES,
        precision=_precision(model),
    )


def _precision(model: Any) -> str:
    return str(next(model.parameters()).dtype).removeprefix("torch.")


def mace_calculator(path: Path, kwargs: dict[str, Any]) -> Calculator:
    """The ASE calculator of mace-torch on the CPU or, where there is one, the GPU."""
    import torch

    with quietly():
        from mace.calculators import MACECalculator

    # TorchScript recompiles during the first calls, and rounding changes with it: a restart would not be exact.
    torch._C._get_graph_executor_optimize(False)
    model = load_model(path)
    options = {"default_dtype": _precision(model), **kwargs}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if type(model).__name__ == "PolarMACE":
        options["model_type"] = "PolarMACE"
    with quietly():
        return MACECalculator(models=[model], device=device, **options)


FAMILY = MaceFamily()

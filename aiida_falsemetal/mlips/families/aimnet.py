"""AIMNet2 through `aimnet` (Anstine, Zubatyuk and Isayev, Chem. Sci. 16, 10228 (2025)): learnt charges, Coulomb term.

What becomes of that term in a periodic cell is for the keyword ``coulomb`` to say. ``dsf``, aimnet's own choice, is the
damped shifted force: it *ends* at ``coulomb_cutoff`` (15 Å), so the model is not long-ranged. ``ewald`` and ``pme``
are full sums, in three dimensions, without a correction for films.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import chemical_symbols

from ..family import Family, ModelError, ModelFacts
from ._tools import download, quietly, repeatable

FULL = ("ewald", "pme")
DEFAULTS: dict[str, Any] = {"coulomb": "dsf", "coulomb_cutoff": 15.0}
NEEDED = {"cutoff", "model_yaml", "coulomb_mode", "implemented_species", "state_dict"}


class AimnetFamily(Family):
    """Files of format 2 (``.pt``), which hold no code; the older TorchScript files (``.jpt``) are refused."""

    name = "aimnet"
    requires = ("aimnet", "torch")
    environment = "aimnet"

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`. Layers are AIMNet2's passes, one for each list of hidden layers."""
        options, content = self._options(kwargs), _content(path)
        charged = content["coulomb_mode"] != "none"
        full = charged and options["coulomb"] in FULL
        return ModelFacts(
            elements=tuple(sorted(chemical_symbols[int(number)] for number in content["implemented_species"])),
            cutoff=float(content["cutoff"]),
            layers=_passes(content, path),
            long_ranged=full,
            precision="float32",
            coulomb_cutoff=float(options["coulomb_cutoff"]) if charged and not full else None,
            boundary="tin-foil" if full else "isolated",  # see the module
        )

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`. The cell is neutral."""
        self.check_elements(atoms, self.inspect(path, kwargs).elements)
        options = self._options(kwargs)
        with quietly():
            from aimnet.calculators import AIMNet2ASE, AIMNet2Calculator

            model = AIMNet2Calculator(str(path.resolve()), device=repeatable(), deterministic=True)
            if _content(path)["coulomb_mode"] != "none":
                model.set_lrcoulomb_method(options["coulomb"], cutoff=float(options["coulomb_cutoff"]))
            return AIMNet2ASE(model)

    def locate(self, source: str) -> Path:
        """See :meth:`Family.locate`. ``source`` is a name in aimnet's registry, such as ``aimnet2-wb97m-d3_0``."""
        with quietly():
            from aimnet.calculators.model_registry import get_registry_model_path, load_model_registry

        known = load_model_registry()["models"]
        if source not in known:
            raise ModelError(f"aimnet knows no model {source!r}; it knows {', '.join(known)}.")
        return download(source, known[source]["url"], lambda: get_registry_model_path(source))

    def _options(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        self.check_keys(kwargs, set(DEFAULTS))
        options = {**DEFAULTS, **kwargs}
        radius = options["coulomb_cutoff"]
        if options["coulomb"] not in ("dsf", *FULL):
            raise ModelError(f"coulomb must be dsf, {' or '.join(FULL)}, not {options['coulomb']!r}.")
        if isinstance(radius, bool) or not isinstance(radius, int | float) or not 5.0 <= radius <= 100.0:
            raise ModelError(f"coulomb_cutoff must be a length between 5 and 100 Å, not {radius!r}.")
        return options


def _content(path: Path) -> dict[str, Any]:
    """The file, read without running anything in it."""
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a broken file
        raise ModelError(
            f"{path.name} cannot be loaded as an AIMNet2 file of format 2 ({type(error).__name__}); is it complete? "
            "Older .jpt files are converted by `aimnet convert`."
        ) from error
    if not isinstance(content, dict) or not NEEDED <= set(content):
        raise ModelError(f"{path.name} holds no AIMNet2 model of format 2; give the .pt file of its registry.")
    return content


def _passes(content: dict[str, Any], path: Path) -> int:
    import yaml

    try:
        return len(yaml.safe_load(content["model_yaml"])["kwargs"]["hidden"])
    except (KeyError, TypeError, yaml.YAMLError) as error:
        raise ModelError(f"{path.name} does not say how many passes its model makes; convert it again.") from error


FAMILY = AimnetFamily()

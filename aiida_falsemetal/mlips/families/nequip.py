"""NequIP and Allegro models through `nequip` (Tan et al., arXiv:2504.16068): short-ranged.

A file is a package (``.nequip.zip``, from ``nequip-package`` and at nequip.net), or was compiled by ``nequip-compile``
(``.nequip.pth`` by TorchScript, ``.nequip.pt2`` by AOTInductor with ``--target ase``, for one kind of machine). A
package brings its own Python source, which loading it runs. A compiled file does not tell how many layers it has: the
keyword ``layers`` states them. That it is short-ranged is taken for granted; give a compiled model with an Ewald sum,
which an extension of nequip may have added, with the family `ase`, where everything is stated.
``nequip`` needs e3nn 0.6 or later and mace-torch needs 0.4.4: the two cannot share an environment.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import chemical_symbols

from ..family import Family, ModelError, ModelFacts
from ._tools import download, quietly, repeatable

PACKAGE, TORCHSCRIPT, INDUCTOR = ".nequip.zip", ".nequip.pth", ".nequip.pt2"
WHERE = "https://www.nequip.net/models/{source} or https://doi.org/10.5281/zenodo.18775904"


class NequipFamily(Family):
    """Packages and compiled models of the NequIP framework."""

    name = "nequip"
    requires = ("nequip", "torch")
    environment = "nequip"

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`. Elements, cutoff and precision are the model's own metadata.

        Layers of a package are its convolutions; Allegro's tensor products together are one, for they look at the
        neighbours of one atom.
        """
        self._check(path, kwargs)
        if not path.name.endswith(PACKAGE):
            return self._facts(path, kwargs, _metadata(path), None, False)
        with quietly():
            from nequip.model.saved_models.load_utils import load_saved_model
        model = self._made(path, lambda: load_saved_model(str(path)))
        kinds = [type(module).__name__ for module in model.modules()]
        layers = kinds.count("ConvNetLayer") + ("Allegro_Module" in kinds)
        return self._facts(path, kwargs, model.metadata, layers or None, any("Ewald" in kind for kind in kinds))

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`. A package is run as it is, neither compiled nor with other kernels."""
        self.check_elements(atoms, self.inspect(path, kwargs).elements)
        with quietly():
            from nequip.integrations.ase import NequIPCalculator
        device, make = repeatable(), NequIPCalculator._from_saved_model
        if not path.name.endswith(PACKAGE):
            make, device = NequIPCalculator.from_compiled_model, _metadata(path).get("AOTI_DEVICE_KEY", device)
        if path.name.endswith(TORCHSCRIPT):
            import torch

            torch._C._get_graph_executor_optimize(True)  # without it nequip freezes the model into one that lacks parts
        calculator = self._made(path, lambda: make(str(path), device=device, chemical_species_to_atom_type_map=True))
        repeatable()
        return calculator

    def locate(self, source: str) -> Path:
        """See :meth:`Family.locate`. ``source`` is an ID of nequip.net, such as ``mir-group/NequIP-OAM-L:0.1``."""
        with quietly():
            from nequip.model.saved_models.load_utils import _get_model_file_path
            from nequip.utils.model_cache import get_cache_dir

        def fetch() -> Path:
            for noted in sorted(get_cache_dir().glob("*.metadata.json")):  # nequip would ask nequip.net first
                file = Path(str(noted).removesuffix(".metadata.json") + PACKAGE)
                if file.is_file() and json.loads(noted.read_text()).get("model_id") == source:
                    return file
            with _get_model_file_path(f"nequip.net:{source}") as path:
                return Path(path)

        return download(source, WHERE.format(source=source), fetch)

    def _check(self, path: Path, kwargs: dict[str, Any]) -> None:
        self.check_keys(kwargs, {"layers"})
        layers = kwargs.get("layers", 1)
        if isinstance(layers, bool) or not isinstance(layers, int) or layers < 1:
            raise ModelError(f"layers must be a whole number of 1 or more, not {layers!r}.")
        if not path.name.endswith((PACKAGE, TORCHSCRIPT, INDUCTOR)):
            raise ModelError(
                f"{path.name} has none of nequip's endings; give a package ({PACKAGE}) or a compiled model "
                f"({TORCHSCRIPT}, {INDUCTOR}) under its own name."
            )

    def _facts(
        self, path: Path, kwargs: dict[str, Any], said: dict[str, str], layers: int | None, long_ranged: bool
    ) -> ModelFacts:
        """The facts.

        :param said: metadata, as text.
        :param layers: what the file tells, if it does.
        """
        elements = said["type_names"].split()
        for element in elements:
            if element not in chemical_symbols[1:]:
                raise ModelError(f"{path.name} has the type {element!r}, which is no element; use family `ase`.")
        stated = kwargs.get("layers", layers)
        if stated is None:
            raise ModelError(f"{path.name} does not tell how many layers it has; state them, as in `layers: 6`.")
        if layers is not None and stated != layers:
            raise ModelError(f"{path.name} has {layers} layers, not {stated}; remove the keyword 'layers'.")
        return ModelFacts(
            elements=tuple(sorted(elements)),
            cutoff=float(said["r_max"]),
            layers=int(stated),
            long_ranged=long_ranged,
            precision=said.get("model_dtype", ""),
            # The cell is periodic in all directions, and nobody corrects the sum for a film.
            boundary="tin-foil" if long_ranged else "isolated",
        )

    def _made(self, path: Path, make: Any) -> Any:
        """What ``make`` loads from the file.

        :raises ModelError: if it cannot.
        """
        try:
            with quietly():
                return make()
        except ModuleNotFoundError as error:
            raise ModelError(
                f"{path.name} needs the Python package {error.name!r} to be loaded, and it is not installed here; "
                "install it, or use an environment that has it."
            ) from error
        except Exception as error:  # torch raises many kinds for a broken file, or one of another version
            message = " ".join(str(error).split())[:200]
            raise ModelError(
                f"{path.name} cannot be loaded by nequip ({type(error).__name__}: {message}); is it complete, and was "
                "a compiled one made with this version of torch, for this machine, with `--target ase`?"
            ) from error


def _metadata(path: Path) -> dict[str, str]:
    """What ``nequip-compile`` wrote beside a compiled model, as text. Nothing of the model is loaded.

    :raises ModelError: if it is not there.
    """
    found: dict[str, str] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if "/extra/" in name and path.name.endswith(TORCHSCRIPT):
                    found[name.rpartition("/")[2]] = archive.read(name).decode()
                elif name.endswith("wrapper_metadata.json") and path.name.endswith(INDUCTOR):
                    found.update(json.loads(archive.read(name)))
    except Exception as error:  # zipfile and zlib raise many kinds for a broken file
        raise ModelError(
            f"{path.name} cannot be read as a compiled model of nequip ({type(error).__name__}: {error}); "
            "is it complete?"
        ) from error
    if not {"type_names", "r_max"} <= set(found):
        raise ModelError(f"{path.name} holds no compiled model of nequip; give what nequip-compile wrote.")
    return found


FAMILY = NequipFamily()

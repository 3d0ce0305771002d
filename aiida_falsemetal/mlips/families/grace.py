"""GRACE through `tensorpotential` (Bochkarev, Lysogorskiy, Drautz, Phys. Rev. X 14, 021036 (2024)): short-ranged.

A file is the ``.tar.gz`` that its authors publish: one folder with a SavedModel of TensorFlow's. Such a model is a
program that TensorFlow runs. ``tensorpotential`` asks for TensorFlow with CUDA on Linux; ``falsemetal model env grace
--pip-args=--no-deps`` goes without the gigabytes of CUDA.
"""

from __future__ import annotations

import logging
import math
import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator

from ..family import Family, ModelError, ModelFacts
from ._tools import cache_folder, download, quietly

HOME = "https://huggingface.co/AMS-ICAMS-RUB/grace-foundation-models"
STEP = 1.05
"""Lists of neighbours are filled up to the next power of this, see :func:`_bounds`."""
SMALLEST = 256
NOT_LOCAL = {"atomic_positions", "cell_vectors", "atomic_magmom"}
"""Inputs of GRACE's experimental models with electrostatics or magnetism."""


class GraceFamily(Family):
    """SavedModels of GRACE's potentials."""

    name = "grace"
    requires = ("tensorpotential",)
    environment = "grace"

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`. Elements and cutoff are those that its own calculator finds in the file.

        Layers are counted along the model's instructions, see :func:`_layers`; where they cannot be followed, the
        keyword ``layers`` states them.
        """
        self._check(kwargs)
        return self._facts(_loaded(path), path, kwargs)

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`. Its estimates of uncertainty are left out, for they take time."""
        self._check(kwargs)
        calculator = _loaded(path)
        self.check_elements(atoms, self._facts(calculator, path, kwargs).elements)
        return calculator

    def locate(self, source: str) -> Path:
        """See :meth:`Family.locate`. ``source`` is a name of tensorpotential's, such as ``GRACE-2L-OAM``.

        tensorpotential would unpack the file and drop it; what is kept here are the bytes that were published.
        """
        _quiet_tensorflow()
        with quietly():
            from tensorpotential.calculator import foundation_models as models

        name = models.MODELS_ALIASES_DICT.get(source, source)
        address = models.MODELS_METADATA.get(name, {}).get("url")
        if address is None:
            raise ModelError(
                f"tensorpotential knows no model {source!r}; it knows {', '.join(models.MODELS_METADATA)}."
            )

        def fetch() -> Path:
            release, _, file = address.rsplit("/", 3)[1:]
            path = cache_folder() / "grace" / str(release) / str(file)
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                models._stream_download(address, str(path))
            return path

        return download(source, address, fetch)

    def _check(self, kwargs: dict[str, Any]) -> None:
        self.check_keys(kwargs, {"layers"})
        layers = kwargs.get("layers", 1)
        if isinstance(layers, bool) or not isinstance(layers, int) or layers < 1:
            raise ModelError(f"layers must be a whole number of 1 or more, not {layers!r}.")

    def _facts(self, calculator: Any, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        (model,) = calculator.models
        strange = sorted(NOT_LOCAL & set(calculator.data_keys))
        if strange:
            raise ModelError(
                f"{path.name} asks for {strange[0]}, which no GRACE model of a published kind does; use one."
            )
        layers = _layers(model)
        stated = kwargs.get("layers", layers)
        if stated is None:
            raise ModelError(f"{path.name} does not tell how many layers it has; state them, as in `layers: 2`.")
        if layers is not None and stated != layers:
            raise ModelError(f"{path.name} has {layers} layers, not {stated}; remove the keyword 'layers'.")
        variables = model.signatures["compute" if "compute" in model.signatures else "serving_default"].variables
        kinds = {value.dtype.name for value in variables if value.dtype.is_floating and value.shape.rank}
        return ModelFacts(
            elements=tuple(sorted(calculator.element_map)),
            cutoff=float(calculator.cutoff),
            layers=int(stated),
            long_ranged=False,
            precision=kinds.pop() if len(kinds) == 1 else "mixed",
        )


def _quiet_tensorflow() -> None:
    """Before it is imported: no reports on devices, and as many threads as the other libraries have."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, os.environ.get("OMP_NUM_THREADS") or "0")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _unpacked(path: Path) -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """A temporary folder with what is in the file, and the SavedModel's folder in it.

    :raises ModelError: if the file is no archive with one SavedModel, or would write outside of the folder.
    """
    folder = tempfile.TemporaryDirectory(prefix="falsemetal-")
    try:
        with tarfile.open(path) as archive:
            archive.extractall(folder.name, filter="data")  # refuses what would be written elsewhere
    except Exception as error:  # tarfile and zlib raise many kinds for a broken file
        folder.cleanup()
        raise ModelError(
            f"{path.name} is not a complete archive ({type(error).__name__}: {error}); give the .tar.gz as published."
        ) from error
    found = sorted(Path(folder.name).rglob("saved_model.pb"))
    if len(found) != 1:
        folder.cleanup()
        raise ModelError(f"{path.name} holds {len(found)} SavedModels instead of one; give the .tar.gz as published.")
    return folder, found[0].parent


def _loaded(path: Path) -> Any:
    """The file's calculator. The unpacked folder lives as long as it does.

    :raises ModelError: if the file is not a GRACE model.
    """
    folder, saved = _unpacked(path)
    _quiet_tensorflow()
    with quietly():
        from tensorpotential.calculator import TPCalculator

    class SteadyCalculator(TPCalculator):
        """Fills lists of neighbours up in a way that does not depend on what it computed before."""

        folder: tempfile.TemporaryDirectory[str]

        def get_data(self, atoms: Atoms) -> None:
            self.padding_manager.padding_bounds = _bounds(len(atoms))
            super().get_data(atoms)

    try:
        with quietly():
            calculator = SteadyCalculator(
                model=str(saved), max_number_reduction_recompilation=None, enable_uq_if_available=False
            )
    except Exception as error:  # tensorflow has its own kinds
        folder.cleanup()
        message = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{path.name} cannot be loaded by tensorpotential ({type(error).__name__}: {message}); is it complete, and "
            "no newer than this tensorpotential?"
        ) from error
    calculator.folder = folder
    return calculator


def _bounds(atoms: int) -> list[tuple[int, int]]:
    """Numbers of atoms and neighbours that inputs are filled up to: one atom more, and a ladder of neighbours.

    TensorFlow compiles the model for each size. TPCalculator's own choice depends on the frames that it met before, and
    with it the rounding may (not on one core of a CPU; nothing promises it elsewhere). With this ladder the same frame
    always has the same size, and a trajectory stays on one rung or two.
    """
    return [(atoms + 1, math.ceil(SMALLEST * STEP**rung)) for rung in range(320)]


def _layers(model: Any) -> int | None:
    """How many sums over neighbours follow each other in a model, or None if that cannot be followed.

    Of the instructions that a SavedModel was made of, it keeps which one takes what from which other one. Those that
    sum over neighbours have ``angular``; what they take from the neighbours is ``indicator``: their element, which has
    the table of elements, or the outcome of another layer.
    """
    known: dict[int, int] = {}

    def depth(item: Any) -> int:
        if id(item) not in known:
            known[id(item)] = max([depth(child) for child in _children(item).values()], default=0)
            known[id(item)] += hasattr(item, "angular")
        return known[id(item)]

    instructions = getattr(model, "instructions", None)
    if instructions is None:
        return None
    for item in _children(instructions).values():
        taken = getattr(item, "indicator", None)
        if taken is not None and not depth(taken) and not hasattr(taken, "element_map_symbols"):
            return None
    return depth(instructions) or None


def _children(item: Any) -> dict[Any, Any]:
    """What a loaded SavedModel's object holds that may hold others."""
    if isinstance(item, dict):
        found = dict(item)
    elif isinstance(item, list | tuple):
        found = dict(enumerate(item))
    else:
        found = {name: getattr(item, name) for name in dir(item) if not name.startswith("_")}
    kinds = (dict, list, tuple)
    return {
        key: value for key, value in found.items() if isinstance(value, kinds) or type(value).__name__ == "_UserObject"
    }


FAMILY = GraceFamily()

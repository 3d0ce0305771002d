"""Reads what a torch model file says of itself without torch: in milliseconds, and without running code from the file.

``torch.save`` writes a zip archive with a pickle (``data.pkl``) and one file of raw numbers for each storage. Here the
pickle is read with every class replaced by an inert stand-in, and only the few numbers that are wanted are looked up.
(torch's own reader would import the model's package, several seconds, and do whatever the pickle says.)
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from ..mlips.families.mace import LONG_RANGED_CLASSES, boundary_of
from ..mlips.family import ModelError, ModelFacts
from .errors import printable

_DTYPES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "LongStorage": "int64",
    "IntStorage": "int32",
}
_NEEDED = ("atomic_numbers", "r_max", "num_interactions")
_MAXIMUM_PICKLE = 200 * 2**20


def check_archive(path: Path) -> None:
    """Read all of a torch file once and compare its checksums.

    :raises ModelError: if the file is not a complete archive written by ``torch.save``.
    """
    remedy = "copy or download the file again"
    if path.stat().st_size == 0:
        raise ModelError(f"{path.name} is empty; {remedy}.")
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path.name} is truncated or not a file written by torch.save; {remedy}.")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            names = archive.namelist()
    except Exception as error:  # zipfile and zlib raise many kinds for a broken file
        said = printable(f"{type(error).__name__}: {error}")  # what it quotes may be of the file
        raise ModelError(f"{path.name} is truncated or damaged ({said}); {remedy}.") from error
    if damaged is not None:
        raise ModelError(f"{path.name} is damaged (checksum of {printable(damaged)}); {remedy}.")
    if not any(name.endswith("/data.pkl") for name in names):
        raise ModelError(f"{path.name} is a zip archive that torch.save did not write; give the model's own file.")


def peek_mace(path: Path) -> ModelFacts | None:
    """Facts of a MACE file, or None where the file is unlike what we know and only its own package can tell.

    :raises ModelError: if the archive is damaged, or holds something other than a model of MACE's kind.
    """
    check_archive(path)
    try:
        model, numbers = _open(path)
    except Exception:  # a pickle of a kind we cannot follow; that is no fault of the file
        return None
    kind = printable(type(model).__name__)
    if not isinstance(model, _StandIn):
        raise ModelError(f"{path.name} holds a {kind}, not a MACE model; save the whole model, not its weights.")
    if "_modules" not in model.content:
        return None
    tensors = {**model.content.get("_buffers", {}), **model.content.get("_parameters", {})}
    missing = [name for name in _NEEDED if name not in tensors and name not in model.content]
    if missing and "MACE" not in kind:  # a class of MACE's may well compute what others store
        raise ModelError(f"{path.name} holds a {kind} without {missing[0]}, not a MACE model; give a MACE model.")
    try:
        return ModelFacts(
            elements=tuple(sorted(chemical_symbols[int(z)] for z in numbers(tensors["atomic_numbers"]))),
            cutoff=float(numbers(tensors["r_max"])[0]),
            layers=int(numbers(tensors["num_interactions"])[0]),
            long_ranged=kind in LONG_RANGED_CLASSES,
            precision=_precision(model) or "",
            boundary=boundary_of(kind in LONG_RANGED_CLASSES),
        )
    except Exception:  # as above
        return None


class _StandIn:
    """Takes the place of every class that the pickle names; remembers what it was made from, does nothing."""

    arguments: tuple[Any, ...]
    content: dict[str, Any]

    def __new__(cls, *arguments: Any, **_: Any) -> _StandIn:
        self = object.__new__(cls)
        self.arguments = arguments
        self.content = {}
        return self

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.content = state

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        pass

    def extend(self, items: Any) -> None:
        pass

    def add(self, item: Any) -> None:
        pass


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        return type(name, (_StandIn,), {})

    def persistent_load(self, pid: Any) -> Any:
        return pid  # ("storage", class, key, location, number of elements)


def _open(path: Path) -> tuple[Any, Callable[[Any], np.ndarray]]:
    """The pickled object, and a function that gives the numbers of one of its tensors, flat."""
    with zipfile.ZipFile(path) as archive:
        entry = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        if archive.getinfo(entry).file_size > _MAXIMUM_PICKLE:
            raise pickle.UnpicklingError("too large")
        folder = entry.removesuffix("data.pkl")
        model = _Unpickler(io.BytesIO(archive.read(entry))).load()
        big = f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") == b"big"

    def numbers(tensor: Any) -> np.ndarray:
        (_, storage, key, *_), offset, shape, *_ = _data(tensor).arguments
        dtype = np.dtype(_DTYPES[storage.__name__]).newbyteorder(">" if big else "<")
        with zipfile.ZipFile(path) as archive:
            raw = np.frombuffer(archive.read(f"{folder}data/{key}"), dtype=dtype)
        return raw[offset : offset + int(np.prod(shape, dtype=int))]

    return model, numbers


def _data(tensor: Any) -> Any:
    """The tensor inside of a parameter, or the tensor itself."""
    return tensor.arguments[0] if type(tensor).__name__.startswith("_rebuild_parameter") else tensor


def _precision(module: Any) -> str | None:
    """dtype of the first parameter, in the order of ``torch.nn.Module.parameters``."""
    for parameter in module.content.get("_parameters", {}).values():
        if parameter is not None:
            return _DTYPES.get(_data(parameter).arguments[0][1].__name__)
    for child in module.content.get("_modules", {}).values():
        found = _precision(child) if isinstance(child, _StandIn) else None
        if found is not None:
            return found
    return None

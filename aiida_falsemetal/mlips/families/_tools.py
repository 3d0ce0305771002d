"""What several families need: loading checkpoints, many files as one, and one answer where there are no weights."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..family import ModelError

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip file can hold: a bundle must not depend on when it was made."""


@contextmanager
def quietly() -> Iterator[None]:
    """Keep to itself what model packages say on import and on loading (which device they run on, that an accelerator
    is missing): it is no news to anyone, and would run through the progress table. Errors are raised as ever."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def load_checkpoint(path: Path, kind: str) -> Any:
    """What ``torch.save`` wrote to ``path``, on the CPU. The file is a pickle: loading it runs code that it names.

    It is not scanned here: this travels to machines without the scanner. Whoever calls has had it scanned before
    (:func:`aiida_falsemetal.mlips.scan.require_safe`), or has it from a node, which was made of a scanned file.

    :param kind: what it should be, for the message.
    :raises ModelError: if it cannot be loaded.
    """
    import torch

    try:
        with quietly():
            return torch.load(path, map_location="cpu", weights_only=False)
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{path.name} needs the Python package {error.name!r} to be loaded, and it is not installed here; "
            "install it, or use an environment that has it."
        ) from error
    except Exception as error:  # torch raises many kinds for a broken file
        raise ModelError(
            f"{path.name} cannot be loaded as a {kind} ({type(error).__name__}: {error}); is it complete?"
        ) from error


def repeatable() -> str:
    """Make torch round the same in every call, and name the device to run on.

    TorchScript recompiles during the first calls, and rounding changes with it: a restart would not be exact.
    """
    import torch

    torch._C._get_graph_executor_optimize(False)
    return "cuda" if torch.cuda.is_available() else "cpu"


def precision(model: Any) -> str:
    """dtype of a torch module's first parameter, as :class:`ModelFacts` has it."""
    return str(next(model.parameters()).dtype).removeprefix("torch.")


def download(name: str, where: str, fetch: Callable[[], Any]) -> Path:
    """The weights called ``name`` by their package's own cache or download.

    :param where: where to get them by hand, for the message.
    :param fetch: the package's function; returns the path.
    :raises ModelError: if it fails for any reason but a missing package.
    """
    try:
        with quietly():
            found = fetch()
    except ImportError:
        raise
    except Exception as error:  # every package and every network has its own kinds
        raise no_weights(name, where, f"{type(error).__name__}: {error}") from error
    path = Path(str(found))
    if not path.is_file():
        raise no_weights(name, where, f"{path} is not there")
    return path


def no_weights(name: str, where: str, why: str = "") -> ModelError:
    """The error for weights that are not on this machine: what, where to get it, how to give it."""
    because = f" ({' '.join(why.split())[:200]})" if why else ""
    return ModelError(
        f"the weights of {name} are not on this machine and cannot be downloaded from it{because}; "
        f"download them from {where} and give the local file with `file:`."
    )


def cache_folder() -> Path:
    """Where bundles are kept: ``$XDG_CACHE_HOME/aiida-falsemetal`` or ``~/.cache/aiida-falsemetal``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiida-falsemetal"


def bundle(files: Mapping[str, bytes], name: str) -> Path:
    """Weights of many files as one: a zip file in :func:`cache_folder`, the same bytes for the same files.

    :param files: content by path inside of the bundle.
    :param name: of the bundle, without its suffix.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for inside, content in sorted(files.items()):
            info = zipfile.ZipInfo(inside, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    path = cache_folder() / f"{name}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_bytes() != buffer.getvalue():
        # Renamed into place: another process must never read half a file.
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            part.write(buffer.getvalue())
        os.replace(part.name, path)
    return path


@contextmanager
def unbundled(path: Path, kind: str) -> Iterator[Path]:
    """A temporary folder with the files of a bundle.

    :param kind: what it should be, for the message.
    :raises ModelError: if ``path`` is no zip file, or a damaged one.
    """
    with tempfile.TemporaryDirectory(prefix="falsemetal-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)  # drops drive letters, leading slashes and `..` from the names
        except Exception as error:  # zipfile and zlib raise many kinds for a broken file
            raise ModelError(
                f"{path.name} is not a complete {kind} ({type(error).__name__}: {error}); copy or locate it again."
            ) from error
        yield Path(folder)


def stated_elements(name: str, kwargs: Mapping[str, Any], possible: Sequence[str]) -> tuple[str, ...]:
    """The elements under ``elements``, for families whose files do not tell which ones they were trained on.

    :param name: of the family.
    :param possible: what the architecture has room for.
    :raises ModelError: if there are none, or one that it has no room for.
    """
    elements = kwargs.get("elements")
    if not isinstance(elements, list | tuple) or not elements:
        raise ModelError(
            f"files of family `{name}` do not tell which elements they were trained on; state them, as in "
            "`elements: [H, O]`."
        )
    for element in elements:
        if element not in possible:
            raise ModelError(f"elements: {element!r} is no element that this `{name}` model has room for.")
    return tuple(sorted(set(elements)))

"""Adds Python environments and models to the user's shelf; makes environments from their pinned requirements."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..mlips.catalogue import ModelEntry, environments, model_path, pip_arguments, presets
from ..mlips.family import Family, ModelError
from ..mlips.registry import load_family
from ..mlips.scan import require_safe
from ..mlips.shelf import ShelfModel, home, load_shelf, save_shelf
from ..runner import elsewhere

Echo = Callable[[str], Any]
STAMP = ".falsemetal-pins"
"""In an environment that was made here: the requirements it was made from, once all of them are installed."""


def environment_name(name: str) -> str:
    """The environment called ``name``, or that of the model called so; ``name`` itself where there is neither."""
    entry = presets().get(name)
    return entry.environment or name if entry is not None and name not in environments() else name


def make_environment(name: str, echo: Echo, pip: str = "") -> Path:
    """A virtual environment with the pinned requirements of ``name``; what is there already is kept.

    :param pip: further arguments of ``pip install``.
    :return: its Python.
    :raises ModelError: if there are no such requirements, or pip fails.
    """
    if name not in environments():
        raise ModelError(
            f"no requirements are known for an environment {name!r} (there are {', '.join(environments())}); give an "
            "environment of your own with --path."
        )
    pins = environments()[name].read_text(encoding="utf-8")
    folder = home() / "environments" / name
    python, stamp = folder / "bin" / "python", folder / STAMP
    if stamp.exists() and stamp.read_text(encoding="utf-8") == pins:
        return python
    echo(f"environment {name}: installing {len(pins.splitlines())} packages into {folder}; this takes a few minutes")
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    install = [str(python), "-m", "pip", "install", "-q", *pip_arguments(pins), *shlex.split(pip)]
    # torch comes first and alone: where the index has builds for CPUs only, it is one of those.
    first, *_ = pins.splitlines()
    _run([*install, first])
    _run([*install, "-r", str(environments()[name])])
    stamp.write_text(pins, encoding="utf-8")
    return python


def _run(line: list[str]) -> None:
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelError(f"`{shlex.join(line)}` failed ({last}); see to pip, or add an environment with --path.")


def python_of(folder: Path) -> Path:
    """Python of an environment of the user's: ``folder`` itself, or the one in its ``bin``.

    :raises ModelError: if there is none.
    """
    folder = folder.expanduser()
    for python in (folder, folder / "bin" / "python"):
        if python.is_file():
            return python.absolute()  # not resolved: the link is what tells Python its environment
    raise ModelError(f"{folder} has no bin/python; give the folder of a Python environment, or its Python.")


def add_environment(name: str, python: Path) -> None:
    """Remember an environment."""
    shelf = load_shelf()
    shelf.environments[name] = str(python)
    save_shelf(shelf)


def offline_presets(environment: str) -> list[ModelEntry]:
    """Models of the catalogue whose weights come inside of the packages of an environment."""
    return [e for e in presets().values() if e.environment == environment and e.offline and not e.shipped]


def add_model(
    name: str,
    family: str | None = None,
    file: Path | None = None,
    kwargs: dict[str, Any] | None = None,
    environment: str | None = None,
    licence: str = "",
    reference: str = "",
    accepted: str | None = None,
) -> ShelfModel:
    """Find a model's file, scan it, have it read in its environment, and remember it.

    :param name: of the catalogue's model, or a new one, which needs ``family``.
    :param file: its weights; of a model of the catalogue, by default those that its package has.
    :param kwargs: keyword arguments of the calculator, by default the catalogue's.
    :param environment: name of one that was added, None for this one.
    :param accepted: why the file may be loaded although the scan refuses it.
    :raises ModelError: if any of this cannot be done.
    """
    entry = presets().get(name)
    if entry is not None and entry.shipped:
        raise ModelError(f"{name} ships with this package already; choose another name.")
    if entry is None and family is None:
        raise ModelError(f"the catalogue has no model {name!r}; give its family with --family, and its file.")
    kind = load_family(family or (entry.family if entry else ""))
    python = _python(environment)
    given = dict(kwargs if kwargs is not None else entry.kwargs if entry else {})
    path = file.expanduser().absolute() if file else _weights(kind, entry, given, python)
    if not path.is_file():
        raise ModelError(f"there is no model file {path}; give its path with --file.")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    require_safe(path, accepted)
    facts = elsewhere.inspect(python, kind.name, path, given) if python else _inspect(kind, path, given)
    model = ShelfModel(
        family=kind.name,
        path=str(path),
        sha256=digest,
        kwargs=given,
        facts={**facts.as_dict(), "licence": "", "reference": ""},
        environment=environment,
        licence=licence or (entry.licence if entry else facts.licence),
        reference=reference or (entry.reference if entry else facts.reference),
        accepted=accepted or "",
    )
    shelf = load_shelf()
    shelf.models[name] = model
    save_shelf(shelf)
    return model


def _python(environment: str | None) -> Path | None:
    if environment is None:
        return None
    known = load_shelf().environments
    if environment not in known:
        raise ModelError(f"there is no environment {environment!r}; make it with `falsemetal model env {environment}`.")
    return Path(known[environment])


def _weights(kind: Family, entry: ModelEntry | None, kwargs: dict[str, Any], python: Path | None) -> Path:
    """The file where none was given."""
    if entry is None:
        from ..campaign.origin import stand_in_file

        return stand_in_file(kind, kwargs)
    if entry.file is not None:
        return model_path(entry)
    source = str(entry.source)
    return elsewhere.locate(python, kind.name, source) if python else _here(kind, lambda: kind.locate(source))


def _inspect(kind: Family, path: Path, kwargs: dict[str, Any]) -> Any:
    return _here(kind, lambda: kind.inspect(path, kwargs))


def _here(kind: Family, question: Callable[[], Any]) -> Any:
    """Ask in this environment."""
    try:
        return question()
    except ImportError as error:
        remedy = f"`falsemetal model env {kind.environment}`" if kind.environment else "--env"
        raise ModelError(
            f"this environment lacks what family `{kind.name}` needs ({error}); give another with {remedy}."
        ) from error

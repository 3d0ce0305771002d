"""Asks another Python about a model: what :mod:`.question` answers there, with the zipapp that the jobs run."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from ..mlips.family import ModelError, ModelFacts
from . import archive
from .question import FLAG

SECONDS = 600.0
"""The first import of a model's package compiles its modules, and on a busy machine that takes a while."""


class MissingPackageError(ModelError):
    """The environment lacks a package that the family needs."""


def locate(python: Path, family: str, source: str) -> Path:
    """The file of the weights that a package in another environment calls ``source``.

    :param python: of that environment.
    :raises ModelError: if there is none, or that Python cannot be asked.
    """
    return Path(ask(python, {"family": family, "source": source})["path"])


def inspect(python: Path, family: str, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
    """What a model's file says, as its own package in another environment reads it.

    :raises ModelError: as :meth:`Family.inspect`, or if that Python cannot be asked.
    """
    facts = ask(python, {"family": family, "path": str(path), "kwargs": kwargs})["facts"]
    facts.pop("receptive_field")
    return ModelFacts(**{**facts, "elements": tuple(facts["elements"])})


def ask(python: Path, request: dict[str, Any]) -> dict[str, Any]:
    """The answer of :func:`.question.answered` in another environment.

    :raises ModelError: with the sentence it answered, or why it did not.
    """
    with tempfile.TemporaryDirectory(prefix="falsemetal-ask-") as name:
        folder = Path(name)
        (folder / "runner.pyz").write_bytes(archive.build())
        (folder / "request.json").write_text(json.dumps(request))
        # -P: the working directory must not shadow a package.
        line = [str(python), "-P", "runner.pyz", FLAG, "request.json", "answer.json"]
        # What leads to our packages must not lead the other Python there.
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
        try:
            done = subprocess.run(
                line, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ModelError(f"{python} cannot be run ({error}); give the Python of a working environment.") from error
        answer = folder / "answer.json"
        if done.returncode != 0 or not answer.exists():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ModelError(f"{python} gave no answer ({last}); give a Python of version 3.11 or later, with ase.")
        found: dict[str, Any] = json.loads(answer.read_text())
    if "error" in found:
        raise (MissingPackageError if found["missing"] else ModelError)(found["error"])
    return found

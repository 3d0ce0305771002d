"""The Python environments of the models that cannot live in ours, made from their pinned requirements when needed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiida_falsemetal.mlips.catalogue import environments, pip_arguments

FOLDER = Path(
    os.environ.get("FALSEMETAL_TEST_ENVIRONMENTS", Path.home() / ".cache" / "aiida-falsemetal" / "test-environments")
)
"""Kept between runs: an environment has a gigabyte and takes a minute or two."""


def python_of(name: str) -> Path:
    """Python of the environment ``name``, with exactly its pinned requirements. Fails the test where pip cannot."""
    pins = environments()[name]
    folder = FOLDER / name
    python = folder / "bin" / "python"
    stamp = folder / f".pins-{hashlib.sha256(pins.read_bytes()).hexdigest()[:16]}"
    if not stamp.exists():
        if not python.exists():
            _run([sys.executable, "-m", "venv", str(folder)], name)
        # torch first and alone, as in the Makefile: where the index has builds for CPUs only, it is one of those.
        install = [str(python), "-m", "pip", "install", "-q", *pip_arguments(pins.read_text())]
        _run([*install, pins.read_text().splitlines()[0]], name)
        _run([*install, "-r", str(pins)], name)
        stamp.touch()
    return python


def _run(line: list[str], name: str) -> None:
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        pytest.fail(f"the environment {name} of this test cannot be made in {FOLDER}: {last}; see to pip's index.")

"""Workchains and calcjobs, from their ``spec()``: ports with types and help, exit codes with messages; entry points."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from falsemetal_markdown import code, plain, prose, table

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
OWN = 200
"""Exit codes below are AiiDA's own."""


def entry_points() -> str:
    """A table of AiiDA's entry points that this package has."""
    groups = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["entry-points"]
    rows = [(group, code(name), code(target)) for group, names in groups.items() for name, target in names.items()]
    return table(["group", "name", "class"], rows)


def processes() -> str:
    """A section for each workchain and calcjob."""
    from aiida.plugins import CalculationFactory, WorkflowFactory

    groups = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["entry-points"]
    found = [WorkflowFactory(name) for name in groups["aiida.workflows"]]
    found += [CalculationFactory(name) for name in groups["aiida.calculations"]]
    return "\n".join(_section(process) for process in found)


def exit_codes(process: Any) -> list[tuple[int, str, str]]:
    """Status, label and message of all exit codes of a process that are not those of every AiiDA process."""
    codes = process.spec().exit_codes.items()
    return sorted((found.status, label, found.message) for label, found in codes if found.status >= OWN)


def _section(process: Any) -> str:
    spec = process.spec()
    inputs = [row for row in _ports(spec.inputs) if "metadata" not in row[0].strip("`").split(".")]
    pieces = [
        f"## {process.__name__}",
        _summary(process),
        "### Inputs of " + process.__name__,
        table(["input", "type", "required", "meaning"], inputs),
        "### Outputs of " + process.__name__,
        table(["output", "type", "required", "meaning"], _ports(spec.outputs)),
        "### Exit codes of " + process.__name__,
        table(
            ["code", "label", "message"],
            [(str(status), code(label), prose(message)) for status, label, message in exit_codes(process)],
        ),
    ]
    return "\n\n".join(pieces) + "\n"


def _summary(process: Any) -> str:
    """The class's docstring, or that of its module where the class sends one there."""
    own = inspect.getdoc(process) or ""
    text = inspect.getdoc(inspect.getmodule(process)) or "" if own.startswith("See the module") else own
    return plain(text)


def _ports(namespace: Any, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    from plumpy.ports import PortNamespace

    for name, port in sorted(namespace.items()):
        if isinstance(port, PortNamespace):
            if port.dynamic and not len(port):
                yield code(f"{prefix}{name}"), "namespace", _needed(port), prose(port.help or "")
            yield from _ports(port, f"{prefix}{name}.")
        else:
            yield code(f"{prefix}{name}"), _types(port.valid_type), _needed(port), prose(port.help or "")


def _needed(port: Any) -> str:
    if hasattr(port, "has_default") and port.has_default():
        return "no, has a default"
    return "yes" if port.required else "no"


def _types(kinds: Any) -> str:
    every = kinds if isinstance(kinds, tuple) else (kinds,)
    return ", ".join(code(kind.__name__) for kind in every if kind not in (None, type(None))) or "any"

"""Imports point one way: who may know whom is decided here, also for imports inside of functions.

A module in a room may import its own room and those that ``MAY_USE`` gives it, and every room may import the package
itself and ``NEUTRAL``. These lie beside the rooms and import nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "aiida_falsemetal"
ROOT = Path(__file__).parents[1]

LOWER = {"physics", "interfaces", "mlips", "runner"}
MAY_USE: dict[str, set[str]] = {
    "physics": set(),
    "interfaces": {"physics"},
    "mlips": {"physics"},
    "runner": {"physics", "mlips"},
    "data": LOWER,
    "parsers": LOWER | {"data", "calculations"},
    "calculations": LOWER | {"data"},
    "workflows": LOWER | {"data", "calculations"},
    "query": {"physics"},
    "report": {"physics"},
    "archive": set(),
    "campaign": LOWER,
    "cli": LOWER | {"data", "calculations", "workflows", "query", "report", "campaign", "archive"},
}
"""The rooms, and which other rooms each may import."""
NEUTRAL = {"names"}
"""Modules in no room, for all rooms: what would else be written down in several that must not know each other."""
AIIDA = {"data", "parsers", "calculations", "workflows", "query", "archive", "cli"}
"""The rooms that may import AiiDA. The others run where there is none, or must answer at once."""
AIIDA_PACKAGES = {"aiida", "aiida_pseudo", "aiida_quantumespresso", "plumpy", "kiwipy"}


def imported(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and absolute name of every module that ``source`` imports, wherever in the file.

    :param package: the dotted package that the source's file lies in, for relative imports.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            # `from .. import report` imports a room by its name.
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _name(node.func) in ("import_module", "__import__"):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def faults(source: str, package: str) -> list[str]:
    """What ``source`` imports and must not, as ``line: sentence``."""
    room = package.split(".")[1]
    found = []
    for line, name in imported(source, package):
        top, *rest = name.split(".")
        if top in AIIDA_PACKAGES and room not in AIIDA:
            found.append(f"{line}: {room} must not import {name}")
        if top == PACKAGE and rest and rest[0] in MAY_USE and rest[0] not in MAY_USE[room] | {room}:
            found.append(f"{line}: {room} must not import {rest[0]}")
    return found


def modules() -> list[Path]:
    """Every module of the package that lies in a room."""
    return sorted(path for path in (ROOT / PACKAGE).rglob("*.py") if path.parent != ROOT / PACKAGE)


def test_every_room_is_known() -> None:
    assert {path.relative_to(ROOT / PACKAGE).parts[0] for path in modules()} == set(MAY_USE)


def test_allowed_imports_have_no_circle() -> None:
    rooms = dict(MAY_USE)
    while rooms:
        free = [room for room, used in rooms.items() if not used & set(rooms)]
        assert free, f"a circle among {sorted(rooms)}"
        rooms = {room: used for room, used in rooms.items() if room not in free}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT / PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    package = ".".join(path.relative_to(ROOT).parent.parts)
    assert faults(path.read_text(), package) == []


@pytest.mark.parametrize("name", ["__init__", *sorted(NEUTRAL)])
def test_what_every_room_may_use_imports_nothing(name: str) -> None:
    """The package itself travels to machines that have next to nothing installed."""
    found = {name for _, name in imported((ROOT / PACKAGE / f"{name}.py").read_text(), PACKAGE)}
    assert found <= {"__future__.annotations"}


def test_nothing_else_lies_beside_the_rooms() -> None:
    assert {path.stem for path in (ROOT / PACKAGE).glob("*.py")} == {"__init__", *NEUTRAL}


@pytest.mark.parametrize("folder", ["calculations", "workflows"])
def test_package_does_not_need_the_launchers(folder: str) -> None:
    for path in modules():
        package = ".".join(path.relative_to(ROOT).parent.parts)
        assert folder not in {name.split(".")[0] for _, name in imported(path.read_text(), package)}, path


@pytest.mark.parametrize(
    ("source", "package"),
    [
        ("import aiida", "aiida_falsemetal.physics"),
        ("def f():\n    from aiida import orm", "aiida_falsemetal.runner"),
        ("from aiida.common import x", "aiida_falsemetal.campaign"),
        ("import aiida_pseudo.data as d", "aiida_falsemetal.report"),
        ("from ..campaign.check import x", "aiida_falsemetal.workflows"),
        ("from .. import cli", "aiida_falsemetal.query"),
        ("from ...runner import driver", "aiida_falsemetal.mlips.families"),
        (
            "def f():\n    import importlib\n    importlib.import_module('aiida_falsemetal.cli.main')",
            "aiida_falsemetal.data",
        ),
    ],
)
def test_a_wrong_import_is_found(source: str, package: str) -> None:
    assert len(faults(source, package)) == 1


@pytest.mark.parametrize(
    ("source", "package"),
    [
        ("from . import families", "aiida_falsemetal.mlips"),
        ("from ...physics.constants import x", "aiida_falsemetal.mlips.families"),
        ("from ..calculations.gap import x\nfrom aiida import orm", "aiida_falsemetal.workflows"),
        ("from .. import __version__", "aiida_falsemetal.cli"),
        ("from ..names import x", "aiida_falsemetal.report"),
    ],
)
def test_a_right_import_is_not(source: str, package: str) -> None:
    assert faults(source, package) == []

"""Packs the driver and what it needs of this package into one zipapp, the same bytes every time."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
PARTS = (
    "__init__.py",
    "runner",
    "physics/__init__.py",
    "physics/committee.py",
    "physics/constants.py",
    "physics/dipoles.py",
    "physics/molecules.py",
    "physics/slab.py",
    "mlips/__init__.py",
    "mlips/family.py",
    "mlips/registry.py",
    "mlips/families",
)
MAIN = "from aiida_falsemetal.runner.main import main\n\nmain()\n"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip file can hold: the archive must not depend on when it was made."""


def sources() -> dict[str, bytes]:
    """Path inside the archive and content of every file that travels, sorted by path."""
    found = {"__main__.py": MAIN.encode()}
    for part in PARTS:
        path = PACKAGE / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            found[f"{PACKAGE.name}/{file.relative_to(PACKAGE).as_posix()}"] = file.read_bytes()
    return dict(sorted(found.items()))


def build() -> bytes:
    """The zipapp. ``python runner.pyz`` runs :func:`aiida_falsemetal.runner.main.main`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sources().items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()

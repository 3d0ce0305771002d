"""The travelling driver: the same bytes every time, and nothing but ase and the model's package needed."""

from __future__ import annotations

import ast
import os
import sys
import zipfile
from io import BytesIO
from pathlib import Path

from aiida_falsemetal.runner import archive


def test_same_sources_give_same_bytes(monkeypatch: object) -> None:
    first = archive.build()
    for file in archive.PACKAGE.rglob("*.py"):
        os.utime(file)
    assert archive.build() == first


def test_everything_that_is_imported_travels_or_is_a_declared_package() -> None:
    names = zipfile.ZipFile(BytesIO(archive.build())).namelist()
    modules = {Path(name).with_suffix("").as_posix().replace("/", ".") for name in names}
    models = {"mace", "torchpme", "openmm", "e3nn", "sevenn", "chgnet", "torchani", "so3krates_torch", "metatomic"}
    models |= {"metatrain", "orb_models", "mattersim", "aimnet", "nequip", "tensorpotential"}
    helpers = {
        "yaml",
        "cached_path",
        "huggingface_hub",
        "metatomic_ase",
        "matscipy",
    }  # requirements of the model packages themselves
    allowed = {"ase", "numpy", "torch"} | helpers | models | set(sys.stdlib_module_names)
    for name, source in archive.sources().items():
        package = Path(name).with_suffix("").as_posix().split("/")[:-1]
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
                target = ".".join(base)
                inside = {target, f"{target}.__init__", *(f"{target}.{alias.name}" for alias in node.names)}
                assert inside & modules, f"{name} imports {target}, which does not travel"
            elif isinstance(node, ast.Import | ast.ImportFrom):
                roots = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
                for root in roots:
                    top = str(root).split(".")[0]
                    assert top in allowed or top == "aiida_falsemetal", f"{name} imports {root}"

"""Protocols: named sets of settings in YAML files beside this module."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from typing import Any

import yaml


class DftError(ValueError):
    """The DFT cannot be done as asked.

    :param field: the key of the protocol that is at fault.
    :param message: what is wrong and what to do, without a full stop.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message

    def __str__(self) -> str:
        return f"{self.field}: {self.message}."


def load_protocol(kind: str, name: str | None = None, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Settings of protocol ``name`` of ``kind`` (a file's stem), the default one where ``name`` is None.

    :raises ValueError: if there is no such protocol, or an override names a key that is not known.
    """
    content = yaml.safe_load(importlib.resources.files(__name__).joinpath(f"{kind}.yaml").read_text(encoding="utf-8"))
    name = name or content["default_protocol"]
    if name not in content["protocols"]:
        raise ValueError(f"there is no {kind} protocol {name!r}; protocols: {', '.join(content['protocols'])}.")
    settings = {**content["default_inputs"], **content["protocols"][name], "protocol": name}
    settings.pop("description", None)
    return override(kind, settings, overrides or {})


def override(kind: str, settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a protocol with other values for some keys.

    :raises ValueError: if a key is not one of a protocol's.
    """
    keys = set(settings) - {"protocol"}
    unknown = sorted(set(changes) - keys)
    if unknown:
        raise ValueError(f"the {kind} protocol has no key {unknown[0]!r}; keys: {', '.join(sorted(keys))}.")
    return {**settings, **changes}


def check_mesh(settings: Mapping[str, Any]) -> None:
    """Refuse a mesh of k-points that is none of a film.

    :raises DftError: if it is neither null nor [N, M, 1].
    """
    mesh = settings.get("kpoints")
    if mesh is None:
        return
    if not isinstance(mesh, (list, tuple)) or len(mesh) != 3 or mesh[2] != 1 or not all(map(_is_count, mesh)):
        raise DftError("kpoints", f"{mesh!r} is no [N, M, 1] of whole numbers; a film has no dispersion in z")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1

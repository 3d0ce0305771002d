"""Protocols: named sets of settings in YAML files beside this module."""

from __future__ import annotations

import importlib.resources
from typing import Any

import yaml


def load_protocol(kind: str, name: str | None = None, overrides: dict[str, Any] | None = None) -> dict[str, Any]:
    """Settings of protocol ``name`` of ``kind`` (a file's stem), the default one where ``name`` is None.

    :raises ValueError: if there is no such protocol, or an override names a key that is not known.
    """
    content = yaml.safe_load(importlib.resources.files(__name__).joinpath(f"{kind}.yaml").read_text(encoding="utf-8"))
    name = name or content["default_protocol"]
    if name not in content["protocols"]:
        raise ValueError(f"there is no {kind} protocol {name!r}; protocols: {', '.join(content['protocols'])}.")
    settings = {**content["default_inputs"], **content["protocols"][name]}
    settings.pop("description", None)
    unknown = sorted(set(overrides or {}) - set(settings))
    if unknown:
        raise ValueError(f"the {kind} protocol has no key {unknown[0]!r}; keys: {', '.join(sorted(settings))}.")
    return {**settings, **(overrides or {}), "protocol": name}

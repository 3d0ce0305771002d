"""The versions of what computed a campaign: the graph's own record, not what is installed where it is read."""

from __future__ import annotations

from typing import Any

from aiida import orm

from .graph import BASE, GAP, called, chosen, named

OF_THE_MD = ("ase", "mace-torch", "openmm")
"""Of the packages whose versions the MD has left, those that a reader asks for."""


def recorded_versions(pair_pks: list[int]) -> dict[str, str]:
    """Versions of the packages that computed these pairs by name; where there were several, all of them."""
    if not pair_pks:
        return {}
    found: dict[str, set[str]] = {}
    for version in _plugins(pair_pks):
        _add(found, {"aiida-falsemetal": version.get("plugin"), "aiida-core": version.get("core")})
    for version in _plugins(pair_pks, BASE):
        _add(found, {"aiida-quantumespresso": version.get("plugin")})
    for versions in _of_md(pair_pks):
        _add(found, {name: versions.get(name) for name in OF_THE_MD})
    return {name: ", ".join(sorted(values)) for name, values in found.items()}


def _add(found: dict[str, set[str]], versions: dict[str, str | None]) -> None:
    for name, version in versions.items():
        if version:
            # A build's suffix (``+cpu``) says nothing to a reader.
            found.setdefault(name, set()).add(version.partition("+")[0])


def _plugins(pair_pks: list[int], workflow: str | None = None) -> list[dict[str, Any]]:
    """What AiiDA keeps as the version of the pairs, or of the workchains of a kind that their gaps called."""
    query = chosen(pair_pks)
    tag = "pair"
    if workflow is not None:
        called(query, GAP, "pair", "gap")
        called(query, workflow, "gap", "run")
        tag = "run"
    # All frames of a campaign ran with one version or two.
    query.add_projection(tag, ["attributes.version"])
    query.distinct()
    return [version or {} for (version,) in query.iterall()]


def _of_md(pair_pks: list[int]) -> list[dict[str, Any]]:
    query = chosen(pair_pks, ["id"])
    query.append(orm.Dict, with_incoming="pair", edge_filters=named("md_results"), project="attributes.versions")
    return [versions or {} for _, versions in query.iterall()]

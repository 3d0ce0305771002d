"""Outputs of a process, asked of the database once."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.links import LinkType


def outputs_of(process: orm.ProcessNode) -> dict[str, Any]:
    """All outputs by their labels, those of a namespace as ``namespace.name``.

    AiiDA's ``process.outputs`` loads all of them anew at every name and at every ``in``.
    """
    links = process.base.links.get_outgoing(link_type=(LinkType.CREATE, LinkType.RETURN))
    return {link.link_label.replace("__", "."): link.node for link in links.all()}

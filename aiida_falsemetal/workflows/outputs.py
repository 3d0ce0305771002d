"""Outputs of a process, asked of the database once."""

from __future__ import annotations

from aiida import orm
from aiida.common.links import LinkType


def outputs_of(process: orm.ProcessNode) -> dict[str, orm.Data]:
    """All outputs by their labels, those in namespaces as ``namespace__name``.

    AiiDA's ``process.outputs`` loads all of them anew at every name and at every ``in``.
    """
    links = process.base.links.get_outgoing(link_type=(LinkType.CREATE, LinkType.RETURN))
    return {link.link_label: link.node for link in links.all()}

"""Outputs of a process, asked of the database once, and what pw.x says there of its costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida import orm
from aiida.common.links import LinkType


def outputs_of(process: orm.ProcessNode) -> dict[str, Any]:
    """All outputs by their labels, those of a namespace as ``namespace.name``.

    AiiDA's ``process.outputs`` loads all of them anew at every name and at every ``in``.
    """
    links = process.base.links.get_outgoing(link_type=(LinkType.CREATE, LinkType.RETURN))
    return {link.link_label.replace("__", "."): link.node for link in links.all()}


def pw_costs(jobs: Iterable[orm.CalcJobNode]) -> tuple[float, int]:
    """Seconds of wall time and SCF iterations of runs of pw.x; 0 of one that was killed before it could say."""
    seconds, iterations = 0.0, 0
    for job in jobs:
        found = outputs_of(job).get("output_parameters")
        parsed = {} if found is None else found.get_dict()
        seconds += float(parsed.get("wall_time_seconds") or 0.0)
        iterations += int(parsed.get("total_number_of_scf_iterations") or 0)
    return seconds, iterations

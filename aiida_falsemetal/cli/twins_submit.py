"""Makes a TwinWorkChain of a file of twins, and submits it."""

from __future__ import annotations

from functools import cache
from typing import Any

import click

from .room import worker_room
from .submit import load_code

LABEL_DEPTH = 3
"""Processes of one label under way at once: LabelWorkChain, PwBaseWorkChain, its job."""


def submit_twins(
    content: Any, samplers: dict[str, Any], settings: dict[str, Any], runs: list[Any], stop_after: str, retry: bool
) -> Any:
    """Submit a TwinWorkChain; returns its node.

    :raises click.ClickException: if a code is not set up.
    """
    from aiida import engine

    return engine.submit(twins_builder(content, samplers, settings, runs, stop_after, retry))


def twins_builder(
    content: Any, samplers: dict[str, Any], settings: dict[str, Any], runs: list[Any], stop_after: str, retry: bool
) -> Any:
    """Builder of a TwinWorkChain; arguments as of :func:`submit_twins`. Nothing is stored."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    from ..campaign.twin_runs import expand_rounds
    from ..data.mlip import MlipData
    from .profile import MD_CODE, PW_CODE

    numbers = {name: f"s{number:03d}" for number, name in enumerate(samplers)}
    builder = WorkflowFactory("falsemetal.twin").get_builder()
    builder.twins = orm.Dict(twins_content(content))
    builder.train_code = load_code(content.training.code or MD_CODE)
    builder.runs = {
        key: orm.Dict(
            {
                **run.content,
                "fingerprint": run.fingerprint,
                "sampler_number": numbers[run.sampler],
                "slots": content.slots,
            }
        )
        for key, run in numbered(runs)
    }
    builder.active_runs = orm.List(expand_rounds(content))
    builder.outliers = outlier_nodes(content)
    builder.samplers = {
        numbers[name]: MlipData.find_or_make(s.path, s.family, s.kwargs, s.facts, name, accepted=s.accepted)
        for name, s in samplers.items()
    }
    builder.sampler_codes = {numbers[name]: load_code(s.code or MD_CODE) for name, s in samplers.items()}
    builder.label = orm.Dict(settings)
    builder.pw_code = load_code(PW_CODE)
    builder.pw_options = orm.Dict(
        {
            "slots": content.slots,
            "resources": {"num_machines": 1, "num_mpiprocs_per_machine": content.label.ranks},
            "max_wallclock_seconds": content.label.walltime,
        }
    )
    builder.at_once = orm.Int(max(1, min(content.label.at_once, (worker_room() - 10) // LABEL_DEPTH)))
    builder.stop_after = orm.Str(stop_after)
    builder.retry = orm.Bool(retry)
    return builder


def numbered(runs: list[Any]) -> list[tuple[str, Any]]:
    """Runs with their keys as inputs."""
    return [(f"r{number:04d}", run) for number, run in enumerate(runs)]


def outliers_of(content: Any) -> list[tuple[str, Any]]:
    """Of every entry of `outliers` its name and its frames.

    :raises click.ClickException: if a campaign or an MLIP is not in the graph.
    """
    found = []
    for name, wanted in content.outliers.items():
        try:
            frames = _frames(wanted.campaign, wanted.mlip, wanted.frames, content.label.max_drop)
        except ValueError as error:
            raise click.ClickException(f"outliers.{name}: {error} Run the campaign first, or name another.") from error
        found.append((name, frames))
    return found


@cache
def _frames(campaign: str, mlip: str, count: int, max_drop: float) -> Any:
    """Asked of the graph once: the progress wants their number every few seconds."""
    from ..query.outliers import find_outliers

    return find_outliers(campaign, mlip, count, max_drop)


def outlier_nodes(content: Any) -> dict[str, dict[str, Any]]:
    """Nodes of these frames, as the workchain is given them."""
    from aiida import orm

    from ..query.outliers import configuration_nodes

    found: dict[str, dict[str, Any]] = {}
    for name, frames in outliers_of(content):
        for frame in frames:
            kelvin = orm.load_node(frame.pair_pk).inputs.md.get_dict().get("temperature")
            # Frames of one source have the same atoms and cell, without which their energies have no common zero.
            source = f"{name}/{frame.interface}"
            said = {"source": source, "sampler": content.outliers[name].mlip, "residual": frame.residual}
            parameters = orm.Dict({**said, "campaign": content.outliers[name].campaign, "temperature": kelvin})
            found[f"o{len(found):04d}"] = {**configuration_nodes(frame), "parameters": parameters}
    return found


def twins_content(content: Any) -> dict[str, Any]:
    """The file's content as the workchain is given it, the long-ranged twin's charges decided."""
    baseline = {"charges": content.ewald.table(), "smearing": content.ewald.smearing}
    return {**content.model_dump(mode="json"), "baseline": baseline}

#!/usr/bin/env python
"""MD of one structure with one MLIP: ``verdi run calculations/md.py FILE --mlip NAME --steps N --seed S``.

FILE is anything ase reads. NAME is a shipped model (``spcfw-ewald``, ``twin-sr``, ...); for a file of your own give
``--family`` and let NAME be its path. Prints ``name value unit`` lines; the trajectory is a node in the profile.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
from aiida import engine, orm

from aiida_falsemetal.cli.common import load_profile
from aiida_falsemetal.cli.models import mlip_node
from aiida_falsemetal.cli.profile import MD_CODE
from aiida_falsemetal.cli.structures import read_structure
from aiida_falsemetal.cli.submit import load_code
from aiida_falsemetal.physics.molecules import find_molecules
from aiida_falsemetal.workflows.md import MlipMdWorkChain


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--mlip", required=True, help="A name of `falsemetal model list` or, with --family, a model file.")
@click.option("--family", help="Family of the model file, for example mace.")
@click.option("--kwargs", default="{}", show_default=True, help="Keyword arguments of the calculator, as JSON.")
@click.option("--steps", type=click.IntRange(1), required=True)
@click.option("--seed", type=click.IntRange(1), required=True, help="Of velocities and thermostat.")
@click.option("--temperature", type=click.FloatRange(1.0), default=300.0, show_default=True, help="K")
@click.option("--index", default=-1, show_default=True, help="Which frame of FILE.")
@click.option(
    "--code", help=f"AiiDA code: a Python with ase and the model's package; that of its environment, or {MD_CODE}."
)
@click.option(
    "--walltime", default=3600, show_default=True, help="Seconds after which one job stops and the next goes on."
)
def main(
    file: Path,
    mlip: str,
    family: str | None,
    kwargs: str,
    steps: int,
    seed: int,
    temperature: float,
    index: int,
    code: str | None,
    walltime: int,
) -> None:
    """MD of the structure in FILE."""
    atoms = read_structure(file, index)
    load_profile()
    try:
        model, needed = mlip_node(mlip, family, json.loads(kwargs), set(atoms.get_chemical_symbols()))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    info = orm.Dict({"molecules": find_molecules(atoms), "axis": 2})
    frame_stride = next(stride for stride in (100, 10, 1) if stride <= steps)
    overrides = {"temperature": temperature, "stride": min(10, frame_stride), "frame_stride": frame_stride}
    builder = MlipMdWorkChain.get_builder_from_protocol(
        load_code(code or needed or MD_CODE),
        orm.StructureData(ase=atoms),
        info,
        model,
        steps,
        seed,
        overrides,
        {"max_wallclock_seconds": walltime},
    )
    builder.metadata.label = f"{file.name} x {mlip}"
    outputs, node = engine.run_get_node(builder)
    report(outputs, node)
    if not node.is_finished_ok:
        raise click.ClickException(f"MlipMdWorkChain<{node.pk}>: {node.exit_message}")


def report(outputs: dict[str, orm.Node], node: orm.ProcessNode) -> None:
    """Print what the run made."""
    if "series" in outputs:
        series = outputs["series"]
        dipole = series.get_array("dipole_z")
        click.echo(f"steps {int(series.get_array('step')[-1])} 1")
        click.echo(f"temperature {np.mean(series.get_array('temperature')):.1f} K")
        click.echo(f"mean_Mz {np.mean(dipole):.4f} e*A")
        click.echo(f"sd_Mz {np.std(dipole):.4f} e*A")
    if "trajectory" in outputs:
        click.echo(f"trajectory_pk {outputs['trajectory'].pk} node")
    click.echo(f"pk {node.pk} node")


if __name__ == "__main__":
    main()

#!/usr/bin/env python
"""The gap of one film with pw.x: ``verdi run calculations/gap.py FILE``, or the same with ``python``.

FILE is anything ase reads (extended XYZ, CIF, POSCAR, ...) with a cell whose third vector is the interface's normal.
Prints one ``name value unit`` line each for gap, vbm, cbm, drop and what else the result holds; exits with 1 where
pw.x gave no gap. The run and all that went into it are nodes in the profile.
"""

from __future__ import annotations

from pathlib import Path

import click
from aiida import engine, orm

from aiida_falsemetal.cli.common import load_profile
from aiida_falsemetal.cli.profile import PW_CODE
from aiida_falsemetal.cli.structures import read_structure
from aiida_falsemetal.cli.submit import load_code
from aiida_falsemetal.workflows.gap import GapWorkChain

UNITS = {
    "gap": "eV",
    "vbm": "eV",
    "cbm": "eV",
    "drop": "V",
    "fermi": "eV",
    "dipole": "e*A",
    "witness": "e",
    "scf_iterations": "1",
    "wall_seconds": "s",
}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--index", default=-1, show_default=True, help="Which frame of FILE.")
@click.option("--protocol", default="fast", show_default=True, help="fast or standard.")
@click.option("--ranks", default=1, show_default=True, help="MPI ranks of pw.x.")
@click.option("--code", default=PW_CODE, show_default=True, help="AiiDA code of pw.x.")
@click.option("--walltime", default=3600, show_default=True, help="Seconds one pw.x run may take.")
def main(file: Path, index: int, protocol: str, ranks: int, code: str, walltime: int) -> None:
    """Gap of the film in FILE."""
    atoms = read_structure(file, index)
    load_profile()
    options = {
        "resources": {"num_machines": 1, "num_mpiprocs_per_machine": ranks},
        "max_wallclock_seconds": walltime,
    }
    try:
        builder = GapWorkChain.get_builder_from_protocol(
            load_code(code), orm.StructureData(ase=atoms), protocol, options=options
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    builder.metadata.label = file.name
    outputs, node = engine.run_get_node(builder)
    if not node.is_finished_ok:
        raise click.ClickException(f"GapWorkChain<{node.pk}> gave no gap: {node.exit_message}")
    result = outputs["result"].get_dict()
    for name, unit in UNITS.items():
        click.echo(f"{name} {result[name]:.6g} {unit}")
    click.echo(f"metallic {result['metallic']} bool")
    click.echo(f"pk {node.pk} node")


if __name__ == "__main__":
    main()

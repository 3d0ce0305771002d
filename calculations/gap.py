#!/usr/bin/env python
"""The gap of one film with pw.x: ``verdi run calculations/gap.py FILE``, or the same with ``python``.

FILE is anything ase reads (extended XYZ, CIF, POSCAR, ...) with a cell whose third vector is the interface's normal.
Prints one ``name value unit`` line each for gap, vbm, cbm, drop, where the edges sit and what else the result holds:
``vbm_z`` and ``cbm_z`` are heights from the film's middle, ``edge_separation`` is ``cbm_z - vbm_z``. With a metal below
(``--substrate Al``), gap and edges are those of the other atoms. Exits with 1 where there is no gap, or where something
that was asked for besides is missing. The run and all that went into it are nodes in the profile.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from aiida import engine, orm

from aiida_falsemetal.cli.common import load_profile
from aiida_falsemetal.cli.profile import PW_CODE
from aiida_falsemetal.cli.structures import read_structure, read_substrate
from aiida_falsemetal.cli.submit import load_code, property_codes
from aiida_falsemetal.workflows.gap import GapWorkChain
from aiida_falsemetal.workflows.pseudos import cutoff_note

UNITS = {
    "gap": "eV",
    "vbm": "eV",
    "cbm": "eV",
    "drop": "V",
    "fermi": "eV",
    "dipole": "e*A",
    "witness": "e",
    "degauss": "Ry",
    "attempt": "1",
    "scf_iterations": "1",
    "wall_seconds": "s",
}
PROPERTY_UNITS = {
    "vbm_z": "A",
    "cbm_z": "A",
    "edge_separation": "A",
    "tilt": "eV/A",
    "vbm_projected": "1",
    "cbm_projected": "1",
    "spilling": "1",
    "potential_drop": "V",
    "vacuum_lower": "eV",
    "vacuum_upper": "eV",
    "plateau_ripple": "V",
    "solvent_vbm": "eV",
    "solvent_cbm": "eV",
    "solvent_gap": "eV",
    "stripped_gap": "eV",
    "stripped_drop": "V",
}
"""Printed where there is a value."""

LAYER_STEP = 2.0
"""Å between two printed layers."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--index", default=-1, show_default=True, help="Which frame of FILE.")
@click.option("--protocol", default="fast", show_default=True, help="fast or standard.")
@click.option("--ranks", default=1, show_default=True, help="MPI ranks of pw.x.")
@click.option("--functional", help="Instead of that of the pseudopotentials: revPBE, BLYP, ...")
@click.option("--pseudos", help="Label of an installed pseudopotential family; that of the protocol by default.")
@click.option("--ecutwfc", type=click.FloatRange(min=0.0, min_open=True), help="Ry, instead of the protocol's.")
@click.option("--code", default=PW_CODE, show_default=True, help="AiiDA code of pw.x.")
@click.option("--walltime", default=3600, show_default=True, help="Seconds one pw.x run may take.")
@click.option("--layers/--no-layers", default=True, show_default=True, help="States by layer: where the edges sit.")
@click.option("--potential/--no-potential", default=False, show_default=True, help="Plane-averaged potential.")
@click.option("--substrate", help="A metal's atoms: elements (Al) or indices from 0 (0-15,20), commas between.")
@click.option("--kpoints", nargs=2, type=int, help="Mesh in the plane; Gamma by default, with a metal by spacing.")
def main(
    file: Path,
    index: int,
    protocol: str,
    ranks: int,
    code: str,
    walltime: int,
    layers: bool,
    potential: bool,
    substrate: str | None,
    kpoints: tuple[int, int] | None,
    functional: str | None,
    pseudos: str | None,
    ecutwfc: float | None,
) -> None:
    """Gap of the film in FILE."""
    atoms = read_structure(file, index)
    chosen = read_substrate(atoms, substrate) if substrate else None
    properties = [name for name, wanted in (("layers", layers), ("potential", potential)) if wanted]
    load_profile()
    options = {
        "resources": {"num_machines": 1, "num_mpiprocs_per_machine": ranks},
        "max_wallclock_seconds": walltime,
    }
    try:
        builder = GapWorkChain.get_builder_from_protocol(
            load_code(code),
            orm.StructureData(ase=atoms),
            protocol,
            overrides={"properties": properties, "kpoints": [*kpoints, 1] if kpoints else None, "ecutwfc": ecutwfc},
            options=options,
            pseudo_family=pseudos,
            functional=functional,
            codes=property_codes([*properties, *(["layers"] if chosen else [])]),
            substrate=chosen,
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    note = cutoff_note(builder.parameters.get_dict())
    if note is not None:
        click.echo(note, err=True)
    builder.metadata.label = file.name
    outputs, node = engine.run_get_node(builder)
    if not node.is_finished_ok:
        raise click.ClickException(f"GapWorkChain<{node.pk}> gave no gap: {node.exit_message}")
    result = outputs["result"].get_dict()
    for name, unit in {**UNITS, **PROPERTY_UNITS}.items():
        if result[name] is not None:
            click.echo(f"{name} {result[name]:.6g} {unit}")
    click.echo(f"metallic {result['metallic']} bool")
    click.echo(f"gap_of {result['gap_of']} what")
    click.echo(f"functional {result['functional']} name")
    click.echo(f"pk {node.pk} node")
    if "layers" in outputs:
        echo_layers(outputs["layers"])
    if result["property_message"]:
        raise click.ClickException(f"GapWorkChain<{node.pk}>: {result['property_message']}")


def echo_layers(layers: orm.ArrayData) -> None:
    """Bottom to top, eV: local band edges and the mean energy of the occupied states, whose slope is the field."""
    names = ("vbm", "cbm", "centre")
    z, *columns = (layers.get_array(name) for name in ("z", *names))
    step = max(1, round(LAYER_STEP / (z[1] - z[0])))
    for place in range(0, len(z), step):
        found = {name: column[place] for name, column in zip(names, columns, strict=True) if np.isfinite(column[place])}
        if found:
            click.echo(f"layer {z[place]:+.1f} A  " + "  ".join(f"{name} {value:.2f}" for name, value in found.items()))


if __name__ == "__main__":
    main()

"""`falsemetal trajectory`: trajectories that someone has already, for their frames to be judged like any other's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .bulk import bulk_command
from .common import load_profile

IMPORTED = "imported"
"""What stands for the model where nobody says who made a trajectory."""
REPORT_EVERY = 100
"""Frames between two words on progress."""


@click.group()
def trajectory() -> None:
    """Trajectories from files: store one in the profile, or look at a bulk liquid's."""


trajectory.add_command(bulk_command)


@trajectory.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--timestep", type=float, help="fs between two frames of FILE; needed unless the frames tell their times."
)
@click.option("--temperature", type=float, required=True, help="K, at which it was made.")
@click.option("--label", default="", help="The node's label; by default the file's name.")
@click.option("--format", "form", help="ase's name of the format; by default guessed.")
@click.option("--index", default=":", show_default=True, help="Which frames: START:STOP:STEP.")
@click.option("--elements", default="", help='Of the types of a LAMMPS dump, in their order: "O H".')
@click.option("--solvent", help="The solvent that there must be; by default any that is known.")
@click.option("--metal/--no-metal", default=None, help="Whether the substrate is one; by default as its elements say.")
@click.option("--mlip", help="The model that made it, by its name in `falsemetal model list`.")
@click.option("--origin", help='Who made it, where it was no such model: "AIMD, PBE-D3, CP2K".')
@click.option("--energies/--no-energies", default=None, help="The file's energies; by default if each frame has one.")
def import_command(
    file: Path,
    timestep: float | None,
    temperature: float,
    label: str,
    form: str | None,
    index: str,
    elements: str,
    solvent: str | None,
    metal: bool | None,
    mlip: str | None,
    origin: str | None,
    energies: bool | None,
) -> None:
    """Store the trajectory in FILE in the profile. The same trajectory gives the same nodes.

    FILE is of any format that ase reads: extended XYZ, .traj, LAMMPS dump, XDATCAR. Its cell is constant and upright,
    with vacuum along z; its parts are found as those of a whole interface, see the recipe `file`.
    """
    from ..interfaces.recipe import InterfaceError
    from ..interfaces.trajectory import Request, read_slice

    _check_options(timestep, temperature, mlip, origin, label)
    load_profile()
    try:
        frames = read_slice(index)
        request = Request(file, timestep, form, frames, tuple(elements.split()), solvent, metal, energies)
        read = _read(request)
    except InterfaceError as error:
        raise click.ClickException(f"{file}: {error}") from error
    parameters = {
        "temperature": temperature,
        "timestep": round(read.timestep, 9),
        "solvent": solvent,
        "metal": metal,
        "made_by": mlip or origin or IMPORTED,
    }
    _store(read, parameters, _model(mlip, set(read.symbols)), label)


def _check_options(
    timestep: float | None, temperature: float, mlip: str | None, origin: str | None, label: str
) -> None:
    """Refuse values that make no sense before a long file is read.

    :raises click.ClickException: naming the option.
    """
    if timestep is not None and not 0.0 < timestep < float("inf"):
        raise click.ClickException(f"--timestep {timestep:g}: give a positive time in fs.")
    if not 0.0 < temperature < float("inf"):
        raise click.ClickException(f"--temperature {temperature:g}: give a positive temperature in K.")
    if mlip and origin:
        raise click.ClickException("--mlip and --origin both say who made it; give one of them.")
    for name, text in (("--origin", origin), ("--label", label)):
        if text is not None and (not text.isprintable() or len(text) > 200):
            raise click.ClickException(f"{name}: give a text of one line and at most 200 characters.")


def _read(request: Any) -> Any:
    """Read the file, with a running count at a terminal."""
    from rich.console import Console

    from ..interfaces.trajectory import read_trajectory

    with Console(stderr=True).status(f"reading {request.path.name}") as status:

        def progress(count: int) -> None:
            if count % REPORT_EVERY == 0:
                status.update(f"reading {request.path.name}: {count} frames")

        return read_trajectory(request, progress)


def _model(name: str | None, elements: set[str]) -> Any:
    """The node of a model known by name, or None.

    :raises click.ClickException: if there is none, or it does not know the elements.
    """
    if name is None:
        return None
    from ..mlips.family import ModelError
    from .models import mlip_node

    try:
        return mlip_node(name, None, {}, elements)[0]
    except (ModelError, ImportError) as error:
        raise click.ClickException(f"--mlip {name}: {error}") from error


def _store(read: Any, parameters: dict[str, Any], model: Any, label: str) -> None:
    """Store the nodes and print how to use them."""
    from .trajectories import store_trajectory

    found, new = store_trajectory(read, parameters, model, label)
    info = found.interface_info.get_dict()
    parts = [f"{len(info['molecules'])} molecules and ions, {info['solvent']}"]
    if info["substrate_indices"]:
        kind = "metal" if info.get("metal_indices") else "no metal"
        parts.append(f"substrate of {len(info['substrate_indices'])} atoms ({kind})")
    node = found.trajectory
    click.echo(
        f"{'stored' if new else 'there already'}: TrajectoryData<{node.pk}>, {len(read.step)} frames, "
        f"{read.time[-1]:g} ps, {', '.join(parts)}, {', '.join(['dipole_z', *sorted(read.recorded)])}, {node.label}"
    )
    click.echo(f"in a campaign file: trajectories: {{NAME: {{trajectory: {node.uuid}}}}}")

"""`falsemetal interface`: which interfaces there are, what they take, and how one looks before anything is computed."""

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

import click

from .common import format_option, load_profile, print_rows

COMMAND_LINE = "command line"
"""Stands for the file's name where a recipe's parameters are given in the command."""
DEFAULT_FORMAT = "extxyz"
TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}


@click.group()
def interface() -> None:
    """Recipes of interfaces: list them, show their parameters, build one, import a structure."""


@interface.command("list")
@format_option
def list_command(form: str) -> None:
    """List recipes, and what they are made of: substrates, solvents, salts."""
    print_rows(inventory(), form, ["kind", "name", "what"])


@interface.command()
@click.argument("recipe")
@format_option
def show(recipe: str, form: str) -> None:
    """Show the parameters of RECIPE and, as a table, an example for a campaign file."""
    from ..interfaces.recipe import InterfaceError
    from ..interfaces.registry import load_recipe

    try:
        chosen = load_recipe(recipe)
    except InterfaceError as error:
        raise click.ClickException(str(error)) from error
    if form == "table":
        click.echo(f"{chosen.name}: {chosen.summary}\n")
    print_rows(parameter_rows(recipe), form, ["parameter", "type", "default", "bounds", "what"])
    if form == "table":
        click.echo(f"\n{example(recipe)}", nl=False)


@interface.command()
@click.argument("name")
@click.argument("values", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--file", "campaign", type=click.Path(path_type=Path), help="Campaign file that has the interface NAME.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Structure file; its suffix gives the format.")
@click.option("--force", is_flag=True, help="Overwrite the structure file.")
@format_option
def build(
    name: str, values: tuple[str, ...], campaign: Path | None, output: Path | None, force: bool, form: str
) -> None:
    """Build an interface and say what it has become.

    NAME is a recipe, with its parameters as KEY=VALUE, values as in YAML ('repeat=[3, 3]', 'salt={NaCl: 1}'); or with
    --file an interface of a campaign file. The structure is written with -o: extended XYZ, unless the suffix is that of
    another format that ase writes.
    """
    from ..interfaces.measure import problems
    from ..interfaces.recipe import InterfaceError

    spec = _from_campaign(name, values, campaign) if campaign is not None else _from_values(name, values)
    target = None if output is None else _writable(output, force)
    try:
        built = built_from(spec)
    except InterfaceError as error:
        raise click.ClickException(str(error)) from error
    print_rows(built_rows(built), form, ["quantity", "value", "unit"])
    wrong = problems(built)
    if wrong:
        raise click.ClickException(" ".join(wrong) + " Nothing was written.")
    if target is not None and output is not None:
        _write(built.atoms, output, target)
        click.echo(f"written: {output}", err=True)


@interface.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--index", default=-1, show_default=True, help="Which structure of FILE; -1 is the last.")
@click.option("--label", default="", help="The node's label; by default the file's name.")
def import_command(file: Path, index: int, label: str) -> None:
    """Store the structure in FILE in the profile, for the recipe `file`. The same structure gives the same node."""
    from ..campaign.structures import read_structure_file
    from ..interfaces.recipe import InterfaceError
    from ..interfaces.upright import upright
    from .structures import store_structure

    try:
        structure = read_structure_file(file, index)
        upright(structure.atoms)
    except InterfaceError as error:
        raise click.ClickException(f"{file}: {error}") from error
    load_profile()
    node, new = store_structure(structure, label)
    click.echo(f"{'stored' if new else 'there already'}: StructureData<{node.pk}>, {node.get_formula()}, {node.label}")
    click.echo(f"in a campaign file: {{recipe: file, structure: {node.uuid}}}")


def inventory() -> list[dict[str, str]]:
    """Rows ``kind``, ``name``, ``what`` of all recipes, substrates, solvents and salts."""
    from ..interfaces.registry import recipes
    from ..interfaces.solvents import SALTS, SOLVENTS
    from ..interfaces.substrates import SUBSTRATES

    rows = [("recipe", name, recipe.summary) for name, recipe in recipes().items()]
    for name, entry in SUBSTRATES.items():
        kind, layers = (
            "metal" if entry.metal else "insulator",
            "1 layer" if entry.layers == 1 else f"{entry.layers} layers",
        )
        rows.append(("substrate", name, f"{kind}, lattice constant {entry.a:g} Å, {layers} by default"))
    for name, liquid in SOLVENTS.items():
        density = f"{liquid.grams_per_cm3():.3f} g/cm3"
        rows.append(("solvent", name, f"{density}, eps {liquid.eps:g}, eps_inf {liquid.eps_inf:.2f}"))
    for name, pair in SALTS.items():
        rows.append(("salt", name, f"{' and '.join(pair.ions)}, {pair.volume:.1f} Å^3 a pair in water"))
    return [dict(zip(("kind", "name", "what"), row, strict=True)) for row in rows]


def parameter_rows(recipe: str) -> list[dict[str, Any]]:
    """Rows ``parameter``, ``type``, ``default``, ``bounds``, ``what`` of a recipe, its structure's keys first."""
    from ..campaign.schema import StructureSource
    from ..interfaces.registry import load_recipe, takes_structure

    models: list[Any] = [*([StructureSource] if takes_structure(recipe) else []), load_recipe(recipe).parameters]
    rows = []
    for model in models:
        fields = model.model_json_schema()["properties"]
        for name, info in model.model_fields.items():
            kinds = [kind for kind in fields[name].get("anyOf", [fields[name]]) if kind.get("type") != "null"]
            default = "required" if info.is_required() else info.get_default(call_default_factory=True)
            rows.append(
                {
                    "parameter": name,
                    "type": " or ".join(_type(kind) for kind in kinds),
                    "default": list(default) if isinstance(default, tuple) else default,
                    "bounds": _bounds(kinds[0]),
                    "what": info.description or "",
                }
            )
    return rows


def _type(schema: dict[str, Any]) -> str:
    """A JSON schema in words."""
    if "enum" in schema:
        return " or ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        items = schema.get("prefixItems", [])
        return f"list of {len(items)} {TYPES[items[0]['type']]}s" if items else "list"
    if schema.get("type") == "object":
        return f"mapping of text to {_type(schema['additionalProperties'])}"
    return TYPES[schema["type"]]


def _bounds(schema: dict[str, Any]) -> str:
    """Limits of a number, or of a list's or mapping's numbers."""
    inner = schema.get("additionalProperties") or next(iter(schema.get("prefixItems", [])), schema)
    words = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most", "exclusiveMaximum": "below"}
    return ", ".join(f"{word} {inner[key]:.10g}" for key, word in words.items() if key in inner)


def example(recipe: str) -> str:
    """An entry of a campaign file's ``interfaces`` for a recipe."""
    import yaml

    from ..interfaces.registry import load_recipe, takes_structure

    source = {"file": "slab.cif"} if takes_structure(recipe) else {}
    entry = {"recipe": recipe, **source, **load_recipe(recipe).examples()[0]}
    lines = yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=10**6).strip()
    return f"interfaces:\n  my-{recipe}: {lines}\n"


def built_rows(built: Any) -> list[dict[str, Any]]:
    """Rows ``quantity``, ``value``, ``unit`` of a built interface."""
    from ..interfaces.measure import measure

    found, info = measure(built), built.info
    rows: list[tuple[str, Any, str]] = [
        ("formula", found["formula"], ""),
        ("atoms", found["atoms"], ""),
        ("molecules and ions", found["molecules"], ""),
        ("solvent", info["solvent"], ""),
        ("area", round(info["area"], 3), "Å^2"),
        ("thickness at the liquid's density", round(info["thickness"], 3), "Å"),
        ("vacuum", round(found["vacuum"], 3), "Å"),
        # A liquid that came with its structure fills what it fills: nobody knows where it ends.
        ("density of the liquid", round(found["density"], 4) if info.get("packed", True) else None, "g/cm3"),
        ("smallest intermolecular distance", round(found["shortest_distance"], 3), "Å"),
        ("atoms held in the MD", len(info["fixed_indices"]), ""),
        ("metal atoms", len(info.get("metal_indices", [])), ""),
        ("k-points", "x".join(str(number) for number in info["kpoints"]), ""),
    ]
    rows += [(f"molality of {name}", round(value, 3), "mol/kg") for name, value in info.get("molality", {}).items()]
    lattice = info["lattice"]
    if lattice is not None:
        edges = " x ".join(f"{length:.3f}" for length in lattice["lengths"])
        rows.append(("lattice", f"{lattice['substrate']}: {edges}, {lattice['angle']:.1f}°", "Å"))
        rows.append(("strain", _strain(lattice["strain"]), "%"))
        if "second" in lattice:
            second = lattice["second"]
            turned = f"{second['substrate']}, turned by {second['rotation']:.1f}°"
            rows += [("second lattice", turned, ""), ("second strain", _strain(second["strain"]), "%")]
    return [dict(zip(("quantity", "value", "unit"), row, strict=True)) for row in rows]


def _strain(strain: list[float]) -> str:
    return ", ".join(f"{key} {value:.2f}" for key, value in zip(("xx", "yy", "xy"), strain, strict=True))


def _from_campaign(name: str, values: tuple[str, ...], campaign: Path) -> Any:
    """The interface of a campaign file, its structure found.

    :raises click.ClickException: if the file is wrong or has none of that name.
    """
    from ..campaign.errors import CampaignError
    from ..campaign.schema import load_campaign
    from .structures import find_atoms
    from .trajectories import find_trajectory

    if values:
        raise click.ClickException(f"{shlex.join(values)}: with --file the parameters are the file's; leave it out.")
    try:
        interfaces = load_campaign(campaign, find_atoms, find_trajectory).interfaces
    except CampaignError as error:
        raise click.ClickException(str(error)) from error
    if name not in interfaces:
        raise click.ClickException(f"{campaign} has no interface {name!r}; it has {', '.join(interfaces)}.")
    return interfaces[name]


def _from_values(recipe: str, values: tuple[str, ...]) -> Any:
    """The interface of a recipe with parameters from the command line, its structure found.

    :raises click.ClickException: naming the parameter.
    """
    from ..campaign.errors import CampaignError
    from ..campaign.schema import parse_interface, resolve_interface
    from ..campaign.source import parse_source
    from .structures import find_atoms

    given: dict[str, Any] = {"recipe": recipe}
    try:
        for text in values:
            key, equals, value = text.partition("=")
            if not equals or not key:
                raise click.ClickException(f"{text!r} is not KEY=VALUE; write for example molecules=24.")
            if key in given:
                raise click.ClickException(f"{key} is given twice; keep one of the two.")
            given[key] = parse_source(value, f"{COMMAND_LINE}, {key}")
        spec = parse_interface(given, COMMAND_LINE)
        resolve_interface(spec, COMMAND_LINE, (), Path.cwd(), find_atoms)
    except CampaignError as error:
        raise click.ClickException(str(error)) from error
    return spec


def built_from(spec: Any) -> Any:
    """The interface that a campaign's entry describes."""
    from ..interfaces.registry import build_recipe

    return build_recipe(spec.recipe, spec.parameters, None if spec.structure is None else spec.structure.atoms)


def _writable(output: Path, force: bool) -> str:
    """ase's name of the format that a file is to have.

    :raises click.ClickException: if the file is there, its folder is not, or ase cannot write the format.
    """
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    if output.is_dir() or not output.absolute().parent.is_dir():
        raise click.ClickException(f"{output}: there is no such folder to write a file to; name another file.")
    if output.exists() and not force:
        raise click.ClickException(f"{output} is there already; give --force to overwrite it.")
    try:
        form = str(filetype(str(output), read=False)) if output.suffix or output.name == "POSCAR" else DEFAULT_FORMAT
        able = bool(ioformats[form].can_write)
    except (UnknownFileTypeError, KeyError):
        able = False
    if not able:
        raise click.ClickException(f"{output}: ase writes no {output.suffix} files; use .extxyz, .cif or .vasp.")
    return form


def _write(atoms: Any, output: Path, form: str) -> None:
    """Write beside, then rename: what was there stays until the new file is whole.

    :raises click.ClickException: if it cannot be written.
    """
    from ase.io import write

    handle, name = tempfile.mkstemp(prefix=f".{output.name}-", suffix=output.suffix, dir=output.absolute().parent)
    os.close(handle)
    try:
        # VASP wants each element once; everything else keeps the order substrate, solvent, ions.
        write(name, atoms, format=form, **({"sort": True} if form == "vasp" else {}))
        os.chmod(name, 0o644)
        os.replace(name, output)
    except Exception as error:  # ase's writers raise many kinds
        raise click.ClickException(f"{output}: cannot be written as {form} ({error}); use .extxyz.") from error
    finally:
        Path(name).unlink(missing_ok=True)

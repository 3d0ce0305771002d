"""`falsemetal model`: which models there are, what each is, and the Python environments that they need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .common import format_option, load_profile, print_rows

COLUMNS = ["name", "family", "here", "long_ranged", "cutoff", "layers", "receptive_field", "coulomb_cutoff", "elements"]
"""Of a model's row, what the table has room for; JSON and CSV have all of it."""


@click.group()
def model() -> None:
    """Models known by name, and the Python environments that run them."""


@model.command("list")
@format_option
def list_models(form: str) -> None:
    """All models: those that ship here, those of the catalogue, those that were added."""
    rows = _asked(_rows)
    print_rows(rows, form, COLUMNS if form == "table" else None)
    if form == "table":
        click.echo("here: `no` needs its environment (`falsemetal model env NAME`); lengths in Å")


@model.command()
@click.argument("name")
@click.option("--family", help="Of a model file that is given in place of a name.")
@click.option("--kwargs", "text", metavar="JSON", help="Keyword arguments of the calculator.")
def show(name: str, family: str | None, text: str | None) -> None:
    """What the model NAME, or the model file NAME, says of itself."""

    def facts() -> dict[str, Any]:
        from ..campaign.origin import find_origin
        from ..campaign.schema import MlipSpec

        kwargs = _json(text) or {}
        spec = MlipSpec(family=family, file=name, kwargs=kwargs) if family else _preset(name, kwargs)
        origin = find_origin(name, spec, Path.cwd())
        found = origin.facts().as_dict()
        if not origin.path.is_file():
            raise click.ClickException(f"there is no model file {origin.path}.")
        return {
            "name": name,
            "family": origin.family,
            "file": str(origin.path),
            "code": origin.code or "python-mlip@localhost",
            "kwargs": origin.kwargs,
            **found,
            "licence": origin.licence or found["licence"],
            "reference": origin.reference or found["reference"],
        }

    click.echo(json.dumps(_asked(facts), indent=1, ensure_ascii=False))


@model.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def scan(file: Path, form: str) -> None:
    """Look for code that loading FILE would run; nothing is loaded. Exit code 1 unless it is safe."""
    from ..mlips.scan import scan_model

    if not file.is_file():
        raise click.ClickException(f"{file}: there is no such file.")
    report = scan_model(file)
    if form == "json":
        click.echo(json.dumps(report.as_dict(), indent=1))
    else:
        click.echo(f"{file}: {report.verdict} ({report.scanner}, sha256 {report.sha256})")
        for finding in report.findings:
            click.echo(f"  {finding}")
    if report.verdict != "safe":
        raise SystemExit(1)


@model.command()
@click.argument("name")
@click.option("--path", type=click.Path(path_type=Path), help="An environment of your own: its folder, or its Python.")
@click.option("--pip-args", default="", help="Further arguments of pip install, for example an --index-url.")
def env(name: str, path: Path | None, pip_args: str) -> None:
    """Make the environment NAME (or that of the model NAME), register it as an AiiDA code, add its models."""
    load_profile()

    def made() -> None:
        from . import shelf

        environment = shelf.environment_name(name)
        python = shelf.python_of(path) if path else shelf.make_environment(environment, click.echo, pip_args)
        _register(environment, python)
        for entry in shelf.offline_presets(environment):
            found = shelf.add_model(entry.name, environment=environment)
            click.echo(f"model {entry.name}: {_line(found)}")

    _asked(made)


@model.command()
@click.argument("name")
@click.option("--env", "environment", help="An environment that was added, or the folder or Python of a new one.")
@click.option("--family", help="Family of a model that the catalogue does not have.")
@click.option("--file", type=click.Path(path_type=Path), help="The model's file.")
@click.option("--kwargs", "text", metavar="JSON", help="Keyword arguments of the calculator.")
@click.option("--licence", default="", help="SPDX identifier of the weights' licence.")
@click.option("--reference", default="", help="Where the model and its training are described.")
@click.option("--accept-unsafe", "accepted", metavar="REASON", help="Load the file although the scan refuses it.")
def add(
    name: str,
    environment: str | None,
    family: str | None,
    file: Path | None,
    text: str | None,
    licence: str,
    reference: str,
    accepted: str | None,
) -> None:
    """Add the model NAME, of the catalogue or a new one, so that campaigns can use it by name."""
    if environment is not None:
        load_profile()

    def added() -> None:
        from ..mlips.catalogue import presets
        from ..mlips.registry import load_family
        from ..mlips.shelf import load_shelf
        from . import shelf

        _check_name(name)
        entry = presets().get(name)
        place = environment
        if environment is not None and environment not in load_shelf().environments:
            python = shelf.python_of(Path(environment))
            kind = load_family(family) if family else None
            place = (entry.environment if entry else None) or (kind.environment if kind else None) or name
            _register(place, python)
        elif environment is None and entry is not None and entry.environment in load_shelf().environments:
            place = entry.environment
        replaced = name in load_shelf().models
        found = shelf.add_model(name, family, file, _json(text), place, licence, reference, accepted)
        click.echo(f"model {name}: {_line(found)}" + (" (replaces what was added before)" if replaced else ""))

    _asked(added)


@model.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget the added model NAME. Its file, and what the graph has of it, stay."""

    def removed() -> None:
        from ..mlips.shelf import load_shelf, save_shelf

        shelf = load_shelf()
        if name not in shelf.models:
            raise click.ClickException(f"no model {name!r} was added; there are {', '.join(shelf.models) or 'none'}.")
        del shelf.models[name]
        save_shelf(shelf)
        click.echo(f"model {name}: removed")

    _asked(removed)


def _register(environment: str, python: Path) -> None:
    """An environment on the shelf and as an AiiDA code."""
    from ..mlips.shelf import code_label
    from . import shelf
    from .profile import ensure_computer, ensure_environment

    shelf.add_environment(environment, python)
    ensure_environment(environment, python, ensure_computer(click.echo), click.echo)
    click.echo(f"environment {environment}: {python}, AiiDA code {code_label(environment)}")


def _preset(name: str, kwargs: dict[str, Any]) -> Any:
    from ..campaign.errors import suggestion
    from ..campaign.schema import MlipSpec, known_models

    if name not in known_models():
        raise click.ClickException(
            f"there is no model {name!r}; {suggestion(name, known_models())}, or give --family and a file."
        )
    return MlipSpec(preset=name, kwargs=kwargs)


def _check_name(name: str) -> None:
    """Names go into campaign files, labels and file names."""
    from pydantic import TypeAdapter, ValidationError

    from ..campaign.schema import Name

    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise click.ClickException(f"NAME: {error.errors()[0]['msg']}.") from error


def _rows() -> list[dict[str, Any]]:
    """One row a model; facts of those that are here are read from their files, the others have none."""
    from ..campaign.origin import is_installed
    from ..campaign.schema import known_models
    from ..mlips.catalogue import presets
    from ..mlips.registry import load_family
    from ..mlips.shelf import load_shelf

    shelf, entries, rows = load_shelf(), presets(), []
    for name in known_models():
        entry, added = entries.get(name), shelf.models.get(name)
        family = added.family if added else entries[name].family
        # What needs no environment may be here without having been added: CP2K's networks.
        own = entry is not None and (entry.shipped or entry.environment is None)
        facts = _facts(name) if added is not None or (own and is_installed(load_family(family))) else {}
        here = bool(facts)
        rows.append(
            {
                "name": name,
                "family": family,
                "here": "yes" if here else "no",
                **{key: facts.get(key) for key in COLUMNS[3:8]},
                "elements": _elements(facts.get("elements")),
                "precision": facts.get("precision"),
                "environment": added.environment if added else entry.environment if entry else None,
                "offline": entry.offline if entry else True,
                "licence": added.licence if added else entry.licence if entry else "",
                "summary": entry.summary if entry else "",
            }
        )
    return rows


def _facts(name: str) -> dict[str, Any]:
    """What the file of the model NAME says; nothing where it is not here."""
    from ..campaign.origin import find_origin
    from ..campaign.schema import MlipSpec
    from ..mlips.family import ModelError

    try:
        return find_origin(name, MlipSpec(preset=name), Path.cwd()).facts().as_dict()
    except ModelError:
        return {}


def _elements(symbols: list[str] | None) -> str | None:
    """All of a few, the number of many."""
    if symbols is None:
        return None
    return " ".join(symbols) if len(symbols) <= 10 else str(len(symbols))


def _line(found: Any) -> str:
    """What a model is, for people."""
    facts = found.facts
    kind = "long-ranged" if facts["long_ranged"] else "not long-ranged"
    coulomb = f", Coulomb term cut at {facts['coulomb_cutoff']:g} Å" if facts["coulomb_cutoff"] else ""
    return (
        f"{found.family}, {kind}, cutoff {facts['cutoff']:g} Å, {facts['layers']} layers{coulomb}, "
        f"{len(facts['elements'])} elements, {found.path}"
    )


def _json(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise click.ClickException(f"--kwargs: not JSON ({error}).") from error
    if not isinstance(given, dict):
        raise click.ClickException('--kwargs: give a JSON object, as {"modal": "PBE"}.')
    return given


def _asked(question: Any) -> Any:
    """Call it; a model's own sentence, or a missing package, is the command's error."""
    from pydantic import ValidationError

    from ..mlips.family import ModelError

    try:
        return question()
    except ModelError as error:
        raise click.ClickException(f"{str(error).rstrip('.')}.") from error
    except ValidationError as error:
        raise click.ClickException(f"{error.errors()[0]['msg']}.") from error
    except ImportError as error:
        raise click.ClickException(f"{error}; run `falsemetal model env NAME`, or install what is missing.") from error

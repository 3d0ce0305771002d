"""Columns of the tables, gap protocols, interface recipes, families and models."""

from __future__ import annotations

from pathlib import Path

import yaml
from falsemetal_markdown import code, plain, prose, table

from aiida_falsemetal.cli.interface import example, inventory, parameter_rows
from aiida_falsemetal.interfaces.registry import recipes
from aiida_falsemetal.mlips.catalogue import environments, presets
from aiida_falsemetal.mlips.registry import family_names, load_family
from aiida_falsemetal.query.subjects import SUBJECTS
from aiida_falsemetal.workflows.protocols import load_protocol

MEANINGS = Path(__file__).parent / "columns.yaml"


class MeaningError(ValueError):
    """What is written by hand does not fit the code."""


def columns() -> str:
    """A table for each subject of `falsemetal query`.

    :raises MeaningError: naming the columns without a meaning, and the meanings without a column.
    """
    meanings = yaml.safe_load(MEANINGS.read_text(encoding="utf-8"))
    pieces = []
    for subject, kinds in SUBJECTS.items():
        odd = sorted(set(kinds) ^ set(meanings[subject]))
        if odd:
            raise MeaningError(f"{MEANINGS.name}: {subject}: {', '.join(odd)}: in the code or here, but not in both")
        rows = [
            (code(name), meanings[subject][name][0], kind.replace(" ", " or "), prose(meanings[subject][name][1]))
            for name, kind in kinds.items()
        ]
        pieces += [f"## {subject.capitalize()}", table(["column", "unit", "holds", "meaning"], rows)]
    return "\n\n".join(pieces)


def gap_protocols() -> str:
    """Every key of the gap protocols, with the value that each has."""
    from aiida_falsemetal.workflows import protocols

    text = (Path(str(protocols.__file__)).parent / "gap.yaml").read_text(encoding="utf-8")
    names = list(yaml.safe_load(text)["protocols"])
    values = {name: load_protocol("gap", name) for name in names}
    described = yaml.safe_load(text)["protocols"]
    pieces = [f"- `{name}`: {described[name]['description']}" for name in names]
    keys = [key for key in values[names[0]] if key not in ("description", "protocol")]
    rows = [(code(key), *(code(values[name][key]) for name in names)) for key in keys]
    return "\n".join(pieces) + "\n\n" + table(["key", *map(code, names)], rows)


def interface_recipes() -> str:
    """A section for each recipe, then what liquids and substrates there are."""
    pieces = []
    for name, recipe in recipes().items():
        rows = [
            tuple(prose(str(row[key])) for key in ("parameter", "type", "default", "bounds", "what"))
            for row in parameter_rows(name)
        ]
        rows = [(code(row[0].replace("\\", "")), *row[1:]) for row in rows]
        pieces += [
            f"## `{name}`",
            prose(recipe.summary[0].upper() + recipe.summary[1:]) + ".",
            table(["key", "type", "default", "bounds", "meaning"], rows),
            f"```yaml\n{example(name)}```",
        ]
    found = [(row["kind"], code(row["name"]), prose(row["what"])) for row in inventory() if row["kind"] != "recipe"]
    return "\n\n".join([*pieces, "## Substrates, solvents and salts", table(["kind", "name", "what"], found)])


def families() -> str:
    """A table of the families of MLIPs."""
    rows = []
    for name in family_names():
        family = load_family(name)
        needs = ", ".join(code(module) for module in family.requires)
        rows.append(
            (
                code(name),
                needs,
                "yes" if family.needs_file else "no",
                code(family.environment or "") if family.environment else "",
                _first_sentence(family),
            )
        )
    return table(["family", "Python modules", "takes a file", "environment", "what"], rows)


def _first_sentence(family: object) -> str:
    import inspect

    text = inspect.getdoc(inspect.getmodule(type(family))) or ""
    return plain(text)


def catalogue() -> str:
    """A table of the models known by name."""
    rows = [
        (
            code(entry.name),
            code(entry.family),
            code(entry.environment) if entry.environment else "",
            "here" if entry.shipped else "in a package" if entry.offline else "download",
            prose(entry.licence),
            prose(entry.summary),
        )
        for entry in presets().values()
    ]
    made = ", ".join(map(code, environments()))
    heading = ["name", "family", "environment", "weights", "licence", "what"]
    return table(heading, rows) + f"\nEnvironments with pinned requirements: {made}.\n"

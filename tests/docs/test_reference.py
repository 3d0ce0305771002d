"""The hand-written tables say what the code has, and the pages of the reference hold all that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import yaml
from aiida.plugins import CalculationFactory, WorkflowFactory
from markdown_it import MarkdownIt
from pydantic import BaseModel

from aiida_falsemetal.campaign.schema import (
    Campaign,
    GapSettings,
    MdSettings,
    MlipSpec,
    Selection,
    StructureSource,
    TrajectorySpec,
    VerdictSettings,
)
from aiida_falsemetal.cli.main import main
from aiida_falsemetal.interfaces.registry import recipes
from aiida_falsemetal.mlips.catalogue import presets
from aiida_falsemetal.mlips.registry import family_names
from aiida_falsemetal.query.subjects import SUBJECTS
from aiida_falsemetal.workflows.protocols import load_protocol

from .plan import ROOT

# `plan` has put the folder of the site's extensions where Python looks.
import reference_processes  # isort: skip
import reference_tables  # isort: skip
from reference_cli import command_line  # isort: skip

Row = dict[str, str]
SECTIONS: dict[str, type[BaseModel]] = {
    "Top level": Campaign,
    "`mlips.NAME`": MlipSpec,
    "`trajectories.NAME`": TrajectorySpec,
    "`md`, and `mlips.NAME.md`": MdSettings,
    "`selection`": Selection,
    "`verdict`": VerdictSettings,
    "`gap`": GapSettings,
}
LIQUID = "`interfaces.NAME`"
"""The section whose table has the keys that all liquids share."""


def tables(page: str) -> dict[str, list[Row]]:
    """All tables of a page by the heading above them; rows of several tables below one heading follow each other."""
    found: dict[str, list[Row]] = {}
    heading, head, cells = "", [], []
    tokens = MarkdownIt("commonmark").enable("table").parse((ROOT / "docs" / page).read_text())
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[place + 1].content
        elif token.type == "thead_close":
            head, cells = cells, []
        elif token.type == "tr_close" and token.level == 2:
            if tokens[place + 1].type != "thead_close":
                found.setdefault(heading, []).append(dict(zip(head, cells, strict=True)))
                cells = []
        elif token.type in ("th_open", "td_open"):
            cells = [*cells, tokens[place + 1].content.replace("\\|", "|")]
        elif token.type == "table_open":
            head, cells = [], []
    return found


CAMPAIGN = tables("campaign.md")


def keys_of(row: Row) -> list[str]:
    """Keys that a row is of: most are of one."""
    return re.findall(r"`([^`]+)`", row["key"])


def keyed(heading: str, table: Sequence[Row] | None = None) -> dict[str, Row]:
    """Rows of a section's tables by key."""
    rows = CAMPAIGN[heading] if table is None else table
    return {key: row for row in rows if "key" in row for key in keys_of(row)}


def numbers(text: str) -> set[float]:
    """Numbers in a cell; `2^31 - 1` is that and 10^9 a thousand million."""
    found = set()
    for base, exponent, less in re.findall(r"(\d[\d.]*)(?:\^(\d+))?( - 1)?", text.replace(",", "")):
        found.add(float(base.rstrip(".")) ** int(exponent or 1) - bool(less))
    return found


def bounds(field: Any) -> Iterator[float]:
    """Largest and smallest values that a field takes."""
    for limit in field.metadata:
        for name in ("ge", "gt", "le", "lt"):
            value = getattr(limit, name, None)
            if value is not None:
                yield value - (name == "lt" and isinstance(value, int))


@pytest.mark.parametrize("heading", SECTIONS)
def test_campaign_table_has_the_keys_of_the_schema(heading: str) -> None:
    rows = keyed(heading)
    assert [key for key in rows if key in SECTIONS[heading].model_fields] == list(rows)
    assert set(SECTIONS[heading].model_fields) == set(rows)


CASES = [(heading, key) for heading, model in SECTIONS.items() for key in model.model_fields]


@pytest.mark.parametrize(("heading", "key"), CASES)
def test_campaign_table_has_default_and_bounds_of_the_schema(heading: str, key: str) -> None:
    row, field = keyed(heading)[key], SECTIONS[heading].model_fields[key]
    default, said = field.get_default(call_default_factory=True), row["default"]
    if field.is_required():
        assert said.startswith("required")
    elif code := re.fullmatch(r"`([^`]*)`", said):
        assert yaml.safe_load(code[1]) == default
    elif said == "empty":
        assert default == ""
    elif said == "see below":
        assert isinstance(default, BaseModel)
    elif not said.startswith("required, unless"):
        assert default is None  # and the words say what is taken instead
    else:
        assert not default
    said = row.get("bounds", "")
    stated = numbers(said + " " + row["meaning"])
    # "from `steps`": the schema's own lower bound is below that of another key.
    assert {bound for bound in bounds(field) if not (said.startswith("from ") and bound == 1)} <= stated


@pytest.mark.parametrize("name", recipes())
def test_recipe_tables_have_the_keys_of_the_recipes(name: str) -> None:
    own = keyed(f"Recipe `{name}`")
    fields = recipes()[name].parameters.model_fields
    source = set(StructureSource.model_fields) if name == "file" else set()
    shared = set(keyed(LIQUID)) | (set(keyed("Recipe `adsorbed`")) if name == "confined" else set())
    assert set(own) <= set(fields) | source
    assert set(fields) | source <= set(own) | shared


def test_protocol_table_has_the_keys_and_values_of_the_protocols() -> None:
    rows = CAMPAIGN["Keys of the protocols"]
    values = {name: load_protocol("gap", name) for name in ("fast", "standard")}
    assert {key for row in rows for key in keys_of(row)} == set(values["fast"]) - {"description", "protocol"}
    for row in rows:
        keys = keys_of(row)
        for name in ("fast", "standard"):
            said = row["`fast`"] if row[f"`{name}`"] == "the same" else row[f"`{name}`"]
            if said == "three":
                assert len(values[name][keys[0]]) == 3
            elif len(keys) > 1:
                assert [yaml.safe_load(part.strip(" `")) for part in said.split(",")] == [values[name][k] for k in keys]
            else:
                assert yaml.safe_load(said.strip("`")) == values[name][keys[0]]


def processes() -> dict[str, Any]:
    found = [WorkflowFactory(f"falsemetal.{name}") for name in ("md", "gap", "pair", "screen")]
    found += [CalculationFactory(f"falsemetal.{name}") for name in ("md", "potential")]
    return {process.__name__: process for process in found}


def test_exit_codes_of_the_architecture_are_those_of_the_specs() -> None:
    said: dict[str, dict[int, str]] = {}
    process = ""
    for row in tables("architecture.md")["Exit codes"]:
        process = row["process"].strip("`") or process
        for code in row["code"].split(", "):
            said.setdefault(process, {})[int(code)] = row["name"].strip("`")
    for name, process_class in processes().items():
        there = {status: label for status, label, _ in reference_processes.exit_codes(process_class)}
        specs = [base.spec() for base in process_class.__bases__]
        inherited = {found.status for spec in specs for found in spec.exit_codes.values()}
        own = {status: label for status, label in there.items() if status not in inherited}
        assert {status: label for status, label in said[name].items() if label.startswith("ERROR")} == own
        assert set(said[name]) <= set(there)


def test_reference_has_every_command_and_option() -> None:
    text = command_line()
    for name, command in main.commands.items():
        assert f"`falsemetal {name}`" in text
        for option in command.params:
            assert all(name in text for name in option.opts if name.startswith("--"))
    assert "`falsemetal trajectory import`" in text and "UNSET" not in text.upper()


def test_reference_has_every_port_and_exit_code() -> None:
    text = reference_processes.processes()
    for name, process in processes().items():
        assert f"## {name}\n" in text
        section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert all(
            f"`{port}`" in section or f"`{port}." in section or port == "metadata" for port in process.spec().inputs
        )
        assert all(f"`{label}`" in section for _, label, _ in reference_processes.exit_codes(process))


def test_reference_has_every_column_with_its_meaning() -> None:
    text = reference_tables.columns()
    for subject, kinds in SUBJECTS.items():
        assert f"## {subject.capitalize()}" in text
        assert all(f"| `{name}` |" in text for name in kinds)


def test_a_column_without_a_meaning_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_tables, "SUBJECTS", {**SUBJECTS, "mlips": {**SUBJECTS["mlips"], "colour": "text"}})
    with pytest.raises(reference_tables.MeaningError, match="mlips: colour"):
        reference_tables.columns()


def test_reference_has_every_recipe_family_and_model() -> None:
    text = reference_tables.interface_recipes()
    for name, recipe in recipes().items():
        assert f"## `{name}`" in text and all(f"`{key}`" in text for key in recipe.parameters.model_fields)
    assert all(f"| `{name}` |" in reference_tables.families() for name in family_names())
    assert all(f"| `{name}` |" in reference_tables.catalogue() for name in presets())

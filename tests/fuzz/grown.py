"""Campaign files and files of twins, made from their schema: right ones, spoilt ones, and their text spoilt."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml
from ase.io import write
from hypothesis import strategies as st
from pydantic import BaseModel

from aiida_falsemetal.campaign import twins
from aiida_falsemetal.campaign.schema import GapSettings, MdSettings, Selection, VerdictSettings
from aiida_falsemetal.interfaces.recipe import StructureRecipe
from aiida_falsemetal.interfaces.registry import recipes, takes_structure

from .hostile import spoilt, texts, values

WORKFLOWS = Path(__file__).parents[2] / "workflows"
SECTIONS = {"md": MdSettings, "selection": Selection, "gap": GapSettings, "verdict": VerdictSettings}
TWIN_SECTIONS = {
    "sampling": twins.Sampling,
    "label": twins.LabelSettings,
    "split": twins.Split,
    "training": twins.Training,
    "ewald": twins.Ewald,
}
OVERRIDES = ("ecutwfc", "ecutrho", "smearing", "kpoints", "functional", "vacuum", "rescues", "moved_limit", "protocol")


def _of_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values at and inside the limits of a JSON schema, and just outside."""
    if "enum" in schema or "const" in schema:
        return st.sampled_from([*schema.get("enum", [schema.get("const")]), "other"])
    if "anyOf" in schema:
        return st.one_of(*(_of_schema(kind) for kind in schema["anyOf"]))
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum", 10**6))
    match schema.get("type"):
        case "integer":
            edges = st.sampled_from([low, high, low - 1, high + 1, float(low)])
            return st.one_of(st.integers(low, high), st.integers(low, high), edges)
        case "number":
            edges = st.sampled_from([low, high, low - 1e-9, high * 1.001])
            return st.one_of(st.floats(low, high), st.floats(low, high), edges)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            return st.lists(_of_schema(schema.get("items", {})), max_size=4)
        case "string":
            return st.one_of(texts, st.sampled_from(["auto", "PBE", "revPBE", "layers", "H", "O"]))
        case _:
            return values


@functools.cache
def section(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """One to three fields of a part of a file, each within its limits or just outside."""
    fields = model.model_json_schema()["properties"]
    chosen = st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=3, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: _of_schema(fields[name]) for name in names}))


@functools.cache
def interfaces() -> list[dict[str, Any]]:
    """An interface of every recipe; those from a structure name a file that is beside the campaign."""
    return [
        {"recipe": name, **({"file": f"{name}-{number}.xyz"} if takes_structure(name) else {}), **example}
        for name, recipe in recipes().items()
        for number, example in enumerate(recipe.examples())
    ]


def write_beside(folder: Path) -> None:
    """The files that the campaigns name."""
    (folder / "argon.xml").write_text(ARGON)
    (folder / "text.model").write_text("no model")
    (folder / "zip.model").write_bytes(b"PK\x03\x04 begun and never ended")
    for name, recipe in recipes().items():
        if isinstance(recipe, StructureRecipe):
            for number, atoms in enumerate(recipe.structures()):
                write(folder / f"{name}-{number}.xyz", atoms)


ARGON = """<ForceField><AtomTypes><Type name="Ar" class="Ar" element="Ar" mass="39.9"/></AtomTypes></ForceField>"""
FILM = {"recipe": "film", "molecules": 24, "lateral": 7.0, "vacuum": 25.0, "seed": 1}
MLIPS: list[Any] = [
    {"preset": "spcfw-ewald"},
    {"preset": "spcfw-ewald", "md": {"steps": 6000}},
    {"preset": "spcfw-truncated", "kwargs": {"cutoff": 6.0}},
    {"family": "mace", "file": "text.model", "kwargs": {"head": "x"}, "licence": "MIT", "reference": "none"},
    {"family": "openmm", "file": "argon.xml", "sha256": "0" * 64, "code": "none@localhost"},
    {"family": "ase", "kwargs": {"calculator": "ase.calculators.emt.EMT"}, "environment": "none"},
    {"family": "mace", "file": "zip.model", "accept_unsafe": "because"},
]


@st.composite
def campaigns(draw: st.DrawFn) -> dict[str, Any]:
    """A campaign that is right but for values at the limits of its sections."""
    names = draw(st.lists(st.sampled_from(["spcfw-ewald", "spcfw-truncated"]), min_size=1, unique=True))
    others = draw(st.lists(st.sampled_from(interfaces()), max_size=2))
    data: dict[str, Any] = {
        "name": "fuzz",
        # A model knows the film at least, so that something is left where the others are skipped.
        "interfaces": {"film": dict(FILM), **{f"i{n}": dict(other) for n, other in enumerate(others)}},
        "mlips": dict.fromkeys(names),
        "seeds": draw(st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True)),
        "md": {"steps": 10000},
        "unknown_elements": "skip",
        "slots": draw(st.sampled_from([1, 2, 100000])),
    }
    if draw(st.booleans()):
        data["mlips"]["mine"] = draw(st.sampled_from(MLIPS))
    for name in draw(st.lists(st.sampled_from(list(SECTIONS)), max_size=2, unique=True)):
        data[name] = draw(section(SECTIONS[name]))
    if draw(st.booleans()):
        data.setdefault("gap", {})["overrides"] = draw(st.dictionaries(st.sampled_from(OVERRIDES), values, max_size=2))
    if draw(st.integers(0, 9)) == 7:
        data["trajectories"] = {"t": {"trajectory": draw(st.one_of(texts, st.integers()))}}
    return data


@st.composite
def twin_files(draw: st.DrawFn) -> dict[str, Any]:
    """A file of twins that is right but for values at the limits of its sections."""
    file = draw(st.sampled_from(["tiny.yaml", "water.yaml"]))
    data: dict[str, Any] = yaml.safe_load((WORKFLOWS / "twins" / file).read_text())
    for name in draw(st.lists(st.sampled_from(list(TWIN_SECTIONS)), max_size=2, unique=True)):
        data[name] = draw(section(TWIN_SECTIONS[name]))
    if draw(st.booleans()):
        source = draw(st.sampled_from(sorted(data["sources"])))
        data["sources"][source].update(draw(section(twins.Source)))
    return data


def written(data: Any) -> bytes:
    """YAML of any data, control characters and lone surrogates escaped."""
    return str(yaml.dump(data, sort_keys=False, width=10**6)).encode()


SNIPPETS = (
    *(
        "!!python/object/apply:os.system ['touch pwned']",
        "!!python/name:os.system",
        "!!binary aGk=",
        "!include /etc/passwd",
    ),
    *("&a [*a]", "*a", "<<: {a: 1}", "? {a: 1}\n: 2", "%YAML 9.9\n---", "---\n---\n", "!<tag:yaml.org,2002:int> x"),
    *(
        "9" * 6000,
        "{" * 1000,
        "[" * 5000,
        "- " * 3000,
        "\t",
        "\x00",
        "\xff\xfe",
        "\ufeff",
        "'",
        '"',
        "|",
        ">",
        "#",
        ": ",
        "? ",
    ),
    *("a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n",),
    *(
        "!!set {a}",
        "!!float nan",
        "!!int 1e3",
        "!!timestamp 2020-01-01",
        "2020-01-01",
        "\u2028",
        "\x85",
        "\\",
        "'\\ud800'",
    ),
)


@st.composite
def texts_of(draw: st.DrawFn, data: st.SearchStrategy[Any]) -> bytes:
    """The text of a file, cut, doubled, or with something put into it."""
    text = written(draw(data))
    for _ in range(draw(st.integers(1, 3))):
        first, last = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        kind = draw(st.sampled_from(("insert", "insert", "cut", "end", "double", "bytes", "shift")))
        if kind == "insert":
            text = text[:first] + draw(st.sampled_from(SNIPPETS)).encode("utf-8", "surrogatepass") + text[first:]
        elif kind == "cut":
            text = text[:first] + text[last:]
        elif kind == "end":
            text = text[:first]
        elif kind == "double":
            text = text[:last] + text[first:]
        elif kind == "bytes":
            text = text[:first] + draw(st.binary(min_size=1, max_size=6)) + text[first:]
        else:
            text = text[:first] + b" " * draw(st.integers(1, 3)) + text[first:]
    return text


campaign_files = st.one_of(campaigns(), spoilt(campaigns()), spoilt(campaigns()), values).map(written)
twin_texts = st.one_of(twin_files(), spoilt(twin_files()), spoilt(twin_files()), values).map(written)

"""`falsemetal interface`: what is listed is there, what is shown can be used, what is built is written, and the same
structure imported twice is one node."""

from __future__ import annotations

import csv
import io
import json
import resource
from pathlib import Path
from typing import Any

import pytest
import yaml
from ase.io import read, write
from click.testing import CliRunner, Result

from aiida_falsemetal.campaign.schema import parse_campaign
from aiida_falsemetal.cli.interface import interface, parameter_rows
from aiida_falsemetal.cli.main import main
from aiida_falsemetal.interfaces.from_file import FileRecipe
from aiida_falsemetal.interfaces.registry import recipes
from aiida_falsemetal.interfaces.solvents import SALTS, SOLVENTS
from aiida_falsemetal.interfaces.substrates import SUBSTRATES

from .conftest import Home


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(interface, list(arguments))
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a slab and a whole interface in it."""
    monkeypatch.chdir(tmp_path)
    slab, *_, whole = FileRecipe.structures()
    write("slab.cif", slab)
    write("whole.extxyz", whole)
    return tmp_path


def test_list_has_everything() -> None:
    rows = json.loads(run("list", "--format", "json").stdout)
    named = {kind: [row["name"] for row in rows if row["kind"] == kind] for kind in ("recipe", "substrate", "solvent")}
    assert named == {"recipe": list(recipes()), "substrate": list(SUBSTRATES), "solvent": list(SOLVENTS)}
    assert [row["name"] for row in rows if row["kind"] == "salt"] == list(SALTS)
    assert all(row["what"] for row in rows)
    assert list(csv.DictReader(io.StringIO(run("list", "--format", "csv").stdout))) == rows
    assert "Cu(111)" in run("list").stdout


@pytest.mark.parametrize("recipe", sorted(recipes()))
def test_every_parameter_is_shown_and_the_example_can_be_pasted(recipe: str) -> None:
    rows = json.loads(run("show", recipe, "--format", "json").stdout)
    fields = recipes()[recipe].parameters.model_fields
    shown = {row["parameter"]: row for row in rows}
    assert set(fields) <= set(shown)
    assert set(shown) - set(fields) == ({"file", "index", "structure"} if recipe == "file" else set())
    for name, info in fields.items():
        assert (shown[name]["default"] == "required") == info.is_required()
        assert shown[name]["type"] and shown[name]["what"], name
    text = run("show", recipe).stdout
    pasted = yaml.safe_load(text[text.index("interfaces:") :])
    campaign = parse_campaign({"name": "x", "mlips": {"spcfw-ewald": None}, **pasted})
    assert campaign.interfaces[f"my-{recipe}"].recipe == recipe


def test_bounds_and_types_are_in_words() -> None:
    (vacuum,) = [row for row in parameter_rows("film") if row["parameter"] == "vacuum"]
    assert vacuum == {
        "parameter": "vacuum",
        "type": "number",
        "default": 25.0,
        "bounds": "at least 10, at most 500",
        "what": "vacuum in Å",
    }
    types = {row["parameter"]: row["type"] for row in parameter_rows("adsorbed")}
    assert types["repeat"] == "list of 2 whole numbers" and types["cell"] == "orthogonal or hexagonal"
    assert types["lateral"] == "list of 2 numbers or number"
    assert types["salt"] == "mapping of text to whole number"


def test_unknown_recipe_is_refused() -> None:
    assert "there is no interface recipe 'flim'" in run("show", "flim", code=1).stderr


def numbers(result: Result) -> dict[str, Any]:
    return {row["quantity"]: row["value"] for row in json.loads(result.stdout)}


def test_build_writes_what_it_says(folder: Path) -> None:
    values = ("molecules=40", "lateral=9.0", "salt={NaCl: 1}")
    found = numbers(run("build", "film", *values, "-o", "film.extxyz", "--format", "json"))
    atoms = read("film.extxyz")
    assert found["atoms"] == len(atoms) == 122 and found["molecules and ions"] == 42
    assert found["area"] == pytest.approx(81.0)
    # 40 waters and a pair of ions in their volume; a mol of NaCl in a kg of water is 55.5 waters to one pair.
    assert found["thickness at the liquid's density"] == pytest.approx((40 * 29.97 + 27.564) / 81.0, abs=1e-3)
    assert found["molality of NaCl"] == pytest.approx(1000.0 / 18.015 / 40, abs=1e-3)
    assert 1.0 < found["density of the liquid"] < 1.1 and found["vacuum"] > 25.0
    assert found["smallest intermolecular distance"] > 1.4
    height = found["thickness at the liquid's density"] + 25.0
    assert all(atoms.pbc) and atoms.cell.array[2, 2] == pytest.approx(height, abs=1e-3)


def test_build_of_two_plates_says_how_they_fit() -> None:
    values = ("substrate=Cu(111)", "layers=3", "cell=hexagonal", "repeat=[4, 4]", "second=h-BN", "molecules=25")
    found = numbers(run("build", "confined", *values, "--format", "json"))
    assert found["lattice"].startswith("Cu(111): 10.225 x 10.225, 120.0°")
    assert found["strain"] == "xx 0.00, yy 0.00, xy 0.00"
    # 2.556 of copper over 2.504 of h-BN.
    assert found["second lattice"].startswith("h-BN, turned by") and "xx 2.08" in found["second strain"]
    assert found["metal atoms"] == 48


@pytest.mark.parametrize(("name", "form"), [("a", "extxyz"), ("a.xyz", "extxyz"), ("a.cif", "cif"), ("POSCAR", "vasp")])
def test_the_suffix_is_the_format(name: str, form: str, folder: Path) -> None:
    run("build", "film", "molecules=24", "lateral=7", "-o", name)
    atoms = read(name, format=form)
    assert sorted(atoms.get_chemical_symbols()) == ["H"] * 48 + ["O"] * 24
    assert sorted(path.name for path in folder.iterdir()) == sorted([name, "slab.cif", "whole.extxyz"])


def test_nothing_is_overwritten_unasked(folder: Path) -> None:
    Path("mine.xyz").write_text("mine")
    arguments = ("build", "film", "molecules=24", "lateral=7", "-o", "mine.xyz")
    assert "give --force" in run(*arguments, code=1).stderr
    assert Path("mine.xyz").read_text() == "mine"
    run(*arguments, "--force")
    assert len(read("mine.xyz")) == 72


def test_build_of_a_campaigns_interface_is_that_of_its_recipe(folder: Path) -> None:
    film = {"recipe": "film", "molecules": 24, "lateral": 7.0}
    mine = {"recipe": "file", "file": "slab.cif", "thickness": 12.0, "repeat": [3, 3]}
    (folder / "sub").mkdir()
    (folder / "slab.cif").rename(folder / "sub" / "slab.cif")
    content = {"name": "x", "interfaces": {"a": film, "b": mine}, "mlips": {"spcfw-ewald": None}}
    Path("sub/c.yaml").write_text(yaml.safe_dump(content))
    run("build", "a", "--file", "sub/c.yaml", "-o", "a.extxyz")
    run("build", "film", "molecules=24", "lateral=7.0", "-o", "b.extxyz")
    assert Path("a.extxyz").read_bytes() == Path("b.extxyz").read_bytes()
    run("build", "b", "--file", "sub/c.yaml", "-o", "c.extxyz")
    run("build", "file", "file=sub/slab.cif", "thickness=12", "repeat=[3, 3]", "-o", "d.extxyz")
    assert Path("c.extxyz").read_bytes() == Path("d.extxyz").read_bytes()


def test_a_liquid_that_came_with_its_structure_has_no_known_density(folder: Path) -> None:
    found = numbers(run("build", "file", "file=whole.extxyz", "--format", "json"))
    assert found["density of the liquid"] is None and found["atoms"] == 84


WRONG: dict[str, tuple[list[str], str]] = {
    "unknown recipe": (["flim"], "command line: recipe: there is no interface recipe 'flim'; did you mean `film`?"),
    "unknown key": (["film", "molecule=24"], "command line: molecule: unknown key; did you mean `molecules`?"),
    "bad value": (["film", "molecules=many", "lateral=7"], "command line: molecules: 'many' is not a whole number"),
    "too small": (["film", "molecules=1", "lateral=7"], "command line: molecules: 1 is too small; give at least 8"),
    "no pair": (["film", "molecules"], "'molecules' is not KEY=VALUE"),
    "twice": (["film", "seed=1", "seed=2"], "seed is given twice"),
    "no yaml": (["film", "repeat=[3"], "command line, repeat: line 1"),
    "no file": (["file", "file=none.cif"], "command line: file: there is no file "),
    "no room": (["film", "molecules=24", "lateral=150"], "24 molecules are a film of 0.0 Å"),
    "no campaign": (["a", "--file", "none.yaml"], "none.yaml: top level: cannot be read"),
    "both": (["a", "seed=1", "--file", "none.yaml"], "the parameters are the file's"),
    "no format": (["film", "molecules=24", "lateral=7", "-o", "a.foo"], "a.foo: ase writes no .foo files"),
    "format for reading": (["film", "molecules=24", "lateral=7", "-o", "a.xml"], "a.xml: "),
    "no folder": (["film", "molecules=24", "lateral=7", "-o", "no/a.xyz"], "no/a.xyz: there is no such folder"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_built_is_refused_in_a_sentence(case: str, folder: Path) -> None:
    arguments, expected = WRONG[case]
    before = sorted(folder.iterdir())
    result = run("build", *arguments, code=1)
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1 and result.stdout == ""
    assert expected in result.stderr
    assert sorted(folder.iterdir()) == before


def test_help_is_quick_and_imports_neither_ase_nor_aiida(empty_home: Home) -> None:
    script = (
        "import sys, aiida_falsemetal.cli.main as m; from click.testing import CliRunner;"
        "r = CliRunner().invoke(m.main, ['interface', '--help']); assert r.exit_code == 0, r.output;"
        "print(sorted({'ase', 'aiida', 'numpy'} & set(sys.modules)))"
    )
    assert empty_home.run("-c", script, program="python").stdout.strip() == "[]"
    assert "interface" in main.commands


@pytest.mark.qe
def test_import_and_use(home: Home, tmp_path: Path) -> None:
    """The same content twice is one node, which a campaign may name; another content is another."""
    slab, *_, whole = FileRecipe.structures()
    write(home.folder / "whole.extxyz", whole)
    write(home.folder / "both.traj", [slab, whole])
    first = home.good("interface", "import", "whole.extxyz", "--label", "mgo")
    assert first.startswith("stored: StructureData<") and "mgo" in first
    line = yaml.safe_load(first.splitlines()[1].partition(": ")[2])
    assert set(line) == {"recipe", "structure"} and line["recipe"] == "file"
    again = home.good("interface", "import", "both.traj", "--index", "1")
    assert again.startswith("there already: ") and line["structure"] in again
    other = home.good("interface", "import", "both.traj", "--index", "0")
    assert other.startswith("stored: ") and line["structure"] not in other
    origin = home.ask(
        f"print(json.dumps(orm.load_node('{line['structure']}').base.extras.get('falsemetal_origin')))",
    )
    assert origin["path"] == str(home.folder / "whole.extxyz") and origin["format"] == "extxyz"
    assert origin["index"] == -1 and len(origin["sha256"]) == 64
    # In a campaign, and on the command line.
    content = {"name": "imported", "interfaces": {"mine": {**line, "vacuum": 20.0}}, "mlips": {"spcfw-ewald": None}}
    (home.folder / "c.yaml").write_text(yaml.safe_dump(content))
    built = home.good("interface", "build", "mine", "--file", "c.yaml", "--format", "json")
    from_file = home.good("interface", "build", "file", "file=whole.extxyz", "vacuum=20", "--format", "json")
    assert json.loads(built) == json.loads(from_file)
    refused = home.run("screen", "c.yaml", "--dry-run")
    assert refused.returncode == 1 and "does not know Mg, which the interface `mine` holds" in refused.stderr


@pytest.mark.qe
def cpu_seconds() -> float:
    """CPU time of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_wrong_structures_are_refused_quickly_and_store_nothing(home: Home) -> None:
    count = "print(json.dumps([orm.QueryBuilder().append(c).count() for c in (orm.Node, orm.Group)]))"
    before = home.ask(count)
    (home.folder / "nocell.xyz").write_text("1\n\nO 0 0 0\n")
    for arguments, fault in (
        (["import", "none.cif"], "there is no file none.cif"),
        (["import", "nocell.xyz"], "has no cell"),
        (["build", "file", "structure=999999"], "command line: structure: the profile has no node 999999"),
        (["build", "file", "structure=1"], "command line: structure: node 1 is a "),
    ):
        before_it = cpu_seconds()
        done = home.run("interface", *arguments)
        assert done.returncode == 1 and done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
        assert fault in done.stderr and done.stdout == ""
        # Not of the wall: that is the machine's, which does other things too.
        assert cpu_seconds() - before_it < 10.0
    assert home.ask(count) == before


def test_import_needs_a_profile(empty_home: Home) -> None:
    write(empty_home.folder / "slab.cif", FileRecipe.structures()[0])
    done = empty_home.run("interface", "import", "slab.cif")
    assert done.returncode == 1 and "run `falsemetal setup`" in done.stderr

"""The family that takes any ASE calculator: facts as stated, arguments as given, and nothing called that is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from ase.build import fcc111, molecule
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.tip3p import TIP3P

from aiida_falsemetal.mlips.family import ModelError
from aiida_falsemetal.mlips.registry import load_family

FACTS = {"elements": ["O", "H"], "cutoff": 6.0, "layers": 2, "long_ranged": False}
FAMILY = load_family("ase")
NOWHERE = Path("/nowhere/model.json")


def given(calculator: str = "ase.calculators.emt:EMT", facts: Any = FACTS, **kwargs: Any) -> dict[str, Any]:
    return {"calculator": calculator, "kwargs": kwargs, "facts": facts}


class Picky(Calculator):
    """Remembers what it was made with."""

    def __init__(self, **kwargs: Any) -> None:
        if "bad" in kwargs:
            raise RuntimeError("no")
        super().__init__()
        self.given = kwargs

    @classmethod
    def from_file(cls, **kwargs: Any) -> Picky:
        return cls(**kwargs, by="from_file")

    @classmethod
    def nothing(cls) -> str:
        return "text"

    number = 3


def test_facts_are_those_that_were_stated() -> None:
    facts = FAMILY.inspect(NOWHERE, given(facts={**FACTS, "coulomb_cutoff": 9, "precision": "float64"}))
    assert facts.as_dict() == {
        "elements": ["H", "O"],
        "cutoff": 6.0,
        "layers": 2,
        "long_ranged": False,
        "precision": "float64",
        "licence": "",
        "reference": "",
        "coulomb_cutoff": 9.0,
        "boundary": "isolated",
        "charges": None,
        "receptive_field": 21.0,
    }


def test_a_full_sum_is_tin_foil_unless_it_is_said() -> None:
    """Cells are periodic in all directions."""
    full = {**FACTS, "long_ranged": True}
    assert FAMILY.inspect(NOWHERE, given(facts=full)).boundary == "tin-foil"
    assert FAMILY.inspect(NOWHERE, given(facts={**full, "boundary": "isolated"})).boundary == "isolated"
    fixed = FAMILY.inspect(NOWHERE, given(facts={**full, "charges": {"O": -0.82, "H": 0.41}}))
    assert fixed.charges == {"O": -0.82, "H": 0.41}


def test_energy_is_that_of_the_calculator_itself() -> None:
    metal = fcc111("Cu", (2, 2, 2), vacuum=8.0)
    found, expected = metal.copy(), metal.copy()
    found.calc = FAMILY.calculator(NOWHERE, given(facts={**FACTS, "elements": ["Cu"]}, asap_cutoff=True), metal)
    expected.calc = EMT(asap_cutoff=True)
    assert found.get_potential_energy() == expected.get_potential_energy()
    water = molecule("H2O", vacuum=4.0)
    calculator = FAMILY.calculator(NOWHERE, given("ase.calculators.tip3p:TIP3P", rc=4.5), water)
    assert isinstance(calculator, TIP3P)
    assert calculator.rc == 4.5


def test_file_takes_its_place_however_deep() -> None:
    path = Path("/some/weights.pt")
    kwargs = given(f"{__name__}:Picky", model="{file}", deep={"a": ["x", "at {file}"]}, number=3)
    assert FAMILY.calculator(path, kwargs, Atoms("H")).given == {
        "model": "/some/weights.pt",
        "deep": {"a": ["x", "at /some/weights.pt"]},
        "number": 3,
    }
    with pytest.raises(ModelError, match="ask for {file}; give the model with `file:`"):
        FAMILY.stand_in(kwargs)


def test_class_methods_may_make_it() -> None:
    made = FAMILY.calculator(NOWHERE, given(f"{__name__}:Picky.from_file", model="x"), Atoms("H"))
    assert made.given == {"model": "x", "by": "from_file"}


def test_stand_in_is_the_same_for_the_same_arguments() -> None:
    assert not FAMILY.needs_file
    text = FAMILY.stand_in(given(b=1, a=[2]))
    assert text == FAMILY.stand_in(given(a=[2], b=1))
    assert json.loads(text) == {"calculator": "ase.calculators.emt:EMT", "kwargs": {"a": [2], "b": 1}}


def test_element_that_was_not_stated_is_refused() -> None:
    """EMT itself answers for C, H, N and O, with parameters that its authors call a toy's."""
    with pytest.raises(ModelError, match="was not trained on Cu"):
        FAMILY.calculator(NOWHERE, given(), Atoms("CuOH"))


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "os:system; rm",
        "ase.calculators.emt:EMT()",
        "ase calculators:EMT",
        ":EMT",
        "ase..calculators:EMT",
        "a:B.c.d",
        "__import__('os'):system",
        "ase.calculators.emt:EMT\n",
        "é:A",
        3,
        None,
    ],
)
def test_names_that_are_none_are_refused(name: Any) -> None:
    with pytest.raises(ModelError, match="calculator must be `module:Class`"):
        FAMILY.inspect(NOWHERE, given(name))


@pytest.mark.parametrize("name", ["os:system", "ase.build:molecule", "ase.atoms:Atoms", "ase.calculators.emt:Nothing"])
def test_what_is_no_calculator_is_never_called(name: str) -> None:
    for ask in (FAMILY.inspect, lambda path, kwargs: FAMILY.calculator(path, kwargs, Atoms("H"))):
        with pytest.raises(ModelError, match="has no ASE calculator"):
            ask(NOWHERE, given(name, command="exit 1"))


def test_a_program_is_no_module_with_a_calculator() -> None:
    """Importing it ends this process, unless that is caught."""
    with pytest.raises(ModelError, match=r"unittest\.__main__ is a program and no module"):
        FAMILY.inspect(NOWHERE, given("unittest.__main__:X"))


def test_constructors_that_fail_are_told_as_a_sentence() -> None:
    with pytest.raises(ModelError, match="cannot be made .RuntimeError: no.; see its own documentation"):
        FAMILY.calculator(NOWHERE, given(f"{__name__}:Picky", bad=1), Atoms("H"))
    with pytest.raises(ModelError, match="made a str, not an ASE calculator"):
        FAMILY.calculator(NOWHERE, given(f"{__name__}:Picky.nothing"), Atoms("H"))
    for method in ("number", "missing"):
        with pytest.raises(ModelError, match=f"has no method '{method}'"):
            FAMILY.inspect(NOWHERE, given(f"{__name__}:Picky.{method}"))
    with pytest.raises(ImportError):
        FAMILY.inspect(NOWHERE, given("no_such_package:Thing"))


@pytest.mark.parametrize("key", ["elements", "cutoff", "layers", "long_ranged"])
def test_facts_that_are_missing_are_asked_for(key: str) -> None:
    facts = {name: value for name, value in FACTS.items() if name != key}
    with pytest.raises(ModelError, match=f"lack '{key}', which cannot be read from it; as in `facts:"):
        FAMILY.inspect(NOWHERE, given(facts=facts))
    with pytest.raises(ModelError, match="facts of .* are missing"):
        FAMILY.inspect(NOWHERE, {"calculator": "ase.calculators.emt:EMT"})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"elements": []}, "must be a list of chemical symbols"),
        ({"elements": "HO"}, "must be a list of chemical symbols"),
        ({"elements": ["H", "Qq"]}, "'Qq' is no chemical symbol"),
        ({"elements": ["X"]}, "'X' is no chemical symbol"),
        ({"elements": [False]}, "False is no chemical symbol"),
        ({"cutoff": -1}, "cutoff of .* must be a length in Å, not -1"),
        ({"cutoff": "6 Å"}, "must be a length in Å"),
        ({"cutoff": None}, "must be a length in Å"),
        ({"cutoff": float("nan")}, "must be a length in Å"),
        ({"layers": 0}, "layers of .* must be a whole number"),
        ({"layers": True}, "layers of .* must be a whole number"),
        ({"long_ranged": "no"}, "long_ranged of .* must be true or false"),
        ({"coulomb_cutoff": 0}, "coulomb_cutoff of .* must be a length in Å"),
        ({"coulomb_cutoff": 12.0, "long_ranged": True}, "say `long_ranged: false`"),
        ({"range": 3}, "have no 'range'"),
        ({"boundary": "2D"}, "boundary of .* must be `isolated` or `tin-foil`, not '2D'"),
        ({"charges": {"O": -0.82}}, "charges of .* must be a number"),
        ({"charges": {"O": "-0.82", "H": 0.41}}, "charges of .* must be a number"),
        ({"charges": [-0.82, 0.41]}, "charges of .* must be a number"),
    ],
)
def test_facts_that_are_wrong_are_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ModelError, match=text):
        FAMILY.inspect(NOWHERE, given(facts={**FACTS, **change}))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ModelError, match="does not know the keyword 'model'"):
        FAMILY.inspect(NOWHERE, {**given(), "model": 1})
    with pytest.raises(ModelError, match="kwargs must be the keyword arguments"):
        FAMILY.inspect(NOWHERE, {**given(), "kwargs": ["a"]})

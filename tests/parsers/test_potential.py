"""The averaged potential of a real run: its signs, and that it drops by pw.x's own dipole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.plugins import ParserFactory
from ase.io import read

from aiida_falsemetal.calculations.potential import AVERAGED, PP_OUTPUT
from aiida_falsemetal.parsers.potential import read_average
from tests.data import nodes

FOLDER = Path(__file__).parents[1] / "fixtures" / "potential"
DROP = 1.9062278
"""Four waters on 5 x 5 Å, 40 Ry, pw.x 6.7: dipole of its XML over eps0 A, V."""
Parse = Callable[..., tuple[dict[str, Any], Any]]


@pytest.fixture
def parse(aiida_localhost: orm.Computer) -> Parse:
    def parse(files: dict[str, str], film: Any = None) -> tuple[dict[str, Any], Any]:
        retrieved = orm.FolderData()
        for name, content in files.items():
            retrieved.base.repository.put_object_from_bytes(content.encode(), name)
        structure = orm.StructureData(ase=film or read(FOLDER / "film.xyz"))
        inputs = {"structure": structure, "parameters": orm.Dict({"sawtooth": 0.06})}
        job = nodes.calculation("falsemetal.potential", aiida_localhost, inputs, {"retrieved": retrieved})
        parser = ParserFactory("falsemetal.potential")(job)
        code = parser.parse()
        return dict(parser.outputs), code

    return parse


def test_drop_is_that_of_the_dipole(parse: Parse) -> None:
    outputs, code = parse({AVERAGED: (FOLDER / AVERAGED).read_text()})
    assert code is None
    found = outputs["scalars"].get_dict()
    assert set(found) == {"potential_drop", "vacuum_lower", "vacuum_upper", "plateau_ripple"}
    # The dipole correction's potential is in pp.x's: the vacuum is flat, and drops by what the dipole says.
    assert found["potential_drop"] == pytest.approx(DROP, abs=1e-3)
    assert found["plateau_ripple"] < 2e-3
    # An electron is lower in energy where the potential is higher.
    assert found["vacuum_lower"] - found["vacuum_upper"] == pytest.approx(found["potential_drop"])
    z, potential = (outputs["potential"].get_array(name) for name in ("z", "potential"))
    assert z.shape == potential.shape
    film = read(FOLDER / "film.xyz")
    assert np.interp(10.0, z, potential) - np.interp(-10.0, z, potential) == pytest.approx(DROP, abs=5e-3)
    # Nuclei attract electrons: highest where they are.
    assert abs(z[np.argmax(potential)]) < 0.5 * np.ptp(film.positions[:, 2]) + 0.5


@pytest.mark.parametrize(("pp", "program"), [("", "pp.x"), ("JOB DONE.", "average.x")])
def test_missing_output_names_the_program(parse: Parse, pp: str, program: str) -> None:
    outputs, code = parse({PP_OUTPUT: pp})
    assert outputs == {}
    assert (code.status, code.invalidates_cache) == (300, True)
    assert program in code.message


@pytest.mark.parametrize("content", ["", "1 2 3\n4 5", "Error: no file", "0.0 nan 0.0\n0.1 0.2 0.3"])
def test_broken_table_is_no_potential(parse: Parse, content: str) -> None:
    assert read_average(content) is None
    assert parse({AVERAGED: content})[1].status == 300


def test_thin_vacuum_leaves_the_array(parse: Parse) -> None:
    film = read(FOLDER / "film.xyz")
    film.positions[:, 2] *= 2.5
    film.center(axis=2)
    outputs, code = parse({AVERAGED: (FOLDER / AVERAGED).read_text()}, film)
    assert set(outputs) == {"potential"}
    assert code.status == 410
    assert "raise `vacuum`" in code.message

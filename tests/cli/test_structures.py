"""Which atoms of a file are a metal."""

from __future__ import annotations

import click
import pytest
from ase import Atoms

from aiida_falsemetal.cli.structures import read_substrate

ATOMS = Atoms("Al4LiOH2")


@pytest.mark.parametrize(
    ("text", "indices"),
    [("Al", [0, 1, 2, 3]), ("Al,Li", [0, 1, 2, 3, 4]), ("0-2, 4", [0, 1, 2, 4]), ("Li,4,0", [0, 4])],
)
def test_elements_indices_and_ranges(text: str, indices: list[int]) -> None:
    assert read_substrate(ATOMS, text) == indices


@pytest.mark.parametrize("text", ["Cu", "al", "8", "5-9", "3-1", "-1", "", "Al,", "Al;Li", "0.5"])
def test_what_names_no_atom_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(click.ClickException, match="names no atom; the structure has Al, H, Li, O, or 0 to 7"):
        read_substrate(ATOMS, text)


@pytest.mark.parametrize("text", ["0-7", "Al,Li,O,H"])
def test_a_solvent_must_be_left(text: str) -> None:
    with pytest.raises(click.ClickException, match="leave the solvent out"):
        read_substrate(ATOMS, text)

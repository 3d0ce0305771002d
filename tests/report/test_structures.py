"""Structures and layers of frames in the small form that the page holds."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from typing import Any

import numpy as np
import pytest

from aiida_falsemetal.report.structures import by_interest, pack_layers, pack_structures

SPECIES = ("O", "H", "H")
CELL = np.diag([6.5, 6.5, 30.0])
Frame = tuple[int, tuple[str, ...], np.ndarray, np.ndarray]


def frame(pk: int, cell: np.ndarray = CELL, scale: float = 1.0) -> Frame:
    return pk, SPECIES, cell, scale * np.random.default_rng(pk).uniform(-20, 40, (3, 3))


def positions(group: dict[str, Any], place: int) -> np.ndarray:
    """As ``structure.js`` reads them."""
    raw = base64.b64decode(group["positions"][place])
    many = len(group["species"])
    return np.frombuffer(raw, "<i4" if len(raw) == 12 * many else "<i2").reshape(many, 3) * 0.01


def test_positions_are_kept_to_half_a_hundredth_of_an_angstrom() -> None:
    frames = [frame(1), frame(2), frame(3, scale=100.0)]  # the last one is beyond 327 Å, the reach of 16 bits
    (group,) = pack_structures(frames, 3)["groups"]
    assert group["pks"] == [1, 2, 3] and group["species"] == list(SPECIES) and group["cell"] == CELL.tolist()
    for place, (_, _, _, given) in enumerate(frames):
        assert np.abs(positions(group, place) - given).max() <= 0.005 + 1e-9
    assert len(group["positions"][0]) == 24


def test_frames_of_other_cells_and_elements_are_apart() -> None:
    other = (4, ("O", "H", "D"), CELL, np.zeros((3, 3)))
    packed = pack_structures([frame(1), frame(2, CELL * 1.01), frame(3), other], 4)
    assert [group["pks"] for group in packed["groups"]] == [[1, 3], [2], [4]]


def test_what_does_not_fit_is_not_even_read() -> None:
    read: list[int] = []

    def many() -> Any:
        for pk in range(1, 1000):
            read.append(pk)
            yield frame(pk)

    packed = pack_structures(many(), 999, budget=2000)
    assert 0 < packed["held"] < 100 and packed["wanted"] == 999
    assert read == list(range(1, packed["held"] + 2))
    assert packed["groups"][0]["pks"] == list(range(1, packed["held"] + 1))
    assert len(json.dumps(packed)) < 2000


def test_metallic_frames_and_small_gaps_come_first() -> None:
    rows = [
        {"gap_pk": 1, "gap": 3.0, "metallic": False},
        {"gap_pk": 2, "gap": None, "metallic": None, "expected_drop": 0.5},
        {"gap_pk": 3, "gap": 0.1, "metallic": True},
        {"gap_pk": 4, "gap": None, "metallic": None, "expected_drop": -6.0},
        {"gap_pk": 5, "gap": 0.6, "metallic": True},
        {"gap_pk": 6, "gap": 0.3, "metallic": False},
        {"gap_pk": None, "gap": 0.0, "metallic": True},
    ]
    assert by_interest(rows) == [3, 5, 6, 1, 4, 2]


def test_layers_are_relative_to_the_fermi_energy() -> None:
    z = np.arange(-1.0, 1.25, 0.25)
    vbm, cbm = np.full(9, -5.25), np.linspace(-1.0, 1.0, 9)
    vbm[0] = np.nan
    rows = [{"gap_pk": 7, "fermi": -3.0}, {"gap_pk": 8, "fermi": None}]
    arrays = {"z": z, "vbm": vbm, "cbm": cbm}
    packed = pack_layers({7: arrays, 8: arrays}, rows)
    assert list(packed) == ["7"]
    assert packed["7"]["z"] == [-1000, 250, 9]
    vbm_found, cbm_found = (np.frombuffer(base64.b64decode(packed["7"][key]), "<i2").tolist() for key in ("vbm", "cbm"))
    assert vbm_found == [-32768] + [-2250] * 8 and cbm_found == list(range(2000, 4001, 250))


def test_layers_stop_at_their_budget() -> None:
    z = np.zeros(100)
    frames = {pk: {"z": z, "vbm": z, "cbm": z} for pk in range(1, 50)}
    rows = [{"gap_pk": pk, "fermi": 0.0} for pk in range(1, 50)]
    assert 10 < len(pack_layers(frames, rows, budget=20_000)) < 40


@pytest.mark.parametrize("name", ["3Dmol-min.js", "LICENSE.3Dmol.txt"])
def test_files_of_others_are_what_their_readme_says(name: str) -> None:
    folder = resources.files("aiida_falsemetal.report") / "vendor"
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert f"`{digest}`" in (folder / "README.md").read_text(encoding="utf-8")

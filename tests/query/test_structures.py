"""Structures and band edges by layer come out of the graph in the order in which they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm

from aiida_falsemetal.query import structures
from aiida_falsemetal.query.structures import frame_layers, frame_structures
from tests.data import nodes


def structure(height: float) -> orm.StructureData:
    node = orm.StructureData(cell=np.diag([6.0, 7.0, 30.0]).tolist())
    for symbol, z in (("O", height), ("H", height + 0.6), ("H", height - 0.6)):
        node.append_atom(position=(1.0, 2.0, z), symbols=symbol)
    return node


def gap(height: float | None, layers: bool = False) -> int:
    inputs = {} if height is None else {"structure": structure(height), "film": structure(99.0)}
    outputs: dict[str, orm.Data] = {}
    if layers:
        array = orm.ArrayData()
        array.set_array("z", np.array([-1.0, 0.0, 1.0]))
        array.set_array("vbm", np.array([np.nan, -5.0, -5.1]))
        array.set_array("cbm", np.array([1.0, 1.1, np.nan]))
        for name in ("centre", "content", "dos"):
            array.set_array(name, np.arange(3.0))
        outputs["layers"] = array
    return int(nodes.workchain("falsemetal.gap", inputs, outputs, exit_status=0).pk)


def test_structures_in_the_order_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structures, "BATCH", 2)
    pks = [gap(height) for height in (5.0, 6.0, 7.0)]
    without = gap(None)
    asked = [pks[2], without, pks[0], pks[1]]
    found = list(frame_structures(asked))
    assert [pk for pk, *_ in found] == [pks[2], pks[0], pks[1]]
    for (_, species, cell, positions), height in zip(found, (7.0, 5.0, 6.0), strict=True):
        assert species == ("O", "H", "H")
        assert np.array_equal(cell, np.diag([6.0, 7.0, 30.0]))
        assert positions[:, 2] == pytest.approx([height, height + 0.6, height - 0.6])


def test_layers_of_the_frames_that_have_them() -> None:
    first, second, third = gap(5.0, layers=True), gap(5.0), gap(5.0, layers=True)
    found = list(frame_layers([third, second, first]))
    assert [pk for pk, *_ in found] == [third, first]
    arrays = found[0][1]
    # The density of states would make the report long.
    assert set(arrays) == {"z", "vbm", "cbm", "centre", "content"}
    z, vbm, cbm = (arrays[name] for name in ("z", "vbm", "cbm"))
    assert z.tolist() == [-1.0, 0.0, 1.0] and vbm[1:].tolist() == [-5.0, -5.1] and np.isnan(vbm[0])
    assert cbm[:2].tolist() == [1.0, 1.1]


def test_nothing_asked_nothing_found() -> None:
    assert list(frame_structures([])) == [] and list(frame_layers([])) == []

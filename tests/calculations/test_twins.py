"""From labels to twins: who is trained on, what a model's errors are, and the model as an MLIP."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from aiida import orm
from ase.io import read

from aiida_falsemetal.calculations.twins import evaluate_twin, make_twin, split_labels, training_set
from aiida_falsemetal.mlips.catalogue import model_path, presets
from tests.data import nodes


def labelled(count: int = 10, metallic: tuple[int, ...] = ()) -> dict[str, Any]:
    """Labels of the film at ``count`` slightly different places."""
    found: dict[str, Any] = {}
    for number in range(count):
        atoms = nodes.film()[0].copy()
        atoms.positions[:, 2] += 0.3 * number
        forces = orm.ArrayData()
        forces.set_array("forces", np.full((24, 3), 0.001 * number))
        content = {
            "source": "a" if number % 2 else "b",
            "sampler": "s",
            "temperature": 300.0,
            "bulk": False,
            "energy": -1000.0 - number,
            "usable": number not in metallic,
            "Mz": 0.1 * number,
            "area": 42.25,
            "thickness": 5.7,
            "eps_inf": 1.78,
            "fingerprint": f"f{number}",
        }
        key = f"c{number:05d}"
        found.update(
            {
                f"structure_{key}": orm.StructureData(ase=atoms),
                f"label_{key}": orm.Dict(content),
                f"forces_{key}": forces,
            }
        )
    return found


def made(count: int = 10, **given: Any) -> Any:
    return training_set(orm.Dict({"test": 0.2, "valid": 0.2, "seed": 1}), **labelled(count, **given))


def test_split_meets_its_shares_and_takes_from_every_run() -> None:
    runs = {f"c{number:03d}": f"run{number % 7}" for number in range(210)}
    parts = split_labels(runs, 0.1, 0.08, seed=3)
    assert list(parts.values()).count("test") == 21 and list(parts.values()).count("valid") == 15
    for run in set(runs.values()):
        held = [key for key in runs if runs[key] == run and parts[key] == "test"]
        assert 2 <= len(held) <= 4
    assert parts == split_labels(dict(reversed(runs.items())), 0.1, 0.08, seed=3)
    assert parts != split_labels(runs, 0.1, 0.08, seed=4)


def test_a_run_of_a_round_is_for_one_part_as_a_whole() -> None:
    """Its frames are neighbours; and who was in which part without rounds still is."""
    first = {f"c{number:03d}": f"run{number % 7}" for number in range(100)}
    active = {f"c{number:03d}": f"round{number // 5}" for number in range(100, 200)}
    parts = split_labels({**first, **active}, 0.1, 0.08, 3, set(active))
    for run in set(active.values()):
        assert len({parts[key] for key in active if active[key] == run}) == 1
    counts = [sum(parts[key] == name for key in active) for name in ("test", "valid", "train")]
    assert counts == [10, 5, 85]
    assert {key: parts[key] for key in first} == split_labels(first, 0.1, 0.08, 3)


def test_a_file_calls_its_labels_by_its_own_names() -> None:
    """A label that was found has the names of the file that it was made for."""
    names = {f"c{number:05d}": {"source": "mine", "sampler": f"m{number % 3}", "round": 1} for number in range(10)}
    parameters = orm.Dict({"test": 0.2, "valid": 0.2, "seed": 1, "names": names})
    outputs = training_set(parameters, **labelled())
    frames = read(io.StringIO(outputs["labels"].get_content()), ":", format="extxyz")
    assert {frame.info["source"] for frame in frames} == {"mine"}
    assert outputs["split"].get_dict()["names"]["f7"] == names["c00007"]


def test_training_set_has_every_usable_label_once() -> None:
    outputs = made(metallic=(4,))
    split = outputs["split"].get_dict()
    assert (split["labels"], split["usable"], split["metallic"]) == (10, 9, 1)
    keys = [*split["train"], *split["valid"], *split["test"]]
    assert sorted(keys) == [f"c{n:05d}" for n in range(10) if n != 4]
    frames = read(io.StringIO(outputs["labels"].get_content()), ":", format="extxyz")
    assert [frame.info["key"] for frame in frames] == sorted(keys)
    for frame in frames:
        number = int(frame.info["key"][1:])
        assert frame.info["label_energy"] == -1000.0 - number and frame.info["split"] in ("train", "valid", "test")
        assert frame.arrays["label_forces"] == pytest.approx(0.001 * number)
        # In one piece in the middle of its vacuum: a slab correction can be made.
        z = frame.positions[:, 2]
        assert z.min() + z.max() == pytest.approx(frame.cell.lengths()[2]) and np.ptp(z) + 20.0 == pytest.approx(
            frame.cell.lengths()[2]
        )


def test_the_same_labels_give_the_same_file() -> None:
    assert made()["labels"].get_content() == made()["labels"].get_content()


def test_too_few_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="label more configurations"):
        made(2)


def test_errors_of_a_model_that_is_known() -> None:
    """A model that is off by a constant an atom, by 10 meV/Å, and by a film's whole E_slab."""
    outputs = made(20)
    frames = read(io.StringIO(outputs["labels"].get_content()), ":", format="extxyz")
    slab = [1.78 * f.info["Mz"] ** 2 / (2 * 5.526349e-3 * f.info["volume"]) for f in frames]
    predictions = orm.ArrayData()
    energy = [f.info["label_energy"] + 24 * 0.3 - e for f, e in zip(frames, slab, strict=True)]
    predictions.set_array("energy", np.array(energy))
    predictions.set_array("forces", np.concatenate([f.arrays["label_forces"] for f in frames]) + 0.01)
    found = evaluate_twin(outputs["labels"], predictions).get_dict()
    assert found["force_rmse"] == pytest.approx(10.0)
    assert found["slopes"]["all"]["slope"] == pytest.approx(1.0, abs=1e-3)
    assert [(row["part"], row["source"]) for row in found["rows"]][:3] == [
        ("test", "all"),
        ("test", "a"),
        ("test", "b"),
    ]
    assert sum(row["frames"] for row in found["rows"] if row["source"] == "all") == 20


def test_twin_is_an_mlip_with_its_facts() -> None:
    path = model_path(presets()["twin-sr"])
    model = orm.SinglefileData(io.BytesIO(path.read_bytes()), filename="twin.model").store()
    facts = {"elements": ["H", "O"], "cutoff": 4.5, "layers": 2, "long_ranged": False, "licence": "", "reference": ""}
    given = {"family": "mace", "kwargs": {}, "label": "mine-sr", "licence": "MIT", "reference": "of mine"}
    node = make_twin(model, orm.Dict({"facts": facts}), orm.Dict(given))
    assert node.is_stored and node.label == "mine-sr" and node.filename == "mine-sr.model"
    assert node.facts == {**facts, "licence": "MIT", "reference": "of mine"}
    assert node.scan is not None and node.scan["verdict"] == "safe"
    assert node.creator.inputs.model.uuid == model.uuid

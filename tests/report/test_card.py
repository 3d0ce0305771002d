"""A twin's card: every number is the graph's, and a reader sees what it is not for."""

from __future__ import annotations

from typing import Any

from aiida_falsemetal.report.card import model_card

CARD: dict[str, Any] = {
    "label": "water-sr",
    "twin": "water-lr",
    "family": "mace",
    "kwargs": {},
    "facts": {
        **{"elements": ["H", "O"], "cutoff": 4.5, "layers": 2, "receptive_field": 9.0, "long_ranged": False},
        **{"precision": "float32", "licence": "", "reference": ""},
    },
    "file": "water-sr.model",
    "bytes": 418867,
    "sha256": "ab" * 32,
    "dft": {"functional": "PBE", "ecutwfc": 70.0, "pseudo_family": "falsemetal/oncv/pbe", "max_drop": 2.5},
    "split": {"train": 160, "valid": 15, "test": 20, "usable": 195, "metallic": 1},
    "sources": [
        {
            **{"source": "film24", "round": 0, "atoms": 72, "temperatures": [300.0, 400.0], "labels": 100},
            **{"largest_drop": 2.34, "samplers": ["spcfw-ewald"]},
        },
        {
            **{"source": "bulk|32", "round": 1, "atoms": 96, "temperatures": [450.0], "labels": 95},
            **{"largest_drop": None, "samplers": ["water-r1-lr", "water-r1-sr"]},
        },
    ],
    "training": {"channels": 32, "epochs": 120, "seed": 1},
    "training_seconds": 5400.0,
    "training_whole": True,
    "threads": 1,
    "errors": [
        {"part": "test", "source": "all", "frames": 20, "force_rmse": 58.04, "force_mae": 41.0, "energy_rmse": 1.234},
        {"part": "valid", "source": "all", "frames": 0, "force_rmse": None, "force_mae": None, "energy_rmse": None},
    ],
    "by_sampler": [
        {
            **{"sampler": "water-r1-sr", "bulk": False, "temperatures": [330.0, 450.0], "smallest_gap": 0.331},
            **{"test_frames": 5, "test_rmse": 124.04, "valid_frames": 0, "valid_rmse": None},
            **{"train_frames": 14, "train_rmse": 101.0},
        },
        {
            **{"sampler": "spcfw-ewald", "bulk": True, "temperatures": [300.0], "smallest_gap": None},
            **{"test_frames": 0, "test_rmse": None, "valid_frames": 1, "valid_rmse": 70.0},
            **{"train_frames": 3, "train_rmse": 55.0},
        },
    ],
    "slopes": {
        "test": {"slope": 0.91, "low": 0.7, "high": 1.1, "frames": 14, "says": "the energy is missing"},
        "all": {"slope": None, "low": None, "high": None, "frames": 2, "says": "not determined"},
    },
    "nodes": {"MlipData": "1234"},
    "versions": {"mace-torch": "0.3.14", "torch": "2.13.0"},
}


def test_a_card_says_what_the_graph_knows() -> None:
    said = model_card(CARD)
    for line in (
        "# water-sr",
        "| elements | H, O |",
        "| receptive field | 9 Å |",
        "| licence | none given: ask who made it |",
        "| film24 | – | 72 | 300, 400 | 100 | 2.34 | spcfw-ewald |",
        # A name cannot break the table.
        "| bulk\\|32 | 1 | 96 | 450 | 95 | – | water-r1-lr, water-r1-sr |",
        "mace_run_train, 1.5 h on 1 core(s): `channels` 32, `epochs` 120, `seed` 1.",
        "| held out | all | 20 | 58.0 | 41.0 | 1.23 |",
        "| watched the training | all | 0 | – | – | – |",
        "| film | water-r1-sr | 330, 450 | 0.33 | 5, 124.0 | 14, 101.0 |",
        "| bulk | spcfw-ewald | 300 | – | 0, – | 3, 55.0 |",
        "- test: 0.91 [0.70, 1.10] (14 films); the energy is missing.",
        "- all: – (2 films); not determined.",
        "- H, O as in the sources above, 300 to 450 K; nothing else was seen.",
        "| MlipData | `1234` |",
        "Trained with mace-torch 0.3.14, torch 2.13.0.",
    ):
        assert line in said.splitlines(), line
    assert "195 labels of PBE" in said and "1 metallic label left out" in said


def test_only_a_short_ranged_one_is_said_to_lack_a_term() -> None:
    assert "Without a long-ranged term" in model_card(CARD)
    facts = {**CARD["facts"], "long_ranged": True}
    long = model_card({**CARD, "facts": facts, "kwargs": {"charges": {"O": -0.742}, "smearing": 1.4}})
    assert "Without a long-ranged term" not in long and "| charges | `{'O': -0.742}` |" in long
    assert long.startswith("# water-sr\n\nThe long-ranged one of two")


def test_hours_of_a_job_that_was_killed_are_a_lower_bound() -> None:
    assert "mace_run_train, at least 1.5 h on 1 core(s)" in model_card({**CARD, "training_whole": False})

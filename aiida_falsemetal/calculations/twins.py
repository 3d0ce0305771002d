"""Calcfunctions from labels to twins: the training set and its split, the errors of a model, the model as a node."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms
from ase.io import read, write

from ..data.mlip import MlipData
from ..physics.heldout import Frame, energy_shift, errors, slope
from .label import one_piece

VACUUM = 20.0
"""Å of vacuum of the films in the training set; the slab correction makes the baseline's energy independent of it."""
SPLITS = ("train", "valid", "test")


@calcfunction
def training_set(parameters: orm.Dict, **nodes: Any) -> dict[str, Any]:
    """All usable labels as one extended XYZ, each with what it is for.

    :param parameters: ``test``, ``valid`` (shares) and ``seed``; optionally ``names``, by key what the file at hand
        calls a configuration's ``source``, ``sampler`` and ``round``: a label that was found has those of its maker.
    :param nodes: by key K of a configuration: ``structure_K``, ``label_K``, ``forces_K``.
    :return: ``labels`` (SinglefileData: ``label_energy``, ``label_forces``, ``split``, ``key``, ``source``, ``Mz`` and
        so on) and ``split`` (Dict: keys of each part, and of what is not used, by reason).
    :raises ValueError: if a part would be empty.
    """
    given = parameters.get_dict()
    keys = sorted(name.removeprefix("label_") for name in nodes if name.startswith("label_"))
    names = given.get("names", {})
    labels = {key: {**nodes[f"label_{key}"].get_dict(), **names.get(key, {})} for key in keys}
    usable = [key for key in keys if labels[key]["usable"]]
    runs = {key: _run_of(labels[key]) for key in usable}
    together = {key for key in usable if labels[key].get("round") is not None}
    parts = split_labels(runs, given["test"], given["valid"], given["seed"], together)
    frames = []
    for key in usable:
        atoms = _frame(nodes[f"structure_{key}"].get_ase(), labels[key], nodes[f"forces_{key}"].get_array("forces"))
        atoms.info.update(split=parts[key], key=key)
        frames.append(atoms)
    for name in SPLITS:
        if name not in parts.values():
            raise ValueError(f"{len(usable)} usable labels leave nothing for {name}; label more configurations.")
    text = io.StringIO()
    write(text, frames, format="extxyz")
    split = {name: [key for key in usable if parts[key] == name] for name in SPLITS}
    counts = {"labels": len(keys), "usable": len(usable), "metallic": len(keys) - len(usable)}
    content = {
        **split,
        **counts,
        "fingerprints": [labels[key]["fingerprint"] for key in keys],
        "names": {labels[key]["fingerprint"]: names[key] for key in keys if key in names},
    }
    return {
        "labels": orm.SinglefileData(io.BytesIO(text.getvalue().encode()), filename="labels.xyz"),
        "split": orm.Dict(content),
    }


def split_labels(
    runs: dict[str, str], test: float, valid: float, seed: int, together: Collection[str] = ()
) -> dict[str, str]:
    """``train``, ``valid`` or ``test`` for every key.

    The shares are drawn from each run by itself, so that every part has every kind of configuration, and their totals
    are met to the nearest whole number; one at least is for each part where there are three.

    :param runs: run of each key.
    :param test: share held out.
    :param valid: share of the others that watches the training.
    :param together: keys whose runs are each for one part as a whole: their frames are less than a correlation time
        apart, and a neighbour of what was trained on is not held out. The shares are then of these runs.
    """
    rng = np.random.default_rng(seed)
    order = []
    for run in sorted({run for key, run in runs.items() if key not in together}):
        own = [key for key in sorted(runs) if runs[key] == run and key not in together]
        # Position in its run as a share: whoever cuts this list at a share cuts every run at about that share.
        places = (np.arange(len(own)) + rng.random()) / len(own)
        order += list(zip(places, rng.permutation(own).tolist(), strict=True))
    parts = _cut([key for _, key in sorted(order)], test, valid)
    whole = sorted({runs[key] for key in runs if key in together})
    of_run = _cut(rng.permutation(whole).tolist(), test, valid)
    return {**parts, **{key: of_run[run] for key, run in runs.items() if key in together}}


def _cut(ranked: list[str], test: float, valid: float) -> dict[str, str]:
    """The first of a list for ``test``, the next for ``valid``, the others for ``train``."""
    held = max(1, round(test * len(ranked)))
    watched = max(1, round(valid * (len(ranked) - held)))
    named = ["test"] * held + ["valid"] * watched + ["train"] * len(ranked)
    return dict(zip(ranked, named, strict=False))


def _run_of(label: dict[str, Any]) -> str:
    return f"{label.get('source')}/{label.get('sampler')}/{label.get('temperature')}"


def _frame(structure: Atoms, label: dict[str, Any], forces: np.ndarray) -> Atoms:
    whole = one_piece(structure, label["bulk"], VACUUM)
    atoms = Atoms(whole.get_chemical_symbols(), whole.positions, cell=whole.cell, pbc=True)
    atoms.info["label_energy"] = label["energy"]
    atoms.arrays["label_forces"] = np.asarray(forces, dtype=float)
    atoms.info.update(
        source=str(label.get("source")),
        kelvin=float(label.get("temperature") or 0.0),
        volume=float(label.get("area") or 0.0) * float(label.get("thickness") or 0.0),
        eps_inf=float(label.get("eps_inf") or 1.0),
    )
    if label.get("Mz") is not None:
        atoms.info["Mz"] = float(label["Mz"])
    return atoms


@calcfunction
def evaluate_twin(labels: orm.SinglefileData, predictions: orm.ArrayData) -> orm.Dict:
    """Errors of a model on the parts of its training set, held-out ones first, and its missing-energy slopes.

    :param labels: of :func:`training_set`.
    :param predictions: ``energy`` (n,) in eV and ``forces`` (atoms of all, 3) in eV/Å, in the file's order.
    :return: ``rows`` (part, source, errors), ``slopes`` (``test``: films held out; ``all``: all films), and
        ``force_rmse``, ``energy_rmse`` of what was held out. Energies are compared after the mean difference an atom
        over what was trained on is taken out.
    """
    found = _frames(labels, predictions)
    shift = energy_shift([frame for frame in found if frame.split == "train"])
    rows = []
    for split in reversed(SPLITS):
        own = [frame for frame in found if frame.split == split]
        rows.append({"part": split, "source": "all", **errors(own, shift)})
        if split == "test":
            for source in sorted({frame.source for frame in own}):
                part = [frame for frame in own if frame.source == source]
                rows.append({"part": split, "source": source, **errors(part, shift)})
    slopes = {"test": slope([frame for frame in found if frame.split == "test"]), "all": slope(found)}
    held = rows[0]
    return orm.Dict(
        {"rows": rows, "slopes": slopes, "force_rmse": held["force_rmse"], "energy_rmse": held["energy_rmse"]}
    )


def _frames(labels: orm.SinglefileData, predictions: orm.ArrayData) -> list[Frame]:
    atoms = read(io.StringIO(labels.get_content()), ":", format="extxyz")
    energy, forces = predictions.get_array("energy"), predictions.get_array("forces")
    parts = np.split(forces, np.cumsum([len(frame) for frame in atoms])[:-1])
    return [
        Frame(
            source=str(frame.info["source"]),
            split=str(frame.info["split"]),
            energy=float(frame.info["label_energy"] - model),
            forces=part - frame.arrays["label_forces"],
            moment=None if "Mz" not in frame.info else float(frame.info["Mz"]),
            volume=float(frame.info["volume"]),
            eps_inf=float(frame.info["eps_inf"]),
        )
        for frame, model, part in zip(atoms, energy, parts, strict=True)
    ]


@calcfunction
def make_twin(model: orm.SinglefileData, results: orm.Dict, parameters: orm.Dict) -> MlipData:
    """The model as an MLIP that a campaign takes.

    :param results: of the training, with the model's ``facts``.
    :param parameters: ``family``, ``kwargs``, ``label``, ``licence``, ``reference``.
    :raises UnsafeModelError: if the scan of its file refuses it.
    """
    given = parameters.get_dict()
    facts = {**results.get_dict()["facts"], "licence": given["licence"], "reference": given["reference"]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{given['label']}.model"
        path.write_bytes(model.get_content(mode="rb"))
        return MlipData.from_model(path, given["family"], given["kwargs"], facts, given["label"])

"""What a twin makes of the configurations that each MLIP has moved: short-ranged ones lead to films of their own."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from aiida import orm
from ase.io import read

from .twins import Trained

LABEL = "label_"
PARTS = ("test", "valid", "train")


def errors_by_sampler(made: Trained, kind: str) -> list[dict[str, Any]]:
    """Force errors of a twin, by what moved the configurations, films and bulk apart.

    :param kind: ``short_ranged`` or ``long_ranged``.
    :return: rows of ``sampler``, ``bulk``, ``temperatures`` (K), ``smallest_gap`` (eV, of DFT), and for each part
        (``test``, ``valid``, ``train``) ``PART_frames`` and ``PART_rmse`` (meV/Å, None without frames); bulk last.
    """
    job = made.models[kind].creator.inputs.model.creator
    predictions, training_set = job.outputs.predictions, job.inputs.labels
    labels = _labels(training_set)
    atoms = read(io.StringIO(training_set.get_content()), ":", format="extxyz")
    ends = np.cumsum([len(frame) for frame in atoms])[:-1]
    found: dict[tuple[bool, str], list[tuple[dict[str, Any], str, Any]]] = {}
    for frame, forces in zip(atoms, np.split(predictions.get_array("forces"), ends), strict=True):
        label = labels[str(frame.info["key"])]
        error = 1e3 * (forces - frame.arrays["label_forces"])
        found.setdefault((bool(label["bulk"]), str(label["sampler"])), []).append(
            (label, str(frame.info["split"]), error)
        )
    return [_row(bulk, sampler, own) for (bulk, sampler), own in sorted(found.items())]


def _labels(training_set: Any) -> dict[str, dict[str, Any]]:
    """What is known of each label, by its key, under the names of the file that the set was made for."""
    inputs = training_set.creator.base.links.get_incoming(node_class=orm.Dict).all()
    given = {link.link_label: link.node.get_dict() for link in inputs}
    names = given["parameters"].get("names", {})
    keys = [name.removeprefix(LABEL) for name in given if name.startswith(LABEL)]
    return {key: {**given[LABEL + key], **names.get(key, {})} for key in keys}


def _row(bulk: bool, sampler: str, own: list[tuple[dict[str, Any], str, Any]]) -> dict[str, Any]:
    gaps = [label["gap"] for label, _, _ in own if label.get("gap") is not None]
    row = {
        "sampler": sampler,
        "bulk": bulk,
        "temperatures": sorted({label["temperature"] for label, _, _ in own}),
        "smallest_gap": min(gaps, default=None),
    }
    for part in PARTS:
        errors = [error.ravel() for _, split, error in own if split == part]
        row[f"{part}_frames"] = len(errors)
        row[f"{part}_rmse"] = float(np.sqrt(np.mean(np.concatenate(errors) ** 2))) if errors else None
    return row

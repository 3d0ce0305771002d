"""What a twin makes of the configurations that each MLIP has moved: short-ranged ones lead to films of their own."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from aiida import orm
from ase.io import read

from .twins import Trained

LABEL = "label_"


def errors_by_sampler(made: Trained, kind: str) -> list[dict[str, Any]]:
    """Force errors of a twin on held-out labels, by what moved them, films and bulk apart.

    :param kind: ``short_ranged`` or ``long_ranged``.
    :return: rows of ``sampler``, ``bulk``, ``temperatures`` (K), ``frames``, ``smallest_gap`` (eV, of DFT) and
        ``force_rmse`` (meV/Å); bulk last.
    """
    job = made.models[kind].creator.inputs.model.creator
    predictions, training_set = job.outputs.predictions, job.inputs.labels
    labels = _labels(training_set)
    atoms = read(io.StringIO(training_set.get_content()), ":", format="extxyz")
    ends = np.cumsum([len(frame) for frame in atoms])[:-1]
    found: dict[tuple[bool, str], list[tuple[dict[str, Any], Any]]] = {}
    for frame, forces in zip(atoms, np.split(predictions.get_array("forces"), ends), strict=True):
        if frame.info["split"] == "test":
            label = labels[str(frame.info["key"])]
            error = 1e3 * (forces - frame.arrays["label_forces"])
            found.setdefault((bool(label["bulk"]), str(label["sampler"])), []).append((label, error))
    return [_row(bulk, sampler, own) for (bulk, sampler), own in sorted(found.items())]


def _labels(training_set: Any) -> dict[str, dict[str, Any]]:
    """What is known of each label, by its key, under the names of the file that the set was made for."""
    inputs = training_set.creator.base.links.get_incoming(node_class=orm.Dict).all()
    given = {link.link_label: link.node.get_dict() for link in inputs}
    names = given["parameters"].get("names", {})
    keys = [name.removeprefix(LABEL) for name in given if name.startswith(LABEL)]
    return {key: {**given[LABEL + key], **names.get(key, {})} for key in keys}


def _row(bulk: bool, sampler: str, own: list[tuple[dict[str, Any], Any]]) -> dict[str, Any]:
    errors = np.concatenate([error.ravel() for _, error in own])
    gaps = [label["gap"] for label, _ in own if label.get("gap") is not None]
    return {
        "sampler": sampler,
        "bulk": bulk,
        "temperatures": sorted({label["temperature"] for label, _ in own}),
        "frames": len(own),
        "smallest_gap": min(gaps, default=None),
        "force_rmse": float(np.sqrt(np.mean(errors**2))),
    }

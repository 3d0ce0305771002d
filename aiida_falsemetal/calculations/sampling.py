"""What is known of a trajectory's frames from the few that were computed: nodes in, estimates out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from aiida import orm
from numpy.typing import NDArray

from ..physics import estimation
from ..physics.design import Batch
from ..physics.gapmodel import GapModel, Prediction, Prior, fit_gap_model

Array = NDArray[np.float64]

BATCH_KEYS = ("index", "stratum", "probability", "label", "metallic", "gap")
"""Arrays of a batch's node: the fields of :class:`..physics.design.Batch`."""


def batch_node(batch: Batch) -> orm.ArrayData:
    """A batch as a node, one array a field."""
    node = orm.ArrayData()
    for key in BATCH_KEYS:
        node.set_array(key, np.asarray(getattr(batch, key)))
    return node


def batches_of(nodes: Mapping[str, Any]) -> list[Batch]:
    """The batches among ``nodes`` (keys ``batch_NN``), in the order in which they were drawn."""
    return [
        Batch(**{key: node.get_array(key) for key in BATCH_KEYS})
        for name, node in sorted(nodes.items())
        if name.startswith("batch_")
    ]


def results_of(nodes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The frames' results among ``nodes`` (keys ``result_...``), in the order of their steps."""
    return [node.get_dict() for name, node in sorted(nodes.items()) if name.startswith("result_")]


@dataclass(frozen=True)
class Sample:
    """A trajectory's frames and what was computed of them.

    :param drop: shape (N,), V, from point charges, of every frame of the population.
    :param predictor: shape (N,), V, what the gap is predicted from: ``potential_range`` (:mod:`..physics.inside`), or
        the drop's size where the selection was made by a version without it.
    :param batches: in the order in which they were drawn.
    :param gap: shape (N,), eV, 0 of a metallic frame, nan where nothing is known.
    :param metallic: shape (N,), 1 or 0, nan where nothing is known.
    :param highest: shape (N,), eV, what the gap of a frame that failed may be at most.
    """

    drop: Array
    predictor: Array
    batches: list[Batch]
    gap: Array
    metallic: Array
    highest: Array

    @classmethod
    def of(cls, population: orm.ArrayData, nodes: Mapping[str, Any]) -> Sample:
        """From the nodes: ``population`` of :func:`.selection.select_frames`, ``batch_NN`` and ``result_...``."""
        place = {int(step): k for k, step in enumerate(population.get_array("step"))}
        drop = population.get_array("drop")
        inside = "potential_range" in population.get_arraynames()
        predictor = population.get_array("potential_range") if inside else np.abs(drop)
        gap, metallic, bound = (np.full(len(drop), np.nan) for _ in range(3))
        for result in results_of(nodes):
            k = place[result["step"]]
            if result["gap"] is not None:
                metallic[k] = float(bool(result["metallic"]))
                gap[k] = 0.0 if result["metallic"] else result["gap"]
            elif result.get("gap_bound") is not None:
                bound[k] = result["gap_bound"]
        # A frame without any bound may have the largest gap that was seen, or that the law leaves.
        largest = max([Prior().intercept, *gap[~np.isnan(gap)].tolist()])
        return cls(drop, predictor, batches_of(nodes), gap, metallic, np.where(np.isnan(bound), largest, bound))

    @property
    def known(self) -> NDArray[np.int_]:
        """Indices of the frames that have a gap."""
        return np.flatnonzero(~np.isnan(self.metallic))

    @property
    def drawn(self) -> int:
        """Number of frames drawn, failed ones among them."""
        return sum(len(batch.index) for batch in self.batches)

    @property
    def left(self) -> int:
        """Number of frames not drawn yet."""
        return len(self.drop) - self.drawn

    @property
    def failed(self) -> int:
        """Number of frames drawn that have no gap."""
        return self.drawn - len(self.known)

    @cached_property
    def model(self) -> GapModel:
        """What predicts the gap, as far as these frames, and what is known of films in general, tell."""
        return self._fitted(self.predictor)

    @cached_property
    def law(self) -> GapModel:
        """The same with the drop, whose distribution over the whole series is known."""
        return self._fitted(self.drop)

    def _fitted(self, values: Array) -> GapModel:
        known = self.known
        return fit_gap_model(values[known], self.gap[known], self.metallic[known] > 0.5, Prior())

    @cached_property
    def prediction(self) -> Prediction:
        """What the model expects of every frame."""
        return self.model.predict(self.predictor)

    def fraction(self, confidence: float) -> estimation.Estimate:
        """Metallized fraction of the trajectory.

        No value is below what was seen. Where no computed frame is metallic the lower ends are 0: the model's guess of
        the others moves the value, and only a computed metal shows that there is one.
        """
        found = estimation.estimate_fraction(self.batches, self.prediction, self.metallic, confidence)
        seen = float(np.nansum(self.metallic)) / len(self.metallic)
        if not seen:
            return replace(found, value_low=0.0, low=0.0, total_low=0.0)
        values = {key: max(getattr(found, key), seen) for key in ("value", "value_low", "value_high")}
        return replace(found, **values)

    def mean_gap(self, confidence: float) -> estimation.Estimate:
        """Mean gap over the trajectory, eV, within its interval, which knows that no gap is below 0."""
        found = estimation.estimate_gap(self.batches, self.prediction, self.gap, self.highest, confidence)
        return replace(found, value=float(np.clip(found.value, found.total_low, found.total_high)))


def stop_reason(sample: Sample, given: Mapping[str, Any]) -> str | None:
    """Why no more frames are to be drawn, or None; ``given`` as :func:`.selection.draw_frames` has it."""
    if not sample.left:
        return "Every frame of the trajectory is drawn."
    return estimation.stop_reason(
        sample.fraction(given["confidence"]), given["half_width"], given["most"], given["acceptable"]
    )

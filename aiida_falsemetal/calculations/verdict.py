"""Calcfunctions that say what gaps and dipoles amount to: of one trajectory, and of all seeds of a pair."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from ..physics.estimation import Estimate
from ..physics.series import Fraction
from .evidence import (
    FRAME_KEYS,
    LAW_KEYS,
    Reference,
    Seed,
    calibrated,
    known_frames,
    predicted_gaps,
    summarize,
)
from .sampling import Sample, results_of

RULES = 2
"""Number of the rules that :func:`cell_verdict` and :func:`interface_law` go by: raise it where a change of the code
gives other results, and campaigns that were judged before are judged anew when they are asked for.

1. The law was corrected for all scatter between DFT's drop and the point charges'; "0 frames more" could be asked for.
2. The law is corrected for what the point charges err by (:mod:`..physics.droperror`).
"""
THRESHOLDS: dict[str, Any] = {"acceptable": 0.01, "confidence": 0.95, "rhat": 1.1}
"""Of :class:`..physics.verdict.Thresholds`, where an input does not say otherwise. A pair and its seeds have one
confidence; no campaign changes it."""


@calcfunction
def pair_verdict(info: orm.Dict, parameters: orm.Dict, **nodes: Any) -> orm.Dict:
    """Counts, dipole statistics with intervals, and a verdict on one (interface, MLIP, seed).

    :param info: the interface's area (Å^2), thickness (Å) and permittivities.
    :param parameters: see :func:`.evidence.summarize`; also ``md_message`` (why the MD ended early, or empty) and
        ``lost`` (number of selected frames whose workchain left no result at all).
    :param nodes: ``series`` (ArrayData), ``population`` and ``batch_NN`` (ArrayData, of the selection), all optional,
        and one ``result_...`` (Dict) a selected frame.
    """
    geometry, given = info.get_dict(), {**THRESHOLDS, **parameters.get_dict()}
    results = results_of(nodes)
    frames = [{key: result.get(key) for key in FRAME_KEYS} for result in results]
    time, moment = _series(nodes.get("series"), geometry["area"])
    metallized, mean_gap, population = None, None, 0
    if "population" in nodes:
        sample = Sample.of(nodes["population"], nodes)
        population = len(sample.drop)
        metallized = as_fraction(sample.fraction(given["confidence"]), given["confidence"])
        gap = sample.mean_gap(given["confidence"])
        mean_gap = (gap.value, gap.total_low, gap.total_high)
    seed = Seed(
        time, moment, frames, given.get("lost", 0), population, metallized, mean_gap, given.get("md_message", "")
    )
    return orm.Dict({**summarize([seed], geometry, given), "computed_frames": frames})


@calcfunction
def cell_verdict(info: orm.Dict, parameters: orm.Dict, **nodes: Any) -> orm.Dict:
    """The verdict on an interface and an MLIP, from all their seeds together.

    :param info: of the interface.
    :param parameters: see :func:`.evidence.summarize`; also ``reference_name``, or None.
    :param nodes: ``verdict_N`` (Dict, of :func:`pair_verdict`) and, where it exists, ``series_N`` (ArrayData) for each
        seed N; ``reference`` (Dict of this function, of the reference pair): without it nothing is known of the
        reference that is named.
    :raises ValueError: if the seeds' series are not sampled at one interval.
    """
    geometry, given = info.get_dict(), {**THRESHOLDS, **parameters.get_dict()}
    seeds = []
    for name, node in sorted(nodes.items()):
        if name.startswith("verdict_"):
            series = nodes.get(f"series_{name.removeprefix('verdict_')}")
            seed = _seed(node.get_dict(), series, geometry["area"], given["confidence"])
            seeds.append(replace(seed, name=int(name.removeprefix("verdict_"))))
    reference = None
    if given.get("reference_name") is not None:
        known = nodes["reference"].get_dict() if "reference" in nodes else {}
        reference = Reference(given["reference_name"], _reference_fraction(known, given["confidence"]))
    return orm.Dict(summarize(seeds, geometry, given, reference))


@calcfunction
def interface_law(**verdicts: orm.Dict) -> orm.Dict:
    """The gap law of one interface and functional, from the frames of all its pairs.

    :param verdicts: of :func:`pair_verdict`; all of one interface.
    :return: intercept (eV), slope (eV/V) and scatter (eV) with intervals, None of too few frames; ``drop_error`` (V);
        ``functional`` (or the several, if the campaign mixes them); ``predicted``, the interval for a frame that was
        not computed (:func:`.evidence.predicted_gaps`); the ``computed`` frames' drops and gaps.
    """
    frames = [frame for _, node in sorted(verdicts.items()) for frame in node.get_dict()["computed_frames"]]
    drop, gap, metallic = known_frames(frames)
    law = calibrated(frames)
    functionals = sorted({frame["functional"] for frame in frames if frame.get("functional")})
    return orm.Dict(
        {
            **{key: getattr(law, key, None) for key in LAW_KEYS},
            "metallic": int(metallic.sum()),
            "drop_error": 0.0 if law is None else law.drop_error,
            "functional": ", ".join(functionals),
            "predicted": predicted_gaps(frames),
            "computed": {"drop": drop.tolist(), "gap": gap.tolist(), "metallic": metallic.tolist()},
        }
    )


def as_fraction(estimate: Estimate, confidence: float) -> Fraction:
    """An estimate of the trajectory's mean as a fraction with the interval of the ensemble's."""
    inside = [min(max(value, 0.0), 1.0) for value in (estimate.value, estimate.value_low, estimate.value_high)]
    return Fraction(
        inside[0], estimate.total_low, estimate.total_high, float(estimate.runs), confidence, inside[1], inside[2]
    )


def _series(node: orm.ArrayData | None, area: float) -> tuple[Any, Any]:
    """Times (ps) and M_z/A (e/Å)."""
    return (None, None) if node is None else (node.get_array("time_ps"), node.get_array("dipole_z") / area)


def _seed(verdict: dict[str, Any], series: orm.ArrayData | None, area: float, confidence: float) -> Seed:
    """What a pair's verdict says of its trajectory."""
    mean_gap = None
    if verdict.get("mean_gap") is not None:
        mean_gap = (verdict["mean_gap"], verdict["mean_gap_low"], verdict["mean_gap_high"])
    time, moment = _series(series, area)
    return Seed(
        time,
        moment,
        verdict["computed_frames"],
        verdict["failed"].get("lost", 0),
        verdict["population"],
        _fraction(verdict, confidence),
        mean_gap,
        verdict["md_message"],
    )


def _fraction(verdict: dict[str, Any], confidence: float) -> Fraction | None:
    """The metallized fraction that a verdict holds; None where it has no estimate."""
    if verdict.get("metallized") is None:
        return None
    low, high, n_eff, least, most = (verdict[f"metallized_{key}"] for key in ("low", "high", "n_eff", "least", "most"))
    return Fraction(verdict["metallized"], low, high, n_eff, confidence, least, most)


def _reference_fraction(verdict: dict[str, Any], confidence: float) -> Fraction:
    """The metallized fraction of a reference. One without an estimate may be anything."""
    found = _fraction(verdict, confidence)
    if found is None:
        return Fraction(0.5, 0.0, 1.0, 1.0, confidence, 0.0, 1.0)
    # What the gap law shows of the reference's other frames counts here as it does in its own verdict.
    if verdict["metallized_bound"] is None or verdict["failed"]:
        return found
    return replace(found, high=max(min(found.high, verdict["metallized_bound"]), found.value))

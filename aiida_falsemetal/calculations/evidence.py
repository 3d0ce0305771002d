"""What the trajectories and gaps of a pair amount to, for one seed or several: plain dictionaries, no nodes.

Everything here is asked of :class:`Seed` s; with one of them the numbers are those of that trajectory alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..names import PRECISION
from ..physics import gapmodel, missing_energy, mlpeg, statistics
from ..physics import series as pooling
from ..physics.bound import fraction_bound
from ..physics.expected import Ratio, pair_width, width_ratio
from ..physics.mover import pool_fractions, weighted_mean
from ..physics.series import Agreement, Fraction, Pooled
from ..physics.verdict import Evidence, Thresholds, judge

Array = NDArray[np.float64]

LEAST_SAMPLES = 10
"""Samples after equilibration below which a series says nothing."""
FRAME_KEYS = (
    *("step", "Mz", "expected_drop", "drop", "gap", "gap_bound", "metallic"),
    *("energy", "energy_mlip", "functional", "exit_code"),
)
"""What of a frame's result goes on to the pair: the seeds of a pair are judged together from it."""
SPREAD_KEYS = (
    *("sd_Mz_per_area", "sd_low", "sd_high", "n_eff", "correlation_time_ps"),
    *("mean_Mz_per_area", "mean_low", "mean_high"),
    *("sd_ratio", "sd_ratio_low", "sd_ratio_high"),
    *("fraction_beyond_window", "fraction_beyond_low", "fraction_beyond_high"),
    *("more_ps", "more_ps_low", "more_ps_high", "mlpeg_sigma", "mlpeg_fraction"),
    *("rhat", "p_mean", "p_sd"),
)
ESTIMATE_KEYS = (
    *("metallized", "metallized_low", "metallized_high", "metallized_least", "metallized_most"),
    *("mean_gap", "mean_gap_low", "mean_gap_high"),
)
PREDICTED = 41
"""Drops at which a law says what to expect."""
LAW_KEYS = ("intercept", "intercept_low", "intercept_high", "slope", "slope_low", "slope_high", "scatter", "frames")


@dataclass(frozen=True)
class Seed:
    """One trajectory of a pair, and what was computed of it.

    :param time: shape (n,), ps; None without a series.
    :param moment: shape (n,), M_z/A in e/Å.
    :param frames: results of the frames that were chosen, failed ones too.
    :param lost: number of chosen frames that left no result at all.
    :param population: number of frames they were chosen from.
    :param metallized: metallized fraction of the trajectory.
    :param mean_gap: eV, with the ends of its interval.
    :param md_message: why the MD ended early; empty if it did not.
    :param name: the seed itself, which sentences name.
    """

    time: Array | None
    moment: Array | None
    frames: list[dict[str, Any]]
    lost: int = 0
    population: int = 0
    metallized: Fraction | None = None
    mean_gap: tuple[float, float, float] | None = None
    md_message: str = ""
    name: int = 1


@dataclass(frozen=True)
class Reference:
    """The pair that "false" is relative to: its name, and its metallized fraction."""

    name: str
    fraction: Fraction


@dataclass(frozen=True)
class Dipoles:
    """What equilibrated series of M_z/A say together.

    :param series: one a seed, e/Å.
    :param names: the seeds.
    """

    series: list[Array]
    names: list[int]
    pooled: Pooled
    beyond: Fraction
    agreed: Agreement

    @property
    def disagreeing(self) -> tuple[int, ...]:
        """Seeds that differ from the others."""
        return tuple(self.names[place] for place in self.agreed.disagreeing)

    @classmethod
    def of(cls, series: list[Array], names: list[int], confidence: float) -> Dipoles:
        """From at least one series."""
        return cls(
            series,
            names,
            pooling.pool(series, confidence),
            pooling.fraction_outside(series, confidence=confidence),
            pooling.agreement(series),
        )


def summarize(
    seeds: Sequence[Seed], geometry: Mapping[str, Any], given: Mapping[str, Any], reference: Reference | None = None
) -> dict[str, Any]:
    """All numbers of a pair, and the verdict.

    :param geometry: the interface's info: ``area`` (Å^2), ``thickness`` (Å), ``eps``, ``eps_inf``.
    :param given: ``temperature`` (K), ``equilibration`` (ps, or ``auto``), ``precision`` (of the spread, for
        ``more_ps``), ``facts`` (of the MLIP, or None), ``dipole_charges`` (of the MD, or None), ``acceptable``,
        ``confidence`` and ``rhat`` (:class:`..physics.verdict.Thresholds`), ``missing`` (a sentence on every seed that
        left nothing to judge).
    :raises ValueError: if the seeds' series are not sampled at one interval.
    """
    limits = Thresholds(given["acceptable"], given["confidence"], given["rhat"])
    frames = [frame for seed in seeds for frame in seed.frames]
    found = count_gaps(frames, sum(seed.lost for seed in seeds))
    every = [equilibrated(seed.time, seed.moment, given["equilibration"]) for seed in seeds]
    series = [moment for moment in every if len(moment) >= LEAST_SAMPLES]
    names = [seed.name for seed, moment in zip(seeds, every, strict=True) if len(moment) >= LEAST_SAMPLES]
    dipoles = Dipoles.of(series, names, limits.confidence) if series else None
    found.update(dipole_statistics(seeds, dipoles, geometry, given))
    found.update(missing_energy_test(frames, geometry))
    found.update(fitted_law(frames))
    metallized = pooled_fraction(seeds)
    found.update(estimates(seeds, metallized))
    found["metallized_bound"] = by_law(frames, found, dipoles, limits.confidence)
    found["md_message"] = " ".join(dict.fromkeys(seed.md_message for seed in seeds if seed.md_message))
    found["missing"] = list(given.get("missing", []))
    said = judge(_evidence(found, metallized, dipoles), limits, None if reference is None else reference.fraction)
    return {
        "verdict": said.verdict,
        "reason": said.reason,
        "would_decide": said.would_decide,
        "seeds": len(seeds),
        "population": sum(seed.population for seed in seeds),
        "acceptable": limits.acceptable,
        "confidence": limits.confidence,
        "reference": None if reference is None else reference.name,
        **found,
    }


def count_gaps(results: Sequence[Mapping[str, Any]], lost: int = 0) -> dict[str, Any]:
    """Counts of the frames; ``lost`` ones count as failed.

    ``fraction_metallic`` is that of the computed *frames*, whatever they were chosen for. Its interval treats every
    failed frame as unknown: as metallic for its upper end, as not metallic for its lower end.
    """
    converged = [result for result in results if result["gap"] is not None]
    failed = Counter(str(result["exit_code"]) for result in results if result["gap"] is None)
    if lost:
        failed["lost"] = lost
    metallic = sum(bool(result["metallic"]) for result in converged)
    selected = len(results) + lost
    low, high = None, None
    if selected:
        low = statistics.wilson_interval(metallic, selected)[0]
        high = statistics.wilson_interval(metallic + sum(failed.values()), selected)[1]
    return {
        "selected": selected,
        "converged": len(converged),
        "failed": dict(failed),
        "metallic": metallic,
        "fraction_metallic": metallic / len(converged) if converged else None,
        "fraction_metallic_low": low,
        "fraction_metallic_high": high,
        "min_gap": min((result["gap"] for result in converged), default=None),
    }


def equilibrated(time: Array | None, moment: Array | None, equilibration: float | str) -> Array:
    """M_z, or M_z/A, without its equilibration; empty without a series.

    :param equilibration: ps, or ``auto``.
    """
    if moment is None or time is None or not len(moment):
        return np.empty(0)
    if equilibration == "auto":
        return moment[statistics.detect_equilibration(moment) :]
    return moment[int(np.searchsorted(time, equilibration)) :]


def dipole_statistics(
    seeds: Sequence[Seed], dipoles: Dipoles | None, geometry: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Spread of M_z/A (e/Å) with its interval, beside what full electrostatics would give in the cell that the MD had.

    ``more_ps`` is how much more MD would bring the interval's half-width to the precision asked for, None where that
    cannot be told; ``mlpeg_...`` are that benchmark's two metrics (:mod:`..physics.mlpeg`), without intervals.

    :param dipoles: of the seeds that have enough samples; None if none has.
    """
    width = pair_width(geometry, given.get("facts"), given["temperature"], given.get("dipole_charges"))
    found: dict[str, Any] = {
        **dict.fromkeys(SPREAD_KEYS),
        "disagreeing": [],
        "expected_sd_Mz_per_area": width.sd,
        "expected_formula": width.formula,
        "sampled_ps": 0.0,
    }
    everything = [seed.moment for seed in seeds if seed.moment is not None and len(seed.moment)]
    if everything:
        # ML-PEG's own way: every frame, equilibration included.
        theirs = mlpeg.metrics(np.concatenate(everything))
        found.update(mlpeg_sigma=theirs.sigma, mlpeg_fraction=theirs.fraction)
    if dipoles is None:
        return found
    interval = _interval(seeds)
    pooled, beyond, agreed = dipoles.pooled, dipoles.beyond, dipoles.agreed
    more = pooling.more_for_sd(pooled, given.get("precision") or PRECISION, interval, given["confidence"])
    spread = pooled.spread
    ratio = width_ratio(spread, width)
    numbers = (
        *(spread.value, spread.low, spread.high, spread.n_eff, spread.correlation_samples * interval),
        *(pooled.mean, pooled.mean_low, pooled.mean_high),
        *((None, None, None) if ratio is None else (ratio.value, ratio.low, ratio.high)),
        *(beyond.value, beyond.low, beyond.high),
        *(more.amount, more.low, more.high, found["mlpeg_sigma"], found["mlpeg_fraction"]),
        *(agreed.rhat, agreed.p_mean, agreed.p_sd),
    )
    found.update((key, _number(value)) for key, value in zip(SPREAD_KEYS, numbers, strict=True))
    found["disagreeing"] = list(dipoles.disagreeing)
    return {**found, "sampled_ps": sum(len(x) - 1 for x in dipoles.series) * interval}


def _interval(seeds: Sequence[Seed]) -> float:
    """Time between samples in ps, the same for all seeds.

    :raises ValueError: if it is not.
    """
    steps = [float(seed.time[1] - seed.time[0]) for seed in seeds if seed.time is not None and len(seed.time) > 1]
    if max(steps) - min(steps) > 1e-6 * max(steps):
        raise ValueError(
            f"The seeds are sampled every {min(steps):g} to {max(steps):g} ps; run them with one `stride` and timestep."
        )
    return steps[0]


def _number(value: float | None) -> float | None:
    """A float that JSON has: an infinite R-hat of a dipole that does not move becomes None."""
    return None if value is None or not np.isfinite(value) else float(value)


def missing_energy_test(results: Sequence[Mapping[str, Any]], geometry: Mapping[str, Any]) -> dict[str, Any]:
    """Slope of E_DFT - E_MLIP against the energy that a film's dipole costs, with its interval.

    The slope is in units of the expected one: 1 for a model that lacks the long-ranged electrostatics, 0 for one that
    has it (:mod:`..physics.missing_energy`). ``missing_energy_unit`` is what slope 1 amounts to, eps_inf / (2 eps0 A d)
    in eV/(e Å)^2. The verdict does not depend on any of this.

    :param results: every frame's result; those of older versions lack ``energy_mlip``.
    """
    volume = geometry["area"] * geometry["thickness"]
    eps_inf = geometry.get("eps_inf", missing_energy.EPS_INF)
    found = missing_energy.of_frames(results, volume, eps_inf)
    return {
        "missing_energy_slope": found.slope,
        "missing_energy_low": found.low,
        "missing_energy_high": found.high,
        "missing_energy_frames": found.frames,
        "missing_energy_says": found.says,
        "missing_energy_unit": float(missing_energy.slab_energy(np.ones(1), volume, eps_inf)[0]),
    }


def fitted_law(frames: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """E_g0 (eV) and slope (eV/V) of the gap against the point charges' drop, errors in both; None of too few frames."""
    law = calibrated(frames)
    return {f"law_{key}": getattr(law, key, None) for key in LAW_KEYS}


def calibrated(frames: Sequence[Mapping[str, Any]]) -> gapmodel.GapLaw | None:
    """The law of these frames; None of too few."""
    drop, gap, metallic = known_frames(frames)
    # Results of older versions have no drop of DFT's.
    measured = np.array([frame.get("drop") for frame in frames if _is_known(frame)], float)
    try:
        return gapmodel.calibrate(drop, gap, metallic, measured)
    except ValueError:
        return None


def predicted_gaps(frames: Sequence[Mapping[str, Any]], confidence: float = 0.95) -> dict[str, Any] | None:
    """Predictive interval of the gap (eV) of a frame that was not computed, by its drop (V); None of too few frames.

    :return: ``drop``, ``low`` and ``high``, each of shape (``PREDICTED``,), and ``confidence``. Drops go from 0 to a
        quarter beyond the largest that was computed.
    """
    drop, gap, metallic = known_frames(frames)
    try:
        model = gapmodel.fit_gap_model(drop, gap, metallic)
    except ValueError:
        return None
    grid = np.linspace(0.0, 1.25 * float(np.abs(drop).max()), PREDICTED)
    low, high = model.interval(grid, confidence)
    return {"drop": grid.tolist(), "low": low.tolist(), "high": high.tolist(), "confidence": confidence}


def known_frames(frames: Sequence[Mapping[str, Any]]) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Point charges' drop (V), gap (eV, 0 where metallic) and label of the frames that have a gap."""
    known = [frame for frame in frames if _is_known(frame)]
    metallic = np.array([bool(frame["metallic"]) for frame in known], bool)
    gap = np.array([frame["gap"] for frame in known], float)
    return np.array([frame["expected_drop"] for frame in known], float), np.where(metallic, 0.0, gap), metallic


def _is_known(frame: Mapping[str, Any]) -> bool:
    return frame["gap"] is not None and frame.get("expected_drop") is not None


def pooled_fraction(seeds: Sequence[Seed]) -> Fraction | None:
    """Metallized fraction of all trajectories together; None unless every seed that has frames has an estimate."""
    asked = [seed for seed in seeds if seed.frames or seed.lost]
    fractions = [seed.metallized for seed in asked if seed.metallized is not None]
    if not fractions or len(fractions) < len(asked):
        return None
    return pool_fractions(fractions, [max(seed.population, 1) for seed in asked])


def estimates(seeds: Sequence[Seed], metallized: Fraction | None) -> dict[str, Any]:
    """Metallized fraction and mean gap (eV) of the trajectories, with intervals for trajectories without end."""
    found: dict[str, Any] = dict.fromkeys(ESTIMATE_KEYS)
    if metallized is not None:
        values = (metallized.value, metallized.low, metallized.high, metallized.smallest, metallized.largest)
        found.update(zip(ESTIMATE_KEYS[:5], (float(value) for value in values), strict=True))
        found["metallized_n_eff"] = float(metallized.n_eff)
    gaps = [(seed.mean_gap, max(seed.population, 1)) for seed in seeds if seed.mean_gap is not None]
    if gaps:
        values, lows, highs = zip(*(gap for gap, _ in gaps), strict=True)
        mean, low, high = weighted_mean(values, lows, highs, [size for _, size in gaps])
        found.update(zip(ESTIMATE_KEYS[5:], (mean, max(low, 0.0), high), strict=True))
    return found


def by_law(
    frames: Sequence[Mapping[str, Any]], counts: Mapping[str, Any], dipoles: Dipoles | None, confidence: float
) -> float | None:
    """Upper end of the metallized fraction by the gap law; None where a frame is metallic, or fewer than two are open.

    Whether failed frames forbid its use is for the rule to say (:attr:`..physics.verdict.Evidence.lawful`).
    """
    if dipoles is None or counts["metallic"] or counts["converged"] < 2:
        return None
    drop, gap, metallic = known_frames(frames)
    if len(drop) < 2:
        return None
    model = gapmodel.fit_gap_model(drop, gap, metallic, gapmodel.Prior())
    return float(fraction_bound(dipoles.pooled, model, confidence).high)


def _evidence(found: Mapping[str, Any], metallized: Fraction | None, dipoles: Dipoles | None) -> Evidence:
    agreed = None if dipoles is None else dipoles.agreed
    ratio = (found["sd_ratio"], found["sd_ratio_low"], found["sd_ratio_high"])
    return Evidence(
        metallized=metallized,
        selected=found["selected"],
        computed=found["converged"],
        metallic=found["metallic"],
        beyond=None if dipoles is None else dipoles.beyond,
        rhat=None if agreed is None else agreed.rhat,
        disagreeing=() if dipoles is None else dipoles.disagreeing,
        seeds_disagree=agreed is not None and agreed.disagree,
        md_message=found["md_message"],
        missing=tuple(found["missing"]),
        sampled_ps=found["sampled_ps"] or None,
        bound=found["metallized_bound"],
        sd_ratio=None if ratio[0] is None else Ratio(*ratio),
    )

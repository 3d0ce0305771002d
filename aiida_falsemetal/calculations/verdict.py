"""Calcfunction that says what a pair's gaps and dipoles amount to."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from ..physics import dielectric, gaplaw, missing_energy, mlpeg, statistics
from ..physics import series as pooling

WATER = {"eps": 78.0, "eps_inf": missing_energy.EPS_INF}
"""Static and optical permittivity of water at 298 K (PHYSICS.md, section 3: 1/eps_inf - 1/eps is about 0.54): what the
infos of older versions, all films of water, do not say."""
PRECISION = 0.1
"""Relative half-width of the spread's interval that ``more_ps`` is for: 200 independent samples."""


@calcfunction
def pair_verdict(info: orm.Dict, parameters: orm.Dict, **nodes: Any) -> orm.Dict:
    """Counts, dipole statistics with intervals, and a verdict on one (interface, MLIP, seed).

    :param info: the interface's area (Å^2) and thickness (Å).
    :param parameters: ``temperature`` (K), ``equilibration`` (ps, or ``auto``), ``md_message`` (why the MD
        ended early, or empty), ``lost`` (number of selected frames whose workchain left no result at all).
    :param nodes: ``series`` (ArrayData, optional) and one ``result_...`` (Dict) a selected frame.
    """
    geometry, given = info.get_dict(), parameters.get_dict()
    results = [node.get_dict() for key, node in sorted(nodes.items()) if key.startswith("result_")]
    summary = {
        **count_gaps(results, given.get("lost", 0)),
        **dipole_statistics(nodes.get("series"), geometry, given),
        **missing_energy_test(results, geometry),
    }
    verdict, reason = judge(summary, given["md_message"])
    return orm.Dict({"verdict": verdict, "reason": reason, **summary})


def count_gaps(results: list[dict[str, Any]], lost: int = 0) -> dict[str, Any]:
    """Counts of the frames; ``lost`` ones count as failed.

    The fraction's interval treats every failed frame as unknown: as metallic for its upper end, as not metallic for its
    lower end.
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


def dipole_statistics(series: orm.ArrayData | None, geometry: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Spread of M_z/A (e/Å) with its interval, beside what an isolated film with full electrostatics would have.

    ``more_ps`` is how much more MD would bring the interval's half-width to ``PRECISION`` of the spread, None where
    that cannot be told; ``mlpeg_...`` are that benchmark's two metrics (:mod:`..physics.mlpeg`), without intervals.
    """
    area = geometry["area"]
    expected = expected_width(geometry, given["temperature"])
    empty: dict[str, Any] = dict.fromkeys(
        (
            *("sd_Mz_per_area", "sd_low", "sd_high", "n_eff", "correlation_time_ps"),
            *("fraction_beyond_window", "fraction_beyond_low", "fraction_beyond_high"),
            *("more_ps", "more_ps_low", "more_ps_high", "mlpeg_sigma", "mlpeg_fraction"),
        )
    )
    found = {**empty, "expected_sd_Mz_per_area": expected, "sampled_ps": 0.0}
    if series is None:
        return found
    time = series.get_array("time_ps")
    moment = series.get_array("dipole_z") / area
    # ML-PEG's own way: every frame, equilibration included.
    theirs = mlpeg.metrics(moment) if len(moment) else None
    found.update(mlpeg_sigma=theirs.sigma if theirs else None, mlpeg_fraction=theirs.fraction if theirs else None)
    first = _equilibrated(moment, time, given["equilibration"])
    moment = moment[first:]
    if len(moment) < 10:
        return found
    spread = statistics.sd_with_interval(moment)
    beyond = pooling.fraction_outside([moment])
    more = pooling.more_for_sd(pooling.pool([moment]), PRECISION, float(time[1] - time[0]))
    return {
        **found,
        "sd_Mz_per_area": float(spread.value),
        "sd_low": float(spread.low),
        "sd_high": float(spread.high),
        "n_eff": float(spread.n_eff),
        "correlation_time_ps": float(spread.correlation_samples * (time[1] - time[0])),
        "fraction_beyond_window": float(beyond.value),
        "fraction_beyond_low": float(beyond.low),
        "fraction_beyond_high": float(beyond.high),
        "more_ps": more.amount,
        "more_ps_low": more.low,
        "more_ps_high": more.high,
        "sampled_ps": float(time[-1] - time[first]),
    }


def expected_width(geometry: dict[str, Any], temperature: float) -> float | None:
    """Standard deviation of the screened M_z/A (e/Å) of an isolated film with full electrostatics.

    :return: None for a film whose dipoles do not turn in picoseconds, as ice's: linear response has no width for it.
    """
    eps, eps_inf = (geometry.get(key, WATER[key]) for key in ("eps", "eps_inf"))
    if eps is None:
        return None
    ratio = dielectric.screened_film(eps, eps_inf)
    volume = geometry["area"] * geometry["thickness"]
    return float(dielectric.sd_dipole(ratio, volume, temperature) / geometry["area"])


def _equilibrated(moment: np.ndarray, time: np.ndarray, equilibration: float | str) -> int:
    """Index of the first sample that counts."""
    if equilibration == "auto":
        return int(statistics.detect_equilibration(moment))
    return int(np.searchsorted(time, equilibration))


def missing_energy_test(results: list[dict[str, Any]], geometry: dict[str, Any]) -> dict[str, Any]:
    """Slope of E_DFT - E_MLIP against the energy that a film's dipole costs, with its interval.

    The slope is in units of the expected one: 1 for a model that lacks the long-ranged electrostatics, 0 for one that
    has it (:mod:`..physics.missing_energy`). ``missing_energy_unit`` is what slope 1 amounts to, eps_inf / (2 eps0 A d)
    in eV/(e Å)^2. The verdict does not depend on any of this.

    :param results: every frame's result; those of older versions lack ``energy_mlip``.
    """
    volume = geometry["area"] * geometry["thickness"]
    eps_inf = geometry.get("eps_inf", WATER["eps_inf"])
    found = missing_energy.of_frames(results, volume, eps_inf)
    return {
        "missing_energy_slope": found.slope,
        "missing_energy_low": found.low,
        "missing_energy_high": found.high,
        "missing_energy_frames": found.frames,
        "missing_energy_says": found.says,
        "missing_energy_unit": float(missing_energy.slab_energy(np.ones(1), volume, eps_inf)[0]),
    }


def judge(summary: dict[str, Any], md_message: str) -> tuple[str, str]:
    """A verdict and the sentence behind it. One metallic frame is proof; its absence is proof only where nothing is
    unknown: no failed frame, and no frame of the MD beyond the window without a gap."""
    failures = sum(summary["failed"].values())
    if summary["metallic"]:
        return "metallized", f"{summary['metallic']} of {summary['converged']} computed frames are metallic."
    if md_message:
        return "undecided", f"The MD ended early: {md_message}"
    if not summary["converged"]:
        return "undecided", "No frame has a computed gap."
    if failures:
        return "undecided", f"{failures} of {summary['selected']} frames have no gap; any of them may be metallic."
    beyond = summary.get("fraction_beyond_window")
    if beyond:
        return "undecided", (
            f"None of {summary['converged']} computed frames is metallic, but {_percent(beyond)} of the trajectory "
            f"lies beyond |M_z|/A = {gaplaw.BREAKDOWN:.5f} e/Å; compute more frames."
        )
    return "not metallized", f"None of {summary['converged']} computed frames is metallic."


def _percent(share: float) -> str:
    """A share in percent with two significant digits, or whole percent from ten on."""
    percent = 100.0 * share
    return f"{percent:.0f} %" if percent >= 10.0 else f"{percent:.2g} %"

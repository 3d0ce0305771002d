"""Numbers behind the dipole figures: what to draw of a long series, which samples count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 260
"""Bins of a drawn series, each drawn by its smallest and largest sample: about one bin a pixel of a phone."""
LEAST = 10
"""Samples below which there is no histogram; :mod:`..calculations.verdict` asks for as many."""


@dataclass(frozen=True)
class Moment:
    """M_z/A of one pair.

    :param time: shape (n,), ps.
    :param value: shape (n,), e/Å; finite.
    :param start: time in ps from which the verdict's statistics count; None before there is a verdict, or where it
        counted nothing.
    """

    time: NDArray[np.float64]
    value: NDArray[np.float64]
    start: float | None

    @property
    def counted(self) -> NDArray[np.float64]:
        """The samples that the statistics count; all of them before there is a verdict."""
        if self.start is None:
            return self.value
        # Half a sample's slack, because the start was found by subtracting times.
        slack = 0.5 * float(self.time[1] - self.time[0]) if len(self.time) > 1 else 0.0
        return self.value[self.time >= self.start - slack]


def moment(pair: dict[str, Any], series: dict[str, Any] | None) -> Moment | None:
    """M_z/A of a pair from its plain row and its time series; None where either lacks what is needed."""
    if not series or not pair.get("area") or "dipole_z" not in series or "time_ps" not in series:
        return None
    time = np.asarray(series["time_ps"], dtype=float)
    value = np.asarray(series["dipole_z"], dtype=float) / pair["area"]
    known = np.isfinite(time) & np.isfinite(value)
    time, value = time[known], value[known]
    if not len(time):
        return None
    sampled = pair.get("sampled_ps")
    return Moment(time, value, float(time[-1] - sampled) if sampled else None)


def envelope(time: NDArray[np.float64], value: NDArray[np.float64], bins: int = BINS) -> list[tuple[float, float]]:
    """Points that draw a series as the eye sees it: of each bin the smallest and the largest sample, in time's order.

    Plain thinning would drop the excursions, which are what matters here. A series of at most ``2 bins`` samples is
    returned whole.

    :param time: shape (n,).
    :param value: shape (n,).
    """
    if len(time) <= 2 * bins:
        return list(zip(time.tolist(), value.tolist(), strict=True))
    places = np.unique([_first_of_bins(value, np.minimum, bins), _first_of_bins(value, np.maximum, bins)])
    return list(zip(time[places].tolist(), value[places].tolist(), strict=True))


def _first_of_bins(value: NDArray[np.float64], extreme: np.ufunc, bins: int) -> NDArray[np.int64]:
    """Where in each bin, of those that ``numpy.array_split`` makes, the extreme is met first."""
    size, longer = divmod(len(value), bins)
    sizes = np.full(bins, size)
    sizes[:longer] += 1
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    met = np.flatnonzero(value == np.repeat(extreme.reduceat(value, starts), sizes))
    return np.asarray(met[np.searchsorted(met, starts)])


def histogram(value: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Density (Å/e) and edges (e/Å) of M_z/A; None for too few samples or a constant."""
    if len(value) < LEAST or np.ptp(value) <= 1e-12:
        return None
    bins = int(np.clip(np.sqrt(len(value)), 8, 40))
    density, edges = np.histogram(value, bins=bins, density=True)
    return density, edges


def gaussian(x: NDArray[np.float64], sd: float) -> NDArray[np.float64]:
    """Density of a Gaussian of mean zero: a film with two equal faces has no dipole on average."""
    return np.asarray(np.exp(-0.5 * (x / sd) ** 2) / (sd * np.sqrt(2.0 * np.pi)))

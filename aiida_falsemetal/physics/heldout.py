"""Errors of a potential on labelled configurations, and what its films' energies lack as their dipole grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .missing_energy import LEAST, interpretation, slab_energy
from .statistics import fit_line

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """A labelled configuration and what a model makes of it.

    :param source: what it is grouped by: frames of one source have the same atoms and the same cell.
    :param split: ``train``, ``valid`` or ``test``.
    :param energy: eV, of the label less that of the model.
    :param forces: shape (n, 3), eV/Å, of the model less those of the label.
    :param moment: screened M_z in e Å, None for a liquid without a surface.
    :param volume: of the film in Å^3, without its vacuum.
    :param eps_inf: electronic permittivity.
    """

    source: str
    split: str
    energy: float
    forces: Array
    moment: float | None
    volume: float
    eps_inf: float


def errors(frames: Sequence[Frame], shift: float) -> dict[str, Any]:
    """Root mean square and mean absolute errors.

    :param shift: eV an atom, the mean of label less model, which is no physics.
    :return: ``frames``, ``force_rmse`` and ``force_mae`` (meV/Å), ``energy_rmse`` (meV an atom); None without frames.
    """
    if not frames:
        return {"frames": 0, "force_rmse": None, "force_mae": None, "energy_rmse": None}
    force = 1e3 * np.concatenate([frame.forces.ravel() for frame in frames])
    energy = 1e3 * np.array([frame.energy / len(frame.forces) - shift for frame in frames])
    return {
        "frames": len(frames),
        "force_rmse": float(np.sqrt(np.mean(force**2))),
        "force_mae": float(np.mean(np.abs(force))),
        "energy_rmse": float(np.sqrt(np.mean(energy**2))),
    }


def energy_shift(frames: Sequence[Frame]) -> float:
    """Mean of label less model in eV an atom."""
    return float(np.mean([frame.energy / len(frame.forces) for frame in frames])) if frames else 0.0


def slope(frames: Sequence[Frame]) -> dict[str, Any]:
    """The missing-energy test over films of several sources: label less model against E_slab.

    Both are taken about their means over each source first, since films of different size have zeros of energy of their
    own. The interval does not know of these means, and is too narrow by a factor of about sqrt((n - 2) / (n - 1 - m))
    for n frames of m sources.

    :return: ``slope``, ``low``, ``high`` (None where it cannot be told), ``frames``, ``says``.
    """
    films = [frame for frame in frames if frame.moment is not None]
    x, y = [], []
    for source in sorted({frame.source for frame in films}):
        own = [frame for frame in films if frame.source == source]
        if len(own) < 2:
            continue
        expected = [float(slab_energy(np.array([f.moment]), f.volume, f.eps_inf)[0]) for f in own]
        x += list(np.array(expected) - np.mean(expected))
        y += list(np.array([f.energy for f in own]) - np.mean([f.energy for f in own]))
    unknown = {"slope": None, "low": None, "high": None, "frames": len(x)}
    if len(x) < LEAST:
        return {**unknown, "says": f"not determined: {len(x)} of the {LEAST} frames that an interval needs"}
    try:
        fit = fit_line(np.array(x), np.array(y))
    except ValueError:
        return {**unknown, "says": "not determined: the frames have the same M_z^2"}
    return {
        "slope": fit.slope,
        "low": fit.slope_low,
        "high": fit.slope_high,
        "frames": len(x),
        "says": interpretation(fit.slope_low, fit.slope_high),
    }

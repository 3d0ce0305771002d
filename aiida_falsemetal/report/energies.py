"""The figure of the missing-energy test, see :mod:`..physics.missing_energy`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from markupsafe import Markup

from ..physics import missing_energy
from .figures import Style, frame_title
from .svg import Plot
from .text import count, interval, number

METALLIC_SHAPE = "star"
"""No MLIP has this marker: a metallic frame differs by shape and filling."""


@dataclass(frozen=True)
class EnergyFigure:
    """The test of one pair.

    :param svg: None where no frame has both energies and a dipole.
    :param sentence: slope and interpretation, or why there is none.
    """

    svg: Markup | None
    sentence: str


@dataclass(frozen=True)
class _Points:
    """The frames that can be drawn: x is E_slab (eV), y is E_DFT - E_MLIP (eV), both of shape (n,)."""

    rows: list[dict[str, Any]]
    x: np.ndarray
    y: np.ndarray
    used: np.ndarray


def energy_figure(
    name: str,
    title: str,
    pair: dict[str, Any],
    frames: Sequence[dict[str, Any]],
    targets: dict[int, str],
    style: Style,
    dense: bool = False,
) -> EnergyFigure:
    """Draw E_DFT - E_MLIP of one pair's frames against the energy that their dipole costs.

    The intercept of the fitted line is subtracted, and the lines of slope 0 and 1 start from it. Where there is no fit,
    the mean is subtracted, and both go through the mean.

    :param name: unique id on the page.
    :param pair: plain pair row.
    :param frames: its plain frame rows.
    :param targets: see :func:`.figures.gap_figure`.
    :param dense: see :class:`.svg.Plot`.
    """
    if not pair.get("area") or not pair.get("thickness"):
        return EnergyFigure(None, "Not determined: the film's area and thickness are not known yet.")
    volume = pair["area"] * pair["thickness"]
    found = missing_energy.of_frames(frames, volume)
    points = _points(frames, volume)
    svg = _draw(name, title, points, found, targets, style, dense) if points.rows else None
    return EnergyFigure(svg, _sentence(found) + _reach(pair))


def _points(frames: Sequence[dict[str, Any]], volume: float) -> _Points:
    roles = [missing_energy.role(row) for row in frames]
    shown = (missing_energy.USED, missing_energy.METALLIC)
    rows = [row for row, role in zip(frames, roles, strict=True) if role in shown]
    return _Points(
        rows=rows,
        x=missing_energy.slab_energy(np.array([row["Mz"] for row in rows], dtype=float), volume),
        y=np.array([row["energy"] - row["energy_mlip"] for row in rows], dtype=float),
        used=np.array([role == missing_energy.USED for role in roles if role in shown], dtype=bool),
    )


def _draw(
    name: str,
    title: str,
    points: _Points,
    found: missing_energy.MissingEnergy,
    targets: dict[int, str],
    style: Style,
    dense: bool,
) -> Markup:
    if found.intercept is not None:
        zero, start, removed = found.intercept, 0.0, "intercept"
    else:
        counted = points.used if points.used.any() else ~points.used
        zero, start, removed = float(points.y[counted].mean()), float(points.x[counted].mean()), "mean"
    height = points.y - zero
    ends = np.array([0.0, 1.05 * max(float(points.x.max()), 1e-3)])
    lines = {"zero": 0.0 * ends, "law": ends - start}
    if found.slope is not None:
        lines["fit"] = found.slope * ends
    low, high = (float(edge) for edge in (min(height.min(), -start), max(height.max(), ends[1] - start)))
    if "fit" in lines:
        low, high = min(low, float(lines["fit"].min())), max(high, float(lines["fit"].max()))
    margin = 0.07 * (high - low)
    plot = Plot(
        name,
        # Most frames lie near zero: room for their whole marker.
        (-0.03 * float(ends[1]), float(ends[1])),
        (low - margin, high + margin),
        "ε∞M_z²/(2ε₀Ad), screened point charges (eV)",
        f"E(DFT) − E(MLIP) − {removed} (eV)",
        height=330,
        dense=dense,
    )
    for css, line in lines.items():
        plot.line(zip(ends.tolist(), line.tolist(), strict=True), css)
    for row, x, y, used in zip(points.rows, points.x.tolist(), height.tolist(), points.used.tolist(), strict=True):
        if id(row) not in targets:
            continue
        shape, filling = (style.shape, "open") if used else (METALLIC_SHAPE, "filled")
        tip = partial(_tip, row, removed, x, y)
        plot.mark(x, y, shape, f"m {style.colour} {filling}", tip, targets[id(row)])
    metallic = count(int((~points.used).sum()), "metallic frame")
    description = f"{count(int(points.used.sum()), 'frame')} with an open gap and {metallic}."
    return plot.render(f"Missing energy, {title}", description)


def _tip(row: dict[str, Any], removed: str, x: float, y: float) -> str:
    return f"{frame_title(row)}\nE(DFT) − E(MLIP) − {removed}: {number(y, 3)} eV at {number(x, 3)} eV"


def _reach(pair: dict[str, Any]) -> str:
    """How far below 1 the slope of a short-ranged model may lie."""
    reach = pair.get("receptive_field")
    if pair.get("long_ranged") is not False or not reach:
        return ""
    least = missing_energy.missing_share(reach, pair["thickness"])
    return (
        f" Its reach of {number(reach, 1)} Å in a film of {number(pair['thickness'], 1)} Å allows {number(least)} to 1."
    )


def _sentence(found: missing_energy.MissingEnergy) -> str:
    if found.slope is None:
        return f"{found.says[0].upper()}{found.says[1:]}."
    slope = interval(found.slope, found.low, found.high)
    return f"Slope {slope} from {count(found.frames, 'frame')}: {found.says}."

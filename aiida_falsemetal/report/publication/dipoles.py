"""M_z/A of one pair: its series, and its distribution against the one of full electrostatics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...physics.gaplaw import BREAKDOWN
from .. import series as dipoles
from ..summary import Pair
from .numbers import Column, Numbers, Part, part_of
from .style import BAD, INK, SOFT, Look, legend_below, lowered, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    Column("time_ps", "ps", "time of the MD"),
    Column("Mz_per_area", "e/Å", "dipole of screened point charges along the normal over the film's area"),
    Column("Mz_per_area_end", "e/Å", "upper edge of the histogram's bin; its lower edge is Mz_per_area"),
    Column("density", "Å/e", "probability density"),
    Column("metallic", "", "whether the frame is metallic; empty where it has no gap"),
    Column("gap", "eV", "of the frame"),
    Column("pw_pk", "", "node of the frame's last pw.x run"),
)
BINS = 400
"""Bins of the drawn series, each by its smallest and largest sample: more than a printed column can show."""


def dipole_numbers(pair: Pair, series: dict[str, Any] | None) -> Numbers | None:
    """Numbers of one pair, every sample of its series; None where there is no series.

    :param series: of this pair, see :func:`..build.build_report`.
    """
    found = dipoles.moment(pair.row, series)
    if found is None:
        return None
    row = pair.row
    expected = row.get("expected_sd_Mz_per_area")
    frames = [f for f in pair.frames if f.get("time_ps") is not None and f.get("Mz_per_area") is not None]
    samples = {"time_ps": found.time.tolist(), "Mz_per_area": found.value.tolist()}
    parts = [
        Part("series", "every sample of the MD", samples),
        part_of("frame", "frames chosen for a gap", frames, ("time_ps", "Mz_per_area", "metallic", "gap", "pw_pk")),
    ]
    drawn = dipoles.histogram(found.counted)
    if drawn is not None:
        density, edges = (values.tolist() for values in drawn)
        bins = {"Mz_per_area": edges[:-1], "Mz_per_area_end": edges[1:], "density": density}
        parts.append(Part("histogram", "of the samples that count", bins))
    if expected:
        grid = np.linspace(-4.0 * expected, 4.0 * expected, 121)
        curve = {"Mz_per_area": grid.tolist(), "density": dipoles.gaussian(grid, expected).tolist()}
        parts.append(Part("expected", "Gaussian of the width that full electrostatics gives, centred on zero", curve))
    return Numbers(
        kind="dipoles",
        key=row["pair_pk"],
        labels=(row["interface"], row["mlip"], f"seed{row['seed']}"),
        caption=f"Dipole over area of {row['interface']} with {row['mlip']}, seed {row['seed']}. Left: series, with "
        "the frames chosen for a gap (filled: metallic, cross: no gap); grey: equilibration, not counted. Right: "
        "distribution of the counted samples, and the Gaussian that full electrostatics would give. Dotted: window "
        "beyond which the gap law of revPBE-D3 leaves no gap.",
        columns=COLUMNS,
        parts=tuple(parts),
        parameters={
            "window": (BREAKDOWN, "e/Å"),
            "counted_from": (found.start, "ps"),
            **{key: (row.get(key), "e/Å") for key in ("sd_Mz_per_area", "sd_low", "sd_high")},
            "expected_sd_Mz_per_area": (expected, "e/Å"),
            "expected_formula": (row.get("expected_formula"), ""),
            "n_eff": (row.get("n_eff"), ""),
            "correlation_time_ps": (row.get("correlation_time_ps"), "ps"),
            "area": (row.get("area"), "Å²"),
        },
    )


def draw_dipoles(numbers: Numbers, look: Look) -> Figure:
    """Series and histogram side by side, with one axis of M_z/A."""
    figure = new_figure(2.3)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2.1, 1.0))
    _draw_series(left, numbers, look)
    _draw_histogram(right, numbers, look)
    window = numbers.parameter("window")
    largest = max(map(abs, numbers.part("series").values["Mz_per_area"]))
    for axes in (left, right):
        for sign in (-1.0, 1.0):
            axes.axhline(1e3 * sign * window, color=BAD, ls=(0, (1, 1.5)), lw=0.9, label="window" if sign > 0 else None)
    left.set_ylim(-1.12e3 * max(largest, window), 1.12e3 * max(largest, window))
    left.set_xlabel("time (ps)")
    left.set_ylabel(f"{lowered('M', 'z')}/A (10⁻³ e/Å)")
    right.set_xlabel("density (Å/e)")
    right.set_xlim(left=0.0)
    right.locator_params(axis="x", nbins=3)
    if numbers.part("expected").values:
        left.plot([], [], color=INK, lw=1.1, label="full electrostatics")
    legend_below(figure, left, 3)
    return figure


def _draw_series(axes: Axes, numbers: Numbers, look: Look) -> None:
    samples = numbers.part("series").values
    time, value = np.array(samples["time_ps"]), np.array(samples["Mz_per_area"])
    start = numbers.parameter("counted_from")
    if start is not None and start > time[0]:
        axes.axvspan(time[0], start, color="#E3E3E3", lw=0.0)
    points = np.array(dipoles.envelope(time, value, BINS))
    axes.plot(points[:, 0], 1e3 * points[:, 1], color=look.colour, lw=0.5, solid_joinstyle="round", alpha=0.8)
    frames = numbers.part("frame").values
    states = [
        "no gap" if gap is None else "metallic" if metallic else "gap open"
        for gap, metallic in zip(frames.get("gap", []), frames.get("metallic", []), strict=True)
    ]
    for label, marker, face, edge in (
        ("gap open", look.marker, "white", INK),
        ("metallic", look.marker, INK, INK),
        ("no gap", "x", BAD, BAD),
    ):
        some = [index for index, state in enumerate(states) if state == label]
        if some:
            x, y = ([frames[key][index] for index in some] for key in ("time_ps", "Mz_per_area"))
            axes.plot(x, 1e3 * np.array(y), marker, mfc=face, mec=edge, mew=0.8, ls="", label=label, zorder=3)
    axes.set_xlim(time[0], time[-1] if time[-1] > time[0] else time[0] + 1.0)


def _draw_histogram(axes: Axes, numbers: Numbers, look: Look) -> None:
    bins = numbers.part("histogram").values
    if bins:
        low, high = (1e3 * np.array(bins[key]) for key in ("Mz_per_area", "Mz_per_area_end"))
        axes.barh(low, bins["density"], high - low, align="edge", color=look.colour, alpha=0.55, lw=0.0)
    curve = numbers.part("expected").values
    if curve:
        axes.plot(curve["density"], 1e3 * np.array(curve["Mz_per_area"]), color=INK, lw=1.1)
    axes.axhline(0.0, color=SOFT, lw=0.4)

"""The figures of the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from markupsafe import Markup

from ..physics.gaplaw import BREAKDOWN, INTERCEPT, fit_gap_law
from ..physics.statistics import LineFit
from . import series as dipoles
from .data import LAW_COLUMNS, complete
from .svg import COLOURS, SHAPES, Plot, marker
from .text import count, interval, number

SOURCE = "revPBE-D3, the ML-PEG authors"
"""Whose intercept the drawn gap law has (PHYSICS.md, section 2)."""


@dataclass(frozen=True)
class Style:
    """How the frames of an MLIP look everywhere on the page."""

    shape: str
    colour: str

    def swatch(self, filled: bool = False) -> Markup:
        """The marker alone, for a legend."""
        css = f"m {self.colour} {'filled' if filled else 'open'}"
        return _swatch(marker(self.shape, 8, 8, css))


def styles(mlips: Sequence[Any]) -> dict[Any, Style]:
    """A style for each MLIP, by its place in the list."""
    return {name: Style(SHAPES[i % len(SHAPES)], f"c{i % COLOURS}") for i, name in enumerate(mlips)}


def line_swatch(css: str) -> Markup:
    """A piece of line, for a legend."""
    return _swatch(Markup('<line class="{}" x1="0" y1="8" x2="16" y2="8"/>').format(css))


def metallic_swatch() -> Markup:
    """The mark of a metallic frame in the missing-energy figures, for a legend."""
    return _swatch(marker("star", 8, 8, "m c7 filled"))


def cross_swatch() -> Markup:
    """The mark of a failed frame, for a legend."""
    return _swatch(marker("cross", 8, 8, "x"))


def _swatch(content: Markup) -> Markup:
    return Markup('<svg class="swatch" viewBox="0 0 16 16" aria-hidden="true">{}</svg>').format(content)


def frame_title(row: dict[str, Any]) -> str:
    """What a frame's tooltip says."""
    drop = row.get("expected_drop")
    lines = [
        f"{row['interface']} × {row['mlip']}, seed {row['seed']}",
        f"step {row.get('step')}, {number(row.get('time_ps'), 2)} ps",
        f"|M_z|/(ε₀A) {number(abs(drop) if drop is not None else None)} V, QE drop {number(row.get('drop'))} V",
    ]
    if row.get("gap") is not None:
        lines.append(f"gap {number(row['gap'])} eV{', metallic' if row.get('metallic') else ''}")
    else:
        lines.append(f"no gap: exit code {row.get('exit_code')} {row.get('exit_message') or ''}".rstrip())
    lines.append(f"pw.x pk {row.get('pw_pk')}, GapWorkChain pk {row.get('gap_pk')}, pair pk {row.get('pair_pk')}")
    return "\n".join(lines)


def _on_page(rows: Iterable[dict[str, Any]], targets: dict[int, str]) -> Iterator[dict[str, Any]]:
    return (row for row in rows if id(row) in targets)


@dataclass(frozen=True)
class GapFigure:
    """Gap against drop for one interface.

    :param line: intercept (eV) and slope (eV/V) of the line that is drawn: of the calibrated law, else of ``fit``; None
        without either. ``sentence`` says what it is, or why there is none.
    :param fit: least-squares line of the frames that are not metallic, where there is no law.
    """

    svg: Markup
    line: tuple[float, float] | None
    fit: LineFit | None
    sentence: str
    missing: str


def gap_figure(
    name: str,
    interface: str,
    rows: Sequence[dict[str, Any]],
    targets: dict[int, str],
    look: dict[Any, Style],
    law: dict[str, Any] | None = None,
    dense: bool = False,
) -> GapFigure:
    """Draw the frames of one interface.

    :param name: unique id on the page.
    :param rows: plain frame rows of this interface.
    :param targets: what the page calls each frame, by ``id()`` of its row; its table row has the id ``frame-`` + this.
        Frames that the page does not have are counted and fitted, and not marked.
    :param law: the interface's gap law, see :func:`..query.cells.law_rows`.
    :param dense: see :class:`.svg.Plot`.
    """
    placed = [row for row in rows if row.get("expected_drop") is not None]
    computed = [row for row in placed if row.get("gap") is not None]
    failed = [row for row in placed if row.get("gap") is None and row.get("exit_code") is not None]
    far = max([abs(row["expected_drop"]) for row in placed] + [5.0])
    line, fit, sentence = _line(computed, law)
    gaps = [row["gap"] for row in computed]
    top = max([INTERCEPT, *gaps] if line is None else [INTERCEPT, line[0], *gaps])
    plot = Plot(
        name,
        (0.0, 1.05 * far),
        (min([0.0, *gaps]) - 0.25, top + 0.35),
        "|M_z|/(ε₀A), screened point charges (V)",
        "gap (eV)",
        lane=20 if failed else 0,
        dense=dense,
    )
    plot.line([(0.0, 0.0), (plot.x[1], 0.0)], "zero")
    plot.line([(0.0, INTERCEPT), (min(INTERCEPT, plot.x[1]), max(0.0, INTERCEPT - plot.x[1]))], "law")
    if line is not None:
        known = [abs(row["expected_drop"]) for row in computed if not row.get("metallic")]
        ends = np.array([0.0, max(known, default=0.0)])
        plot.line(zip(ends.tolist(), (line[0] + line[1] * ends).tolist(), strict=True), "fit")
    for end in _predicted(law, plot.x[1]):
        plot.line(end, "band")
    for row in _on_page(computed, targets):
        style = look[row["mlip"]]
        css = f"m {style.colour} {'filled' if row.get('metallic') else 'open'}"
        plot.mark(abs(row["expected_drop"]), row["gap"], style.shape, css, partial(frame_title, row), targets[id(row)])
    for row in _on_page(failed, targets):
        plot.mark(abs(row["expected_drop"]), None, "cross", "x", partial(frame_title, row), targets[id(row)])
    marked = [sum(id(row) in targets for row in found) for found in (computed, failed)]
    points = f"{count(marked[0], 'point')} and {count(marked[1], 'failed frame')}"
    description = f"{points}; the numbers are in the frames table."
    svg = plot.render(f"Gap against potential drop, {interface}", description)
    return GapFigure(svg, line, fit, sentence, _missing(rows, failed))


def _line(
    computed: Sequence[dict[str, Any]], law: dict[str, Any] | None
) -> tuple[tuple[float, float] | None, LineFit | None, str]:
    """``line``, ``fit`` and ``sentence`` of a :class:`GapFigure`."""
    line = _law_line(law)
    if law is not None and line is not None:
        return line, None, _law_sentence(law)
    fit, sentence = _fit(computed)
    return None if fit is None else (fit.intercept, fit.slope), fit, sentence


def _predicted(law: dict[str, Any] | None, most: float) -> list[list[tuple[float, float]]]:
    """Lower and upper end of a law's predictive interval as (drop, gap), as far as the figure goes."""
    found = (law or {}).get("predicted")
    if not found:
        return []
    return [
        [(drop, gap) for drop, gap in zip(found["drop"], found[end], strict=True) if drop <= most]
        for end in ("low", "high")
    ]


def _law_line(law: dict[str, Any] | None) -> tuple[float, float] | None:
    """Intercept (eV) and slope (eV/V, falling: negative) of a gap law; None of one from too few frames."""
    if law is None or law.get("intercept") is None or law.get("slope") is None:
        return None
    return law["intercept"], -law["slope"]


def _law_sentence(law: dict[str, Any]) -> str:
    """What was calibrated, and on what."""
    law = complete(law, LAW_COLUMNS)
    value, low, high = (None if law[key] is None else -law[key] for key in ("slope", "slope_high", "slope_low"))
    frames = count(law["frames"] or 0, "frame") + f", {law['metallic'] or 0} of them metallic"
    error = f" The point charges’ error in the drop, {number(law['drop_error'] or 0.0)} V, is allowed for." * bool(
        law["drop_error"]
    )
    return (
        f"Calibrated gap law{' of ' * bool(law['functional'])}{law['functional'] or ''} from {frames}: intercept "
        f"{interval(law['intercept'], law['intercept_low'], law['intercept_high'])} eV, slope "
        f"{interval(value, low, high)} eV/V (published: {number(INTERCEPT)} eV and "
        f"{number(-1.0)} eV/V), scatter {number(law['scatter'])} eV; "
        f"95 % intervals. A metallic frame says only that the gap has closed.{error}"
    )


def _fit(computed: Sequence[dict[str, Any]]) -> tuple[LineFit | None, str]:
    """Fit the law where it holds: once a gap has closed, electrons pin the drop and the line bends."""
    still_open = [row for row in computed if not row.get("metallic")]
    closed = len(computed) - len(still_open)
    left_out = (
        f" {count(closed, 'metallic frame')} left out: a closed gap pins the drop and bends the line." if closed else ""
    )
    try:
        fit = fit_gap_law(
            np.array([row["expected_drop"] for row in still_open], dtype=float),
            np.array([row["gap"] for row in still_open], dtype=float),
        )
    except ValueError as error:
        few = "a line needs three." if len(still_open) < 3 else str(error)
        return None, f"No line is fitted to the {count(len(still_open), 'frame')} with an open gap: {few}{left_out}"
    return fit, (
        f"Least squares of {count(fit.n, 'frame')}: intercept "
        f"{interval(fit.intercept, fit.intercept_low, fit.intercept_high)} eV, slope "
        f"{interval(fit.slope, fit.slope_low, fit.slope_high)} eV/V (the law: {number(INTERCEPT)} eV and "
        f"{number(-1.0)} eV/V), residual sd {number(fit.residual_sd)} eV; 95 % intervals.{left_out}"
    )


def _missing(rows: Sequence[dict[str, Any]], drawn: Sequence[dict[str, Any]]) -> str:
    """What the figure cannot show, and how many crosses it has."""
    without = sum(row.get("gap") is None and row.get("exit_code") is not None for row in rows) - len(drawn)
    nowhere = sum(row.get("gap") is not None and row.get("expected_drop") is None for row in rows)
    pending = sum(row.get("gap") is None and row.get("exit_code") is None for row in rows)
    parts = (
        [f"{count(len(drawn), 'failed frame')} marked × on the axis"]
        if drawn
        else ["No failed frame with a known drop"]
    )
    parts += [f"{count(without, 'failed frame')} without a recorded drop not shown"] if without else []
    parts += [f"{count(nowhere, 'frame')} with a gap but no recorded drop not shown"] if nowhere else []
    parts += [f"{count(pending, 'frame')} without a result not shown"] if pending else []
    return "; ".join(parts) + "."


def series_figure(
    name: str,
    title: str,
    found: dipoles.Moment,
    frames: Sequence[dict[str, Any]],
    targets: dict[int, str],
    style: Style,
    dense: bool = False,
) -> Markup:
    """M_z/A against time with the window, and the frames chosen from it."""
    reach = 1.12 * max(float(np.abs(found.value).max()), BREAKDOWN)
    plot = Plot(
        name,
        (float(found.time[0]), float(found.time[-1])),
        (-reach, reach),
        "time (ps)",
        "M_z/A (e/Å)",
        height=250,
        dense=dense,
    )
    if found.start is not None and found.start > found.time[0]:
        plot.box(
            (plot.x[0], found.start), plot.y, "discarded", f"not counted: equilibration until {number(found.start)} ps"
        )
    _window(plot, vertical=False)
    plot.line(dipoles.envelope(found.time, found.value), f"trace {style.colour}")
    for row in _on_page(frames, targets):
        if row.get("time_ps") is None or row.get("Mz_per_area") is None:
            continue
        computed = row.get("gap") is not None
        css = f"m {style.colour} {'filled' if row.get('metallic') else 'open'}" if computed else "x"
        shape = style.shape if computed else "cross"
        plot.mark(row["time_ps"], row["Mz_per_area"], shape, css, partial(frame_title, row), targets[id(row)])
    low, high = number(float(found.value.min()), 4), number(float(found.value.max()), 4)
    description = f"From {low} to {high} e/Å in {number(plot.x[1], 1)} ps."
    return plot.render(f"M_z/A against time, {title}", description)


def histogram_figure(
    name: str, title: str, found: dipoles.Moment, expected: float | None, style: Style
) -> Markup | None:
    """Histogram of the counted samples and the Gaussian that full electrostatics would give."""
    drawn = dipoles.histogram(found.counted)
    if drawn is None:
        return None
    density, edges = drawn
    reach = 1.12 * max(float(np.abs(edges).max()), BREAKDOWN)
    top = float(density.max())
    curve = None
    if expected:
        grid = np.linspace(-min(reach, 5 * expected), min(reach, 5 * expected), 121)
        curve = (grid, dipoles.gaussian(grid, expected))
        top = max(top, float(curve[1].max()))
    plot = Plot(name, (-reach, reach), (0.0, 1.08 * top), "M_z/A (e/Å)", "probability density (Å/e)", height=250)
    _window(plot, vertical=True)
    for height, left, right in zip(density.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if height:
            plot.box((left, right), (0.0, height), f"bar {style.colour}")
    if curve is not None:
        plot.line(zip(curve[0].tolist(), curve[1].tolist(), strict=True), "gauss")
    description = f"{count(len(found.counted), 'sample')}; expected width {number(expected, 5)} e/Å."
    return plot.render(f"Distribution of M_z/A, {title}", description)


def _window(plot: Plot, vertical: bool) -> None:
    """The window of the gap law, beyond which it expects no gap."""
    for sign in (-1.0, 1.0):
        at = sign * BREAKDOWN
        plot.line([(at, plot.y[0]), (at, plot.y[1])] if vertical else [(plot.x[0], at), (plot.x[1], at)], "window")

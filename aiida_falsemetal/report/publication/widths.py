"""How wide M_z/A is at every thickness: against full electrostatics, and short-ranged against long-ranged models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from ...physics.constants import EPS0
from ..cells import Cell
from .numbers import Column, Numbers, Part, part_of
from .style import INK, SOFT, Look, legend_below, literal, lowered, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    Column("interface"),
    Column("mlip"),
    Column("over", meaning="the long-ranged MLIP that a ratio is taken to"),
    Column("thickness", "Å", "of the liquid"),
    Column("area", "Å^2", "of the cell"),
    Column("sd", "e/Å", "standard deviation of M_z/A, all seeds together"),
    Column("sd_low", "e/Å", "lower end of its interval"),
    Column("sd_high", "e/Å", "upper end of its interval"),
    Column("drop", "V", "sd/eps0: the drop's standard deviation"),
    Column("drop_low", "V", "lower end of its interval"),
    Column("drop_high", "V", "upper end of its interval"),
    Column("expected", "V", "the drop's standard deviation with full electrostatics"),
    Column("ratio", "", "observed over expected; of a part `short over long`, of one MLIP over another"),
    Column("ratio_low", "", "lower end of its interval"),
    Column("ratio_high", "", "upper end of its interval"),
    Column("n_eff", "", "independent samples as far as the spread goes, which are more than of the dipole itself"),
)
CELL_KEYS = tuple(column.name for column in COLUMNS if column.name != "over")
RATIO_KEYS = ("interface", "mlip", "over", "thickness", "area", "ratio", "ratio_low", "ratio_high")
SHIFT = 0.012
"""Share of the axis by which the marks of two MLIPs stand apart: their intervals would hide each other."""


def width_numbers(cells: Sequence[Cell]) -> Numbers | None:
    """Numbers of the campaign; None unless two interfaces differ in thickness."""
    rows = [row for cell in cells if (row := _row(cell)) is not None]
    if len({round(row["thickness"], 2) for row in rows}) < 2:
        return None
    parts = [part_of("width", "one interface and MLIP, all seeds together", rows, CELL_KEYS)]
    ratios = list(_ratios(rows))
    if ratios:
        meaning = "spread of a short-ranged MLIP over that of a long-ranged one at the same interface"
        parts.append(part_of("short over long", meaning, ratios, RATIO_KEYS))
    return Numbers(
        kind="widths",
        key=None,
        labels=(),
        caption="Spread of the dipole against the film's thickness, all seeds together, with intervals. Above: "
        "standard deviation of the potential drop M_z/(ε₀A); bars: the one that full electrostatics gives for each "
        "interface. Below: observed over expected. Marks of one thickness stand side by side.",
        columns=COLUMNS,
        parts=tuple(parts),
    )


def _row(cell: Cell) -> dict[str, Any] | None:
    """One mark; None of what has no spread or no thickness."""
    found = cell.numbers
    place = next((pair.row for pair in cell.pairs if pair.row["thickness"] is not None), None)
    if found["sd_Mz_per_area"] is None or place is None:
        return None
    ends = {"sd": found["sd_Mz_per_area"], "sd_low": found["sd_low"], "sd_high": found["sd_high"]}
    drops = {key.replace("sd", "drop"): None if value is None else value / EPS0 for key, value in ends.items()}
    expected = found["expected_sd_Mz_per_area"]
    ratio, low, high = cell.ratio
    return {
        **{"interface": cell.interface, "mlip": cell.mlip, "long_ranged": cell.long_ranged},
        **{"thickness": place["thickness"], "area": place["area"], "n_eff": found["n_eff"]},
        **{**ends, **drops, "expected": None if expected is None else expected / EPS0},
        **{"ratio": ratio, "ratio_low": low, "ratio_high": high},
    }


def _ratios(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every short-ranged MLIP over every long-ranged one at the same interface.

    The two are independent; their intervals are taken as those of logarithms, and added in quadrature.
    """
    for short, long in product(rows, rows):
        if short["long_ranged"] is not False or not long["long_ranged"] or short["interface"] != long["interface"]:
            continue
        value = short["sd"] / long["sd"]
        low = _apart(short["sd"], short["sd_low"], long["sd_high"], long["sd"])
        high = _apart(short["sd_high"], short["sd"], long["sd"], long["sd_low"])
        ends = {
            "ratio_low": None if low is None else value * math.exp(-low),
            "ratio_high": None if high is None else value * math.exp(high),
        }
        kept = {key: short[key] for key in ("interface", "mlip", "thickness", "area")}
        yield {**kept, "over": long["mlip"], "ratio": value, **ends}


def _apart(over: float | None, under: float | None, more: float | None, less: float | None) -> float | None:
    """Two distances of logarithms in quadrature; None where an end is not known or not positive."""
    ends = (over, under, more, less)
    if any(end is None or not end > 0.0 for end in ends):
        return None
    first, second, third, fourth = (math.log(end) for end in ends if end is not None)
    return math.hypot(first - second, third - fourth)


def draw_widths(numbers: Numbers, look: dict[Any, Look]) -> Figure:
    """Two panels, one above the other."""
    part = numbers.part("width")
    mlips = [mlip for mlip in look if mlip in set(part.values["mlip"])]
    columns = 2 if max(len(str(name)) for name in mlips) > 12 else 3
    figure = new_figure(3.6 + 0.15 * -(-(len(mlips) + 1) // columns))
    above, below = figure.subplots(2, 1, sharex=True)
    depths = part.values["thickness"]
    reach = (max(depths) - min(depths)) or 1.0
    _expected(above, part, SHIFT * reach * (len(mlips) + 1) / 2.0)
    for place, mlip in enumerate(mlips):
        shift = SHIFT * reach * (place - (len(mlips) - 1) / 2.0)
        _marks(above, part, mlip, "drop", look[mlip], shift)
        _marks(below, part, mlip, "ratio", look[mlip], shift)
    below.axhline(1.0, color=INK, lw=0.8, ls=(0, (4, 2)))
    for axes in (above, below):
        _logarithmic(axes)
    above.set_ylabel(f"sd of {lowered('M', 'z')}/(ε₀A) (V)")
    below.set_ylabel("observed / expected")
    below.set_xlabel("thickness (Å)")
    legend_below(figure, above, columns)
    return figure


def _logarithmic(axes: Axes) -> None:
    """Ratios are what counts, and the upper end of a few samples' interval would flatten all else."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _expected(axes: Axes, part: Part, half: float) -> None:
    """A bar for each interface: areas differ, so there is no line through them."""
    found = zip(part.values["thickness"], part.values["expected"], strict=True)
    bars = sorted({(depth, value) for depth, value in found if value is not None})
    label = "full electrostatics"
    for depth, value in bars:
        axes.plot([depth - half, depth + half], [value, value], color=SOFT, lw=2.0, solid_capstyle="butt", label=label)
        label = "_nolegend_"


def _marks(axes: Axes, part: Part, mlip: Any, key: str, look: Look, shift: float) -> None:
    values = part.values
    mine = [i for i, name in enumerate(values["mlip"]) if name == mlip and values[key][i] is not None]
    for index in mine:
        ends = (values[f"{key}_low"][index], values[f"{key}_high"][index])
        if None not in ends:
            x = values["thickness"][index] + shift
            axes.plot([x, x], ends, color=look.colour, lw=0.8)
    x, y = [values["thickness"][i] + shift for i in mine], [values[key][i] for i in mine]
    axes.plot(x, y, look.marker, mfc="white", mec=look.colour, mew=0.8, ls="", label=literal(mlip))

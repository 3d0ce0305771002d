"""The verdict matrix: interfaces in rows, MLIPs in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..cells import Cell
from ..text import number
from .numbers import Column, Numbers, part_of
from .style import INK, WIDTH, literal, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = (
    Column("interface"),
    Column("mlip"),
    Column("seeds", meaning="seeds that the verdict is of, or k of n"),
    Column("verdict", meaning="or the state of what was not judged"),
    Column("metallized", "", "share of the trajectory with a closed gap, 0 to 1"),
    Column("metallized_low", "", "lower end of its interval"),
    Column("metallized_high", "", "upper end of its interval"),
    Column("metallized_bound", "", "upper end of the share by the gap law, where no computed frame is metallic"),
    Column("sd_ratio", "", "standard deviation of M_z/A over the one expected of full electrostatics"),
    Column("sd_ratio_low", "", "lower end of its interval"),
    Column("sd_ratio_high", "", "upper end of its interval"),
    Column("rhat", "", "split R-hat, near 1 where seeds and their halves agree"),
    Column("selected", "", "frames chosen"),
    Column("converged", "", "frames with a gap"),
    Column("metallic", "", "metallic ones among them"),
    Column("min_gap", "eV", "smallest gap of all seeds"),
)


@dataclass(frozen=True)
class Field:
    """How a field of the matrix looks: lightness, hatching and sign differ, not the colour alone."""

    sign: str
    name: str
    fill: str
    text: str = INK
    hatch: str = ""


FIELDS = {
    "false metallization": Field("■", "false met.", "#A63603", "#FFFFFF"),
    "metallized": Field("■", "metallized", "#A63603", "#FFFFFF"),
    "safe": Field("□", "safe", "#FFFFFF"),
    "not metallized": Field("□", "not met.", "#FFFFFF"),
    "undecided": Field("?", "undecided", "#F3E2A9"),
    "failed": Field("×", "failed", "#C9C9C9", hatch="////"),
    "unfinished": Field("…", "unfinished", "#EDEDED"),
}
OTHER = Field("~", "mixed", "#EDEDED")
CELL = 0.5
"""Height of a field in inches."""
LEAST = 0.01
"""Percent: a smaller bound is written as less than this."""
NARROWEST = 0.78
"""Width of a field in inches, for ten characters of 7 points."""


def verdict_numbers(cells: Sequence[Cell]) -> Numbers | None:
    """Numbers of the matrix; None without cells."""
    if not cells:
        return None
    rows = []
    for cell in cells:
        ratio, low, high = cell.ratio
        found = {"interface": cell.interface, "mlip": cell.mlip, "seeds": cell.seeds, "verdict": cell.status}
        found |= {"sd_ratio": ratio, "sd_ratio_low": low, "sd_ratio_high": high, "min_gap": cell.min_gap}
        rows.append({**cell.numbers, **found})
    confidence = {row["confidence"] for row in rows if row.get("confidence") is not None}
    return Numbers(
        kind="verdicts",
        key=None,
        labels=(),
        caption="Verdicts by interface and MLIP, all seeds together. Below each the share of the trajectory that is "
        "metallic with its interval and, where no computed frame is metallic, the upper end by the gap law. ■ false "
        "metallization, □ safe, ? undecided, × failed, … unfinished, ~ states differ.",
        columns=COLUMNS,
        parts=(part_of("cell", "one interface and MLIP", rows, [column.name for column in COLUMNS]),),
        parameters={"confidence": (confidence.pop(), "")} if len(confidence) == 1 else {},
    )


def draw_verdicts(numbers: Numbers) -> Figure:
    """The matrix as a figure; it grows beyond a column's width where there are many MLIPs."""
    from matplotlib.patches import Rectangle

    values = numbers.part("cell").values
    interfaces, mlips = list(dict.fromkeys(values["interface"])), list(dict.fromkeys(values["mlip"]))
    longest = max(len(str(name)) for name in interfaces)
    width = max(WIDTH, 0.3 + 0.062 * longest + NARROWEST * len(mlips))
    figure = new_figure(0.15 + 0.035 * max(len(str(name)) for name in mlips) + CELL * len(interfaces), width)
    axes = figure.add_subplot()
    for index in range(len(numbers.part("cell"))):
        row = {key: column[index] for key, column in values.items()}
        x, y = mlips.index(row["mlip"]), interfaces.index(row["interface"])
        look = FIELDS.get(row["verdict"], OTHER)
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=look.fill, edgecolor=INK, lw=0.5))
        if look.hatch:
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, hatch=look.hatch, edgecolor="#999999", lw=0))
        lines = [f"{look.sign} {look.name}", *_shares(row)]
        back = {"facecolor": look.fill, "edgecolor": "none", "pad": 0.6} if look.hatch else None
        style: dict[str, Any] = {"color": look.text, "ha": "center", "va": "center", "linespacing": 1.35, "bbox": back}
        axes.text(x, y, "\n".join(lines), **style)
    axes.set(xlim=(-0.5, len(mlips) - 0.5), ylim=(len(interfaces) - 0.5, -0.5))
    axes.set_xticks(
        range(len(mlips)), [literal(name) for name in mlips], rotation=30, ha="left", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(interfaces)), [literal(name) for name in interfaces])
    axes.tick_params(length=0, top=False, right=False, bottom=False, labelbottom=False, labeltop=True)
    axes.set_facecolor("#F7F7F7")
    return figure


def _shares(row: dict[str, Any]) -> list[str]:
    """The metallic share with its interval, and the law's bound; as there is room for it."""
    if row["metallized"] is None:
        return []
    ends = (row["metallized_low"], row["metallized_high"])
    value = number(100 * row["metallized"], 0)
    shares = [f"{value} %" if None in ends else f"{value} [{number(100 * ends[0], 0)}, {number(100 * ends[1], 0)}] %"]
    if row["metallized_bound"] is not None:
        bound = 100 * row["metallized_bound"]
        shares.append(f"law: ≤ {bound:.2g} %" if bound >= LEAST else f"law: < {LEAST} %")
    return shares

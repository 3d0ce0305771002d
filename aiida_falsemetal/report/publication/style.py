"""How the figures look: one column of a journal, text of 7 to 8 points, colours that all can tell apart.

The colours are those of Okabe and Ito, whose lightness differs too; beside them every MLIP has a marker of its own, and
nothing is told by colour alone. Files are the same whenever they are made: no dates, and ids from a fixed salt. Text
stays text: in the SVG as such, in the PDF with the font embedded (type 42).
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 3.37
"""Inches: one column of the journals of the American Physical Society."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A4FA0", "#555555")
"""In the order in which the page gives its colours. Violet and grey take the places of yellow and black of the
original eight: yellow does not show on white, and black is for lines."""
MARKERS = ("o", "s", "^", "D", "v", "p", "P")
"""The shapes of the page, in its order."""
INK, SOFT, BAD = "#1A1A1A", "#777777", "#A11D1D"
SALT = "falsemetal"
FONTS = "'DejaVu Sans', Verdana, Arial, sans-serif"
"""In the SVG: Verdana has the widths of DejaVu Sans, for viewers that lack it."""
_JOINT = "\u200b"
"""Between a character and its index: a space without width, which no label of a campaign has."""
_INDEX = re.compile(f"(.){_JOINT}(.)")
_SVG_INDEX = r'\1<tspan dy="1.8" font-size="75%">\2</tspan><tspan dy="-1.8">&#8203;</tspan>'

STYLE: Any = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.unicode_minus": True,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "figure.dpi": 100,
    # The font that comes with matplotlib, so that files are the same everywhere.
    "font.family": ["DejaVu Sans"],
    "font.size": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.2,
    "legend.labelspacing": 0.3,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.6,
    "mathtext.fontset": "dejavusans",
    "mathtext.default": "regular",
    "path.simplify": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
    "svg.fonttype": "none",
    "svg.hashsalt": SALT,
    "text.color": INK,
    "text.usetex": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
}


@dataclass(frozen=True)
class Look:
    """How the frames of an MLIP look.

    :param marker: of matplotlib.
    :param colour: of matplotlib.
    """

    marker: str
    colour: str


def looks(mlips: Sequence[Any]) -> dict[Any, Look]:
    """A look for each MLIP, by its place in the list, as on the page."""
    return {
        name: Look(MARKERS[index % len(MARKERS)], COLOURS[index % len(COLOURS)]) for index, name in enumerate(mlips)
    }


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure. Not by pyplot, which keeps what it has made and may start a window system.

    :param height: inches.
    :param width: inches.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def literal(label: Any) -> str:
    """A label as matplotlib shows it unchanged: a dollar sign would start a formula."""
    return str(label).replace("$", r"\$")


def lowered(base: str, index: str) -> str:
    """A character with another as its index, for text that :func:`files` saves."""
    return f"{base}{_JOINT}{index}"


def files(figure: Figure) -> tuple[bytes, bytes]:
    """SVG and PDF. Must be called with ``STYLE`` in force.

    Indices are formulas in the PDF only: in an SVG matplotlib would make each of a formula's characters a text of its
    own, which nobody could edit.
    """
    from matplotlib.text import Text

    svg, pdf = io.BytesIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    for text in figure.findobj(Text):
        if isinstance(text, Text) and _JOINT in text.get_text():
            text.set_text(_INDEX.sub(r"$\1_{\2}$", text.get_text()))
    figure.savefig(pdf, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    drawing = _INDEX.sub(_SVG_INDEX, svg.getvalue().decode()).replace("'DejaVu Sans'", FONTS)
    return drawing.encode(), pdf.getvalue()


def legend_below(figure: Figure, axes: Axes, columns: int) -> None:
    """The legend of ``axes`` below them: beside points it would hide some."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)

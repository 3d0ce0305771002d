"""Small inline SVG plots. Colours come from the page's CSS classes, so that one drawing serves light and dark."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from markupsafe import Markup

WIDTH, HEIGHT = 520, 360
LEFT, RIGHT, TOP, BOTTOM = 76, 22, 14, 54
SHAPES = ("circle", "square", "triangle", "diamond", "down", "pentagon", "plus")
DENSE = 0.55
"""Size of the marks of a dense plot over that of others."""
COLOURS = 8
"""Number of series colours in the style sheet; coprime to the number of shapes, so 56 series look different."""

_POLYGONS = {
    "square": [(-4.4, -4.4), (4.4, -4.4), (4.4, 4.4), (-4.4, 4.4)],
    "triangle": [(0, -5.8), (5.4, 4.2), (-5.4, 4.2)],
    "diamond": [(0, -6.2), (6.2, 0), (0, 6.2), (-6.2, 0)],
    "down": [(0, 5.8), (5.4, -4.2), (-5.4, -4.2)],
    "pentagon": [(0, -5.8), (5.5, -1.8), (3.4, 4.7), (-3.4, 4.7), (-5.5, -1.8)],
    "plus": [(-1.9, -5.5), (1.9, -5.5), (1.9, -1.9), (5.5, -1.9), (5.5, 1.9), (1.9, 1.9)]
    + [(1.9, 5.5), (-1.9, 5.5), (-1.9, 1.9), (-5.5, 1.9), (-5.5, -1.9), (-1.9, -1.9)],
    "star": [(0, -6.8), (1.7, -2.3), (6.5, -2.1), (2.8, 0.9), (4, 5.5)]
    + [(0, 2.9), (-4, 5.5), (-2.8, 0.9), (-6.5, -2.1), (-1.7, -2.3)],
}


def coordinate(value: float) -> str:
    """A pixel position; two decimals keep files small."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def marker(shape: str, x: float, y: float, css: str) -> Markup:
    """A marker centred on pixel (x, y)."""
    if shape == "circle":
        return Markup('<circle class="{}" cx="{}" cy="{}" r="4.8"/>').format(css, coordinate(x), coordinate(y))
    if shape == "cross":
        a, b, c, d = (coordinate(value) for value in (x - 4.5, y - 4.5, x + 4.5, y + 4.5))
        return Markup('<path class="{}" d="M{} {}L{} {}M{} {}L{} {}"/>').format(css, a, b, c, d, a, d, c, b)
    corners = " ".join(f"{coordinate(x + dx)},{coordinate(y + dy)}" for dx, dy in _POLYGONS[shape])
    return Markup('<polygon class="{}" points="{}"/>').format(css, corners)


def outline(shape: str, scale: float) -> str:
    """A marker as path commands relative to its centre, where the pen stands before and need not after."""
    if shape == "circle":
        radius, width = coordinate(4.8 * scale), coordinate(9.6 * scale)
        return f"m-{radius} 0a{radius} {radius} 0 1 0 {width} 0a{radius} {radius} 0 1 0-{width} 0z"
    if shape == "cross":
        half, side = coordinate(4.5 * scale), coordinate(9.0 * scale)
        return f"m-{half}-{half}l{side} {side}m0-{side}l-{side} {side}"
    corners = [(scale * x, scale * y) for x, y in _POLYGONS[shape]]
    steps = [corners[0], *((x - a, y - b) for (a, b), (x, y) in pairwise(corners))]
    (x, y), *rest = [(coordinate(x), coordinate(y)) for x, y in steps]
    return f"m{x} {y}l{' '.join(f'{a} {b}' for a, b in rest)}z"


def ticks(low: float, high: float, most: int = 7) -> tuple[list[float], int]:
    """Round tick positions within [low, high] and the decimals their labels need."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)], decimals


def widen(low: float, high: float) -> tuple[float, float]:
    """A range that is not empty."""
    return (low, high) if high > low else (low - 0.5, high + 0.5)


@dataclass
class Plot:
    """Axes with a frame, ticks and labels, to which things are added in data units.

    :param name: a unique id on the page, of letters, digits and hyphens.
    :param x: range, ``x_label`` with its unit.
    :param lane: height in pixels of a strip below the axes, for marks that have no y.
    :param dense: draw all marks of one look as one path, smaller and without links: thousands of elements are slow.
        The path's ``data-frames`` names them in its order, for the page's script.
    """

    name: str
    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    height: int = HEIGHT
    lane: int = 0
    dense: bool = False
    items: list[Markup] = field(default_factory=list)
    over: list[Markup] = field(default_factory=list)
    crowds: dict[tuple[str, str], list[tuple[str, float, float]]] = field(
        default_factory=lambda: defaultdict(list), repr=False
    )

    def __post_init__(self) -> None:
        self.x, self.y = widen(*self.x), widen(*self.y)

    @property
    def bottom(self) -> float:
        """Pixel of the lower axis."""
        return self.height - BOTTOM - self.lane

    def px(self, x: float) -> float:
        """Pixel of a data x."""
        return LEFT + (x - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - LEFT - RIGHT)

    def py(self, y: float) -> float:
        """Pixel of a data y."""
        return self.bottom - (y - self.y[0]) / (self.y[1] - self.y[0]) * (self.bottom - TOP)

    def line(self, points: Iterable[Sequence[float]], css: str) -> None:
        """A polyline through data points."""
        path = " ".join(f"{coordinate(self.px(x))},{coordinate(self.py(y))}" for x, y in points)
        # Thousands of marks would hide a line of theory; a series' own line would hide the marks on it.
        items = self.over if self.dense and not css.startswith("trace") else self.items
        items.append(Markup('<polyline class="{}" points="{}"/>').format(css, path))

    def box(self, x: tuple[float, float], y: tuple[float, float], css: str, title: str = "") -> None:
        """A rectangle between data corners."""
        left, top = self.px(x[0]), self.py(y[1])
        width, height = self.px(x[1]) - left, self.py(y[0]) - top
        tip = Markup("<title>{}</title>").format(title) if title else Markup()
        self.items.append(
            Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}">{}</rect>').format(
                css, *(coordinate(value) for value in (left, top, width, height)), tip
            )
        )

    def mark(self, x: float, y: float | None, shape: str, css: str, title: Callable[[], str], target: str) -> None:
        """A marker that links to ``#frame-target``; without ``y`` it goes into the lane below the axis.

        :param title: makes its tip, which a dense mark has not.
        """
        height = self.bottom + self.lane / 2 if y is None else self.py(y)
        if self.dense:
            self.crowds[shape, css].append((target, self.px(x), height))
            return
        # Not a tab stop: hundreds of them would stand between a keyboard and the tables that hold the same numbers.
        self.items.append(
            Markup('<a class="pt" href="#frame-{}" data-at="{} {}" tabindex="-1">{}<title>{}</title></a>').format(
                target,
                coordinate(self.px(x)),
                coordinate(height),
                marker(shape, self.px(x), height, css),
                title(),
            )
        )

    def _crowds(self) -> Markup:
        """The dense marks: metallic frames, which are few, above the others."""
        paths = []
        for (shape, css), marks in sorted(self.crowds.items(), key=lambda item: "filled" in item[0][1]):
            one = outline(shape, DENSE)
            path = "".join(f"M{coordinate(x)} {coordinate(y)}{one}" for _, x, y in marks)
            frames = " ".join(target for target, _, _ in marks)
            paths.append(Markup('<path class="pts {}" data-frames="{}" d="{}"/>').format(css, frames, path))
        return Markup().join(paths)

    def render(self, title: str, description: str) -> Markup:
        """The whole ``<svg>``, named for a screen reader by ``title`` and ``description``."""
        clip = Markup('<clipPath id="{}-clip"><rect x="{}" y="{}" width="{}" height="{}"/></clipPath>').format(
            self.name, LEFT, TOP - 7, WIDTH - LEFT - RIGHT + 7, coordinate(self.bottom + self.lane - TOP + 14)
        )
        return Markup(
            '<svg viewBox="0 0 {width} {height}" role="group" aria-labelledby="{name}-title {name}-desc">'
            '<title id="{name}-title">{title}</title><desc id="{name}-desc">{description}</desc>{clip}{axes}'
            '<g clip-path="url(#{name}-clip)">{body}</g></svg>'
        ).format(
            width=WIDTH,
            height=self.height,
            name=self.name,
            title=title,
            description=description,
            clip=clip,
            axes=self._axes(),
            body=Markup().join([*self.items, self._crowds(), *self.over]),
        )

    def _axes(self) -> Markup:
        parts = []
        right, base = WIDTH - RIGHT, self.bottom + self.lane
        values, decimals = ticks(*self.x)
        for value in values:
            at = coordinate(self.px(value))
            parts.append(_segment("grid", at, TOP, at, base))
            parts.append(_text(at, base + 19, "middle", _label(value, decimals)))
        values, decimals = ticks(*self.y, most=6)
        for value in values:
            at = coordinate(self.py(value))
            parts.append(_segment("grid", LEFT, at, right, at))
            parts.append(_text(LEFT - 7, self.py(value) + 4.5, "end", _label(value, decimals)))
        parts.append(_segment("axis", LEFT, TOP, LEFT, base))
        parts.append(_segment("axis", LEFT, base, right, base))
        if self.lane:
            parts.append(_segment("axis", LEFT, coordinate(self.bottom), right, coordinate(self.bottom)))
        parts.append(_text((LEFT + right) / 2, self.height - 8, "middle", self.x_label))
        middle = coordinate((TOP + self.bottom) / 2)
        parts.append(
            Markup('<text transform="translate(16 {}) rotate(-90)" text-anchor="middle">{}</text>').format(
                middle, _subscripts(self.y_label)
            )
        )
        return Markup().join(parts)


def _segment(css: str, x1: object, y1: object, x2: object, y2: object) -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(css, x1, y1, x2, y2)


def _text(x: float | str, y: float, anchor: str, text: str) -> Markup:
    at = x if isinstance(x, str) else coordinate(x)
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(at, coordinate(y), anchor, _subscripts(text))


def _subscripts(text: str) -> Markup:
    """Escaped text with ``M_z`` set as it is printed."""
    lowered = Markup('M<tspan dy="3" font-size="75%">z</tspan><tspan dy="-3">&#8203;</tspan>')
    return lowered.join(text.split("M_z"))


def _label(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}") if abs(value) > 1e-12 else "0"

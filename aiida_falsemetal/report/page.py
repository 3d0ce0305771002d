"""The page: what the template needs, put together from plain rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from ..names import FRAME_COLUMNS
from ..physics.gaplaw import BREAKDOWN, INTERCEPT
from ..physics.missing_energy import EPS_INF
from . import budget, embed, energies, figures, text
from . import series as dipoles
from .cells import Cell, gather
from .columns import COLUMNS
from .data import PAIR_COLUMNS, complete
from .downloads import Downloads, methods_section
from .structures import pack_structures
from .summary import Pair, distinct, failure_counts, status_counts, summarize
from .text import OTHER, SYMBOLS

SCRIPTS = ("frames.js", "points.js", "table.js", "structure.js", "layers.js", "panel.js", "script.js")
"""The page's script, in the order in which its parts use each other."""


def render_page(
    document: dict[str, Any],
    series: dict[int, dict[str, Any]],
    structures: dict[str, Any] | None = None,
    layers: dict[str, Any] | None = None,
    downloads: Callable[[], Downloads] | None = None,
) -> str:
    """The page as one string of HTML that needs nothing else.

    :param document: plain ``campaign``, ``settings``, ``frames``, ``pairs``, ``cells`` and ``laws``.
    :param series: see :func:`.build.build_report`, as ``structures``.
    :param layers: of the frames that have them, see :func:`.structures.pack_layers`.
    :param downloads: of the figures, asked for when all else is there: others may still draw. None for none.
    """
    folder = resources.files(__package__) / "templates"
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        {
            name: getattr(text, name)
            for name in ("number", "interval", "share", "significant", "yes_no", "count", "milli", "shown")
        }
    )
    environment.globals["subscripts"] = _subscripts
    template = environment.from_string((folder / "report.html.j2").read_text(encoding="utf-8"))
    structures = structures or pack_structures((), 0)
    places = budget.frames_of_page(document["frames"])
    context = _context(document, series, places)
    data = embedded_json({**document, "frames": embed.by_columns([document["frames"][place] for place in places])})
    offered = Downloads((), folder=False) if downloads is None else downloads()
    return template.render(
        **context,
        style=Markup("".join((folder / f"{name}.css").read_text(encoding="utf-8") for name in ("style", "downloads"))),
        script=Markup("".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS)),
        data=data,
        structures=structures,
        structures_json=embedded_json(structures),
        layers=layers or {},
        layers_json=embedded_json(layers or {}),
        viewer=embedded_json(embed.viewer_code()) if structures["held"] else None,
        viewer_version=embed.VIEWER_VERSION,
        download=offered.line,
        layer_downloads=offered.layers,
        width_downloads=offered.widths,
        download_script=offered.script,
        paper=methods_section(document),
    )


def embedded_json(document: Any) -> Markup:
    """JSON that no browser can take for markup: the text of a label may hold ``</script>`` or ``<!--``."""
    dumped = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        dumped = dumped.replace(character, f"\\u{ord(character):04x}")
    return Markup(dumped)


def _subscripts(title: str) -> Markup:
    """Escaped text with ``M_z`` set as it is printed."""
    return Markup("M<sub>z</sub>").join(title.split("M_z"))


def _context(document: dict[str, Any], series: dict[int, dict[str, Any]], places: list[int]) -> dict[str, Any]:
    every = [complete(row, FRAME_COLUMNS) for row in document["frames"]]
    rows = [every[place] for place in places]
    pair_rows = [complete(row, PAIR_COLUMNS) for row in document["pairs"]]
    pairs = summarize(every, pair_rows)
    drawn = budget.drawn_pairs(pairs)
    cells = gather(pairs, document["cells"])
    labels = [*pair_rows, *({"interface": cell.interface, "mlip": cell.mlip} for cell in cells), *every]
    look = figures.styles(distinct(labels, "mlip"))
    names = embed.frame_names(rows)
    targets = {id(row): name for name, row in zip(names, rows, strict=True)}
    found = {id(frame): state for pair in pairs for frame, state in zip(pair.frames, pair.states, strict=True)}
    states = [found.get(id(row), "") for row in rows]
    dense = len(rows) > embed.LINKED
    shown = list(zip(names, rows, states, strict=True))[: embed.ROWS if dense else None]
    return {
        "campaign": document["campaign"],
        "settings": document["settings"],
        "extra_settings": _flat(
            {k: v for k, v in document["settings"].items() if k not in ("date", "versions", "recorded")}
        ),
        "pairs": pairs,
        "cells": cells,
        "tally": status_counts(cells),
        "symbols": {status: SYMBOLS.get(status, OTHER) for status, _ in status_counts([*pairs, *cells])},
        "mlips": list(dict.fromkeys(cell.mlip for cell in cells)),
        "matrix": _matrix(cells),
        "rules": _unique([cell.row for cell in cells if cell.row is not None], ("acceptable",)),
        "formulas": _formulas(pairs),
        "look": look,
        "gap_figures": _gap_figures(every, distinct(labels, "interface"), targets, look, document["laws"], dense),
        "dipole_figures": [
            _dipole_figures(index, pair, series, targets, look[pair.row["mlip"]], dense)
            for index, pair in enumerate(pairs)
            if index in drawn
        ],
        "energy_figures": [
            _energy_figure(index, pair, targets, look[pair.row["mlip"]], dense)
            for index, pair in enumerate(pairs)
            if index in drawn
        ],
        "failures": failure_counts(pairs),
        "columns": COLUMNS,
        "frames": [
            (name, row, [(column, column.show(row, state)) for column in COLUMNS]) for name, row, state in shown
        ],
        "frame_count": len(every),
        "frames_held": len(rows),
        "pairs_drawn": len(drawn),
        "dense": dense,
        "facts": embedded_json(embed.page_facts(rows, names, states, len(every))),
        "law_swatch": figures.line_swatch("law"),
        "fit_swatch": figures.line_swatch("fit"),
        "band_swatch": figures.line_swatch("band"),
        "window_swatch": figures.line_swatch("window"),
        "gauss_swatch": figures.line_swatch("gauss"),
        "cross_swatch": figures.cross_swatch(),
        "zero_swatch": figures.line_swatch("zero"),
        "metallic_swatch": figures.metallic_swatch(),
        "eps_inf": EPS_INF,
        "source": figures.SOURCE,
        "intercept": INTERCEPT,
        "breakdown": BREAKDOWN,
        "interfaces": _unique(pair_rows, ("interface", "area", "thickness", "vacuum")),
        "models": _unique(
            pair_rows, ("mlip", "long_ranged", "cutoff", "layers", "receptive_field", "coulomb_cutoff", "sha256")
        ),
        "protocols": _unique(
            [row for row in pair_rows if row["imported_from"] is None],
            ("md_ps", "md_steps", "md_precision", "temperature"),
        ),
        "imported": _unique(
            [row for row in pair_rows if row["imported_from"] is not None],
            ("interface", "mlip", "imported_from", "md_ps", "temperature"),
        ),
    }


def _matrix(cells: list[Cell]) -> list[tuple[Any, list[Cell | None]]]:
    """Rows (interface) of cells (MLIP); None where the campaign has no such pair."""
    known = {(cell.interface, cell.mlip): cell for cell in cells}
    mlips = dict.fromkeys(cell.mlip for cell in cells)
    return [
        (name, [known.get((name, mlip)) for mlip in mlips]) for name in dict.fromkeys(cell.interface for cell in cells)
    ]


def _formulas(pairs: list[Pair]) -> list[tuple[str, list[str]]]:
    """What the pairs say of where their expected width is from, each with the pairs (without seeds) that say so."""
    found: dict[str, dict[str, None]] = {}
    for pair in pairs:
        row = pair.row
        said = row["expected_formula"]
        if said is None and row["expected_sd_Mz_per_area"] is not None:
            said = "not recorded by the version that made the verdict"
        if said is not None:
            found.setdefault(said, {})[f"{row['interface']} × {row['mlip']}"] = None
    return [(said, list(names)) for said, names in found.items()]


def _gap_figures(
    rows: list[dict[str, Any]],
    interfaces: list[Any],
    targets: dict[int, str],
    look: dict[Any, figures.Style],
    laws: list[dict[str, Any]],
    dense: bool,
) -> list[tuple[Any, figures.GapFigure]]:
    """A figure an interface, in the order of ``interfaces``: that of the frames is the graph's, none in an archive."""
    by_interface = {law["interface"]: law for law in laws}
    found: list[tuple[Any, figures.GapFigure]] = []
    for interface in interfaces:
        mine = [row for row in rows if row["interface"] == interface]
        if mine:
            name, law = f"gap-{len(found)}", by_interface.get(interface)
            found.append((interface, figures.gap_figure(name, str(interface), mine, targets, look, law, dense)))
    return found


def _dipole_figures(
    index: int,
    pair: Pair,
    series: dict[int, dict[str, Any]],
    targets: dict[int, str],
    style: figures.Style,
    dense: bool,
) -> dict[str, Any]:
    """Series and histogram of one pair, or None where there is nothing to draw."""
    found = dipoles.moment(pair.row, series.get(pair.row["pair_pk"]))
    title = _title(pair)
    expected = pair.row.get("expected_sd_Mz_per_area")
    drawn: dict[str, Any] = {"pair": pair, "title": title, "series": None, "histogram": None, "counted": 0}
    if found is not None:
        drawn["series"] = figures.series_figure(f"series-{index}", title, found, pair.frames, targets, style, dense)
        drawn["histogram"] = figures.histogram_figure(f"histogram-{index}", title, found, expected, style)
        drawn["counted"] = len(found.counted)
    return drawn


def _energy_figure(
    index: int, pair: Pair, targets: dict[int, str], style: figures.Style, dense: bool
) -> dict[str, Any]:
    title = _title(pair)
    drawn = energies.energy_figure(f"energy-{index}", title, pair.row, pair.frames, targets, style, dense)
    return {"title": title, "figure": drawn, "pair_pk": pair.row["pair_pk"]}


def _title(pair: Pair) -> str:
    return f"{pair.row['interface']} × {pair.row['mlip']}, seed {pair.row['seed']}"


def _unique(rows: list[dict[str, Any]], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """Different combinations of ``keys``, in the order in which they first appear."""
    return [
        dict(zip(keys, values, strict=True))
        for values in dict.fromkeys(tuple(row.get(k) for k in keys) for row in rows)
    ]


def _flat(settings: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as (name, text) for a list."""
    lines = []
    for key, value in settings.items():
        if isinstance(value, dict):
            lines += _flat(value, f"{prefix}{key}.")
        else:
            lines.append((f"{prefix}{key}", str(value)))
    return lines

"""Band edges by layer of one frame: where along the normal its states sit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .numbers import Column, Numbers, Part
from .style import BAD, COLOURS, INK, SOFT, legend_below, lowered, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = (
    Column("z", "Å", "height from the middle of the film, substrate included"),
    Column("vbm", "eV", "local valence band edge, on pw.x's scale"),
    Column("cbm", "eV", "local conduction band edge, on pw.x's scale"),
    Column("centre", "eV", "mean energy of the local occupied states, on pw.x's scale"),
    Column("content", "1/Å", "occupied states"),
)
ARRAYS = tuple(column.name for column in COLUMNS)


def layer_numbers(frame: Mapping[str, Any], layers: Mapping[str, Any]) -> Numbers | None:
    """Numbers of one frame; None where an array is missing.

    :param frame: its plain row.
    :param layers: arrays of shape (layers,): ``z`` (Å), ``vbm``, ``cbm``, ``centre`` (eV), ``content`` (1/Å), as in the
        output ``layers`` of a GapWorkChain.
    """
    if any(name not in layers for name in ARRAYS):
        return None
    values = {name: [float(x) if np.isfinite(x) else None for x in layers[name]] for name in ARRAYS}
    known = {"fermi": "eV", "vbm": "eV", "cbm": "eV", "gap": "eV", "vbm_z": "Å", "cbm_z": "Å", "tilt": "eV/Å"}
    return Numbers(
        kind="layers",
        key=frame["gap_pk"],
        labels=(frame["interface"], frame["mlip"], f"seed{frame['seed']}", f"step{frame['step']}"),
        caption=f"Band edges by layer, {frame['interface']} with {frame['mlip']}, seed {frame['seed']}, step "
        f"{frame['step']}. Circles: where the film's valence and conduction band edges sit.",
        columns=COLUMNS,
        parts=(Part("layer", "one height", values),),
        parameters={
            **{name: (frame.get(name), unit) for name, unit in known.items()},
            "metallic": (frame.get("metallic"), ""),
            **{name: (frame.get(name), "") for name in ("pw_pk", "gap_pk", "pair_pk")},
        },
    )


def draw_layers(numbers: Numbers) -> Figure:
    """The figure of one frame; energies relative to the Fermi energy where it is known."""
    figure = new_figure(2.3)
    axes = figure.add_subplot()
    values = {name: np.array(column, dtype=float) for name, column in numbers.part("layer").values.items()}
    fermi = numbers.parameter("fermi")
    zero = fermi or 0.0
    axes.plot(values["z"], values["cbm"] - zero, color=COLOURS[1], ls=(0, (5, 1.5)), label="conduction band edge")
    axes.plot(values["z"], values["vbm"] - zero, color=COLOURS[0], label="valence band edge")
    for edge, marker in (("cbm", "s"), ("vbm", "o")):
        energy, height = numbers.parameter(edge), numbers.parameter(f"{edge}_z")
        if energy is not None and height is not None:
            axes.plot(height, energy - zero, marker, mfc="white", mec=INK, mew=0.9, ls="", label=f"{edge.upper()}")
    if fermi is not None:
        axes.axhline(0.0, color=BAD if numbers.parameter("metallic") else SOFT, lw=0.7, ls=(0, (1, 1.5)))
    axes.set_xlabel("height z (Å)")
    axes.set_ylabel(f"E − {lowered('E', 'F')} (eV)" if fermi is not None else "E (eV)")
    legend_below(figure, axes, 2)
    return figure

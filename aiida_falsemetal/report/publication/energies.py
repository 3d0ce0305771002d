"""The missing-energy test of one pair: E_DFT - E_MLIP against the energy that the dipole costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...physics import missing_energy
from ..summary import Pair
from .numbers import Column, Numbers, Part, part_of
from .style import INK, SOFT, Look, legend_below, lowered, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = (
    Column("step", "", "of the MD"),
    Column("Mz", "e Å", "dipole of screened point charges along the normal"),
    Column("slab_energy", "eV", "eps_inf M_z^2 / (2 eps0 A d): what the dipole costs an isolated film"),
    Column("energy", "eV", "total energy of pw.x"),
    Column("energy_mlip", "eV", "energy of the MLIP"),
    Column("difference", "eV", "E_DFT - E_MLIP less the parameter `removed`"),
    Column("metallic", "", "metallic frames are not in the fit"),
    Column("pw_pk", "", "node of the last pw.x run"),
)


def energy_numbers(pair: Pair) -> Numbers | None:
    """Numbers of one pair; None where no frame has both energies and a dipole, or the film's size is not known."""
    row = pair.row
    if not row.get("area") or not row.get("thickness"):
        return None
    volume = row["area"] * row["thickness"]
    roles = [missing_energy.role(frame) for frame in pair.frames]
    used, closed = (
        [frame for frame, role in zip(pair.frames, roles, strict=True) if role == wanted]
        for wanted in (missing_energy.USED, missing_energy.METALLIC)
    )
    if not used and not closed:
        return None
    found = missing_energy.of_frames(pair.frames, volume)
    counted = used or closed
    mean = float(np.mean([frame["energy"] - frame["energy_mlip"] for frame in counted]))
    removed, start = (mean, float(np.mean(_slab(counted, volume))))
    if found.intercept is not None:
        removed, start = found.intercept, 0.0
    parts = [
        _frames("frame", "frames with an open gap: those of the fit", used, volume, removed),
        _frames("metallic frame", "not in the fit", closed, volume, removed),
    ]
    far = 1.05 * max(1e-3, *_slab([*used, *closed], volume))
    lines = {"slope 0": (0.0, 0.0), "slope 1": (-start, far - start)}
    if found.slope is not None:
        lines["fit"] = (0.0, found.slope * far)
    for name, ends in lines.items():
        parts.append(Part(name, "a line", {"slab_energy": [0.0, far], "difference": list(ends)}))
    return Numbers(
        kind="energies",
        key=row["pair_pk"],
        labels=(row["interface"], row["mlip"], f"seed{row['seed']}"),
        caption=f"Missing energy of {row['interface']} with {row['mlip']}, seed {row['seed']}: E(DFT) − E(MLIP) less "
        f"{'the intercept of the fit' if found.intercept is not None else 'its mean'}, against the energy that the "
        "dipole costs an isolated film. Slope 1 (dashed): the MLIP lacks all of it. Slope 0 (thin): nothing is "
        "missing. Line: least squares through the frames with an open gap. Stars: metallic frames, not in the fit.",
        columns=COLUMNS,
        parts=tuple(part for part in parts if len(part)),
        parameters={
            "removed": (removed, "eV"),
            "slope": (found.slope, ""),
            "slope_low": (found.low, ""),
            "slope_high": (found.high, ""),
            "frames": (found.frames, ""),
            "area": (row["area"], "Å²"),
            "thickness": (row["thickness"], "Å"),
            "eps_inf": (missing_energy.EPS_INF, ""),
        },
    )


def _slab(frames: list[dict[str, Any]], volume: float) -> list[float]:
    """Of each frame what its dipole costs, in eV."""
    found: list[float] = missing_energy.slab_energy(np.array([f["Mz"] for f in frames], dtype=float), volume).tolist()
    return found


def _frames(name: str, meaning: str, frames: list[dict[str, Any]], volume: float, removed: float) -> Part:
    rows = [
        {**frame, "slab_energy": energy, "difference": frame["energy"] - frame["energy_mlip"] - removed}
        for frame, energy in zip(frames, _slab(frames, volume), strict=True)
    ]
    return part_of(name, meaning, rows, [column.name for column in COLUMNS])


def draw_energies(numbers: Numbers, look: Look) -> Figure:
    """The figure of one pair."""
    figure = new_figure(2.45)
    axes = figure.add_subplot()
    lines: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("slope 0", "slope 0", {"color": SOFT, "lw": 0.7}),
        ("slope 1", "slope 1", {"color": INK, "lw": 0.9, "ls": (0, (4, 2))}),
        ("fit", "least squares", {"color": INK, "lw": 1.1}),
    )
    for name, label, style in lines:
        line = numbers.part(name).values
        if line:
            axes.plot(line["slab_energy"], line["difference"], label=label, **style)
    for name, marker, face, label, size in (
        ("frame", look.marker, "white", "open gap", 4.0),
        ("metallic frame", "*", look.colour, "metallic", 6.0),
    ):
        points = numbers.part(name).values
        if points:
            style = {"mfc": face, "mec": look.colour, "mew": 0.8, "ms": size, "ls": "", "zorder": 3}
            axes.plot(points["slab_energy"], points["difference"], marker, label=label, **style)
    far = numbers.part("slope 0").values["slab_energy"][1]
    axes.set_xlim(-0.03 * far, far)
    axes.set_xlabel(f"{lowered('ε', '∞')}{lowered('M', 'z')}²/(2ε₀Ad) (eV)")
    axes.set_ylabel("E(DFT) − E(MLIP) − const. (eV)")
    legend_below(figure, axes, 3)
    return figure

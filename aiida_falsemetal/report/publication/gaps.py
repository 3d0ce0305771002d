"""Gap against potential drop of one interface, with its calibrated law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...physics.gaplaw import INTERCEPT
from ..data import LAW_COLUMNS, complete
from .numbers import Column, Numbers, Part, part_of
from .style import BAD, INK, SOFT, Look, legend_below, literal, lowered, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    Column("mlip"),
    Column("seed"),
    Column("step", "", "of the MD"),
    Column("expected_drop", "V", "M_z/(eps0 A) of screened point charges; of either sign"),
    Column("drop", "V", "pw.x's own potential drop; of either sign"),
    Column("gap", "eV", "computed gap; of a law, the gap that it expects"),
    Column("gap_low", "eV", "lower end of the predictive interval of a frame that was not computed"),
    Column("gap_high", "eV", "upper end of that interval"),
    Column("metallic", "", "whether the frame is metallic"),
    Column("exit_code", "", "of the last pw.x run"),
    Column("pw_pk", "", "node of the last pw.x run"),
    Column("gap_pk", "", "node of the GapWorkChain"),
    Column("pair_pk", "", "node of the PairWorkChain"),
)
FRAME_KEYS = tuple(column.name for column in COLUMNS if column.name not in ("gap_low", "gap_high"))
MARKS = 2000
"""Marks up to which each is a shape of its own. More are a picture within the axes: shapes make the file ten times as
large and slow to show, and take longer to draw."""
LANE = 0.07
"""Height of the failed frames' marks over the lower edge, as a share of the axes."""


def gap_numbers(interface: Any, rows: Sequence[dict[str, Any]], law: dict[str, Any] | None) -> Numbers | None:
    """Numbers of one interface; None if no frame has a drop.

    :param rows: plain frame rows of this interface.
    :param law: its plain gap law, see :func:`...query.cells.law_rows`.
    """
    placed = [row for row in rows if row.get("expected_drop") is not None]
    computed = [row for row in placed if row.get("gap") is not None]
    failed = [row for row in placed if row.get("gap") is None and row.get("exit_code") is not None]
    if not computed and not failed:
        return None
    far = max([abs(row["expected_drop"]) for row in (*computed, *failed)] + [5.0]) * 1.05
    parts = [part_of("frame", "frames with a gap", computed, FRAME_KEYS)]
    if failed:
        parts.append(part_of("failed frame", "frames whose pw.x failed: no gap is known", failed, FRAME_KEYS))
    law = complete(law or {}, LAW_COLUMNS)
    parameters = {"published_intercept": (INTERCEPT, "eV"), "published_slope": (-1.0, "eV/V")}
    if law["intercept"] is not None and law["slope"] is not None:
        parts += _law_parts(law, far)
        parameters |= _law_parameters(law)
    ends = [0.0, min(INTERCEPT, far)]
    published = {"expected_drop": ends, "gap": [INTERCEPT - end for end in ends]}
    parts.append(Part("published law", "revPBE-D3, the ML-PEG authors: 4.45 eV less the drop", published))
    return Numbers(
        kind="gaps",
        key=interface,
        labels=(interface,),
        caption=f"Gap against the size of the potential drop, {interface}. Open marks: frames with an open gap. "
        "Filled marks: metallic frames. Crosses at the lower edge: frames whose calculation failed; their gap is not "
        "known. Line: gap law calibrated on these frames, with the interval for a frame that was not computed "
        "(shaded). Dashed: the published law.",
        columns=COLUMNS,
        parts=tuple(parts),
        parameters=parameters,
    )


def _law_parts(law: dict[str, Any], far: float) -> list[Part]:
    """The law's line down to where it is closed, and its predictive interval where there is one."""
    end = min(far, law["intercept"] / law["slope"]) if law["slope"] > 0.0 else far
    line = {"expected_drop": [0.0, end], "gap": [law["intercept"], law["intercept"] - law["slope"] * end]}
    parts = [Part("law", "calibrated on this interface's frames", line)]
    predicted = law.get("predicted")
    if predicted:
        known = [index for index, drop in enumerate(predicted["drop"]) if drop <= far]
        keys = {"expected_drop": "drop", "gap_low": "low", "gap_high": "high"}
        values = {name: [predicted[key][index] for index in known] for name, key in keys.items()}
        parts.append(Part("law interval", "predictive interval of a frame that was not computed", values))
    return parts


def _law_parameters(law: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {}
    for name in ("intercept", "intercept_low", "intercept_high", "scatter"):
        found[name] = (law[name], "eV")
    for name, key in (("slope", "slope"), ("slope_low", "slope_high"), ("slope_high", "slope_low")):
        found[name] = (None if law[key] is None else -law[key], "eV/V")
    found |= {"frames": (law["frames"], ""), "metallic": (law["metallic"], ""), "functional": (law["functional"], "")}
    confidence = (law.get("predicted") or {}).get("confidence")
    return found | {"confidence": (confidence, ""), "drop_error": (law["drop_error"], "V")}


def draw_gaps(numbers: Numbers, look: dict[Any, Look]) -> Figure:
    """The figure of one interface."""
    frames, failed = numbers.part("frame"), numbers.part("failed frame")
    there = {*frames.values["mlip"], *failed.values.get("mlip", [])}
    mlips = [mlip for mlip in look if mlip in there]
    columns = 2 if max(len(str(name)) for name in mlips) > 12 else 3
    figure = new_figure(2.5 + 0.15 * -(-(len(mlips) + 5) // columns))
    axes = figure.add_subplot()
    picture = len(frames) + len(failed) > MARKS
    for mlip in mlips:
        _draw_frames(axes, frames, mlip, look[mlip], picture)
    if numbers.part("frame").values["metallic"].count(True):
        axes.plot([], [], "o", color=SOFT, label="filled: metallic")
    if len(failed):
        at = np.abs(np.array(failed.values["expected_drop"], dtype=float))
        lane = axes.get_xaxis_transform()
        crosses: dict[str, Any] = {"color": BAD, "mew": 1.0, "ls": "", "transform": lane, "label": "failed, no gap"}
        axes.plot(at, np.full(len(at), LANE), "x", rasterized=picture, **crosses)
    _draw_law(axes, numbers)
    drops = [abs(x) for part in (frames, failed) for x in part.values.get("expected_drop", [])]
    top = max(
        [INTERCEPT, *frames.values["gap"], *(x for x in numbers.part("law interval").values.get("gap_high", []) if x)]
    )
    bottom = -0.14 * top if len(failed) else -0.05 * top
    axes.set(xlim=(0.0, 1.05 * max([*drops, 5.0])), ylim=(bottom, 1.05 * top))
    axes.axhline(0.0, color=SOFT, lw=0.5)
    axes.set_xlabel(f"potential drop |{lowered('M', 'z')}|/(ε₀A) (V)")
    axes.set_ylabel("gap (eV)")
    legend_below(figure, axes, columns)
    return figure


def _draw_law(axes: Axes, numbers: Numbers) -> None:
    interval = numbers.part("law interval").values
    if interval:
        low, high = (np.array(interval[end], dtype=float) for end in ("gap_low", "gap_high"))
        confidence = numbers.parameter("confidence")
        label = f"{100 * confidence:.0f} % interval" if confidence else "predictive interval"
        axes.fill_between(interval["expected_drop"], low, high, color="#D4D4D4", lw=0.0, label=label)
    for part, style, label in (
        ("law", {"lw": 1.0}, "gap law, calibrated"),
        ("published law", {"lw": 0.8, "ls": (0, (4, 2))}, "published law"),
    ):
        line = numbers.part(part).values
        if line:
            axes.plot(line["expected_drop"], line["gap"], color=INK, label=label, **style)


def _draw_frames(axes: Axes, frames: Part, mlip: Any, look: Look, picture: bool) -> None:
    values = frames.values
    mine = [index for index, name in enumerate(values["mlip"]) if name == mlip]
    for closed in (False, True):
        some = [index for index in mine if bool(values["metallic"][index]) == closed]
        x, y = [abs(values["expected_drop"][i]) for i in some], [values["gap"][i] for i in some]
        face = look.colour if closed else "white"
        axes.plot(x, y, look.marker, mfc=face, mec=look.colour, mew=0.8, ls="", zorder=3, rasterized=picture)
    axes.plot([], [], look.marker, mfc="white", mec=look.colour, mew=0.8, ls="", label=literal(mlip))

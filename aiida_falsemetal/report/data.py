"""Rows made plain: strict JSON, CSV, and the state of a frame."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..names import FRAME_COLUMNS

FrameState = Literal["computed", "failed", "lost", "unfinished"]

PAIR_COLUMNS = (
    *("campaign", "interface", "mlip", "seed", "pair_pk", "state", "exit_code", "exit_message"),
    *("area", "thickness", "vacuum", "md_steps", "md_ps", "temperature", "imported_from"),
    *("sha256", "long_ranged", "cutoff", "layers", "receptive_field", "coulomb_cutoff"),
    *("verdict", "reason", "fraction_metallic", "fraction_metallic_low", "fraction_metallic_high"),
    *("sd_Mz_per_area", "sd_low", "sd_high", "expected_sd_Mz_per_area", "n_eff", "correlation_time_ps"),
    *("fraction_beyond_window", "fraction_beyond_low", "fraction_beyond_high", "sampled_ps"),
    *("more_ps", "more_ps_low", "more_ps_high", "mlpeg_sigma", "mlpeg_fraction"),
    *("missing_energy_slope", "missing_energy_low", "missing_energy_high"),
    *("missing_energy_frames", "missing_energy_says", "missing_energy_unit"),
)
"""Keys of a pair row that may be shown; those behind ``coulomb_cutoff`` are the verdict's."""


def complete(row: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """A row with None for every column that it lacks."""
    return {**dict.fromkeys(columns), **row}


def plain(value: Any) -> Any:
    """A copy that strict JSON can hold: numpy becomes Python, NaN and infinities become None.

    :raises TypeError: for anything else that JSON has no form for.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise TypeError(f"a result cannot hold {type(value).__name__}: {value!r}")


def json_text(document: Any) -> str:
    """Strict JSON of a plain document, keys in the order given."""
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def csv_text(rows: Sequence[dict[str, Any]]) -> str:
    """CSV of plain frame rows: one line a frame below the header; None is an empty cell.

    The columns are ``FRAME_COLUMNS``, without any frame too; other keys of the rows follow, sorted.
    """
    extra = sorted({key for row in rows for key in row} - set(FRAME_COLUMNS))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [*FRAME_COLUMNS, *extra], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def frame_state(row: dict[str, Any], pair_over: bool) -> FrameState:
    """What became of a frame.

    :param pair_over: whether its pair has ended. A frame without gap and exit code is then lost, and not on its way.
    """
    if row.get("gap") is not None:
        return "computed"
    if row.get("exit_code") is not None:
        return "failed"
    return "lost" if pair_over else "unfinished"

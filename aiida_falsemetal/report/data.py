"""Rows made plain: strict JSON, CSV, and the state of a frame."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from ..names import FRAME_COLUMNS

FrameState = Literal["computed", "failed", "lost", "unfinished"]

VERDICT_COLUMNS = (
    *("verdict", "reason", "would_decide", "fraction_metallic", "fraction_metallic_low", "fraction_metallic_high"),
    *("metallized", "metallized_low", "metallized_high", "metallized_bound"),
    *("mean_gap", "mean_gap_low", "mean_gap_high"),
    *("sd_Mz_per_area", "sd_low", "sd_high", "expected_sd_Mz_per_area", "expected_formula"),
    *("sd_ratio", "sd_ratio_low", "sd_ratio_high", "n_eff", "correlation_time_ps", "rhat"),
    *("fraction_beyond_window", "fraction_beyond_low", "fraction_beyond_high", "sampled_ps"),
    *("more_ps", "more_ps_low", "more_ps_high", "mlpeg_sigma", "mlpeg_fraction"),
    *("missing_energy_slope", "missing_energy_low", "missing_energy_high"),
    *("missing_energy_frames", "missing_energy_says", "missing_energy_unit"),
)
"""Keys that the verdict on a pair and that on a cell have in common; graphs of older versions lack some."""

PAIR_COLUMNS = (
    *("campaign", "interface", "mlip", "seed", "pair_pk", "state", "exit_code", "exit_message"),
    *("area", "thickness", "vacuum", "md_steps", "md_ps", "md_precision", "temperature", "imported_from"),
    *("sha256", "long_ranged", "cutoff", "layers", "receptive_field", "coulomb_cutoff"),
    *VERDICT_COLUMNS,
)
"""Keys of a pair row that may be shown."""

CELL_COLUMNS = (
    *("campaign", "interface", "mlip", "verdict_pk", *VERDICT_COLUMNS),
    *("seeds", "reference", "acceptable", "confidence", "selected", "converged", "failed", "metallic", "min_gap"),
)
"""Keys of a cell's row that may be shown, and first columns of cells.csv."""

LAW_COLUMNS = (
    *("campaign", "interface", "law_pk", "intercept", "intercept_low", "intercept_high"),
    *("slope", "slope_low", "slope_high", "scatter", "frames", "metallic", "functional", "drop_error"),
)
"""Keys of a gap law's row that may be shown."""


def complete(row: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """A row with None for every column that it lacks; itself where it lacks none."""
    return row if row.keys() >= _names(tuple(columns)) else {**dict.fromkeys(columns), **row}


@lru_cache
def _names(columns: tuple[str, ...]) -> frozenset[str]:
    return frozenset(columns)


_NESTED = frozenset((dict, list))
_FLAT = frozenset((type(None), str, int, bool, float))


def is_plain(values: Collection[Any]) -> bool:
    """Whether all values are what strict JSON has a form for, and none is a list or a dictionary."""
    kinds = set(map(type, values))
    if kinds == {float}:
        return all(map(math.isfinite, values))
    # Value by value in C: of a hundred thousand rows there are millions.
    return kinds <= _FLAT and (
        float not in kinds or all(map(math.isfinite, [value for value in values if type(value) is float]))
    )


def plain(value: Any) -> Any:
    """What strict JSON can hold: numpy becomes Python, NaN and infinities become None.

    A row or a list that it can hold as it is is returned itself, for a hundred thousand rows of a query are such.

    :raises TypeError: for anything else that JSON has no form for.
    """
    kind = type(value)
    if value is None or kind is str or kind is int or kind is bool:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        if is_plain(value.values()) and set(map(type, value)) <= {str}:
            return value
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        if is_plain(value):
            return value if type(value) is list else list(value)
        return [plain(item) for item in value]
    raise TypeError(f"a result cannot hold {type(value).__name__}: {value!r}")


def json_text(document: Any) -> str:
    """Strict JSON of a plain document, keys in the order given."""
    return "".join([*_indented(document, 0), "\n"])


def _indented(value: Any, depth: int) -> Iterator[str]:
    """What ``json.dumps`` writes with ``indent=1``, whose slow form Python then takes, also for the rows of frames.

    In pieces, for of a large campaign each copy of the whole is 140 MB.
    """
    inner = "\n" + " " * (depth + 1)
    if not isinstance(value, (dict, list)) or not value:
        yield _dumped(value)
        return
    signs = "{}" if isinstance(value, dict) else "[]"
    if _NESTED.isdisjoint(map(type, value.values() if isinstance(value, dict) else value)):
        yield f"{signs[0]}{inner}{_dumped(value, inner)[1:-1]}{inner[:-1]}{signs[1]}"
        return
    before = f"{signs[0]}{inner}"
    for key in value:
        yield before
        if isinstance(value, dict):
            yield f"{_dumped(key)}: "
        yield from _indented(value[key] if isinstance(value, dict) else key, depth + 1)
        before = f",{inner}"
    yield f"{inner[:-1]}{signs[1]}"


def _dumped(value: Any, between: str = " ") -> str:
    return _encoder(between)(value)


@lru_cache
def _encoder(between: str) -> Callable[[Any], str]:
    return json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(f",{between}", ": ")).encode


def csv_text(rows: Sequence[dict[str, Any]], columns: Sequence[str] = FRAME_COLUMNS) -> str:
    """CSV of plain rows: one line a row below the header; None is an empty cell, a list or dictionary is JSON.

    The columns are ``columns``, without any row too; other keys of the rows follow, sorted.
    """
    names = [*columns, *sorted(set().union(*rows) - set(columns))]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        nested = not _NESTED.isdisjoint(map(type, row.values()))
        writer.writerow(map(_csv_value, map(row.get, names)) if nested else map(row.get, names))
    return buffer.getvalue()


def _csv_value(value: Any) -> Any:
    return json.dumps(value, allow_nan=False, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def frame_state(row: dict[str, Any], pair_over: bool) -> FrameState:
    """What became of a frame.

    :param pair_over: whether its pair has ended. A frame without gap and exit code is then lost, and not on its way.
    """
    if row.get("gap") is not None:
        return "computed"
    if row.get("exit_code") is not None:
        return "failed"
    return "lost" if pair_over else "unfinished"

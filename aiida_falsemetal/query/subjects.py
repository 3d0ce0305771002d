"""The tables that can be asked for: frames, pairs, interfaces, mlips. Each with its columns and its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..names import EXTRAS, FRAME_COLUMNS
from . import rows as graph
from .columns import NUMBER, TEXT, TRUTH, column_kinds, listed
from .frame_query import RUN, add_runs, find_frames
from .inventory import interface_rows, mlip_rows
from .pushdown import columns_of
from .select import Names, Request, select
from .where import parse

FRAME_TEXTS = ("campaign", "interface", "mlip", "functional", "gap_of", "property_message", "exit_message")
FRAME_TRUTHS = ("metallic", "stripped_metallic")
FRAMES: dict[str, str] = {
    **dict.fromkeys(FRAME_COLUMNS, NUMBER),
    **dict.fromkeys(FRAME_TEXTS, TEXT),
    **dict.fromkeys(FRAME_TRUTHS, TRUTH),
    "stratum": f"{NUMBER} {TEXT}",  # of the control set, `uniform`
}
PAIR_TEXTS = ("campaign", "interface", "mlip", "fingerprint", "state", "exit_message", "imported_from", "sha256")
PAIR_NUMBERS = (
    *("area", "thickness", "vacuum", "molecules", "frames_wanted", "md_steps", "md_ps", "md_precision", "temperature"),
    *("cutoff", "layers", "receptive_field", "coulomb_cutoff"),
)
VERDICT_TEXTS = ("verdict", "reason", "would_decide", "reference", "expected_formula", "md_message")
VERDICT_NUMBERS = (
    *("seeds", "population", "acceptable", "confidence", "selected", "converged", "metallic", "min_gap"),
    *("fraction_metallic", "fraction_metallic_low", "fraction_metallic_high", "metallized_bound"),
    *("metallized", "metallized_low", "metallized_high", "metallized_least", "metallized_most", "metallized_n_eff"),
    *("mean_gap", "mean_gap_low", "mean_gap_high", "expected_sd_Mz_per_area", "sampled_ps", "rhat"),
    *("sd_Mz_per_area", "sd_low", "sd_high", "n_eff", "correlation_time_ps", "mean_Mz_per_area", "mean_low"),
    *("mean_high", "sd_ratio", "sd_ratio_low", "sd_ratio_high", "fraction_beyond_window", "fraction_beyond_low"),
    *("fraction_beyond_high", "more_ps", "more_ps_low", "more_ps_high", "law_intercept", "law_slope", "law_frames"),
)
PAIRS: dict[str, str] = {
    **dict.fromkeys(EXTRAS, TEXT),
    "seed": NUMBER,
    "pair_pk": NUMBER,
    "exit_code": NUMBER,
    **dict.fromkeys(PAIR_TEXTS, TEXT),
    **dict.fromkeys(PAIR_NUMBERS, NUMBER),
    "long_ranged": TRUTH,
    "superseded": TRUTH,
    **dict.fromkeys(VERDICT_TEXTS, TEXT),
    **dict.fromkeys(VERDICT_NUMBERS, NUMBER),
}
"""Of a verdict, what is always there; what else its Dict holds is a column too, with the kinds that are found."""
INTERFACES: dict[str, str] = {
    **dict.fromkeys(("campaign", "interface", "recipe", "parameters", "imported_from", "solvent", "functional"), TEXT),
    **dict.fromkeys(
        (
            *("area", "thickness", "vacuum", "molecules", "E_g0", "E_g0_low", "E_g0_high", "slope", "slope_low"),
            *("slope_high", "law_frames", "pairs", "recipe_pk", "interface_pk", "law_pk"),
        ),
        NUMBER,
    ),
}
MLIPS: dict[str, str] = {
    **dict.fromkeys(
        (
            *("labels", "family", "sha256", "file", "boundary", "elements", "precision", "licence", "reference"),
            *("kwargs", "scan", "accepted", "campaigns"),
        ),
        TEXT,
    ),
    **dict.fromkeys(("cutoff", "layers", "receptive_field", "coulomb_cutoff", "pairs", "mlip_pk"), NUMBER),
    "long_ranged": TRUTH,
}
SUBJECTS: Mapping[str, Mapping[str, str]] = {
    "frames": FRAMES,
    "pairs": PAIRS,
    "interfaces": INTERFACES,
    "mlips": MLIPS,
}
"""Columns of each table, and what they hold (:func:`.columns.column_kinds`)."""


def rows_of(subject: str, campaign: str | None = None, all_runs: bool = False) -> list[dict[str, Any]]:
    """All rows of a table but that of frames, which :func:`_frames` finds.

    :param subject: a key of ``SUBJECTS``.
    :param campaign: its name; None for all.
    :param all_runs: of pairs, also those that were submitted again later.
    """
    if subject == "interfaces":
        return interface_rows(campaign)
    if subject == "mlips":
        return mlip_rows(campaign)
    pairs = graph.pair_rows(campaign)
    return pairs if all_runs else graph.latest_pairs(pairs)


def table(
    subject: str,
    where: str | None = None,
    columns: Names = None,
    sort: Names = None,
    limit: int | None = None,
    campaign: str | None = None,
    all_runs: bool = False,
) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of a table, see :class:`.select.Request` and :func:`rows_of`.

    :raises QueryError: on a condition, a column or a limit that makes no sense.
    """
    request = Request(where, columns, sort, limit)
    if subject == "frames":
        return _frames(request, campaign, all_runs)
    found = rows_of(subject, campaign, all_runs)
    return select(found, column_kinds(found, SUBJECTS[subject]), request)


def _frames(request: Request, campaign: str | None, all_runs: bool) -> tuple[list[str], list[dict[str, Any]]]:
    """The table of frames: a wrong request is refused before, and pw.x's runs are looked up for what is shown."""
    kinds = column_kinds([], FRAMES)
    names, _ = select([], kinds, request)
    condition = None if request.where is None else parse(request.where, kinds)
    rows = find_frames(campaign, condition, latest=not all_runs)
    sorted_by = [name.removeprefix("-") for name in listed(request.sort, kinds, "sort")]
    early = RUN in sorted_by or (condition is not None and RUN in columns_of(condition))
    if early:
        add_runs(rows)
    _, shown = select(rows, kinds, request)
    if not early and RUN in names:
        add_runs(shown)
    return names, shown

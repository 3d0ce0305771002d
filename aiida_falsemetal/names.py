"""Names that several rooms share: columns of the tables, how AiiDA says that a process has ended, which pair counts.

Every room may import this module, which imports nothing; see ``tests/test_layers.py``.
"""

from __future__ import annotations

EXTRAS = ("campaign", "interface", "mlip", "seed")
"""What a pair goes by: the keys of its rows, and with the prefix ``falsemetal_`` the extras of its node."""
CAMPAIGN_GROUP, TWINS_GROUP = "falsemetal/", "falsemetal/twins/"
"""What the label of the group of a campaign's nodes begins with, and that of the nodes of twins; their name follows."""
SUPERSEDED = "falsemetal_superseded"
"""Extra of a pair, true where the campaign file that was given last means something else by these labels: another
model, other settings. It is still there, and does not count beside one that the file means."""
FINAL = (0, 410)
"""Exit codes of a pair that is not run again: it has a verdict, also where its MLIP failed its MD."""
OLDEST_FIRST, NEWEST_FIRST = ([{"ctime": {"order": way}}, {"id": {"order": way}}] for way in ("asc", "desc"))
"""Order of a query by when nodes were made. Not by pk: those of an imported archive are in no order."""
ASKED = "falsemetal_asked"
"""Extra of a verdict's or a law's calcfunction: when it was asked for last, as ISO text."""


def pair_rank(superseded: bool, exit_code: int | None) -> tuple[bool, bool, bool]:
    """Of pairs with the same labels the one that counts is the newest of the highest rank: one that the campaign's file
    means before others, also where it has failed; a finished one before others; one with a verdict before others."""
    return not superseded, exit_code == 0, exit_code in FINAL


RESULT_KEYS = (
    "step",
    "time_ps",
    "Mz",
    "Mz_per_area",
    "expected_drop",
    "potential_range",
    "energy_mlip",
    "stratum",
    "probability",
    "functional",
    "gap",
    "vbm",
    "cbm",
    "fermi",
    "witness",
    "metallic",
    "dipole",
    "drop",
    "gap_of",
    "vbm_z",
    "cbm_z",
    "edge_separation",
    "tilt",
    "vbm_projected",
    "cbm_projected",
    "spilling",
    "potential_drop",
    "vacuum_lower",
    "vacuum_upper",
    "plateau_ripple",
    "solvent_vbm",
    "solvent_cbm",
    "solvent_gap",
    "stripped_vbm",
    "stripped_cbm",
    "stripped_gap",
    "stripped_drop",
    "stripped_metallic",
    "property_message",
    "energy",
    "gap_bound",
    "degauss",
    "scf_iterations",
    "wall_seconds",
    "attempt",
    "exit_code",
    "exit_message",
)
"""Keys of a frame's result that its row has."""
FRAME_COLUMNS = (*EXTRAS, *RESULT_KEYS, "pw_pk", "gap_pk", "result_pk", "pair_pk")
"""Keys of a frame's row, and columns of results.csv."""

ENDED = ("finished", "excepted", "killed")
"""States of a process that will not go on."""
CELL, LAW = "cell", "law"
"""Extra ``falsemetal_kind`` of the calcfunctions that judge an interface and MLIP, and that fit an interface's law."""
JUDGED_BY = {
    name: f"aiida_falsemetal.calculations.verdict.{function}"
    for name, function in (
        (CELL, "cell_verdict"),
        (LAW, "interface_law"),
    )
}
"""Type of these calcfunctions' nodes, which has an index: for the extra alone all other calcfunctions would be read."""
PRECISION = 0.1
"""Relative half-width of the spread's interval that ``more_ps`` is for, where a campaign has no ``precision``: 200
independent samples."""

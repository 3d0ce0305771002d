"""The columns of the frames table: written once, for the page's HTML and for its script."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from . import text
from .data import FrameState

Kind = Literal["text", "number", "significant", "milli", "truth", "message"]

STATE_NOTES = {"lost": "ended without a result", "unfinished": "no result yet"}
"""What the column ``message`` says of a frame that has no message."""


@dataclass(frozen=True)
class Column:
    """One column.

    :param key: of the frame's row.
    :param title: heading with its unit; ``M_z`` is set with a subscript.
    :param kind: how a value is written, see :mod:`.text`; ``message`` is text that may be long.
    :param digits: decimals, or significant digits.
    """

    key: str
    title: str
    kind: Kind = "text"
    digits: int = 2

    @property
    def numeric(self) -> bool:
        """Whether it is set flush right."""
        return self.kind in ("number", "significant", "milli") or self.key in NUMBERS_AS_THEY_ARE

    def show(self, row: dict[str, Any], state: FrameState | str) -> str:
        """The text of a cell."""
        value = row.get(self.key)
        if self.kind == "message":
            return value or STATE_NOTES.get(state, "")
        if self.kind == "number":
            return text.number(value, self.digits)
        if self.kind == "significant":
            return text.significant(value, self.digits)
        if self.kind == "milli":
            return text.milli(value, self.digits)
        return text.yes_no(value) if self.kind == "truth" else text.shown(value)


NUMBERS_AS_THEY_ARE = ("seed", "step", "attempt", "scf_iterations", "exit_code", "pw_pk", "gap_pk", "pair_pk")

COLUMNS = (
    Column("interface", "interface"),
    Column("mlip", "MLIP"),
    Column("seed", "seed"),
    Column("step", "step"),
    Column("time_ps", "time (ps)", "number"),
    Column("stratum", "stratum"),
    Column("probability", "probability", "significant", 3),
    Column("Mz_per_area", "M_z/A (10⁻³ e/Å)", "milli"),
    Column("expected_drop", "expected drop (V)", "number"),
    Column("potential_range", "range inside (V)", "number"),
    Column("drop", "QE drop (V)", "number"),
    Column("gap", "gap (eV)", "number"),
    Column("vbm", "VBM (eV)", "number"),
    Column("cbm", "CBM (eV)", "number"),
    Column("witness", "witness (e)", "significant"),
    Column("metallic", "metallic", "truth"),
    Column("attempt", "attempt"),
    Column("scf_iterations", "SCF iterations"),
    Column("exit_code", "exit code"),
    Column("exit_message", "message", "message"),
    Column("pw_pk", "pw.x pk"),
    Column("gap_pk", "gap pk"),
    Column("pair_pk", "pair pk"),
)


def as_plain() -> list[dict[str, Any]]:
    """The columns for the page's script."""
    return [{**asdict(column), "numeric": column.numeric} for column in COLUMNS]

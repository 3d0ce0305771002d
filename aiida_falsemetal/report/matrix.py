"""The verdict matrix in a terminal: interface × MLIP, with the signs and words of the page, also while it runs.

It must be read without colour and at any width: where columns do not fit beside each other they follow in blocks, and
where not even one fits, cells follow in a list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from .cells import Cell, gather
from .data import plain
from .summary import VERDICTS, summarize
from .table import COLOURS
from .text import OTHER, SYMBOLS, number, printable

LABEL, COLUMN = 20, 24
"""Characters of an interface's name and of a cell; longer ones are folded."""
LEAST = 10
BETWEEN = 3
"""Characters between columns, and 2 at the edges."""
SEEDS = 3
"""Seeds under way that a cell names."""
RUNNING = "cyan"
QUEUED = "queued"
"""Detail of a pair of which nothing runs yet."""
CAPTION = "Below a verdict: metallic / converged / selected frames."
CAPTION_SHORT = "Numbers: metallic/converged/selected frames, smallest gap in eV."


class Stage(Protocol):
    """How far a pair is, see :class:`..query.progress.PairProgress`."""

    interface: Any
    mlip: Any
    seed: Any
    stage: str
    detail: str

    @property
    def over(self) -> bool:
        """Whether it has ended."""


@dataclass(frozen=True)
class Square:
    """One cell of the matrix.

    :param cell: what is known of its pairs; None where all wait to be submitted.
    :param stages: of all its pairs.
    """

    interface: str
    mlip: str
    cell: Cell | None
    stages: tuple[Stage, ...] = field(default_factory=tuple)

    @property
    def running(self) -> tuple[Stage, ...]:
        """Of pairs that have not ended."""
        return tuple(stage for stage in self.stages if not stage.over)

    @property
    def judged(self) -> bool:
        """Whether a status can be said: there is a verdict, or no pair is under way."""
        return self.cell is not None and (self.cell.row is not None or not self.running)

    @property
    def status(self) -> str:
        """One of ``VERDICTS``, or a word of another version."""
        return self.cell.status if self.judged and self.cell is not None else "unfinished"

    @property
    def style(self) -> str:
        """Colour of its first line; it repeats what the sign says."""
        return RUNNING if self.status == "unfinished" else COLOURS.get(self.status, "")

    @property
    def doing(self) -> str:
        """What its pairs do now: ``MD 43 %``, or ``1 of 3 seeds done``."""
        if len(self.stages) > 1:
            if all(stage.stage == "waiting" for stage in self.stages):
                # Of seeds whose MD runs in one process, that is more than waiting.
                busy = [stage.detail for stage in self.stages if stage.detail != QUEUED]
                return busy[0] if busy else f"{QUEUED}, {len(self.stages)} seeds"
            return f"{len(self.stages) - len(self.running)} of {len(self.stages)} seeds done"
        return self.stages[0].detail if self.stages else "unfinished"

    @property
    def failed_pairs(self) -> int:
        """Pairs that did not end well."""
        return sum(stage.stage == "failed" for stage in self.stages)

    def lines(self) -> list[str]:
        """Its text, the status first."""
        sign = SYMBOLS.get(self.status, OTHER)
        found = [f"{sign} {self.status if self.judged else self.doing}"]
        if self.cell is not None and self.judged and self.cell.judged != 1:
            found.append(f"{self.cell.seeds} seeds")
        if self.running and (self.judged or len(self.stages) > 1):
            found += [self._seed(stage) for stage in self.running[:SEEDS] if stage.stage != "waiting"]
            queued = sum(stage.stage == "waiting" for stage in self.running)
            found += [f"{queued} seeds queued"] if 0 < queued < len(self.stages) else []
            found += [f"{len(self.running) - SEEDS} seeds more"] if len(self.running) - queued > SEEDS else []
        if self.cell is not None:
            found += self._numbers(self.cell)
        if self.failed_pairs and self.status != "failed":
            whose = "seeds" if self.failed_pairs > 1 else "seed" if len(self.stages) > 1 else "pair"
            count = f"{self.failed_pairs} {whose}" if len(self.stages) > 1 else whose
            found.append(f"{SYMBOLS['failed']} {count} failed")
        return [printable(line) for line in found]

    def _seed(self, stage: Stage) -> str:
        return f"seed {stage.seed}: {stage.detail}"

    def _numbers(self, cell: Cell) -> list[str]:
        found = [cell.counts] if any(pair.selected for pair in cell.pairs) or cell.row is not None else []
        if cell.min_gap is not None:
            found.append(f"min gap {number(cell.min_gap)} eV" + " so far" * bool(self.running))
        return found

    def short(self) -> str:
        """Its text on one line: sign, stage if it runs, numbers."""
        words = [SYMBOLS.get(self.status, OTHER)]
        if not self.judged:
            words.append(self.doing.replace(" seeds done", ""))
        elif self.cell is not None and not any(pair.selected for pair in self.cell.pairs):
            words.append(self.status)
        if self.cell is not None and any(pair.selected for pair in self.cell.pairs):
            totals = [sum(getattr(pair, name) for pair in self.cell.pairs) for name in ("metallic", "converged")]
            words.append("/".join(map(str, [*totals, sum(pair.selected for pair in self.cell.pairs)])))
            words += [number(self.cell.min_gap)] if self.cell.min_gap is not None else []
        return printable(" ".join(words))


def squares(
    rows: Sequence[dict[str, Any]],
    pairs: Sequence[dict[str, Any]],
    cells: Sequence[dict[str, Any]],
    stages: Iterable[Stage],
) -> list[Square]:
    """The cells of a campaign's matrix, those of an interface beside each other.

    :param rows: of its frames, and
    :param pairs: of its pairs, see :func:`..query.rows.current_rows`.
    :param cells: its verdicts, see :func:`..query.cells.cell_rows`.
    :param stages: how far every pair is.
    """
    known = {
        (cell.interface, cell.mlip): cell
        for cell in gather(summarize(plain(list(rows)), plain(list(pairs))), plain(list(cells)))
    }
    staged: dict[tuple[Any, Any], list[Stage]] = {}
    for stage in stages:
        staged.setdefault((stage.interface, stage.mlip), []).append(stage)
    keys = sorted({*known, *staged}, key=str)
    return [Square(printable(key[0]), printable(key[1]), known.get(key), tuple(staged.get(key, ()))) for key in keys]


def matrix(found: Sequence[Square], width: int, short: bool = False) -> RenderableType:
    """All cells: as a table, as tables one below the other, or as a list, as the width has it.

    :param short: one line a cell.
    """
    if not found:
        return Text("no pairs yet")
    columns = list(dict.fromkeys(square.mlip for square in found))
    interfaces = list(dict.fromkeys(square.interface for square in found))
    known = {(square.interface, square.mlip): square for square in found}
    label = min(LABEL, max(len("interface"), *(len(name) for name in interfaces)))
    widths = {name: _width(name, [square for square in found if square.mlip == name], short) for name in columns}
    if 2 + label + BETWEEN + min(max(widths.values()), COLUMN) > width:
        return _list(found, width, short)
    blocks, room = [[columns[0]]], width - 2 - label - BETWEEN - widths[columns[0]]
    for name in columns[1:]:
        room -= BETWEEN + widths[name]
        if room < 0:
            blocks.append([])
            room = width - 2 - label - BETWEEN - widths[name]
        blocks[-1].append(name)
    caption = Text(CAPTION_SHORT if short else CAPTION, style="dim")
    return Group(*(_block(interfaces, block, known, label, widths, short) for block in blocks), caption)


def _width(name: str, found: Sequence[Square], short: bool) -> int:
    lines = [line for square in found for line in ([square.short()] if short else square.lines())]
    return max(LEAST, min(COLUMN, max(len(line) for line in [name, *lines])))


def _block(
    interfaces: Sequence[str],
    columns: Sequence[str],
    known: dict[tuple[str, str], Square],
    label: int,
    widths: dict[str, int],
    short: bool,
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", leading=0 if short else 1, padding=(0, 1))
    table.add_column("interface", width=label, overflow="fold")
    for name in columns:
        table.add_column(Text(name), width=widths[name], overflow="fold")
    for interface in interfaces:
        here = [known.get((interface, name)) for name in columns]
        if any(here):
            table.add_row(Text(interface), *(_text(square, short) for square in here))
    return table


def _text(square: Square | None, short: bool) -> Text:
    if square is None:
        return Text("")
    first, *rest = [square.short()] if short else square.lines()
    return Text.assemble((first, square.style), *(f"\n{line}" for line in rest))


def _list(found: Sequence[Square], width: int, short: bool) -> Group:
    """One cell below the other."""
    lines: list[Text] = []
    for square in found:
        title = f"{square.interface} × {square.mlip}"
        text = _text(square, short)
        if short:
            lines.append(Text.assemble(title, ": ", text, overflow="fold"))
            continue
        lines += [Text(title, style="bold", overflow="fold")]
        lines += [Text.assemble("  ", line, overflow="fold") for line in text.split("\n")]
    return Group(*lines, Text(CAPTION_SHORT if short else CAPTION, style="dim"))


def tally(found: Sequence[Square]) -> str:
    """How many cells have which status, as ``3 □ safe, 1 × failed``."""
    counts = Counter(square.status for square in found)
    order = [*VERDICTS, *sorted(set(counts) - set(VERDICTS))]
    return ", ".join(f"{counts[name]} {SYMBOLS.get(name, OTHER)} {name}" for name in order if counts[name])


def fitted(found: Sequence[Square], console: Console, height: int) -> RenderableType:
    """The fullest form of the matrix that has at most ``height`` lines; where none has, the cells under way and how
    many others there are of each status."""
    for short in (False, True):
        view = matrix(found, console.width, short)
        if len(console.render_lines(view, pad=False)) <= height:
            return view
    busy = [square for square in found if not square.judged and any(s.stage != "waiting" for s in square.stages)]
    shown = busy[: max(0, height - 2)]
    lines = [
        Text(
            f"{square.interface} × {square.mlip}: {square.short()}",
            style=square.style,
            no_wrap=True,
            overflow="ellipsis",
        )
        for square in shown
    ]
    rest = [square for square in found if square not in shown]
    return Group(*lines, Text(f"{'and ' * bool(shown)}{tally(rest)}", no_wrap=True, overflow="ellipsis"))

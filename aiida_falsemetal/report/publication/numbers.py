"""The numbers behind a figure: what is written as CSV and JSON, and all that the figure is drawn from."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from ..data import plain

LONGEST = 120
"""Characters of a file's name without its ending; many file systems end at 255 bytes."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Column:
    """A quantity.

    :param name: key in the JSON.
    :param unit: empty where it has none.
    :param meaning: a phrase, with the sign's convention where there is one.
    """

    name: str
    unit: str = ""
    meaning: str = ""

    @property
    def heading(self) -> str:
        """Heading in the CSV: ``gap (eV)``."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True)
class Part:
    """One group of what a figure shows, such as its frames or a curve.

    :param values: a list for each column that the part has, all of one length.
    """

    name: str
    meaning: str
    values: dict[str, list[Any]]

    def __post_init__(self) -> None:
        """Check that the columns belong together.

        :raises ValueError: if their lengths differ.
        """
        if len({len(values) for values in self.values.values()}) > 1:
            raise ValueError(f"columns of {self.name!r} differ in length.")

    def __len__(self) -> int:
        return len(next(iter(self.values.values()), ()))


@dataclass(frozen=True)
class Numbers:
    """All numbers of one figure.

    :param kind: ``verdicts``, ``widths``, ``gaps``, ``dipoles``, ``energies`` or ``layers``.
    :param key: what it is of: nothing, an interface, the pk of a pair or of a GapWorkChain.
    :param labels: of what it is of, for the file's name.
    :param caption: what the figure shows, with the meaning of its marks.
    :param parameters: numbers that belong to the whole figure: (value, unit).
    """

    kind: str
    key: Any
    labels: tuple[Any, ...]
    caption: str
    columns: tuple[Column, ...]
    parts: tuple[Part, ...]
    parameters: dict[str, tuple[Any, str]] = field(default_factory=dict)

    def part(self, name: str) -> Part:
        """The part of that name, an empty one where the figure has none."""
        return next((part for part in self.parts if part.name == name), Part(name, "", {}))

    def parameter(self, name: str) -> Any:
        """A parameter's value, None where there is none."""
        return self.parameters.get(name, (None, ""))[0]


def part_of(name: str, meaning: str, rows: Iterable[dict[str, Any]], keys: Sequence[str]) -> Part:
    """A part from rows, a key that a row lacks being None."""
    found = list(rows)
    return Part(name, meaning, {key: plain([row.get(key) for row in found]) for key in keys})


BEGINNING = b'{"figure":'
"""How the JSON file of every figure begins."""


def json_text(numbers: Numbers) -> str:
    """The JSON file: strict, null for what is not known. Without indentation: a series has thousands of numbers."""
    return texts(numbers)[1]


def csv_text(numbers: Numbers) -> str:
    """The CSV file: one line a row, the first column naming the part; units are in the heading.

    A column that a part does not have, and what is not known, is an empty cell.
    """
    return texts(numbers)[0]


def texts(numbers: Numbers) -> tuple[str, str]:
    """CSV and JSON, see :func:`csv_text` and :func:`json_text`. Together, for most of the work is to write a number."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["part", *(column.heading for column in numbers.columns)])
    parts = []
    for part in numbers.parts:
        written = {name: _written(values) for name, values in part.values.items()}
        values = ",".join(f"{_dumped(name)}:{of_json}" for name, (_, of_json) in written.items())
        parts.append(f'{{"name":{_dumped(part.name)},"meaning":{_dumped(part.meaning)},"values":{{{values}}}}}')
        if len(part):
            columns = [written[one.name][0] if one.name in written else repeat("") for one in numbers.columns]
            writer.writerows(zip(repeat(part.name, len(part)), *columns, strict=False))
    head = {
        "figure": numbers.kind,
        "of": [plain(label) for label in numbers.labels],
        "caption": numbers.caption,
        "columns": [{"name": c.name, "unit": c.unit, "meaning": c.meaning} for c in numbers.columns],
        "parameters": {name: {"value": plain(v), "unit": unit} for name, (v, unit) in numbers.parameters.items()},
    }
    return buffer.getvalue(), f'{_dumped(head)[:-1]},"parts":[{",".join(parts)}]}}\n'


def _written(values: list[Any]) -> tuple[list[Any], str]:
    """A column's cells of the CSV, and its JSON. Of finite numbers, which are the most, both have the same texts."""
    if set(map(type, values)) == {float} and all(map(math.isfinite, values)):
        told: list[Any] = list(map(float.__repr__, values))
        return told, f"[{','.join(told)}]"
    cells = plain(values)
    return cells, _dumped(cells)


def _dumped(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def stems(figures: Sequence[Numbers]) -> list[str]:
    """A file name without ending for each figure, all different, also where case does not count.

    Letters, digits, ``.``, ``_`` and ``-`` are kept. Where anything else stood, or a name is long or taken, a hash of
    the labels follows; so a name never leaves the folder, and depends on nothing but the labels and their order.
    """
    taken: set[str] = set()
    found = []
    for figure in figures:
        stem = "_".join([figure.kind, *map(str, figure.labels)])
        safe = _UNSAFE.sub("-", stem)
        if safe != stem or len(safe) > LONGEST or safe.casefold() in taken:
            told = json.dumps([figure.kind, *map(str, figure.labels), str(figure.key)])
            safe = f"{safe[: LONGEST - 9]}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
        taken.add(safe.casefold())
        found.append(safe)
    return found

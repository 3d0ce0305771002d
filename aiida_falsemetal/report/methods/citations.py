"""The works that a paragraph cites: from a file of verified BibTeX entries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

FAMILIES = {
    "aimnet": ("anstine2025",),
    "ani": ("smith2017",),
    "chgnet": ("deng2023",),
    "cp2k_nnp": ("schran2020",),
    "grace": ("bochkarev2024",),
    "mace": ("batatia2022",),
    "mace_ewald": ("batatia2022", "loche2025"),
    "mattersim": ("yang2024",),
    "metatomic": ("bigi2025",),
    "nequip": ("tan2025",),
    "openmm": ("eastman2017",),
    "orb": ("rhodes2025",),
    "sevennet": ("park2024",),
    "so3lr": ("kabylda2025",),
}
"""By family of MLIPs. The family ``ase`` can be anything, and cites what the user knows of it."""
FUNCTIONALS = {
    "PBE": ("perdew1996",),
    "revPBE": ("zhang1998",),
    "RPBE": ("hammer1999",),
    "PBEsol": ("perdew2008",),
    "BLYP": ("becke1988", "lee1988"),
    "BP86": ("becke1988", "perdew1986"),
    "WC": ("wu2006wc",),
    "LDA": ("perdew1981",),
}
"""By name as in :mod:`...physics.functionals`; the others' references are not verified yet."""
PSEUDOPOTENTIALS = (
    ("oncv", ("hamann2013",)),
    ("pseudodojo", ("hamann2013", "vansetten2018")),
    ("sg15", ("hamann2013", "schlipf2015")),
    ("sssp", ("prandini2018",)),
)
"""By what a family's label contains, whatever its case."""
_HEAD = re.compile(r"@(\w+)\{([a-z][a-z0-9]*),")
_FIELD = re.compile(r"  (\w+) = \{(.*)\},?")


@dataclass(frozen=True)
class Work:
    """An entry.

    :param kind: of BibTeX, as ``article``.
    :param fields: as they stand in the file.
    :param bibtex: the entry's text.
    """

    kind: str
    key: str
    fields: dict[str, str]
    bibtex: str


@cache
def works() -> dict[str, Work]:
    """All works by key.

    :raises ValueError: if the file is not as it should be, naming the line.
    """
    return parse((resources.files(__package__) / "citations.bib").read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, Work]:
    """Entries of a strict kind of BibTeX: one field a line, all values in braces.

    :raises ValueError: naming the line that is something else, a key that is there twice, or an entry without its end.
    """
    found: dict[str, Work] = {}
    entry: list[str] = []
    for index, line in enumerate(text.splitlines(), start=1):
        if not entry and (not line or line.startswith("%")):
            continue
        if not (_is_inside(line) if entry else _HEAD.fullmatch(line)):
            raise ValueError(f"line {index} is not part of a BibTeX entry as wanted here: {line!r}.")
        entry.append(line)
        if line == "}":
            work = _work(entry)
            if work.key in found:
                raise ValueError(f"line {index}: the key {work.key!r} is there twice.")
            found[work.key] = work
            entry = []
    if entry:
        raise ValueError(f"the entry {entry[0]!r} has no end.")
    return found


def _is_inside(line: str) -> bool:
    """Whether a line may stand in an entry: its end, or a field whose braces match."""
    field = _FIELD.fullmatch(line)
    depth, lowest = 0, 0
    for character in field[2] if field else "":
        depth += {"{": 1, "}": -1}.get(character, 0)
        lowest = min(lowest, depth)
    return line == "}" or (field is not None and depth == lowest == 0)


def _work(entry: list[str]) -> Work:
    head = _HEAD.fullmatch(entry[0])
    fields = [_FIELD.fullmatch(line) for line in entry[1:-1]]
    assert head is not None
    return Work(head[1], head[2], {match[1]: match[2] for match in fields if match}, "\n".join(entry))


def named_in(reference: str) -> list[str]:
    """Keys of the works that a free text names by volume and first page, or by number on arXiv."""
    found = []
    for key, work in works().items():
        fields = work.fields
        page = fields.get("pages", "").split("--")[0]
        place = f"{fields.get('volume')}, {page}"
        if (page and re.search(rf"(?<!\d){place}(?!\d)", reference)) or (fields.get("eprint") or "\0") in reference:
            found.append(key)
    return found


def bibtex(keys: Iterable[str]) -> str:
    """The entries of these works, each once, in the order given.

    :raises KeyError: if one is not known.
    """
    return "\n\n".join(works()[key].bibtex for key in dict.fromkeys(keys)) + "\n"

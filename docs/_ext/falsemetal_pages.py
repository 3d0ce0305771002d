"""Reads the pages without Sphinx: which code blocks they have, and which commands are in them.

Used by the extension that names the blocks' languages, and by ``tests/docs``, which runs the commands.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

DOCS = Path(__file__).parents[1]
PROGRAMS = (
    *("falsemetal", "verdi", "python", "make", "pip", "sudo", "apt-get", "conda", "source", "export", "pytest", "git"),
    *("ssh", "sbatch", "squeue", "aiida-pseudo", "cd", "mkdir"),
)
"""First words of a line that is a command. A block that begins with any other word is not one of commands."""
SHELL = ("bash", "console", "sh")


@dataclass(frozen=True)
class Block:
    """A code block of a page.

    :param page: its path below the repository.
    :param line: of the page, counted from 1, where the block begins.
    :param language: as the page says, empty for an indented block.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def is_shell(self) -> bool:
        """Whether it is one of commands."""
        first = next((line for line in self.text.splitlines() if line.strip()), "")
        return self.language in SHELL or (not self.language and is_command(first))


@dataclass(frozen=True)
class Command:
    """A command line, comments left out.

    :param words: as a shell would split it.
    """

    page: str
    line: int
    text: str
    words: tuple[str, ...]


def is_command(line: str) -> bool:
    """Whether a line begins with one of the programs."""
    word = (line.split() or [""])[0].removeprefix(".venv/bin/")
    return bool(re.fullmatch(r"[A-Z_]+=\S*", word)) or word in PROGRAMS


def pages() -> list[Path]:
    """All pages, with the README."""
    written = (path for path in sorted(DOCS.rglob("*.md")) if "_build" not in path.parts)
    return [DOCS.parent / "README.md", *written]


def blocks(path: Path) -> Iterator[Block]:
    """All code blocks of a page."""
    for token in MarkdownIt("commonmark").parse(path.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block") and token.map is not None:
            language = (token.info.split() or [""])[0]
            if not language.startswith("{"):
                name = str(path.relative_to(DOCS.parent))
                yield Block(name, token.map[0] + 1, language, token.content)


def commands(block: Block) -> Iterator[Command]:
    """The commands of a block; quotes and a backslash at the end go on in the next line.

    In a block that is marked as one of commands every line is one. In an indented block there may be comments, and
    what a command prints.

    :raises ValueError: if a quote is not closed.
    """
    held: list[str] = []
    start = block.line + (1 if block.language else 0)
    first = start
    for number, line in enumerate(block.text.splitlines()):
        if not held and (not line.strip() or line.startswith("#") or not (block.language or is_command(line))):
            continue
        first = first if held else start + number
        held.append(line)
        text = "\n".join(held)
        if text.endswith("\\"):
            continue
        try:
            words = shlex.split(text.replace("\\\n", " "), comments=True)
        except ValueError:
            continue
        held = []
        for part in _separated(words):
            yield Command(block.page, first, shlex.join(part), tuple(part))
    if held:
        raise ValueError(f"{block.page}:{block.line}: a quote is not closed")


def answers(path: Path) -> dict[int, str]:
    """What commands print, by the command's line: the block of text that follows a block of one command, or what
    follows a command inside of an indented block."""
    found: dict[int, str] = {}
    before: Block | None = None
    for block in blocks(path):
        if block.language == "text" and before is not None and before.is_shell:
            asked = list(commands(before))
            if len(asked) == 1:
                found[asked[0].line] = block.text
        if block.is_shell and not block.language:
            lines = block.text.splitlines()
            for number in (n for n, line in enumerate(lines) if line.startswith("Error: ")):
                asked = [command for command in commands(block) if command.line < block.line + number]
                if asked:
                    found[asked[-1].line] = lines[number]
        before = block
    return found


def _separated(words: list[str]) -> Iterator[list[str]]:
    """Commands with `;`, `&&` or `|` between them."""
    part: list[str] = []
    for word in words:
        ends = word.endswith(";")
        if word in ("&&", "|", ";"):
            yield part
            part = []
            continue
        part.append(word.removesuffix(";"))
        if ends:
            yield part
            part = []
    if part:
        yield part

"""The last lines that tell something of a job's logs. Their text is someone else's: it is cleaned and bounded."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from aiida import orm
from aiida.manage import get_manager

TAIL_BYTES = 64_000
LINE_LENGTH = 160
LINES = 15
"""Lines of all logs of a job together."""
STDERR_LINES = 5
"""Of them at most, where another log says something too."""
MD_LOG, PW_LOG, CRASH, STDERR = "driver.log", "aiida.out", "CRASH", "_scheduler-stderr.txt"
LOGS = (CRASH, STDERR, MD_LOG, PW_LOG)
"""Files that are looked for. Names that a node gives are not: an archive's could be of any file of this machine."""

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
"""Control sequences of terminals: CSI, strings as OSC, and the short ones."""
_DECORATION = re.compile(r"[ %=*#_.+|-]*")
_TIMES = re.compile(r"^[ \t]*init_run[ \t]*:.*WALL", re.MULTILINE)
"""Where pw.x begins to list where its time went, after all that it has to say."""
_NOISE = re.compile(
    r"[-\d. ]+|total cpu time spent.*|.*written to file|Writing output data file.*|Message from routine punch:|"
    r"(?:Adding external|Computed dipole along|Elec\. dipole|Ion\. dipole|Dipole|Potential amp\.|Total length|ethr).*|"
    r"Davidson diagonalization.*|k = .*bands.*|STOP \d+"
)
"""Lines of pw.x that say nothing of why it stopped."""


@dataclass(frozen=True)
class Log:
    """The end of a log.

    :param name: of the file, or ``report`` for what AiiDA wrote down of a process.
    :param lines: clean text, see :func:`clean`.
    """

    name: str
    lines: tuple[str, ...]


def clean(text: str, longest: int = LINE_LENGTH) -> str:
    """One line that does nothing to a terminal: no control sequence, no control or direction character, bounded."""
    bare = _ESCAPE.sub("", text[: 8 * longest])
    shown = "".join(letter if letter.isprintable() else " " for letter in bare).rstrip()
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."


def informative(text: str) -> list[str]:
    """Lines of a log without what decorates or repeats it, cleaned, in their order."""
    found = _TIMES.search(text)
    kept = text[: found.start()] if found else text
    # A line that a program wrote over itself, as a progress bar, is its last state.
    lines = [clean(line.rstrip("\r").rpartition("\r")[2]) for line in kept.split("\n")]
    # Matched when they are short, so that no line takes long.
    return [line for line in lines if not _DECORATION.fullmatch(line) and not _NOISE.fullmatch(line.strip())]


def log_tail(node: orm.ProcessNode, most: int = LINES) -> list[Log]:
    """The ends of a process's logs, ``most`` lines at most.

    Of a job: what it left in its retrieved folder, or, where nothing was retrieved, what lies in its folder on this
    machine. Of any other process: the last thing that AiiDA wrote down, which holds the traceback of one that excepted.
    """
    texts = job_texts(node) if isinstance(node, orm.CalcJobNode) else {}
    logs = {name: informative(text) for name, text in texts.items()}
    logs = {name: lines for name, lines in logs.items() if lines}
    if not logs:
        logs = {"report": _reported(node)}
    found = []
    for name, lines in logs.items():
        room = min(most, STDERR_LINES) if name == STDERR and len(logs) > 1 else most
        if room and lines:
            found.append(Log(name, tuple(dedent("\n".join(lines[-room:])).split("\n"))))
            most -= len(found[-1].lines)
    return found


def _reported(node: orm.ProcessNode) -> list[str]:
    logs = orm.Log.collection.get_logs_for(node)
    return informative(str(logs[-1].message)) if logs else []


def job_texts(job: orm.CalcJobNode) -> dict[str, str]:
    """The ends of those of ``LOGS`` that a job has, by name."""
    if "retrieved" in job.outputs:
        folder = job.outputs.retrieved.base.repository
        there = set(folder.list_object_names())
        return {name: _stored_tail(folder, name) for name in LOGS if name in there}
    found = {name: remote_tail(job.get_remote_workdir(), _transport(job), name) for name in LOGS}
    return {name: text for name, text in found.items() if text}


def _transport(job: orm.CalcJobNode) -> str | None:
    return None if job.computer is None else job.computer.transport_type


def _stored_tail(folder: Any, name: str) -> str:
    """End of a file in the repository. It is read through, for not every repository can seek from a file's end."""
    kept = b""
    with folder.open(name, "rb") as handle:
        while chunk := handle.read(TAIL_BYTES):
            kept = (kept + chunk)[-TAIL_BYTES:]
    return bytes(kept).decode(errors="replace")


def remote_tail(folder: str | None, transport: str | None, name: str, size: int = TAIL_BYTES) -> str:
    """End of a file in a job's folder, where that is on this machine; else, or where it cannot be read, empty.

    Nothing is read for the nodes of an archive: the folders that it names were another machine's.
    """
    if not folder or transport != "core.local" or get_manager().get_profile_storage().read_only:
        return ""
    path = Path(folder) / name
    try:
        # Opening a pipe would wait for its writer.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return ""
        with open(path, "rb") as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(0, handle.tell() - size))
            return handle.read().decode(errors="replace")
    except OSError:
        return ""

"""Looks for code in a model's file before anything loads it.

Most model files are pickles, and a pickle names the Python functions that loading it calls. Here every pickle of a file
is followed opcode by opcode (:mod:`.pickles`), nothing of it is imported or called, and each name is judged:
picklescan's list of what is dangerous, our own short list of what models need, and ``unknown`` for all the rest. What
cannot be read to its end is ``unknown`` too: never is silence taken for safety.

Files are read as whichever program reads them last would read them: zip archives (of ``torch.save``, TorchScript, our
own bundles) with every member, whatever its name; tar archives; numpy files; the five stacked pickles of old torch
files; bare pickles; text. Archives are searched in archives, and byte strings in pickles like files: e3nn keeps
TorchScript archives and (from 0.5) pickles in them.

TorchScript (``code/*.py`` of an archive, ``__torch__`` names) is run by torch's own interpreter, which knows no
``import``: it is no Python. ``CodeGenMixin.__setstate__`` of e3nn hands such bytes to ``torch.jit.load`` while a MACE
file is unpickled. Its operators can write and read files, though, so those are looked for, and so are operators of
libraries that we do not know.

What this does not do: say that a model is any good, or find a fault of torch's own readers that broken numbers trigger.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import re
import struct
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .family import ModelError
from .pickles import Findings, Followed, follow

RULES = 2
"""Raised whenever the rules here or in :mod:`.pickles` change, so that a stored report tells which were asked."""
MAXIMUM_DEPTH = 6
"""Archives and pickles inside of each other."""
MAXIMUM_GROWTH = 20
"""How many times its size, plus 100 MB, a file may have when unpacked: a small file could fill the memory."""
ZIP = b"PK\x03\x04"
NUMPY = b"\x93NUMPY"
TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The first pickle of a file by ``torch.save`` before torch 1.6: a number, as a pickle of its own."""
NUMBERS = re.compile(r"[^/]+/(data|constants|tensors|data/constants)/\d+|.*\.(wparam|bparam|nnf)")
"""Members that are raw or compressed numbers: storages of torch, NeuroChem's networks. Nothing unpickles them."""
OPERATORS = ("prim", "aten", "metatensor", "metatomic", "torch_scatter", "torch_sparse", "torch_cluster")
"""Libraries of TorchScript operators that do arithmetic only; others, as torchvision's ``image``, write files."""
_SCRIPT_FILES = re.compile(r"\.\s*(\w*save|from_file|read_file|write_file)\b")
_SCRIPT_OPERATORS = re.compile(r"\bops\b(?:\s*\.\s*(\w+))?")
_SCRIPT_CLASSES = re.compile(r"__torch__\.torch\.classes\.(\w+)")


@dataclass(frozen=True)
class ScanReport:
    """What a scan found.

    :param sha256: checksum of the very bytes that were scanned.
    :param scanner: name and version of what scanned them.
    :param verdict: ``safe``, ``unknown`` or ``dangerous``.
    :param findings: what is not known to be safe, as in ``os.system (dangerous)``; the dangerous first.
    """

    sha256: str
    scanner: str
    verdict: str
    findings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report as plain types."""
        return {
            "sha256": self.sha256,
            "scanner": self.scanner,
            "verdict": self.verdict,
            "findings": list(self.findings),
        }


class UnsafeModelError(ModelError):
    """A model's file may run code when it is loaded, and nobody has accepted that."""


def scan_model(path: Path) -> ScanReport:
    """Scan a model's file without loading it.

    :raises OSError: if the file cannot be read. What is in it never raises anything.
    """
    return scan_bytes(path.read_bytes(), path.name)


def scan_bytes(content: bytes, name: str) -> ScanReport:
    """Scan the content of a model's file; see :func:`scan_model`.

    :param name: of the file, for the findings.
    """
    findings = Findings()
    _Scan(findings, len(content)).file(content, name, 0)
    return ScanReport(hashlib.sha256(content).hexdigest(), _scanner(), findings.verdict, findings.sorted())


def require_safe(path: Path, accepted: str | None = None) -> ScanReport:
    """The report on a model's file, if it may be loaded.

    :param accepted: the user's reason to load a file that is not known to be safe. The report is as without it.
    :raises UnsafeModelError: if the file is not safe and there is no reason.
    :raises OSError: if the file cannot be read.
    """
    report = scan_model(path)
    if report.verdict != "safe" and not (accepted or "").strip():
        raise UnsafeModelError(refusal(path.name, report))
    return report


def refusal(name: str, report: ScanReport) -> str:
    """Why a file is not loaded, and after a semicolon what to do about it.

    :param name: of the file.
    """
    shown = ", ".join(report.findings[:4])
    more = f" and {len(report.findings) - 4} more" if len(report.findings) > 4 else ""
    what = "runs code when it is loaded" if report.verdict == "dangerous" else "may run code when it is loaded"
    # What is before the semicolon is the problem, what is after it the remedy: no other one may come before.
    return (
        f"{name} {what}: {shown.replace('; ', ', ')}{more}; ask its author for the weights in a safe form, or read "
        f"what it names with `falsemetal model scan {name}` and accept it with `accept_unsafe: REASON` in the campaign "
        "file or `--accept-unsafe REASON`."
    )


class _Scan:
    """One scan: goes through containers, and adds to the findings."""

    def __init__(self, findings: Findings, size: int) -> None:
        self.findings = findings
        self.left = MAXIMUM_GROWTH * size + 100 * 2**20

    def file(self, content: bytes, name: str, depth: int, numbers: bool = False) -> None:
        """Any content by its first bytes, not by its name.

        :param numbers: whether unknown content is fine, for nothing reads it but as numbers.
        """
        if not self._go_on(content, name, depth):
            return
        try:
            self._by_format(content, name, depth, numbers)
        except Exception as error:  # hostile files are made to raise what no reader expects
            self.findings.unknown(f"{name} cannot be read to its end ({_short(error)})")

    def _by_format(self, content: bytes, name: str, depth: int, numbers: bool) -> None:
        if _is_tar(content):  # besides the others, for a tar archive starts with a file name, which can be anything
            self._tar(content, name, depth)
        if depth == 0:
            self._look_behind(content, name)
        if content.startswith(ZIP):
            self._zip(content, name, depth)
        elif content.startswith(TORCH_LEGACY):
            self._pickles(content, name, depth, count=5)  # magic number, version, machine, object, keys; then numbers
        elif content.startswith(NUMPY):
            self._numpy(content, name, depth)
        elif numbers:
            if _has_magic(content):  # chance writes such bytes too, but hardly ever names after them
                self._glimpse(content, name, depth)
        elif _has_magic(content):
            self._pickles(content, name, depth)
        elif _is_text(content):
            self._text(content.decode(), name, depth)
        elif not (self._glimpse(content, name, depth) or _is_tar(content) or _is_safetensors(content)):
            self.findings.unknown(f"{name} is of no known format")

    def _go_on(self, content: bytes, name: str, depth: int) -> bool:
        self.left -= len(content)
        if depth > MAXIMUM_DEPTH or self.left < 0:
            self.findings.unknown(f"{name} is {'too deep inside of other files' if self.left >= 0 else 'too large'}")
            return False
        return True

    def _pickles(self, content: bytes, name: str, depth: int, count: int = 0) -> None:
        """Pickles one after the other. Without a count up to the end of the content: whoever reads one may read on."""
        stream, done = io.BytesIO(content), 0
        while (stream.tell() < len(content) or not done) and (not count or done < count):
            pickle = follow(stream, name, self.findings)
            for constant in pickle.constants:
                self._constant(constant, name, depth)
            if pickle.fault:
                where = "is not a complete pickle" if not done else f"goes on after {done} pickles with something else"
                self.findings.unknown(f"{name} {where} ({pickle.fault})")
                return
            done += 1

    def _constant(self, content: bytes, name: str, depth: int) -> None:
        """A byte string in a pickle: mostly numbers of numpy, and archives or pickles of e3nn."""
        inside = f"a byte string in {name}"
        self._look_behind(content, inside)
        self.file(content, inside, depth + 1, numbers=True)
        if not _has_magic(content):
            self._glimpse(content, inside, depth + 1)

    def _look_behind(self, content: bytes, name: str) -> None:
        """Look for an archive behind other bytes: torch finds one from its end, after which 65535 bytes may follow."""
        if not content.startswith(ZIP) and b"PK\x05\x06" in content[-(65535 + 22) :]:
            self.findings.unknown(f"{name} has a zip archive behind something else")

    def _glimpse(self, content: bytes, name: str, depth: int) -> bool:
        """Content that need not be a pickle, and says nothing of it at its start; so do pickles of protocols 0 and 1.

        If it names something before it ends or breaks, it counts as one: an unpickler imports at once what is named.

        :return: whether it is a pickle.
        """
        stream, pickle = io.BytesIO(content), Followed()
        while not pickle.fault and not pickle.named and stream.tell() < len(content):
            pickle = follow(stream, name, Findings())
        if pickle.named:
            self._pickles(content, name, depth)
        return pickle.named or not pickle.fault

    def _zip(self, content: bytes, name: str, depth: int) -> None:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            fault = _odd_archive(content, members, archive.start_dir)
            if fault:
                self.findings.unknown(f"{name} is a zip archive that programs read differently ({fault})")
            script = any(member.filename.endswith("/constants.pkl") for member in members)
            for member in members:  # not names: an archive may hold the same name twice
                self._member(archive, member, name, depth, script)

    def _member(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, depth: int, script: bool) -> None:
        inside = member.filename
        if member.file_size > self.left:
            self.findings.unknown(f"{inside} in {name} is too large")
            return
        try:
            content = archive.read(member)  # compares the checksum, which torch does not
        except Exception as error:  # encrypted, damaged, compressed by an unknown method, made to look so
            self.findings.unknown(f"{inside} in {name} cannot be read ({_short(error)})")
            return
        source = inside.lower().endswith((".py", ".pyc"))
        if source and script and re.fullmatch(r"[^/]+/code/__torch__(/\w+)*\.py|[^/]+/code/__torch__\.py", inside):
            self._script(content, inside)
        elif source:
            self.findings.unknown(f"{inside} in {name} is Python code")
        elif inside.endswith("extra/extensions") and content.strip() not in (b"", b"[]"):
            self.findings.unknown(f"{inside} in {name} names libraries to be loaded")
        else:
            self.file(content, inside, depth + 1, numbers=NUMBERS.fullmatch(inside) is not None)

    def _script(self, content: bytes, name: str) -> None:
        """TorchScript: operators that touch files, and operators of libraries."""
        text = content.decode()
        if "\\\n" in text or "\\\r" in text:
            self.findings.unknown(f"{name} has TorchScript with broken lines")
        if "#" in text:  # torch writes none, and a comment may stand between a dot and its name
            self.findings.unknown(f"{name} has TorchScript with comments")
        for match in _SCRIPT_FILES.finditer(text):
            self.findings.unknown(f"{name} has TorchScript that reads or writes files ({match[1]})")
        for match in _SCRIPT_OPERATORS.finditer(text):
            if match[1] not in OPERATORS:
                self.findings.unknown(f"{name} has TorchScript operators of another library ({match[1]})")
        for match in _SCRIPT_CLASSES.finditer(text):
            if match[1] not in OPERATORS:
                self.findings.unknown(f"{name} has TorchScript classes of another library ({match[1]})")

    def _tar(self, content: bytes, name: str, depth: int) -> None:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                if member.isdir():
                    continue
                stream = archive.extractfile(member) if member.isreg() else None
                if stream is None or member.size > self.left:
                    self.findings.unknown(f"{member.name} in {name} is {'too large' if stream else 'no regular file'}")
                    continue
                self.file(stream.read(), member.name, depth + 1)

    def _numpy(self, content: bytes, name: str, depth: int) -> None:
        stream = io.BytesIO(content)
        version = np.lib.format.read_magic(stream)
        reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if reader is None:
            self.findings.unknown(f"{name} is a numpy file of an unknown version")
            return
        dtype = reader(stream)[2]
        if dtype.hasobject:
            self._pickles(content[stream.tell() :], name, depth)

    def _text(self, text: str, name: str, depth: int) -> None:
        self._glimpse(text.encode(), name, depth)  # pickles of protocol 0 are text
        if not text.lstrip("\ufeff \t\r\n").startswith("<"):
            return
        # OpenMM runs what is in these elements as Python when it makes a system.
        for match in re.finditer(r"<\s*(?:\w+:)?(\w*Script)\b", text, re.IGNORECASE):
            self.findings.dangerous(f"<{match[1]}> of {name}, Python code")
        if re.search(r"<\s*(?:\w+:)?Include\b", text, re.IGNORECASE):
            self.findings.unknown(f"{name} includes another file")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:  # may build such elements from pieces
            self.findings.unknown(f"{name} is XML that defines entities")
        encoding = re.search(r"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']*)", text)
        if encoding and encoding[1].lower() not in ("utf-8", "utf8", "us-ascii", "ascii"):
            self.findings.unknown(f"{name} is XML in the encoding {encoding[1][:20]}")


def _has_magic(content: bytes) -> bool:
    """Whether this starts as pickles of protocol 2 and later do."""
    return content[:1] == b"\x80" and content[1:2] <= b"\x05"


def _is_text(content: bytes) -> bool:
    """Whether this is UTF-8 without control characters but those of lines."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return not re.search(r"[\x00-\x08\x0b\x0e-\x1f\x7f]", text)


def _is_tar(content: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(content[:512], "utf-8", "surrogateescape")
    except Exception:  # tarfile raises several kinds for what is no header
        return False
    return True


def _is_safetensors(content: bytes) -> bool:
    """The safe form: the length of a JSON text, the text, numbers."""
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= min(len(content) - 8, 100 * 2**20):
        return False
    try:
        return isinstance(json.loads(content[8 : 8 + length]), dict)
    except (ValueError, RecursionError):
        return False


def _odd_archive(content: bytes, members: list[zipfile.ZipInfo], start: int) -> str:
    """Why another program might read other members than Python does, or an empty string.

    torch has its own reader of zip files. Both agree on an archive that has its members end to end, then one table of
    them, then the end; what is hidden in between, before or behind may be read by one of the two only.
    """
    tail = len(content) - 22
    if content[tail : tail + 4] != b"PK\x05\x06" or content[-2:] != b"\x00\x00":
        return "something follows its end"
    count, size, offset = struct.unpack("<10xHLL2x", content[tail:])
    end = tail
    if content[tail - 20 : tail - 16] == b"PK\x06\x07":
        end = tail - 76
        record = content[end : tail - 20]
        (place,) = struct.unpack("<8xQ4x", content[tail - 20 : tail])
        if record[:4] != b"PK\x06\x06" or place != end or record[4:12] != struct.pack("<Q", 44):
            return "its two ends differ"
        large = struct.unpack("<32xQQQ", record)
        for small, value, limit in zip((count, size, offset), large, (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF), strict=True):
            if small not in (value, limit):
                return "its two ends differ"
        count, size, offset = large
    if (count, offset, offset + size) != (len(members), start, end):
        return "its table is not where it should be"
    return _gaps(content, members, start)


def _gaps(content: bytes, members: list[zipfile.ZipInfo], start: int) -> str:
    """Whether there is room between the members for others; checksums (24 bytes) may follow each."""
    reached = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if not (reached <= member.header_offset <= reached + (24 if reached else 0)):
            return f"bytes that belong to nothing before {member.filename}"
        header = content[member.header_offset : member.header_offset + 30]
        if header[:4] != ZIP:
            return f"no member where {member.filename} should be"
        method, name, extra = struct.unpack("<8xH16xHH", header)
        if method != member.compress_type:
            return f"two methods of compression for {member.filename}"
        reached = member.header_offset + 30 + name + extra + member.compress_size
    if not reached <= start <= reached + 24:
        return "bytes that belong to nothing before its table"
    return ""


def _scanner() -> str:
    return f"picklescan {importlib.metadata.version('picklescan')}, falsemetal rules {RULES}"


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:160]

"""Model files: what scans and reads them before a campaign is submitted, and what `falsemetal model` says of them."""

from __future__ import annotations

import io
import pickle
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from aiida_falsemetal.campaign.check import check_campaign
from aiida_falsemetal.campaign.errors import CampaignError
from aiida_falsemetal.campaign.peek import peek_mace
from aiida_falsemetal.campaign.schema import parse_campaign
from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.family import ModelError
from aiida_falsemetal.mlips.scan import scan_bytes

from .grown import FILM
from .harness import fuzzed, sentence
from .hostile import PATHS, SHELL, texts, values

_FOLDER = tempfile.TemporaryDirectory(prefix="falsemetal-fuzz-")
FOLDER = Path(_FOLDER.name)
LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
"""A few hundred bytes of XML that become a gigabyte."""
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
ENTRIES = (
    "../../evil",
    "/etc/evil",
    "data.pkl",
    "archive/data.pkl",
    "archive/code/x.py",
    "a/" * 500,
    "\x00",
    "archive/data/0",
)
OPCODES = (
    b"cos\nsystem\n(S'touch pwned'\ntR.",
    b"\x80\x04.",
    b"(" * 2000,
    b"\x94" * 500,
    b"]" * 999,
    b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x80\xff",
)


class Touch:
    """A pickle that runs a command."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch pwned",)


def _zip(entries: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, packing)
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (("../evil", tarfile.REGTYPE), ("link", tarfile.SYMTYPE), ("fifo", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    return buffer.getvalue()


def _array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@cache
def bases() -> list[bytes]:
    """Files of all kinds that are read: right ones, and ones that were made to do harm."""
    twin, ewald = (model_path(presets()[name]).read_bytes() for name in ("twin-sr", "spcfw-ewald"))
    head = b"<?xml version='1.0'?>"
    return [
        *(twin, ewald, ewald, ewald, _tar(), _array(), pickle.dumps(Touch()), pickle.dumps({"a": [1.0, Touch()]}), b""),
        _zip({"archive/data.pkl": pickle.dumps(Touch()), "archive/version": b"3"}),
        _zip({"archive/data.pkl": b"0" * 300_000_000}, zipfile.ZIP_DEFLATED)[:2_000_000],
        _zip({name: pickle.dumps(1) for name in ENTRIES}),
        head + LAUGHS.encode() + b"<ForceField><Info>&i;</Info></ForceField>",
        head + OUTSIDE.encode() + b"<ForceField><Info>&a;</Info></ForceField>",
        b'{"__metadata__": {}}',
    ]


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """One of them, cut or with something put into it."""
    content = draw(st.sampled_from(range(len(bases()))).map(lambda number: bases()[number]))
    for _ in range(draw(st.integers(0, 3))):
        first, last = sorted((draw(st.integers(0, len(content))), draw(st.integers(0, len(content)))))
        kind = draw(st.sampled_from(("put", "put", "cut", "end", "double", "flip")))
        word = draw(
            st.one_of(
                st.sampled_from(OPCODES), st.binary(max_size=8), texts.map(lambda t: t.encode("utf-8", "replace"))
            )
        )
        if kind == "put":
            content = content[:first] + word + content[first:]
        elif kind == "cut":
            content = content[:first] + content[min(last, first + 200) :]
        elif kind == "end":
            content = content[:last]
        elif kind == "double":
            content = content[:last] + content[max(first, last - 500) :]
        else:
            content = content[:first] + word + content[first + len(word) :]
    return content


def check_scans_of_model_files(content: bytes) -> str:
    """The scan raises nothing at all, and the reader that replaces torch's runs nothing."""
    report = scan_bytes(content, "any.model")
    path = FOLDER / "any.model"
    path.write_bytes(content)
    try:
        peek_mace(path)
    except ModelError as error:
        sentence(str(error))
    assert not Path("pwned").exists()
    return report.verdict


FAMILIES = ("mace", "mace_ewald", "openmm", "openmm", "openmm", "cp2k_nnp", "nequip", "metatomic", "none")
NAMES = ("a.model", "a.xml", "a b;$(touch pwned)'\".xml", "-rf.xml", "\u202ex.xml", "a.pt", "<b>.nnp")


def check_models_of_campaigns(case: tuple[bytes, str, str, dict[str, object]]) -> str:
    """The same as a campaign's model, read by its own package where the scan lets it."""
    content, name, family, kwargs = case
    path = FOLDER / name
    path.write_bytes(content)
    try:
        data = {
            "name": "x",
            "interfaces": {"film": FILM},
            "mlips": {"m": {"family": family, "file": name, "kwargs": kwargs}},
        }
        check_campaign(parse_campaign(data, "x.yaml"), FOLDER / "x.yaml")
    except CampaignError as error:
        sentence(str(error))
        return "refused"
    finally:
        path.unlink()
        assert not Path("pwned").exists()
    return "accepted"


keys = st.sampled_from(
    ["cutoff", "coulomb", "device", "head", "calculator", "kwargs", "facts", "charges", "default_dtype"]
)
kwargs = st.one_of(
    st.just({}),
    st.just({"cutoff": 6.0}),
    st.dictionaries(st.one_of(keys, texts), values, max_size=2),
    st.fixed_dictionaries(
        {
            "calculator": st.sampled_from(
                [
                    "os:system",
                    "subprocess:Popen",
                    "ase.calculators.emt:EMT",
                    *SHELL,
                    *PATHS,
                    "this:x",
                    "unittest.__main__:X",
                ]
            ),
            "facts": st.just({"elements": ["H", "O"], "cutoff": 6.0, "layers": 1, "long_ranged": False}),
        }
    ),
)
test_scans, test_scans_long = fuzzed(check_scans_of_model_files, spoilt(), 60, 2000)
test_models, test_models_long = fuzzed(
    check_models_of_campaigns,
    st.one_of(
        st.tuples(spoilt(), st.sampled_from(NAMES), st.sampled_from(FAMILIES), kwargs),
        st.tuples(st.just(b"x"), st.just("a.x"), st.just("ase"), kwargs),
    ),
    15,
    800,
)

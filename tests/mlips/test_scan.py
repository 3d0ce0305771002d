"""Hostile model files are refused and do not run, whatever they hide in; the models that we ship and know are safe."""

from __future__ import annotations

import builtins
import functools
import hashlib
import importlib
import io
import operator
import os
import pickle
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.fx.graph_module import reduce_graph_module

from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.family import ModelError
from aiida_falsemetal.mlips.graphcode import fault_of_code
from aiida_falsemetal.mlips.scan import UnsafeModelError, require_safe, scan_bytes, scan_model

SHIPPED = [name for name, entry in presets().items() if entry.shipped]
ENVIRONMENTS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiida-falsemetal/test-environments"
IMPORTS = "from torch import device\nimport torch\n"


class Calls:
    """Pickles to a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "executed"


@pytest.fixture
def evil(marker: Path) -> Calls:
    return Calls(os.system, f"touch {marker}")


def bare(payload: Any, protocol: int = 2) -> bytes:
    return pickle.dumps(payload, protocol)


def saved(payload: Any, **options: Any) -> bytes:
    """What ``torch.save`` writes."""
    buffer = io.BytesIO()
    torch.save(payload, buffer, **options)
    return buffer.getvalue()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def text(value: str) -> bytes:
    """The opcode of a string."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def named(module: str, name: str) -> bytes:
    """Opcodes that name something in the way of protocol 4."""
    return text(module) + text(name) + b"\x93"


def twin_with(hostile: bytes) -> bytes:
    """The short-ranged twin, with some opcodes before the last one of its pickle."""
    members = unpacked(model_path(presets()["twin-sr"]).read_bytes())
    (pickled,) = [name for name in members if name.endswith("data.pkl")]
    assert members[pickled].endswith(b".")
    members[pickled] = members[pickled][:-1] + hostile + b"."
    return zipped(members)


def array_of(payload: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([payload], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def polyglot(payload: Any) -> bytes:
    """An archive whose first name is the beginning of an old torch file; torch tries to read an archive first."""
    content = bytearray(tarred({"x" * 99: b"", "storages": bare(payload)}))
    begin = saved({}, _use_new_zipfile_serialization=False)
    content[: min(99, len(begin))] = begin[:99]
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\x00 " % sum(content[:512])
    return bytes(content)


MAGIC_IN_TEXT = b"L119547037146038801333356L\n.I1001\n.(d."
"""Begins an old torch file like TORCH_LEGACY does, without a byte that tells of pickles."""
HIDDEN: dict[str, Callable[[Any], bytes]] = {
    "torch zip": saved,
    "torch zip, protocol 4": lambda evil: saved(evil, pickle_protocol=4),
    "old torch": lambda evil: saved(evil, _use_new_zipfile_serialization=False),
    "old torch in text": lambda evil: MAGIC_IN_TEXT + bare(evil, 0),
    **{f"bare, protocol {number}": functools.partial(bare, protocol=number) for number in range(6)},
    "tar": lambda evil: tarred({"pickle": bare(evil)}),
    "tar that begins like old torch": polyglot,
    "tar of a torch zip": lambda evil: tarred({"model.pth": saved(evil)}),
    "tar whose first name is a pickle": lambda evil: tarred({"(cos\nsystem\n": b""}),
    "torch zip in a zip": lambda evil: zipped({"model.pth.tar": saved(evil)}, zipfile.ZIP_DEFLATED),
    "renamed": lambda evil: zipped(
        {name.replace(".pkl", ".txt"): data for name, data in unpacked(saved(evil)).items()}
    ),
    "as a storage": lambda evil: zipped({**unpacked(saved(torch.ones(2))), "archive/data/1": bare(evil)}),
    "renamed, protocol 0": lambda evil: zipped({"a/data.pkl": bare({}), "a/readme": bare(evil, 0)}),
    "two data.pkl": lambda evil: zipped({"a/data.pkl": bare({}), "b/data.pkl": bare(evil)}),
    "after STOP": lambda evil: bare({"a": 1}) + bare(evil),
    "after two STOPs in text": lambda evil: b"I1\n.I2\n." + bare(evil, 0),
    "before garbage": lambda evil: bare(evil)[:-1] + b"\xff garbage",
    "in bytes for pickle.loads": lambda evil: bare(Calls(pickle.loads, bare(evil)), 4),
    "in bytes of a list": lambda evil: bare([bare(evil)], 4),
    "in bytes of a list, protocol 0": lambda evil: bare([bare(evil, 0)], 4),
    "in bytes by encoding": lambda evil: bare([bare(evil)], 2),
    "numpy array": array_of,
    "npz": lambda evil: zipped({"a.npy": array_of(evil)}),
    "twin": lambda evil: twin_with(bare(evil)[2:-1]),
    "twin, popped": lambda evil: twin_with(bare(evil)[2:-1] + b"0"),
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN.keys())
def test_hidden_call_is_dangerous_and_does_not_run(
    hidden: Callable[[Any], bytes], evil: Calls, marker: Path, tmp_path: Path
) -> None:
    path = tmp_path / "hostile.model"
    path.write_bytes(hidden(evil))
    report = scan_model(path)
    assert report.verdict == "dangerous"
    assert any("system" in finding or "pickle.loads" in finding for finding in report.findings)
    with pytest.raises(UnsafeModelError, match=r"hostile\.model runs code"):
        require_safe(path)
    assert not marker.exists()


def test_hostile_file_of_this_test_does_run_when_loaded(evil: Calls, marker: Path) -> None:
    """Else the other tests would prove nothing."""
    torch.load(io.BytesIO(HIDDEN["torch zip"](evil)), weights_only=False)
    assert marker.exists()


def calls(marker: Path) -> dict[str, Any]:
    code = f"open({str(marker)!r}, 'w')"
    return {
        "posix": Calls(os.system, "true"),
        "exec": Calls(exec, code),
        "eval": Calls(eval, code),
        "import": Calls(builtins.__import__, "antigravity"),
        "import_module": Calls(importlib.import_module, "antigravity"),
        "getattr": Calls(getattr, os, "system"),
        "getattr of an allowed class": Calls(getattr, torch.nn.Linear, "__init__"),
        "attrgetter": Calls(operator.attrgetter, "system"),
        "methodcaller": Calls(operator.methodcaller, "system", "true"),
        "partial": Calls(functools.partial, os.system, "true"),
        "map": Calls(map, print, [1]),
        "hub": Calls(torch.hub.load, "nobody/nothing", "model"),
        "torch.load": Calls(torch.load, "other.model"),
        "torch.jit.load": Calls(torch.jit.load, "other.model"),
        "load from bytes": Calls(torch.storage._load_from_bytes, b""),
        "numpy.load": Calls(np.load, "other.npy"),
        "write": Calls(Path.write_text, Path("x"), "y"),
        "constructor": Calls(torch.nn.Linear, 2, 2),
        "bytes from numbers": Calls(bytes, [99, 111, 115]),
        "another codec": Calls(__import__("_codecs").encode, "pbf", "rot13"),
    }


@pytest.mark.parametrize("which", calls(Path("x")))
@pytest.mark.parametrize("protocol", [2, 4])
def test_call_that_may_run_code_is_refused(which: str, protocol: int, marker: Path, tmp_path: Path) -> None:
    path = tmp_path / "hostile.pt"
    path.write_bytes(pickle_as_named(which, calls(marker)[which], protocol))
    with pytest.raises(UnsafeModelError):
        require_safe(path)
    assert not marker.exists()


def pickle_as_named(which: str, payload: Calls, protocol: int) -> bytes:
    if "getattr" in which or which in ("partial", "attrgetter", "methodcaller"):
        # What a module or an operator is pickled to differs; only that the first call is named matters.
        module, name = payload.call[0].__module__, payload.call[0].__name__
        return b"\x80\x04" + named(module, name) + text("os") + text("system") + b"\x86R."
    return zipped({"archive/data.pkl": bare(payload, protocol)})


POLY = named("e3nn.o3._angular_spherical_harmonics", "Poly")  # of sympy: its constructor evaluates a text
LAYER = named("torch.nn.modules.linear", "Identity") + b")\x81"
OPCODES = {
    "append of its own": LAYER + b"}" + text("append") + POLY + b"sb" + text("1+1") + b"a",
    "class in a list": b"]" + POLY + b"a",
    "class in a tuple in a dictionary": b"}" + text("x") + POLY + b"\x85s",
    "class as an attribute": LAYER + b"}" + text("x") + POLY + b"sb",
    "class as a state": LAYER + POLY + b"b",
    "class as an argument": named("collections", "OrderedDict") + POLY + b"\x85R",
    "something added to an object": LAYER + text("x") + b"a",
    "several things added to an object": LAYER + b"(" + text("x") + b"e",
    "something put into an object as into a set": LAYER + b"(" + text("x") + b"\x90",
    "object told how to be built": LAYER + b"}" + text("__setstate__") + named("torch", "tanh") + b"sb",
    "name from bytes": b"C\x02os" + text("system") + b"\x93",
    "name from a result": named("collections", "OrderedDict") + b")R" + text("system") + b"\x93",
    "names in the memo": text("os")
    + b"\x94"
    + text("system")
    + b"\x940"
    + b"0h\x00h\x01\x93"
    + text("true")
    + b"\x85R",
    "names by DUP": text("os") + b"2\x93",
    "extension": b"\x82\x01",
    "dotted name": named("torch.nn.modules.linear", "torch.os.system"),
    "dotted name of a class": named("torch.nn.modules.linear", "Linear.__init__"),
    "function of a model's package": named("mace.calculators.foundations_models", "mace_mp"),
    "function beside the layers": named("torch.nn.modules.module", "_addindent"),
    "module beside the layers": named("torch.nn.modules.module", "functools"),
    "result is called": named("collections", "OrderedDict") + b")R)R",
    "class is changed": named("torch.nn.modules.linear", "Linear") + b"}" + text("forward") + b"K\x01sb",
    "class that evaluates": named("e3nn.o3._angular_spherical_harmonics", "Poly") + text("1+1") + b"\x85\x81",
    "reconstructed bytes": named("copyreg", "_reconstructor") + named("builtins", "bytes") + b"2](K\x01e\x87R",
    "INST": b"(S'true'\nios\nsystem\n",
    "OBJ": b"(" + named("os", "system") + text("true") + b"o",
    "graph passed on": named("torch.fx.graph_module", "reduce_graph_module") + b"\x85",
    "graph of a computed text": named("torch.fx.graph_module", "reduce_graph_module")
    + named("collections", "OrderedDict")
    + b")R"
    + text(IMPORTS)
    + b"\x86R",
    "script class of a library": named("__torch__.torch.classes.image", "Writer"),
}


@pytest.mark.parametrize("opcodes", OPCODES.values(), ids=OPCODES.keys())
def test_opcodes_that_hide_a_name_or_call_are_refused(opcodes: bytes) -> None:
    assert scan_bytes(b"\x80\x04" + opcodes + b".", "x").verdict != "safe"
    assert scan_bytes(twin_with(opcodes + b"0"), "x").verdict != "safe"


def graph(code: str, imports: str = IMPORTS, **more: Any) -> bytes:
    """A pickled ``torch.fx`` module, as MACE files have them."""
    return bare(Calls(reduce_graph_module, {"_code": code, **more}, imports))


FORWARD = "def forward(self, x):\n    y = torch.functional.einsum('ab->b', x);  x = None\n    return y\n"


def test_graph_of_tensor_algebra_is_safe() -> None:
    assert scan_bytes(graph(FORWARD, _tracer_cls=None, training=True), "x").verdict == "safe"


@pytest.mark.parametrize(
    "code",
    [
        "import os\n" + FORWARD,
        "os.system('true')\n" + FORWARD,
        FORWARD + "torch.hub.load('a', 'b')\n",
        "@torch.hub.load\n" + FORWARD,
        "def forward(self, x=torch.hub.load('a', 'b')):\n    return x\n",
        "def forward(self, x: torch.hub.load('a', 'b')):\n    return x\n",
        FORWARD.replace("torch.functional.einsum('ab->b', x)", "torch.hub.load('a', 'b')"),
        FORWARD.replace("torch.functional.einsum('ab->b', x)", "x.__class__"),
        FORWARD.replace("torch.functional.einsum('ab->b', x)", "self.__init__.__globals__"),
        FORWARD.replace("torch.functional.einsum('ab->b', x)", "eval('1')"),
        FORWARD.replace("torch.functional.einsum('ab->b', x)", "(lambda: 1)()"),
        FORWARD.replace("torch.functional.einsum('ab->b', x)", "[z for z in x]"),
        FORWARD.replace("torch.functional.einsum('ab->b', x)", "f'{x}'"),
        "def forward(self, x):\n    import os\n    return x\n",
        "def forward(self, x):\n    torch = x\n    return torch.load\n",
        "def forward(self, x):\n    x.data = 1\n    return x\n",
        "def forward(self, x):\n    while True: pass\n",
        "def forward(self, x",
        "",
    ],
)
def test_graph_of_other_code_is_not_safe(code: str) -> None:
    assert fault_of_code(IMPORTS + code)
    assert scan_bytes(graph(code), "x").verdict != "safe"


def test_graph_with_imports_or_a_tracer_of_its_own_is_not_safe() -> None:
    assert scan_bytes(graph(FORWARD, "import os\n"), "x").verdict != "safe"
    assert scan_bytes(graph(FORWARD, _tracer_cls=dict), "x").verdict != "safe"


def test_graph_that_calls_what_came_with_it_is_not_safe() -> None:
    code = "def forward(self, x):\n    return self.f('1+1')\n"
    content, placeholder = graph(code, f="THE CLASS"), text("THE CLASS")
    assert placeholder in content
    assert scan_bytes(content.replace(placeholder, named("torch", "tanh")), "x").verdict == "safe"
    assert scan_bytes(content.replace(placeholder, POLY), "x").verdict != "safe"


def damaged_archives() -> dict[str, bytes]:
    good = saved(torch.ones(3))
    members = unpacked(good)
    place = good.index(b"PK\x01\x02")
    encrypted = bytearray(good)
    encrypted[place + 8] |= 1
    checksum = bytearray(good)
    checksum[place + 16] ^= 1
    method = bytearray(good)
    method[place + 10] = 99
    return {
        "encrypted": bytes(encrypted),
        "wrong checksum": bytes(checksum),
        "unknown compression": bytes(method),
        "cut": good[:-10],
        "something behind": good + b"x",
        "something before": b"x" * 100 + good,
        "two archives": good + zipped(members),
        "gap": good[:64] + bytes(64) + good[64:],
        "beginning only": b"PK\x03\x04",
        "bomb": zipped({"a/data.pkl": bytes(200 * 2**20)}, zipfile.ZIP_DEFLATED),
        "python": zipped({**members, "archive/module.py": b"x = 1"}),
        "python as script": zipped({**members, "archive/code/__torch__.py": b"x = 1"}),
        "library": zipped({**members, "archive/lib.so": b"\x7fELF\x02\x01\x01\x00\x00"}),
    }


@pytest.mark.parametrize("which", damaged_archives())
def test_archive_that_cannot_be_read_or_is_read_differently_is_unknown(which: str) -> None:
    report = scan_bytes(damaged_archives()[which], "x.pt")
    assert report.verdict == "unknown"
    assert report.findings


@pytest.mark.parametrize(
    "content",
    [b"\x80\x02}q\x00", b"\x80\x02.", b"\x80\x04\x93.", b"\x00\x01\x02\x03", b"BZh91AY&SY" + bytes(9), bare({})[:-1]],
)
def test_broken_pickle_and_unknown_format_are_unknown(content: bytes) -> None:
    assert scan_bytes(content, "x").verdict == "unknown"


class Layer(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


def script(module: torch.nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()


def scripted(line: str) -> bytes:
    """A TorchScript archive with a line in its code."""
    members = unpacked(script(Layer()))
    name = next(name for name in members if name.endswith(".py"))
    return zipped({**members, name: members[name] + b"    " + line.encode() + b"\n"})


def test_torchscript_that_computes_is_safe_also_in_the_bytes_of_a_pickle() -> None:
    assert scan_bytes(script(Layer()), "x.pt").verdict == "safe"
    assert scan_bytes(saved({"__codegen__": script(Layer())}), "x.model").verdict == "safe"


@pytest.mark.parametrize(
    "line",
    [
        "torch.save(x, 'a')",
        "torch . from_file('a', True)",
        "ops.image.write_file('a', x)",
        "o = ops",
        "a = ops.\\\n  image",
        "(torch.#\n  save(x, 'a'))",
        "__torch__.torch.classes.image.Writer",
    ],
)
def test_torchscript_that_touches_files_is_unknown(line: str) -> None:
    assert scan_bytes(scripted(line), "x.pt").verdict == "unknown"
    assert scan_bytes(saved({"__codegen__": scripted(line)}), "x.model").verdict == "unknown"


def test_torchscript_behind_something_else_is_unknown() -> None:
    """torch finds an archive from its end, whatever comes before it."""
    content = saved({"__codegen__": bytes(64) + script(Layer())})
    found = scan_bytes(content, "x.model")
    assert found.verdict == "unknown" and any("behind something else" in one for one in found.findings)


@pytest.mark.parametrize("element", ["Script", "InitializationScript"])
def test_force_field_with_python_in_it_is_dangerous(element: str) -> None:
    content = model_path(presets()["spcfw-ewald"]).read_bytes()
    hostile = content.replace(b"</ForceField>", f"<{element}>import os</{element}></ForceField>".encode())
    assert hostile != content
    assert scan_bytes(hostile, "x.xml").verdict == "dangerous"


@pytest.mark.parametrize(
    "head", ['<!DOCTYPE a [<!ENTITY b "c">]>', '<?xml version="1.0" encoding="cp037"?>', "<Include/>"]
)
def test_force_field_that_may_hide_something_is_unknown(head: str) -> None:
    assert scan_bytes(f"{head}<ForceField/>".encode(), "x.xml").verdict == "unknown"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_model_is_safe(name: str) -> None:
    path = model_path(presets()[name])
    begin = time.process_time()
    report = require_safe(path)
    assert time.process_time() - begin < 2.0  # a tenth of this is usual
    assert (report.verdict, report.findings) == ("safe", ())
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert report.scanner.startswith("picklescan ")


PRETRAINED = sorted(
    path
    for folder in ENVIRONMENTS.glob("*/lib/python3*/site-packages/*/pretrained*")
    for path in folder.rglob("*")
    if path.name.endswith((".pth", ".pth.tar", ".model"))
)


@pytest.mark.parametrize("block", ["RealAgnosticResidualInteractionBlock", "RealAgnosticDensityInteractionBlock"])
def test_new_mace_model_of_this_mace_torch_is_safe(block: str) -> None:
    """The twins are of one version; new versions name other things."""
    modules = pytest.importorskip("mace.modules")
    from e3nn import o3

    model = modules.ScaleShiftMACE(
        r_max=4.5,
        num_bessel=4,
        num_polynomial_cutoff=5,
        max_ell=2,
        interaction_cls=modules.interaction_classes[block],
        interaction_cls_first=modules.interaction_classes[block],
        num_interactions=2,
        num_elements=2,
        hidden_irreps=o3.Irreps("4x0e + 4x1o"),
        MLP_irreps=o3.Irreps("4x0e"),
        gate=torch.nn.functional.silu,
        atomic_energies=np.zeros(2),
        avg_num_neighbors=8.0,
        atomic_numbers=[1, 8],
        correlation=3,
        radial_type="gaussian",
        distance_transform="Agnesi",
        pair_repulsion=True,
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )
    assert scan_bytes(saved(model), "x.model").findings == ()


@pytest.mark.parametrize("path", PRETRAINED, ids=lambda path: path.name)
def test_model_of_a_package_is_safe(path: Path) -> None:
    assert require_safe(path).findings == ()


@pytest.mark.parametrize(
    "content",
    [
        saved({"weights": torch.ones(3, dtype=torch.float64), "names": {"H", "O"}, "device": torch.device("cpu")}),
        saved(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.SiLU()), _use_new_zipfile_serialization=False),
        saved(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.SiLU())),
        bare(np.linspace(0, 1, 50), 2),
        bare({"a": np.float64(1.0), "b": [np.arange(3)]}, 4),
        zipped(
            {
                "nnp-1/input.nn": b"# comment\nelements O H\n",
                "train0/networks/a.wparam": bytes(range(200)),
                "train0/networks/a.nnf": b"!\x00\xff\x01",
            }
        ),
        b'{"calculator": "ase.calculators.lj.LennardJones", "kwargs": {}}',
        b"",
        (2).to_bytes(8, "little") + b"{}",
    ],
    ids=["state", "old layers", "layers", "array", "arrays", "bundle", "json", "empty", "safetensors"],
)
def test_file_of_numbers_and_known_layers_is_safe(content: bytes) -> None:
    assert scan_bytes(content, "x").findings == ()


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    path = tmp_path / "foreign.model"
    path.write_bytes(zipped({"a/data.pkl": b"\x80\x02cmypackage.layers\nThing\n)\x81}b."}))
    return path


def test_unknown_class_is_refused_with_its_name_and_the_remedy(foreign: Path) -> None:
    with pytest.raises(ModelError) as caught:
        require_safe(foreign)
    problem, separator, remedy = str(caught.value).partition("; ")
    assert problem == "foreign.model may run code when it is loaded: mypackage.layers.Thing (unknown)"
    assert separator and "falsemetal model scan" in remedy and "accept_unsafe: REASON" in remedy
    assert "--accept-unsafe" in remedy and str(caught.value).endswith(".")


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_no_reason_is_no_acceptance(foreign: Path, reason: str | None) -> None:
    with pytest.raises(UnsafeModelError):
        require_safe(foreign, reason)


def test_accepted_file_keeps_its_verdict(foreign: Path, evil: Calls, marker: Path, tmp_path: Path) -> None:
    report = require_safe(foreign, "made by my group")
    assert (report.verdict, report.findings) == ("unknown", ("mypackage.layers.Thing (unknown)",))
    assert report.as_dict()["verdict"] == "unknown"
    hostile = tmp_path / "hostile.model"
    hostile.write_bytes(saved(evil))
    assert require_safe(hostile, "to see what happens").verdict == "dangerous"
    assert not marker.exists()


def test_names_cannot_write_to_the_terminal() -> None:
    (finding,) = scan_bytes(b"\x80\x04" + named("my\x1b[2Jpackage", "Thing") + b".", "x").findings
    assert finding == "my?[2Jpackage.Thing (unknown)"


STARTS = (
    b"",
    b"PK\x03\x04",
    b"\x80\x02",
    b"\x80\x04",
    b"\x93NUMPY\x01\x00",
    saved(torch.ones(2))[:200],
    b"(cos\nsystem\n",
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=300))
@example(b"", b"\x80\x02" + b"(" * 5000)
@example(b"", b"]" * 3000 + b"a" * 2999 + b".")
@example(b"", b"\x80\x04\x8e" + b"\xff" * 8)
def test_random_bytes_give_a_report(start: bytes, content: bytes) -> None:
    report = scan_bytes(start + content, "x")
    assert report.verdict in ("safe", "unknown", "dangerous")
    assert (report.verdict == "safe") == (not report.findings)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_hostile_file_with_a_changed_byte_is_never_safe(data: st.DataObject) -> None:
    """Unless the change is in the one name that matters, which then names something else, or in its length."""
    content = bytearray(bare(Calls(os.system, "true"), 2))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    assert scan_bytes(bytes(content), "x").verdict != "safe"

"""Follows a pickle without running it, and judges what it names and calls.

A pickle is a program for a small machine with a stack. :class:`_Machine` runs it with plain Python values for strings,
numbers and containers, and inert marks for everything that a real unpickler would import, call or build. So it knows
what a name is however its string was put together, and with which arguments a function is called.
"""

from __future__ import annotations

import io
import logging
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from picklescan.scanner import SafetyLevel, scan_pickle_bytes

from .graphcode import fault_of_code

# It warns of every finding on stderr; the findings are in our report.
logging.getLogger("picklescan").addHandler(logging.NullHandler())
logging.getLogger("picklescan").propagate = False

FUNCTIONS = {
    # Containers and numbers of Python: their constructors only copy.
    "builtins": "set frozenset list tuple dict int float bool complex slice range object",
    "__builtin__": "set frozenset list tuple dict int float bool complex slice range object",
    "collections": "OrderedDict",
    "argparse": "Namespace",  # settings of a training; holds attributes, no more
    # Tensors from storages; each only sets shape, strides and flags.
    "torch._utils": "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter "
    "_rebuild_parameter_with_state _rebuild_sparse_tensor _rebuild_qtensor _rebuild_meta_tensor_no_storage",
    "torch.nn.parameter": "Parameter Buffer UninitializedParameter",
    # The same for numpy. None of these unpickles anything.
    **dict.fromkeys(("numpy.core.multiarray", "numpy._core.multiarray"), "_reconstruct scalar"),
    "numpy": "dtype ndarray float64 float32 int64 int32 bool_",
    "numpy.dtypes": "Float64DType Float32DType Int64DType Int32DType BoolDType",
    # TorchScript archives name these; torch's own reader knows them, and in Python they return their argument.
    "torch.jit._pickle": "build_intlist build_tensorlist build_doublelist build_boollist build_tensor_from_id "
    "restore_type_tag",
    # Shapes, devices, and activations, which layers keep as attributes: arithmetic on tensors.
    "torch.nn.functional": "silu relu gelu softplus elu tanh sigmoid leaky_relu selu celu",
    "torch": "Size device Tensor tanh sigmoid relu sin cos exp abs",
}
"""Names that may be called with any arguments."""
VALUES = {
    "torch": "float16 bfloat16 float32 float64 float half double complex64 complex128 uint8 int8 int16 int32 int64 int "
    "long short bool strided preserve_format contiguous_format "
    + " ".join(
        f"{kind}Storage"
        for kind in "Double Float Half BFloat16 Long Int Short Char Byte Bool ComplexDouble ComplexFloat".split()
    ),
    "torch.storage": "UntypedStorage TypedStorage",
    "torch.fx._symbolic_trace": "Tracer",  # an attribute of graph modules
    # Classes of models that have a name in small letters. Their constructors are not run, see CLASSES.
    "mace.modules.irreps_tools": "reshape_irreps mask_head",
    "e3nn.math._normalize_activation": "normalize2mom",
}
"""Names that may be kept or made without arguments of their constructor, not called."""
CLASSES = re.compile(
    # Packages of models, and only the parts with layers: elsewhere they download, read files and start processes.
    r"(torch\.nn\.modules|e3nn\.(o3|nn|math)|mace\.modules|graph_longrange|sevenn\.nn|chgnet\.model"
    r"|so3krates_torch\.(modules|blocks))(\.\w+)*",
    re.ASCII,
)
CLASS = re.compile(r"_*[A-Z]\w*", re.ASCII)
"""Modules of which every *class* may be named, that is, every name with a capital: those that they import too, ``Poly``
of sympy in a module of e3nn for one, which evaluates the text that it is called with. So a class may be made by
``NEWOBJ``, which runs no constructor, and what is made be given attributes. It may be neither called nor kept, for
others call what is kept as an attribute: an unpickler the ``append`` of what it adds to, a layer its activation."""
MADE = {
    # Tuples of numbers, names and each other.
    "e3nn.o3._irreps": "Irreps _MulIr Irrep",
    "e3nn.o3._linear": "Instruction",
    "e3nn.o3._tensor_product._instruction": "Instruction",
}
"""Classes of which ``NEWOBJ`` may make objects from something. Not all: ``Poly`` evaluates that, too."""
SCRIPT = re.compile(r"__torch__(\.\w+)*")
"""Classes of TorchScript. There is no such Python module: only torch's own reader can do something with them."""
SCRIPT_LIBRARIES = re.compile(r"__torch__\.torch\.classes\.(?!metatensor\b|metatomic\b).*")
DANGEROUS = re.compile(
    # What picklescan 1.0.5 does not call dangerous by name, and loads or runs code.
    r"(builtins|__builtin__)\.__import__|(importlib|imp|torch\.hub|torch\.utils\.cpp_extension|torch\._dynamo"
    r"|numpy\.ctypeslib|multiprocessing|pathlib)\b.*|torch\.(load|jit\.load|serialization\.load)|numpy\.load"
    r"|torch\.storage\._load_from_bytes|(functools\.partial|_functools\.partial)"
)


@dataclass(frozen=True)
class Global:
    """A Python object that the pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Result:
    """Whatever a call, an import or a persistent name gives."""


class Set(Result):
    """A set of Python's own, which has no other ``add``."""


class Fault(Exception):
    """The pickle cannot be followed any further."""


class Findings:
    """What is not known to be safe."""

    def __init__(self) -> None:
        self._dangerous: dict[str, None] = {}
        self._unknown: dict[str, None] = {}

    def dangerous(self, what: str) -> None:
        """Add something that runs code."""
        self._dangerous[_printable(what)] = None

    def unknown(self, what: str) -> None:
        """Add something that may run code."""
        self._unknown[_printable(what)] = None

    @property
    def verdict(self) -> str:
        """``safe``, ``unknown`` or ``dangerous``."""
        return "dangerous" if self._dangerous else "unknown" if self._unknown else "safe"

    def sorted(self) -> tuple[str, ...]:
        """The dangerous first, else in the order of the file."""
        return (*(f"{what} (dangerous)" for what in self._dangerous), *(f"{what} (unknown)" for what in self._unknown))


@dataclass
class Followed:
    """What following one pickle gave.

    :param constants: its byte strings.
    :param named: whether it named anything.
    :param fault: why it could not be followed to its end, or an empty string.
    """

    constants: list[bytes] = field(default_factory=list)
    named: bool = False
    fault: str = ""


def follow(stream: io.BytesIO, name: str, findings: Findings) -> Followed:
    """Follow one pickle from where ``stream`` is, and leave it behind its end.

    :param name: of the file, for the findings.
    """
    start = stream.tell()
    machine = _Machine(name, findings)
    followed = machine.followed
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.step(opcode.name, argument)
    except Exception as error:  # a broken pickle raises many kinds
        followed.fault = f"{type(error).__name__}: {' '.join(str(error).split())}"[:160]
    if followed.named:
        _ask_picklescan(stream.getvalue()[start : stream.tell()], name, findings)
    return followed


def _ask_picklescan(content: bytes, name: str, findings: Findings) -> None:
    """The second pair of eyes, on the same bytes."""
    try:
        result = scan_pickle_bytes(io.BytesIO(content), name, multiple_pickles=False)
    except Exception as error:  # it raises on what it cannot resolve
        findings.unknown(f"picklescan cannot read {name} ({type(error).__name__})")
        return
    for found in result.globals:
        if found.safety is SafetyLevel.Dangerous:
            findings.dangerous(f"{found.module}.{found.name}")
    if result.scan_err:
        findings.unknown(f"picklescan cannot read {name}")


@cache
def _is_dangerous(module: str, name: str) -> bool:
    """Whether picklescan, or our addition to it, calls this name dangerous."""
    if DANGEROUS.fullmatch(f"{module}.{name}"):
        return True
    texts = b"".join(b"X" + len(text).to_bytes(4, "little") + text for text in (module.encode(), name.encode()))
    result = scan_pickle_bytes(io.BytesIO(b"\x80\x04" + texts + b"\x93."), "")
    return any(found.safety is SafetyLevel.Dangerous for found in result.globals)


class _Machine:
    """The stack, the memo, and one method for each kind of opcode."""

    def __init__(self, name: str, findings: Findings) -> None:
        self.name = name
        self.findings = findings
        self.followed = Followed()
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        """One opcode.

        :raises Fault: if a real unpickler would fail here, or do what we cannot follow.
        """
        if opcode in _CONSTANTS:
            self._push(_CONSTANTS[opcode]())
        elif opcode in _LITERALS:
            self._literal(argument)
        elif opcode in _TUPLES:
            self._push(self._bundle(self._pop_many(_TUPLES[opcode])))
        elif opcode in _STEPS:
            _STEPS[opcode](self, argument)
        elif opcode == "STOP" and not self.stack:
            raise Fault("empty stack")
        elif opcode not in ("PROTO", "FRAME", "STOP", "READONLY_BUFFER"):
            raise Fault(f"opcode {opcode}")

    def _push(self, value: Any) -> None:
        self.stack.append(value)

    def _pop(self) -> Any:
        if not self.stack:
            raise Fault("empty stack")
        return self.stack.pop()

    def _pop_many(self, count: int) -> list[Any]:
        return [self._pop() for _ in range(count)][::-1]

    def _literal(self, argument: Any) -> None:
        if isinstance(argument, bytes | bytearray):
            argument = bytes(argument)
            self.followed.constants.append(argument)
        self._push(argument)

    def _mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _to_mark(self) -> list[Any]:
        if not self.marks:
            raise Fault("no mark")
        items, self.stack = self.stack, self.marks.pop()
        return items

    def _drop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._to_mark()

    def _drop_mark(self, _: Any) -> None:
        self._to_mark()

    def _twice(self, _: Any) -> None:
        value = self._pop()
        self.stack += [value, value]

    def _put(self, argument: Any) -> None:
        if not self.stack:
            raise Fault("empty stack")
        self.memo[len(self.memo) if argument is None else int(argument)] = self.stack[-1]

    def _get(self, argument: Any) -> None:
        if int(argument) not in self.memo:
            raise Fault("no such memo")
        self._push(self.memo[int(argument)])

    # Containers. What is put into one may be called later by those who read it, with arguments that we do not see.

    def _content(self, items: list[Any]) -> list[Any]:
        for item in items:
            if isinstance(item, tuple):
                self._content(list(item))
            elif isinstance(item, Global) and (str(item) in CHECKED or _is_only_class(item)):
                self.findings.unknown(f"{item}, kept to be called later")
        return items

    def _bundle(self, items: list[Any]) -> tuple[Any, ...]:
        """A tuple. Classes in it are looked at where it goes: what makes an object is given its class in one."""
        self._content([item for item in items if not (isinstance(item, Global) and _is_only_class(item))])
        return tuple(items)

    def _list(self, _: Any) -> None:
        self._push(self._content(self._to_mark()))

    def _tuple(self, _: Any) -> None:
        self._push(self._bundle(self._to_mark()))

    def _dict(self, _: Any) -> None:
        items = self._to_mark()
        self._push({})
        self._set_items(items)

    def _frozenset(self, _: Any) -> None:
        self._content(self._to_mark())
        self._push(Result())

    def _append(self, _: Any) -> None:
        self._extend([self._pop()])

    def _appends(self, _: Any) -> None:
        self._extend(self._to_mark())

    def _extend(self, items: list[Any]) -> None:
        self._content(items)
        target = self._top()
        if isinstance(target, list):
            target.extend(items)
        else:  # calls its `extend` or `append`, which the file may have given it
            self.findings.unknown(f"something in {self.name} that is added to what is no list")

    def _add_items(self, _: Any) -> None:
        self._content(self._to_mark())
        if not isinstance(self._top(), Set):
            self.findings.unknown(f"something in {self.name} that is added to what is no set")

    def _set_item(self, _: Any) -> None:
        self._set_items(self._pop_many(2))

    def _to_items(self, _: Any) -> None:
        self._set_items(self._to_mark())

    def _set_items(self, items: list[Any]) -> None:
        self._content(items)
        target = self._top()
        if len(items) % 2:
            raise Fault("odd number of items")
        if isinstance(target, dict):
            target.update(zip(items[::2], items[1::2], strict=True))

    def _top(self) -> Any:
        """What items are added to. A class or function has none of its own to add to."""
        if not self.stack:
            raise Fault("empty stack")
        if isinstance(self.stack[-1], Global):
            self.findings.unknown(f"{self.stack[-1]}, changed")
        return self.stack[-1]

    # Names.

    def _global(self, argument: Any) -> None:
        module, _, name = str(argument).partition(" ")
        self._push(self._named(module, name))

    def _stack_global(self, _: Any) -> None:
        module, name = self._pop_many(2)
        self.followed.named = True
        if not isinstance(module, str) or not isinstance(name, str):
            self.findings.unknown(f"a name in {self.name} that is not written in it")
            self._push(Result())
            return
        self._push(self._named(module, name))

    def _named(self, module: str, name: str) -> Global:
        self.followed.named = True
        found = Global(module, name)
        if is_known(found):
            return found
        if _is_dangerous(module, name):
            self.findings.dangerous(str(found))
        else:
            self.findings.unknown(str(found))
        return found

    def _extension(self, argument: Any) -> None:
        self.findings.unknown(f"a name in {self.name} by the number {argument}")
        self._push(Result())

    # Calls.

    def _reduce(self, _: Any) -> None:
        callee, arguments = self._pop_many(2)
        self._push(self._call(callee, arguments))

    def _inst(self, argument: Any) -> None:
        module, _, name = str(argument).partition(" ")
        self._push(self._call(self._named(module, name), self._bundle(self._to_mark())))

    def _obj(self, _: Any) -> None:
        items = self._to_mark()
        if not items:
            raise Fault("no class")
        self._push(self._call(items[0], self._bundle(items[1:])))

    def _call(self, callee: Any, arguments: Any) -> Any:
        if CHECKED.get(str(callee)) is not _reconstructor:  # which looks at the class among its arguments itself
            self._content([arguments])
        if not isinstance(callee, Global):
            self.findings.unknown(f"a call in {self.name} of something that is computed")
        elif str(callee) in CHECKED:
            fault, value = CHECKED[str(callee)](arguments)
            if fault:
                self.findings.unknown(f"{callee}, {fault}")
            if isinstance(value, bytes):
                self.followed.constants.append(value)
            return value
        elif is_known(callee) and not _is_function(callee):
            self.findings.unknown(f"{callee}, whose constructor is called")
        return Result()

    def _newobj(self, _: Any) -> None:
        self._make(*self._pop_many(2))

    def _newobj_ex(self, _: Any) -> None:
        cls, arguments, keywords = self._pop_many(3)
        self._content([keywords])
        self._make(cls, arguments if keywords == {} else keywords)

    def _make(self, cls: Any, arguments: Any) -> None:
        """``cls.__new__``, which without arguments does nothing but make an object."""
        self._content([arguments])
        if not isinstance(cls, Global):
            self.findings.unknown(f"an object in {self.name} of a class that is computed")
        elif str(cls) in CHECKED:
            self.findings.unknown(f"{cls}, made an object of")
        elif arguments != () and is_known(cls) and not (_is_function(cls) or _is_in(MADE, cls)):
            self.findings.unknown(f"{cls}, made from something")
        self._push(Result())

    def _build(self, _: Any) -> None:
        target, state = self._pop_many(2)
        self._content([state])
        if isinstance(target, Global):
            self.findings.unknown(f"{target}, changed")
        if any("__setstate__" in part for part in _dictionaries(state)):  # the next BUILD would call it
            self.findings.unknown(f"an object in {self.name} that is told how to be built")
        self._push(target)

    def _persistent(self, argument: Any) -> None:
        self._push(Result())

    def _binary_persistent(self, _: Any) -> None:
        match self._pop():
            case ("module", Global() as cls, *_):  # old torch files name the classes of layers so, with their source
                self._push(cls)
            case name:
                self._content([name])
                self._push(Result())


def is_known(found: Global) -> bool:
    """Whether a name is on one of our lists."""
    if SCRIPT.fullmatch(found.module):
        library = SCRIPT_LIBRARIES.fullmatch(str(found))
        return library is None and re.fullmatch(r"\w+", found.name) is not None
    if str(found) in CHECKED or _is_function(found) or _is_in(VALUES, found):
        return True
    return CLASSES.fullmatch(found.module) is not None and CLASS.fullmatch(found.name) is not None


def _is_only_class(found: Global) -> bool:
    """Whether a name is known as a class of a package of models, and as nothing else."""
    return CLASSES.fullmatch(found.module) is not None and is_known(found) and not _is_in(VALUES, found)


def _dictionaries(state: Any) -> list[dict[Any, Any]]:
    """What an object's attributes are set from: a dictionary, or a pair of them."""
    return [part for part in (state if isinstance(state, tuple) else (state,)) if isinstance(part, dict)]


def _is_function(found: Global) -> bool:
    return _is_in(FUNCTIONS, found) or SCRIPT.fullmatch(found.module) is not None


def _is_in(names: dict[str, str], found: Global) -> bool:
    return found.name in names.get(found.module, "").split()


def _encode(arguments: Any) -> tuple[str, Any]:
    """``_codecs.encode(text, "latin1")``: how pickles of protocol 2 write bytes. Other codecs hide what they make."""
    match arguments:
        case (str(text), "latin1" | "latin-1"):
            return "", text.encode("latin-1")
    return "with other arguments than those of bytes", Result()


def _bytes(arguments: Any) -> tuple[str, Any]:
    """``bytes()``: how protocol 2 writes none. From numbers one could make bytes that we do not see."""
    if arguments == ():
        return "", b""
    return "with arguments", Result()


def _bytearray(arguments: Any) -> tuple[str, Any]:
    match arguments:
        case ():
            return "", b""
        case (bytes(content),):
            return "", content
        case (str(text), "latin1" | "latin-1"):
            return "", text.encode("latin-1")
    return "with other arguments than bytes", Result()


def _reconstructor(arguments: Any) -> tuple[str, Any]:
    """``copyreg._reconstructor(cls, object, None)``: how old protocols make an object without its constructor."""
    match arguments:
        case (Global() as cls, Global("builtins" | "__builtin__", "object"), None) if str(cls) not in CHECKED:
            return "", Result()
    return "with a base that it may fill", Result()


def _graph(arguments: Any) -> tuple[str, Any]:
    """``reduce_graph_module`` runs Python source, which every MACE file has; see :mod:`.graphcode`."""
    match arguments:
        case (dict(body), str(imports)) if all(isinstance(key, str) for key in body):
            code, extras = body.get("_code"), body.get("_tracer_extras")
            if not isinstance(code, str) or not code:
                return "whose code is not written in it", Result()
            if body.get("_tracer_cls") not in (None, TRACER) or extras not in (None, {}):
                return "with a tracer of its own", Result()
            return fault_of_code(imports + code), Result()
    return "whose code is not written in it", Result()


TRACER = Global("torch.fx._symbolic_trace", "Tracer")
CHECKED: dict[str, Callable[[Any], tuple[str, Any]]] = {
    "_codecs.encode": _encode,
    "builtins.bytes": _bytes,
    "__builtin__.bytes": _bytes,
    "builtins.bytearray": _bytearray,
    "__builtin__.bytearray": _bytearray,
    "copyreg._reconstructor": _reconstructor,
    "copy_reg._reconstructor": _reconstructor,
    "torch.fx.graph_module.reduce_graph_module": _graph,
}
"""Names that may be called with some arguments only: each gives what is wrong with them, and the value. They may be
neither kept nor passed on, for then others would call them."""

_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": Set,
    "NEXT_BUFFER": Result,
}
_LITERALS = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE "
    "SHORT_BINUNICODE BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8".split()
)
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine._mark,
    "POP": _Machine._drop,
    "POP_MARK": _Machine._drop_mark,
    "DUP": _Machine._twice,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine._put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine._get),
    "LIST": _Machine._list,
    "TUPLE": _Machine._tuple,
    "DICT": _Machine._dict,
    "FROZENSET": _Machine._frozenset,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "ADDITEMS": _Machine._add_items,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._to_items,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _Machine._extension),
    "REDUCE": _Machine._reduce,
    "INST": _Machine._inst,
    "OBJ": _Machine._obj,
    "NEWOBJ": _Machine._newobj,
    "NEWOBJ_EX": _Machine._newobj_ex,
    "BUILD": _Machine._build,
    "PERSID": _Machine._persistent,
    "BINPERSID": _Machine._binary_persistent,
}


def _printable(text: str) -> str:
    """A file must not write to the terminal with the names in it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:300]

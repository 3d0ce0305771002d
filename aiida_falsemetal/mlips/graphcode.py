"""Reads the Python source that ``torch.fx`` keeps in a pickle, and tells whether it is tensor algebra and nothing else.

MACE's symmetric contractions are ``torch.fx.GraphModule``; a pickle of one holds the source of its ``forward``, which
``reduce_graph_module`` runs. What torch writes there is of one shape: a few imports of torch, and one function of
assignments to local variables. Anything else is refused: the source is parsed, never run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

IMPORTS = {
    # All that torch.fx ever puts before the function (_custom_builtins in torch/fx/graph.py).
    "NoneType = type(None)",
    "from math import inf",
    "from math import nan",
    "from torch import device",
    "import torch",
    "import torch.fx._pytree as fx_pytree",
    "import torch.utils._pytree as pytree",
}
NAMES = frozenset("self torch device inf nan NoneType slice".split())
"""What the function may use beside its own variables."""
CALLABLE = frozenset({"device", "slice"})
TORCH = frozenset(
    [f"torch.functional.{name}" for name in ("einsum", "tensordot")]
    + ["torch.nn.functional." + name for name in ("silu", "relu", "gelu", "softplus", "one_hot", "linear")]
    + [
        f"torch.{name}"
        for name in "einsum tensordot mul add sub div matmul bmm cat stack reshape permute transpose squeeze unsqueeze "
        "flatten sum mean sqrt exp sin cos tanh sigmoid zeros ones zeros_like ones_like outer broadcast_tensors "
        "broadcast_to Tensor Size device float32 float64 int64 int32 long bool index_select where".split()
    ]
)
"""Functions of torch that compute, and types."""
ATTRIBUTES = frozenset(
    "shape dtype device ndim T mT real imag reshape view permute transpose squeeze unsqueeze flatten sum mean expand "
    "contiguous size dim new_zeros new_ones to mul add sub div matmul index_select index_add index_add_ narrow "
    "sqrt exp pow abs".split()
)
"""Attributes and methods of tensors."""
_EXPRESSIONS = (
    ast.Constant,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.Slice,
    ast.Subscript,
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.keyword,
    ast.Starred,
    ast.operator,
    ast.unaryop,
    ast.cmpop,
    ast.expr_context,
)


def fault_of_code(source: str) -> str:
    """What in the source is more than tensor algebra, or an empty string."""
    if not source.isascii():  # old pickles do not tell in which encoding their texts are
        return "whose code is not ASCII"
    try:
        statements = ast.parse(source).body
        return next(_faults(statements), "")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"whose code cannot be read ({type(error).__name__})"


def _faults(statements: list[ast.stmt]) -> Iterator[str]:
    functions = [statement for statement in statements if isinstance(statement, ast.FunctionDef)]
    if len(functions) != 1 or functions[0].name != "forward" or statements[-1] is not functions[0]:
        yield "whose code is not one function"
    for statement in statements:
        if isinstance(statement, ast.FunctionDef):
            yield from _in_function(statement)
        elif (text := ast.unparse(statement)) not in IMPORTS:
            yield f"whose code has `{text[:60]}`"


def _in_function(function: ast.FunctionDef) -> Iterator[str]:
    signature = function.args
    arguments = [*signature.posonlyargs, *signature.args, *signature.kwonlyargs]
    if function.decorator_list or getattr(function, "type_params", None):
        yield "whose code decorates its function"
    # Both are run when the function is defined.
    outer = [*signature.defaults, *filter(None, signature.kw_defaults)]
    outer += [note for note in (function.returns, *(argument.annotation for argument in arguments)) if note]
    if any(isinstance(node, ast.Call) for part in outer for node in ast.walk(part)):
        yield "whose code calls something in its signature"
    if signature.vararg or signature.kwarg:
        yield "whose code takes any number of arguments"
    local = {argument.arg for argument in arguments}
    for statement in function.body:
        match statement:
            case ast.Assign(targets=targets) if all(isinstance(target, ast.Name) for target in targets):
                local |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.Return() | ast.Pass():
                pass
            case _:
                yield f"whose code has `{ast.unparse(statement)[:60]}`"
    if (local - {"self"}) & NAMES:
        yield "whose code gives a name another meaning"
    for part in (*outer, *(value for statement in function.body if (value := getattr(statement, "value", None)))):
        yield from _in_expression(part, local | NAMES)


def _in_expression(node: ast.AST, names: set[str] | frozenset[str]) -> Iterator[str]:
    match node:
        case ast.Name(id=name):
            fine = name in names
        case ast.Attribute():
            fine = _is_attribute(node, names)
        case ast.Call(func=function):
            fine = isinstance(function, ast.Attribute) or (isinstance(function, ast.Name) and function.id in CALLABLE)
        case _:
            fine = isinstance(node, _EXPRESSIONS)
    if not fine:
        yield f"whose code has `{ast.unparse(node)[:60]}`"
    if isinstance(node, ast.Attribute) and _root(node) in ("torch", "self"):
        return
    for child in ast.iter_child_nodes(node):
        yield from _in_expression(child, names)


def _is_attribute(node: ast.Attribute, names: set[str] | frozenset[str]) -> bool:
    text = ast.unparse(node)
    match _root(node):
        case "torch":
            return text in TORCH
        case "self":  # parameters, buffers and layers: what the pickle made, and was judged there
            return "__" not in text
    return node.attr in ATTRIBUTES


def _root(node: ast.expr) -> str | None:
    """The name that a chain of attributes starts with."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None

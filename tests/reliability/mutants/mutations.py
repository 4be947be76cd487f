"""The mistakes: every small change of a source that a test should notice."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_SWAPPED: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_PAIRS = (
    "min max",
    "amin amax",
    "argmin argmax",
    "minimum maximum",
    "clamp_min clamp_max",
    "cummin cummax",
    "floor ceil",
    "any all",
    "sum mean",
    "zeros ones",
    "zeros_like ones_like",
)
_OTHER = {a: b for pair in _PAIRS for a, b in (pair.split(), pair.split()[::-1])}
# What no caller relies on: types, decorators, the words of messages, what is asserted for types.
_LEFT_OUT = (ast.Raise, ast.Assert, ast.JoinedStr)
_FIELDS_LEFT_OUT = ("annotation", "returns", "decorator_list", "type_params")


@dataclass(frozen=True)
class Mutant:
    """One change of one source.

    Attributes:
        index: which of the source's.
        line: where.
        change: what, as ``before -> after``.
        called: whether it is inside a function, so that only a call runs it.
    """

    index: int
    line: int
    change: str
    called: bool


def mutants(source: str) -> list[Mutant]:
    """All changes of a module's source, in its order."""
    return [
        Mutant(index, line, change, called)
        for index, (line, change, called, _) in enumerate(_changes(ast.parse(source)))
    ]


def mutate(source: str, index: int) -> ast.Module:
    """The module with one change."""
    tree = ast.parse(source)
    *_, apply = list(_changes(tree))[index]
    apply()
    return ast.fix_missing_locations(tree)


def _changes(
    parent: ast.AST, called: bool = False
) -> Iterator[tuple[int, str, bool, Callable[[], None]]]:
    inside = called or isinstance(parent, ast.FunctionDef | ast.Lambda)
    for field, value in ast.iter_fields(parent):
        if field in _FIELDS_LEFT_OUT:
            continue
        nodes = value if isinstance(value, list) else [value]
        # The defaults of arguments are evaluated where the function is made.
        within = called if field == "args" else inside
        for place, node in enumerate(nodes):
            if not isinstance(node, ast.AST) or isinstance(node, _LEFT_OUT):
                continue
            for other in _others(node):

                def apply(field=field, place=place, value=value, other=other) -> None:
                    if isinstance(value, list):
                        value[place] = other
                    else:
                        setattr(parent, field, other)

                line = getattr(node, "lineno", getattr(parent, "lineno", 1))
                yield line, f"{_brief(node)} -> {_brief(other)}", within, apply
            yield from _changes(node, within)


def _brief(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0]


def _with(node: ast.AST, **fields: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _others(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in a node's place."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _SWAPPED:
            yield _with(node, ops=[_SWAPPED[type(op)]()])
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in _SWAPPED:
            yield _with(node, op=_SWAPPED[type(op)]())
        case ast.AugAssign(op=op):
            yield ast.Pass()
            if type(op) in _SWAPPED:
                yield _with(node, op=_SWAPPED[type(op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.If(test=test) | ast.IfExp(test=test):
            yield _with(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.Name(id=name) if name in _OTHER:
            yield _with(node, id=_OTHER[name])
        case ast.Attribute(attr=name) if name in _OTHER:
            yield _with(node, attr=_OTHER[name])
        case ast.Slice(lower=lower, upper=upper):
            for name, bound in (("lower", lower), ("upper", upper)):
                if bound is not None and not isinstance(bound, ast.Constant):
                    yield _with(node, **{name: ast.BinOp(bound, ast.Add(), ast.Constant(1))})
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Constant(value=float(value)):
            yield ast.Constant(2.0 * value if value else 1.0)

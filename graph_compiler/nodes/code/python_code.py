"""Reads a `python` node's code without running it: does it parse, and what does its `main` take and return."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache

from graph_compiler.values.port_types import PortType

_ANNOTATIONS: dict[str, PortType] = {
    "bool": "boolean", "int": "integer", "float": "number", "str": "string", "list": "array", "dict": "object",
    "None": "null", "bytes": "bytes",
}  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """A parameter of `main` that can be given by name."""

    name: str
    type: PortType
    required: bool


@dataclass(frozen=True)
class Main:
    """The signature of `main`."""

    parameters: tuple[Parameter, ...] = ()
    returns: PortType = "any"
    takes_any_name: bool = False


@dataclass(frozen=True)
class CodeDefect:
    """Why the code cannot be used, and where in it (1-based)."""

    code: str
    message: str
    line: int = 1
    column: int = 1


@lru_cache(maxsize=4096)
def read_main(code: str) -> Main | CodeDefect:
    """The signature of the code's `main`, or what is wrong with the code."""
    try:
        tree = ast.parse(code)
        compile(tree, "<code>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return CodeDefect("bad_code", error.msg, error.lineno or 1, max(error.offset or 1, 1))
    except (ValueError, RecursionError, MemoryError) as error:
        return CodeDefect("bad_code", str(error) or "nested too deeply")
    for statement in reversed(tree.body):
        if isinstance(statement, ast.FunctionDef) and statement.name == "main":
            return _signature(statement)
        if isinstance(statement, ast.AsyncFunctionDef) and statement.name == "main":
            return CodeDefect("bad_main", "`main` is async; it must be a plain function", *_place(statement))
    return CodeDefect("missing_main", "the code defines no function `main`")


def _signature(main: ast.FunctionDef) -> Main | CodeDefect:
    arguments = main.args
    if arguments.posonlyargs:
        place = _place(arguments.posonlyargs[0])
        return CodeDefect("bad_main", "parameters before `/` cannot be given by name", *place)
    required = len(arguments.args) - len(arguments.defaults)
    parameters = [
        Parameter(argument.arg, _port_type(argument.annotation), index < required)
        for index, argument in enumerate(arguments.args)
    ]
    parameters += [
        Parameter(argument.arg, _port_type(argument.annotation), default is None)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return Main(tuple(parameters), _port_type(main.returns), arguments.kwarg is not None)


def _port_type(annotation: ast.expr | None) -> PortType:
    """The port type of a plain annotation (`int`, `list[str]`, `None`); anything richer is `any`."""
    if isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return "null"
    return _ANNOTATIONS.get(annotation.id, "any") if isinstance(annotation, ast.Name) else "any"


def _place(node: ast.stmt | ast.arg) -> tuple[int, int]:
    return node.lineno, node.col_offset + 1

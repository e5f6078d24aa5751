"""The Jinja2 environment of templates: sandboxed, strict, native, and bounded in what one expression may build.

Templates are users' code inside our processes, so whatever can grow (repetition, powers, padding, joining,
loops) is checked before it is done. The processor's time is bounded by a budget of work, not by a clock.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes, pass_environment
from jinja2.exceptions import SecurityError
from jinja2.filters import make_attrgetter
from jinja2.nativetypes import NativeCodeGenerator, NativeEnvironment
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from graph_compiler.templates.template_bounds import (
    MAX_TEXT,
    bounding,
    charge,
    charge_items,
    charge_writing,
    charging,
    check_format,
    check_growth,
    check_size,
    spend,
    weigh,
    weighing,
)
from graph_compiler.values import values
from graph_compiler.values.binary import dumps
from graph_compiler.values.values import as_json

REFUSED_STATEMENTS = (
    nodes.Macro | nodes.CallBlock | nodes.FilterBlock | nodes.AssignBlock | nodes.Include | nodes.Import
    | nodes.FromImport | nodes.Extends | nodes.Block | nodes.With | nodes.ScopedEvalContextModifier
)  # fmt: skip
REFUSED_FILTERS = frozenset([
    "center", "indent", "random", "xmlattr", "urlize", "pprint", "slice",
    "wordwrap", "safe", "escape", "e", "forceescape", "attr",
])  # fmt: skip
REFUSED_TEXT_METHODS = frozenset([
    "center", "ljust", "rjust", "zfill", "expandtabs", "format",
    "format_map", "join", "replace", "translate", "encode",
])  # fmt: skip
AT_ONCE = frozenset(["count", "d", "default", "first", "length"])
"""Filters that take as long with a large value as with a small one."""
BY_ITEMS = frozenset([
    "batch", "items", "last", "list", "map", "reject", "rejectattr", "reverse", "select", "selectattr", "sum",
])  # fmt: skip
"""Filters that look at each item once; what they do with an item is charged by what they call for it."""
BY_ORDER = frozenset(["dictsort", "groupby", "sort"])
"""Filters that compare each item with some others."""
TESTS_AT_ONCE = frozenset([
    "boolean", "callable", "defined", "escaped", "false", "filter", "float", "integer", "iterable", "mapping", "none",
    "number", "sameas", "sequence", "string", "test", "true", "undefined",
])  # fmt: skip
TEXT_FILTERS = ["lower", "upper", "title", "capitalize", "trim", "striptags", "urlencode", "truncate", "wordcount"]


class Missing(StrictUndefined):
    """Says which names there are where one was asked for in vain."""

    @property
    def _undefined_message(self) -> str:
        if isinstance(self._undefined_obj, Mapping):
            names = ", ".join(sorted(map(str, self._undefined_obj))[:12]) or "nothing"
            return f"there is no {self._undefined_name!r} here; there is {names}"
        return super()._undefined_message

    @property
    def why_not_json(self) -> str:
        return self._undefined_message


class LoneConstants(NativeCodeGenerator):
    """Keeps the type of a constant that stands alone: `{{ 5 }}` is 5."""

    def _output_const_repr(self, group: Iterable[Any]) -> str:
        values = list(group)
        return repr(values[0] if len(values) == 1 else "".join(map(as_text, values)))


class Environment(ImmutableSandboxedEnvironment, NativeEnvironment):
    """See the module."""

    code_generator_class = LoneConstants
    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=Missing, autoescape=False, cache_size=0)
        self.globals = {name: self.globals[name] for name in ("range", "dict")}
        for name in REFUSED_FILTERS:
            del self.filters[name]
        for name in TEXT_FILTERS:
            self.filters[name] = weighing(self.filters[name])
        for name in ("batch", "format", "round"):
            self.filters[name] = bounding(self.filters[name])
        self.filters |= {"counted": _counted, "joined": _joined, "join": _join}
        self.filters |= {"replace": _replace, "string": as_text, "tojson": _to_json}
        self.filters |= {"to_base64": _to_base64, "from_base64": _from_base64}
        self.filters |= {"to_bytes": _to_bytes, "to_text": _to_text, "sum": _sum}
        for name, function in self.filters.items():
            if name not in ("counted", "joined"):
                self.filters[name] = charging(function, _charge_of_filter(name))
        self.filters["charged"] = _charged
        tests: dict[str, Any] = self.tests
        for name, test in tests.items():
            tests[name] = charging(test, _charge_once if name in TESTS_AT_ONCE else charge)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _Bounds().visit(tree)
        return tree

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Data first: `{{ body.items }}` is the key `items`, not Python's method of dictionaries."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, bytes) or (isinstance(obj, str) and attr in REFUSED_TEXT_METHODS):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        if super().wrap_str_format(value) is not None:
            raise SecurityError("str.format is not available; use the filter `format`")
        return None

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        charge(getattr(__obj, "__self__", None), *args, *kwargs.values())
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "%":
            check_format(left)
        else:
            check_growth(operator, left, right)
        charge_items(left)
        charge_items(right)
        return super().call_binop(context, operator, left, right)


class _Bounds(NodeTransformer):
    """Refuses statements without a use here, and routes `~`, loops, comparisons and slices through what counts them."""

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        if isinstance(node, REFUSED_STATEMENTS):
            raise TemplateSyntaxError("only `if`, `for` and `set` statements are available", node.lineno)
        return super().generic_visit(node, *args, **kwargs)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.recursive:
            raise TemplateSyntaxError("recursive loops are not available", node.lineno)
        node.iter = nodes.Filter(node.iter, "counted", [], [], None, None, lineno=node.lineno)
        return self.generic_visit(node)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _charged_node(node.expr)
        for operand in node.ops:
            operand.expr = _charged_node(operand.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _charged_node(node.node)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "joined", [], [], None, None, lineno=node.lineno)


def _charged_node(node: nodes.Expr) -> nodes.Expr:
    if isinstance(node, nodes.Const):
        return node
    return nodes.Filter(node, "charged", [], [], None, None, lineno=node.lineno)


def _charged(value: Any) -> Any:
    charge(value)
    return value


def _charge_of_filter(name: str) -> Callable[..., None]:
    if name in AT_ONCE:
        return _charge_once
    if name in BY_ITEMS:
        return _charge_by_items
    return _charge_by_order if name in BY_ORDER else charge


def _charge_once(*_: Any) -> None:
    spend()


def _charge_by_items(value: Any = (), *_: Any) -> None:
    charge_items(value)


def _charge_by_order(*values: Any) -> None:
    rounds = len(values[0]).bit_length() if values and isinstance(values[0], Sized) else 1
    for _ in range(max(1, rounds // 2)):
        charge(*values)


@pass_environment
def _sum(environment: Environment, items: Iterable[Any], attribute: str | int | None = None, start: Any = 0) -> Any:
    """Jinja's, spending for each step: with lists it copies all that it has so far."""
    if isinstance(start, str | bytes):
        raise TypeError("sum adds up numbers and lists; texts are joined by the filter `join`")
    get = make_attrgetter(environment, attribute) if attribute is not None else _itself
    total = start
    for item in _counted(items):
        value = get(item)
        check_growth("+", total, value)
        charge_items(total)
        charge_items(value)
        total = total + value
    return total


def _itself(value: Any) -> Any:
    return value


def _counted(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        spend()
        yield item


def as_text(value: Any) -> str:
    """The text of `values.as_text`, of no more than a template may write."""
    if isinstance(value, str):
        charge(value)
    else:
        charge_writing(value)
    return values.as_text(value)


def _joined(parts: list[Any]) -> str:
    weigh(parts)
    return "".join(map(as_text, parts))


def _join(items: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    parts = list(_counted(items))
    if attribute is not None:
        parts = [part[attribute] for part in parts]
    check_size(weigh(parts) + len(separator) * len(parts), MAX_TEXT)
    return separator.join(map(as_text, parts))


def _replace(text: Any, old: str, new: str, count: int = -1) -> str:
    written = as_text(text)
    found = written.count(old) if count < 0 else min(count, written.count(old))
    check_size(len(written) + found * len(new), MAX_TEXT)
    return written.replace(old, new, count)


def _to_json(value: Any) -> str:
    charge_writing(value)
    return dumps(as_json(value, "the value of tojson"), ensure_ascii=False)


def _to_bytes(text: Any) -> bytes:
    weigh(text)
    if not isinstance(text, str):
        raise TypeError(f"to_bytes takes text, not {type(text).__name__}")
    return text.encode()


def _to_text(data: Any) -> str:
    weigh(data)
    return _checked_bytes(data, "to_text").decode()


def _to_base64(data: Any) -> str:
    weigh(data)
    return b64encode(_checked_bytes(data, "to_base64")).decode("ascii")


def _from_base64(text: Any) -> bytes:
    weigh(text)
    return b64decode(text, validate=True)


def _checked_bytes(data: Any, name: str) -> bytes:
    if not isinstance(data, bytes):
        raise TypeError(f"{name} takes bytes, not {type(data).__name__}")
    return data
